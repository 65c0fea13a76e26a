"""Which program runs: where images come from, and whether a reference stands for one image for good."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from omnibase_policies.checks import if_set
from omnibase_policies.images import Reference, exempt, lies_in, reference
from omnibase_policies.model import Level, Problem, Severity, missing, object_rule, pod_rule, undecided, violated
from omnibase_policies.objects import Object, Pod
from omnibase_policies.parameters import Parameters
from omnibase_policies.texts import as_text
from omnibase_policies.values import View

_IMAGE = "spec.containers.0.image"
_DIGEST = f"sha256:{'3' * 64}"
_RETIRED = ("k8s.gcr.io", "gcr.io/google_containers", "gcr.io/google-containers", "quay.io/coreos")
_IN_CLUSTER = "postgresql.cnpg.io"


def images_of(found: Object) -> Iterator[View]:
    """Every place of an object that names an image: containers, image volumes, what the database's operator runs."""
    for pod in found.pods:
        yield from (container["image"] for container in pod.containers)
        for volume in pod.spec["volumes"].items():
            if not volume["image"].is_absent:
                yield volume.at("image", "reference")
    if found.group == _IN_CLUSTER:
        yield from _of_databases(found.view["spec"])


def _of_databases(spec: View) -> Iterator[View]:
    """Of a Cluster, its extensions, a Pooler, a catalogue."""
    places = [spec["imageName"], spec.at("pgbouncer", "image")]
    places += [each.at("image", "reference") for each in spec.at("postgresql", "extensions").items()]
    places += [each["image"] for each in spec["images"].items()]
    yield from (place for place in places if not place.is_absent)


def _judged(
    found: Object, parameters: Parameters, good: Callable[[str, Reference], bool], message: str
) -> Iterator[Problem]:
    for view in images_of(found):
        if not exempt(view.text(), parameters.exempt_images):
            yield from if_set(view, lambda value: good(as_text(value), reference(as_text(value))), message)


