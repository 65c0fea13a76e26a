"""What a Pulumi program takes from others unseen: charts and manifests whose contents no rule judges."""

from __future__ import annotations

from collections.abc import Iterator

from omnibase_policies.checks import if_set
from omnibase_policies.model import Problem, Severity, object_rule, violated
from omnibase_policies.objects import Object
from omnibase_policies.parameters import Parameters

_CHART, _FILES = "Release", ("ConfigFile", "ConfigGroup")


@object_rule(
    "no-opaque-helm-release",
    "No chart that only the cluster unpacks",
    kinds=(_CHART,),
    severity=Severity.HIGH,
    rationale="What a Release makes is seen by no preview and no rule: the chart's author decides what runs.",
    remedy="Use `helm.sh/v4:Chart`, whose objects are resources of the program, or VendorManifest.",
    bad={"kind": _CHART, "chart": "orders"},
    good={"kind": "Pod", "metadata.annotations.meta.helm.sh/release-name": "orders"},
)
def no_opaque_helm_release(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """There is no `helm.sh/v3:Release`; other kinds of the name, with a group of their own, are let pass."""
    if not found.group or found.group.startswith("helm.sh"):
        chart = found.view["chart"]
        yield from if_set(chart, lambda value: False, "must be a Chart, whose objects are judged")


@object_rule(
    "no-remote-yaml-url",
    "No manifest is fetched while deploying",
    kinds=_FILES,
    severity=Severity.HIGH,
    rationale="What stands behind a URL today is another file tomorrow, and nobody reviewed it.",
    remedy="Keep the file with its digest, as VendorManifest does.",
    bad={"kind": "ConfigFile", "file": "https://example.org/manifest.yaml"},
    good={"kind": "ConfigFile", "file": "manifests/orders.yaml"},
)
def no_remote_yaml_url(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """`file`, and each entry of `files`, is a path."""
    entries = found.view["files"].items() or [found.view["files"]]
    for place in (found.view["file"], *entries):
        if place.is_unknown:
            yield from if_set(place, lambda value: True, "must be a path")
        elif place.text().startswith(("http://", "https://", "oci://")):
            yield violated(place, "must be a path")
