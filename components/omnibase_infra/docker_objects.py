"""One object of a Docker host from its plain inputs, with the type token of the official SDK.

The typed classes of pulumi_docker would need 0.3 s more CPU time per run for imports (docs/decisions/0007), and plain
inputs are what policies and people read.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

CONTAINER = "docker:index/container:Container"
IMAGE = "docker:index/image:Image"
NETWORK = "docker:index/network:Network"
VOLUME = "docker:index/volume:Volume"

_OUTPUTS = {CONTAINER: ("networkDatas",), IMAGE: ("repoDigest",), NETWORK: (), VOLUME: ()}


class DockerObject(pulumi.CustomResource):
    """An object of any of the four types."""

    def __init__(self, name: str, kind: str, inputs: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        """Register the inputs.

        Args:
            name: Pulumi's name, unique below its parent.
            kind: type token, one of this module's.
            inputs: as the provider spells them (camelCase).
            opts: parent and whatever else.
        """
        super().__init__(kind, name, {**dict.fromkeys(_OUTPUTS[kind]), **inputs}, opts)

    def output(self, key: str) -> pulumi.Output[Any]:
        """An input or output by its name, as the engine recorded it."""
        return pulumi.Output.from_input(pulumi.get(self, key))


def docker_child(
    parent: pulumi.Resource,
    name: str,
    kind: str,
    inputs: Mapping[str, Any],
    *,
    depends_on: Sequence[pulumi.Resource] = (),
    replace_on_changes: Sequence[str] = (),
    protect: bool | None = None,
    retain_on_delete: bool | None = None,
) -> DockerObject:
    """Register an object below a component; see DockerObject."""
    opts = pulumi.ResourceOptions(
        parent=parent,
        depends_on=list(depends_on),
        # Names are explicit, so a replacement cannot stand beside the old object. An image's name is only a tag.
        delete_before_replace=kind != IMAGE,
        replace_on_changes=list(replace_on_changes),
        protect=protect,
        retain_on_delete=retain_on_delete,
    )
    return DockerObject(name, kind, inputs, opts)


def label_list(labels: Mapping[str, pulumi.Input[str]]) -> list[dict[str, pulumi.Input[str]]]:
    """Labels in the form of the provider, sorted."""
    return [{"label": key, "value": labels[key]} for key in sorted(labels)]
