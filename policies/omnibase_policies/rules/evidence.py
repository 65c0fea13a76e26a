"""What is known of an image beside its name: signature, contents, origin, and where it has run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from omnibase_policies.images import reference
from omnibase_policies.model import Problem, Severity, object_rule, undecided, violated
from omnibase_policies.objects import Object
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