@object_rule(
    "image-digest",
    "Images are named by digest",
    severity=Severity.HIGH,
    frameworks=("Kyverno require-image-checksum", "Gatekeeper imagedigests", "kubescape C-0306"),
    rationale="A tag is what somebody pushed last; a digest is what was tested.",
    remedy="Use `name:tag@sha256:<digest>`, for example the output `reference` of HardenedImage.",
    bad={_IMAGE: "registry.example/orders:1"},
    good={_IMAGE: f"registry.example/orders@{_DIGEST}"},
)
def image_digest(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Every container has an image, and every reference ends in a digest."""
    for view in images_of(found):
        if view.is_absent:
            yield missing(view, "must be set")
    yield from _judged(found, parameters, lambda _, image: image.is_pinned, "must have a digest")


@object_rule(
    "image-no-latest",
    "No image by a tag that moves",
    severity=Severity.MEDIUM,
    frameworks=("Kyverno disallow-latest-tag", "Gatekeeper disallowedtags", "Polaris tagNotSpecified"),
    rationale="`latest`, or no tag at all, is another program after each restart, and nobody knows which one ran.",
    remedy="Name a version, best together with its digest.",
    bad={_IMAGE: "registry.example/orders:latest"},
    good={_IMAGE: f"registry.example/orders:latest@{_DIGEST}"},
)
def image_no_latest(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """A reference has a digest, or a tag that is none of `floating_tags`."""
    yield from _judged(found, parameters, lambda _, image: not _floats(image, parameters), "must name a version")


def _floats(image: Reference, parameters: Parameters) -> bool:
    return not image.digest and (not image.tag or image.tag in parameters.floating_tags)


@object_rule(
    "image-registry-allowlist",
    "Images come from registries of ours",
    severity=Severity.HIGH,
    frameworks=("kubescape C-0078", "Gatekeeper allowedrepos", "Kyverno restrict-image-registries", "OWASP K04"),
    rationale="Whoever owns a name in a foreign registry decides what runs here.",
    remedy="Copy the image to a registry of allowed_registries and name it there.",
    bad={
        "settings": {"allowed_registries": ["registry.example/team/"]},
        _IMAGE: f"registry.example/orders@{_DIGEST}",
    },
    good={"settings": {"allowed_registries": ["registry.example/"]}, _IMAGE: f"registry.example/orders@{_DIGEST}"},
)
def image_registry_allowlist(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Every image is in one of `allowed_registries`, if there are any."""
    places = parameters.allowed_registries
    yield from _judged(
        found,
        parameters,
        lambda text, _: not places or lies_in(text, places),
        "must come from an allowed registry",
    )


@object_rule(
    "image-registry-denylist",
    "No image from a registry that is shut out",
    severity=Severity.HIGH,
    level=Level.ADVISORY,
    frameworks=("Gatekeeper disallowedrepos", "kubescape C-0001"),
    rationale="Some registries are known for what they let in, or are too slow to start from.",
    remedy="Use another registry; denied_registries says which are shut out.",
    bad={_IMAGE: f"registry.hub.docker.com/orders@{_DIGEST}"},
    good={_IMAGE: f"registry.example/orders@{_DIGEST}"},
)
def image_registry_denylist(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No image is in one of `denied_registries`, or behind the web page of a registry instead of its address."""
    places = (*parameters.denied_registries, "registry.hub.docker.com", "hub.docker.com")
    yield from _judged(found, parameters, lambda text, _: not lies_in(text, places), "must come from another registry")


@object_rule(
    "no-deprecated-registry",
    "No image from a registry that was given up",
    severity=Severity.MEDIUM,
    frameworks=("kubescape C-0253", "Kyverno restrict-deprecated-registry"),
    rationale="Nothing new, and no mended hole, arrives there; one day it answers no more.",
    remedy="Use registry.k8s.io, or a registry of your own.",
    bad={_IMAGE: f"k8s.gcr.io/pause@{_DIGEST}"},
    good={_IMAGE: f"registry.k8s.io/pause@{_DIGEST}"},
)
def no_deprecated_registry(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No image is in a retired registry of Kubernetes."""
    yield from _judged(
        found, parameters, lambda text, _: not lies_in(text, _RETIRED), "must come from another registry"
    )


@pod_rule(
    "image-pull-policy",
    "Images without digest are asked for at each start",
    severity=Severity.LOW,
    level=Level.ADVISORY,
    frameworks=("Polaris pullPolicyNotAlways", "kube-score"),
    rationale="Otherwise a node goes on with what it once fetched, and lets pods use images they have no right to.",
    remedy="Name the image by digest, or set `imagePullPolicy: Always`.",
    right="Always",
    bad={_IMAGE: "registry.example/orders:1", "spec.containers.0.imagePullPolicy": "IfNotPresent"},
    good={"spec.containers.0.imagePullPolicy": "IfNotPresent"},
)
def image_pull_policy(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """`Always`, or a digest; without a word it is Always for `latest` and no tag only."""
    for container in pod.containers:
        policy, image = container["imagePullPolicy"], reference(container["image"].text())
        message = "should be Always, or the image be named by digest"
        if image.is_pinned or policy.value == "Always":
            continue
        if policy.is_unknown or container["image"].is_unknown:
            yield undecided(policy, message)
        elif policy.is_absent and image.tag not in ("", "latest"):
            yield missing(policy, message)
        elif not policy.is_absent:
            yield violated(policy, message)


@pod_rule(
    "image-moving-tag-pulled",
    "A tag that moves is asked for at each start",
    severity=Severity.MEDIUM,
    level=Level.ADVISORY,
    frameworks=("Kyverno imagepullpolicy-always", "kubescape C-0075"),
    rationale="With a moving tag and IfNotPresent each node runs another program under the same name.",
    remedy="Name a version; or leave `imagePullPolicy` out, which means Always for `latest`.",
    bad={_IMAGE: "registry.example/orders:latest", "spec.containers.0.imagePullPolicy": "IfNotPresent"},
    good={_IMAGE: "registry.example/orders:latest", "spec.containers.0.imagePullPolicy": "Always"},
)
def image_moving_tag_pulled(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """The policy of an image with a floating tag, or none, is Always, or not set."""
    for container in pod.containers:
        if _floats(reference(container["image"].text()), parameters):
            yield from if_set(container["imagePullPolicy"], lambda value: value == "Always", "should be Always")
