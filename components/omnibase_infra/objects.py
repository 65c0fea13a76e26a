"""One Kubernetes object from its manifest, with the type token of the official SDK.

The typed classes of pulumi_kubernetes would need 0.5 s more CPU time per run for imports (docs/decisions/0007), and a
manifest is what schemas, policies and people read. tests/stacks validates every manifest against the API's schema.
"""

import base64
import inspect
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import pulumi

Manifest = dict[str, Any]
"""A Kubernetes object as in YAML: apiVersion, kind, metadata, ..."""

SECRET_OUTPUTS = {"Secret": ["data", "stringData"]}


def token(manifest: Mapping[str, Any]) -> str:
    """Pulumi's type token, for example `kubernetes:apps/v1:Deployment`; the core group is spelled `core`."""
    version = str(manifest["apiVersion"])
    return f"kubernetes:{version if '/' in version else f'core/{version}'}:{manifest['kind']}"


def allow_deep_messages() -> None:
    """Let this process read messages of more than 100 levels, protobuf's limit in Python.

    A level of an object is three of the message that carries it, and definitions of custom resources (EnvoyProxy holds
    a whole pod, twice) come back from the engine as they were sent.
    """
    try:
        implementation = import_module("google._upb._message")
    except ImportError:  # protobuf's own Python instead of its C library: no limit but Python's
        return
    implementation.SetAllowOversizeProtos(True)


allow_deep_messages()


class KubernetesObject(pulumi.CustomResource):
    """An object of any kind. Outputs: metadata, spec and status where the kind has them."""

    def __init__(
        self,
        name: str,
        manifest: Mapping[str, Any],
        opts: pulumi.ResourceOptions,
        *,
        name_follows_content: bool = False,
    ) -> None:
        """Register the manifest.

        Args:
            name: Pulumi's name, unique below its parent.
            manifest: with an explicit metadata.name, as others refer to it by that string.
            opts: parent and whatever else.
            name_follows_content: metadata.name changes with the content: the new object is made first, and the old one
                is deleted when everything that names it has moved.
        """
        opts = pulumi.ResourceOptions.merge(
            # A name that stays cannot stand twice; left open, the provider decides by comparing old and new name.
            pulumi.ResourceOptions(
                delete_before_replace=None if name_follows_content else True,
                additional_secret_outputs=SECRET_OUTPUTS.get(str(manifest["kind"])),
            ),
            opts,
        )
        secret = {
            key: pulumi.Output.secret(manifest[key]) for key in opts.additional_secret_outputs or () if key in manifest
        }
        super().__init__(token(manifest), name, {"status": None, **manifest, **secret}, opts)

    @property
    def metadata(self) -> pulumi.Output[Any]:
        """metadata as the API server returned it."""
        return pulumi.Output.from_input(pulumi.get(self, "metadata"))

    @property
    def spec(self) -> pulumi.Output[Any]:
        """spec as the API server returned it, with defaults."""
        return pulumi.Output.from_input(pulumi.get(self, "spec"))

    @property
    def status(self) -> pulumi.Output[Any]:
        """status at the end of the wait."""
        return pulumi.Output.from_input(pulumi.get(self, "status"))


def child(
    parent: pulumi.Resource,
    name: str,
    manifest: Mapping[str, Any],
    *,
    depends_on: Sequence[pulumi.Resource] = (),
    ignore_changes: Sequence[str] = (),
    protect: bool | None = None,
    retain_on_delete: bool | None = None,
    name_follows_content: bool = False,
    named_before: str | None = None,
    hooks: pulumi.ResourceHookBinding | None = None,
) -> KubernetesObject:
    """Register an object below a component; see KubernetesObject.

    Args:
        parent: the component.
        name: of the resource.
        manifest: the object.
        depends_on, ignore_changes, protect, retain_on_delete, hooks: the engine's options.
        name_follows_content: see KubernetesObject.
        named_before: name of the resource in an earlier version of the component.
    """
    opts = pulumi.ResourceOptions(
        parent=parent,
        depends_on=list(depends_on),
        ignore_changes=list(ignore_changes),
        protect=protect,
        retain_on_delete=retain_on_delete,
        aliases=[pulumi.Alias(name=named_before)] if named_before else None,
        hooks=hooks,
    )
    return KubernetesObject(name, manifest, opts, name_follows_content=name_follows_content)


def register_outputs(component: pulumi.ComponentResource) -> None:
    """Register every output that the component's class annotates, so that what is promised is what is there.

    Raises:
        AttributeError: an output that the constructor did not set.
    """
    promised = inspect.get_annotations(type(component))
    component.register_outputs({name: getattr(component, name) for name in promised})


def encoded(text: object) -> str:
    """Base64, as a Secret's data is written."""
    return base64.b64encode(str(text).encode()).decode()
