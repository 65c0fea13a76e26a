"""Kubernetes objects and the pods in them: written once for every workload kind, patch, list and custom resource."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from omnibase_policies.images import exempt
from omnibase_policies.resources import KINDS_OF_RESOURCES, RESOURCE_KINDS
from omnibase_policies.texts import printable
from omnibase_policies.values import View

CONTAINER_LISTS = ("initContainers", "containers", "ephemeralContainers")

_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "Pod": (),
    "PodTemplate": ("template",),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "ReplicationController": ("spec", "template"),
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"),
    "Job": ("spec", "template"),
}
_ELSEWHERE = (("spec", "template"), ("spec", "podTemplate"), ("spec", "jobTemplate", "spec", "template"), ())
"""Where custom resources keep pod templates."""
_RESOURCE_NAMES = ("name", "identifier", "clusterIdentifier", "clusterName", "bucket")
"""Where resources that are no Kubernetes objects have their name, the first that is there."""
_PARTIAL_KINDS = frozenset(
    {
        "Pooler", "Prometheus", "PrometheusAgent", "Alertmanager", "ThanosRuler", "OpenTelemetryCollector", "VLSingle",
        "VLogs", "VMAgent", "VMSingle",
    }
)  # fmt: skip
"""Their operator fills in what the template leaves out, so that only what it says can be judged."""


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod, or the template of one."""

    template: View
    kind: str
    partial: bool
    """True if absent fields are kept or filled in by somebody else: a patch, a template of an operator."""
    spec: View
    security: View
    containers: list[View]
    """Of all three lists; one unknown container for each list that is unknown."""
    running: list[View]
    """Those that run as long as the pod does."""
    planned: list[View]
    """Those that the pod is made with: all but the ephemeral ones, which have no resources, ports and probes."""

    def without(self, images: Iterable[str]) -> Pod:
        """The same pod without the containers of some images."""
        lists = ((view for view in each if not exempt(view["image"].text(), images)) for each in self._lists)
        containers, running, planned = map(list, lists)
        return replace(self, containers=containers, running=running, planned=planned)

    @property
    def _lists(self) -> tuple[list[View], list[View], list[View]]:
        return self.containers, self.running, self.planned

    @property
    def labels(self) -> View:
        """The pod's labels."""
        return self.template.at("metadata", "labels")

    @property
    def annotations(self) -> View:
        """The pod's annotations."""
        return self.template.at("metadata", "annotations")

    @property
    def os(self) -> View:
        """Name of the operating system: `linux`, `windows`, or absent for Linux."""
        return self.spec.at("os", "name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What the engine knows of a resource beside its inputs."""

    name: str = ""
    """Pulumi's name."""
    protect: bool | None = None
    """Whether it is protected from deletion; None if nobody said."""
    provider: str = ""
    """Pulumi's name of its provider, for example `default_4_21_1`; empty if nobody said."""
    keeps_marks: bool = True
    """Whether secrets are still marked: the SDK's own servicer takes the marks off."""


@dataclass(frozen=True, slots=True)
class Object:
    """One Kubernetes object, or one resource of another provider."""

    view: View
    kind: str
    partial: bool
    pods: list[Pod]
    registered: Registered | None = None
    """None for a plain manifest."""
    fault: str = ""
    """Why it cannot be judged, if so; `readable-pod` then says that, and no other rule is asked."""

    @property
    def metadata(self) -> View:
        """The object's own metadata."""
        return self.view["metadata"]

    @property
    def space(self) -> str:
        """Its namespace; `default` if it says none, as for the API server, and empty if it is not known yet."""
        space = self.metadata["namespace"]
        return "" if space.is_unknown else space.text() or "default"

    @property
    def name(self) -> str:
        """Its name, empty if it is not known yet."""
        return self.metadata["name"].text()

    @property
    def group(self) -> str:
        """The API group, empty for the core group and where no apiVersion is said."""
        return self.view["apiVersion"].text().rpartition("/")[0]

    @property
    def is_resource(self) -> bool:
        """Whether it is of a Docker host, a database or a cloud, and not of a cluster."""
        return self.kind in KINDS_OF_RESOURCES

    @property
    def identity(self) -> str:
        """`Kind/namespace/name`, or `Kind/name`; what waivers name."""
        names = (
            [self.view[key].text() for key in _RESOURCE_NAMES] if self.is_resource else [self.metadata["name"].text()]
        )
        parts = (self.kind, self.metadata["namespace"].text(), next(filter(None, names), ""))
        return printable("/".join(part for part in parts if part))


MOST_OBJECTS = 100_000
"""Of one manifest. A few lines of YAML with aliases can say a List of more objects than there is memory."""
_DEEPEST = 100
READABLE = "readable-pod"
"""The one rule that is asked of what cannot be judged."""
TOO_DEEP = "is nested too deeply to be judged"


def objects_in(manifest: object, *, token: str = "", registered: Registered | None = None) -> Iterator[Object]:
    """The object of a manifest, or those of a List.

    What is no mapping, and lists of more than a hundred levels or MOST_OBJECTS objects, come as one that has a fault.

    Args:
        manifest: as parsed from YAML, or a Pulumi resource's inputs.
        token: type token of a Pulumi resource, which may leave out apiVersion and kind.
        registered: what else is known of that resource.
    """
    waiting = [(View(manifest), token, 0)]
    for _ in range(MOST_OBJECTS):
        if not waiting:
            return
        view, said, depth = waiting.pop()
        found = _object(view, said, registered)
        if isinstance(found, Object):
            yield found
        elif depth == _DEEPEST:
            yield unreadable(view, TOO_DEEP)
        else:
            waiting.extend((item, "", depth + 1) for item in reversed(found))
    if waiting:
        yield unreadable(View(None), f"holds more than {MOST_OBJECTS} objects")


def unreadable(view: View, fault: str) -> Object:
    """What stands in for an object of which no rule can be asked."""
    return Object(view, "", partial=False, pods=[], fault=fault)


def _object(view: View, token: str, registered: Registered | None) -> Object | list[View]:
    """The object, or the items of a List."""
    if not isinstance(view.value, Mapping) and not view.is_unknown:
        return unreadable(view, "must be a mapping")
    if not isinstance(view["kind"].value, str | None) and not view["kind"].is_unknown:
        return unreadable(view["kind"], "must be a text")
    kind = RESOURCE_KINDS.get(token) or view["kind"].text() or token.rpartition(":")[2]
    if kind in KINDS_OF_RESOURCES:
        return Object(view, kind, partial=False, pods=[], registered=registered)
    patch = token.endswith("Patch")
    kind = kind.removesuffix("Patch") if patch else kind
    if kind.endswith("List") and not view["items"].is_absent:
        return view["items"].items()
    partial = patch or kind in _PARTIAL_KINDS
    return Object(view, kind, partial, list(_pods(view, kind, partial)), registered)


def _pods(view: View, kind: str, partial: bool) -> Iterator[Pod]:
    known = _TEMPLATES.get(kind)
    if known is not None:
        yield _pod(view.at(*known), kind, partial)
        return
    for place in _ELSEWHERE:
        template = view.at(*place)
        if isinstance(template.at("spec", "containers").value, list):
            yield _pod(template, kind, partial)


def _pod(template: View, kind: str, partial: bool) -> Pod:
    spec = template["spec"]
    first, running, later = (spec[name].items() for name in CONTAINER_LISTS)
    containers = [*first, *running, *later]
    return Pod(template, kind, partial, spec, spec["securityContext"], containers, running, [*first, *running])
