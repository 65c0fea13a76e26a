"""What is known of an image beside its name: signature, contents, origin, and where it has run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from omnibase_policies.images import reference
from omnibase_policies.model import Problem, Severity, missing, object_rule, pod_rule, undecided, violated
from omnibase_policies.objects import Object, Pod
from omnibase_policies.parameters import Evidence, Parameters
from omnibase_policies.rules.images import images_of

_WANTED = frozenset({"signature", "sbom", "provenance"})
_DIGEST = f"sha256:{'7' * 64}"
_IMAGE = f"registry.example/orders@{_DIGEST}"
_WHOLE = {"digest": _DIGEST, "has": sorted(_WANTED), "proven_in": ["staging"]}


def _judged(found: Object, parameters: Parameters, good: Callable[[Evidence], bool], message: str) -> Iterator[Problem]:
    """Images by digest of which the evidence does not say enough; nothing is judged where there is no evidence."""
    known = {each.digest: each for each in parameters.image_evidence}
    for view in images_of(found) if known else ():
        digest = reference(view.text()).digest
        if view.is_unknown:
            yield undecided(view, message)
        elif digest and not good(known.get(digest, Evidence(digest=digest))):
            yield violated(view, message)


@object_rule(
    "image-evidence",
    "Images are signed, and their contents and origin are recorded",
    severity=Severity.HIGH,
    only_in_prod=True,
    frameworks=("kubescape C-0236, C-0237", "Kyverno verify-image", "CIS Kubernetes 5.5.1", "SLSA"),
    rationale="Without signature and provenance an image may come from anybody who could push; without an SBOM nobody"
    " knows whether the next hole is in it.",
    remedy="Sign it, attach SBOM and provenance when it is built, and list its digest in image_evidence.",
    bad={"settings": {"image_evidence": [{"digest": _DIGEST, "has": ["sbom"]}]}, "spec.containers.0.image": _IMAGE},
    good={"settings": {"image_evidence": [_WHOLE]}, "spec.containers.0.image": _IMAGE},
)
def image_evidence(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Each digest has a signature, an SBOM and a provenance in `image_evidence`, if that is given."""
    message = "must have a signature, an SBOM and a provenance in the evidence"
    yield from _judged(found, parameters, lambda each: set(each.has) >= _WANTED, message)


@object_rule(
    "image-proven-in-staging",
    "What runs in prod has run in staging",
    severity=Severity.HIGH,
    only_in_prod=True,
    frameworks=("users V29",),
    rationale="The digest that was tested is the one that may run; another one is another program.",
    remedy="Deploy the digest to staging, and let its run add `staging` to proven_in of the evidence.",
    bad={
        "settings": {"image_evidence": [{**_WHOLE, "proven_in": ["test"]}]},
        "spec.containers.0.image": _IMAGE,
    },
    good={"settings": {"image_evidence": [_WHOLE]}, "spec.containers.0.image": _IMAGE},
)
def image_proven_in_staging(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """Each digest is proven in staging, where `image_evidence` is given."""
    message = "must be proven in staging"
    yield from _judged(found, parameters, lambda each: "staging" in each.proven_in, message)


_READY_MADE = f"sha256:{'1' * 64}"


@pod_rule(
    "image-user-nonroot",
    "An image that comes ready-made runs as another user than root",
    severity=Severity.HIGH,
    only_in_prod=True,
    frameworks=("users V2", "CIS Docker 4.1"),
    rationale="Whose Dockerfile nobody shows may be root's, or a name that the kubelet cannot tell from root.",
    remedy="Set `runAsUser`, or record `user` in image_evidence, as `skopeo inspect --config` says it.",
    bad={
        "settings": {"image_evidence": [{**_WHOLE, "digest": _READY_MADE, "user": "root"}]},
        "spec.securityContext.runAsUser": None,
    },
    good={
        "settings": {"image_evidence": [{**_WHOLE, "digest": _READY_MADE, "user": "65532:65532"}]},
        "spec.securityContext.runAsUser": None,
    },
)
def image_user_nonroot(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """Where no `runAsUser` says it, the evidence has a number other than 0; nothing is judged without evidence."""
    users = {each.digest: each.user for each in parameters.image_evidence}
    for container in pod.containers if users and pod.os.value != "windows" else ():
        own = container["securityContext"]["runAsUser"]
        place = pod.security["runAsUser"] if own.is_absent else own
        user = users.get(reference(container["image"].text()).digest, "")
        if place.is_unknown or (place.is_absent and container["image"].is_unknown):
            yield undecided(place, _USER)
        elif place.is_absent and not _is_numbered(user):
            yield missing(place, _USER)


_USER = "must be set, or the user of the image's configuration be a number other than 0"


def _is_numbered(user: str) -> bool:
    """Of `USER`, `USER:GROUP`; a name may be any number's in the image."""
    number = user.partition(":")[0]
    return number.isdigit() and int(number) > 0
