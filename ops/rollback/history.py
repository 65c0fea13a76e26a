"""Which digests of an image ran, as the cluster remembers them; pure.

A Deployment keeps its last ReplicaSets (HardenedWorkload: five). One that a rollback left or that never became healthy
carries a mark, so that the next rollback does not propose it again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from omnibase_infra.config.section import repository_of

from ops.status.documents import Document, containers, dig, digest_of, name_of

REVISION = "deployment.kubernetes.io/revision"
REJECTED = "omnibase-infra/rejected"
"""Annotation of a ReplicaSet: why its digest is not proposed."""


@dataclass(frozen=True, kw_only=True)
class Version:
    """One digest of the image, with where it ran."""

    reference: str
    revisions: dict[str, int]
    """Newest revision by service."""
    created: str
    """When it was first rolled out, RFC 3339."""
    current: bool
    """Whether the Deployments ask for it now."""
    rejected: str
    """Why it is not proposed; empty if nothing speaks against it."""
    replica_sets: tuple[str, ...] = field(default=())
    """Names of its ReplicaSets."""

    @property
    def digest(self) -> str:
        """`sha256:...`."""
        return digest_of(self.reference)


def versions(
    replica_sets: Iterable[Document], deployments: Iterable[Document], services: Collection[str], repository: str
) -> list[Version]:
    """Every digest of the image that a service's Deployment remembers, the newest first.

    Args:
        replica_sets: of the stack's namespace.
        deployments: of the same.
        services: names of the services, and so of the Deployments, that use the image.
        repository: registry and name of the image.
    """
    current = {
        digest_of(reference)
        for item in deployments
        if name_of(item) in services and (reference := image_of(item, repository))
    }
    found: dict[str, Version] = {}
    for item in sorted(replica_sets, key=_revision, reverse=True):
        service, reference = _owner(item), image_of(item, repository)
        if service not in services or not reference:
            continue
        digest = digest_of(reference)
        known = found.get(digest)
        created = str(dig(item, "metadata", "creationTimestamp") or "")
        rejected = str((dig(item, "metadata", "annotations") or {}).get(REJECTED, ""))
        found[digest] = Version(
            reference=known.reference if known else reference,
            revisions={service: _revision(item), **(known.revisions if known else {})},
            created=min(created, known.created) if known else created,
            current=digest in current,
            rejected=(known.rejected if known else "") or rejected,
            replica_sets=(*(known.replica_sets if known else ()), name_of(item)),
        )
    return list(found.values())


def proposed(found: Iterable[Version]) -> Version | None:
    """The digest that ran before the current one and that nothing speaks against."""
    return next((each for each in found if not each.current and not each.rejected), None)


def leaves_for_good(found: Iterable[Version], before: str, target: str) -> bool:
    """Whether going from one reference to another is a step back: the target ran before, so the other is not wanted.

    A digest that never ran is a step forward, after which the one before is the natural way back.
    """
    return bool(before) and any(each.digest == digest_of(target) != digest_of(before) for each in found)


def serving(ready: Sequence[str], asked: Collection[str], deployed: str) -> str:
    """The reference that callers reach.

    Args:
        ready: what ready pods run.
        asked: what the Deployments ask for: while they roll, ready pods of another digest are those that serve.
        deployed: what the engine's state names, which may be the target already.
    """
    digests = {digest_of(reference) for reference in asked}
    old = [reference for reference in ready if digest_of(reference) not in digests]
    if old:
        return old[0]
    known = {digest_of(reference) for reference in ready}
    return deployed if not ready or digest_of(deployed) in known else ready[0]


def image_of(item: Document, repository: str) -> str:
    """The reference of one image in a pod or a pod template, empty if it is not used by digest."""
    spec = dig(item, "spec", "template", "spec") or dig(item, "spec")
    images = [str(found.get("image", "")) for found in containers(spec)]
    return next((image for image in images if repository_of(image) == repository and digest_of(image)), "")


def _owner(replica_set: Document) -> str:
    references = dig(replica_set, "metadata", "ownerReferences") or []
    return next((str(item.get("name")) for item in references if item.get("kind") == "Deployment"), "")


def _revision(item: Document) -> int:
    text = str((dig(item, "metadata", "annotations") or {}).get(REVISION, ""))
    return int(text) if text.isdecimal() else 0
