"""VendorManifest: a pinned third-party manifest as plain resources."""

from collections.abc import Sequence
from typing import Any

import pulumi

from omnibase_infra.objects import KubernetesObject, Manifest, child
from omnibase_infra.vendor.args import VendorManifestArgs
from omnibase_infra.vendor.manifest import read_objects
from omnibase_infra.vendor.transforms import POD_KINDS

_FIRST = ("Namespace", "CustomResourceDefinition")
_WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")


class VendorManifest(pulumi.ComponentResource):
    """A third-party manifest, pinned by checksum, hardened by named transforms, its images by digest.

    Makes each object as a plain resource in four waves: namespaces and CRDs; accounts, rights, settings and webhook
    configurations; workloads (waited for until ready); Services (waited for until they have endpoints). So whoever
    depends on the component finds its webhooks answering. `caBundle` belongs to the vendor's own controller and is
    ignored.

    Raises:
        ArgsError: the file is not the pinned one, an unknown transform, an image without digest.
    """

    sha256: pulumi.Output[str]
    """Checksum of the manifest, known once all of it is ready."""

    def __init__(self, name: str, args: VendorManifestArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        objects = read_objects(name, args)
        inputs: dict[str, Any] = {**args, "path": args["path"].rpartition("/")[2]}  # the directory is the machine's
        super().__init__("omnibase-infra:index:VendorManifest", name, inputs, opts)
        before: list[KubernetesObject] = []
        for wave in waves(objects):
            before += [self._make(name, manifest, tuple(before)) for manifest in wave]
        self.sha256 = pulumi.Output.all(*(made.urn for made in before)).apply(lambda _: args["sha256"])
        self.register_outputs({"sha256": self.sha256})

    def _make(self, name: str, manifest: Manifest, before: Sequence[KubernetesObject]) -> KubernetesObject:
        kind = str(manifest["kind"])
        ignored = [f"webhooks[{number}].clientConfig.caBundle" for number, _ in enumerate(manifest.get("webhooks", []))]
        return child(
            self,
            f"{name}-{kind.lower()}-{manifest['metadata']['name']}",
            manifest,
            # everything of the earlier waves is a dependency: a list of its own, as `before` goes on growing
            depends_on=list(before),
            ignore_changes=ignored if kind in _WEBHOOKS else (),
        )


def waves(objects: Sequence[Manifest]) -> list[list[Manifest]]:
    """The objects in the order in which they can be made."""
    first = [manifest for manifest in objects if manifest["kind"] in _FIRST]
    workloads = [manifest for manifest in objects if manifest["kind"] in POD_KINDS]
    services = [manifest for manifest in objects if manifest["kind"] == "Service"]
    known = {id(manifest) for manifest in (*first, *workloads, *services)}
    rest = [manifest for manifest in objects if id(manifest) not in known]
    return [wave for wave in (first, rest, workloads, services) if wave]
