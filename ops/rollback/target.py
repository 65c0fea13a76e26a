"""From what an operator typed to the image and the reference that are meant; pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from omnibase_infra.config import StackConfig, required_images
from omnibase_infra.config.rules import INFRASTRUCTURE_IMAGES
from omnibase_infra.config.section import repository_of

from local.errors import InputError
from ops.rollback.history import Version, proposed

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SHORT = re.compile(r"(sha256:)?[0-9a-f]{12,63}")
_REFERENCE = re.compile(r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+(:[A-Za-z0-9._-]{1,128})?@sha256:[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The image that is rolled back."""

    image: str
    services: tuple[str, ...]
    """Every service that runs it: all of them change together."""
    service: str
    """The one that the operator named; empty where the image was named and several run it."""


def chosen(name: str, config: StackConfig) -> Chosen:
    """The image of a service, or the image itself.

    Raises:
        InputError: no such name, an image of the database, or one that no service runs.
    """
    images = {service: each.image for service, each in config.services.items()}
    image = images.get(name, name)
    services = tuple(service for service, used in images.items() if used == image)
    if services:
        alone = services[0] if len(services) == 1 else ""
        return Chosen(image=image, services=services, service=name if name in images else alone)
    if name in INFRASTRUCTURE_IMAGES:
        raise InputError(
            f"image {name!r} is the database's: its files may be of the newer version, so it is not rolled back here",
            hint="docs/runbooks/rollback-image.md, section Database",
        )
    if name in required_images(config):
        raise InputError(
            f"image {name!r} is run by no service of this stack: it belongs to the environment",
            hint="check out the commit that had the older version and `make up`; git revert keeps it so",
        )
    known = sorted({*images, *images.values()})
    near = difflib.get_close_matches(name, known, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise InputError(
        f"{name!r} is neither a service nor the image of one", hint=f"{meant}known: {', '.join(known) or 'none'}"
    )


def wanted(asked: str, who: Chosen, repository: str, found: Sequence[Version]) -> str:
    """The reference that `--to` means, or the proposed one where it is empty.

    Args:
        asked: a reference with digest, a digest, twelve or more of its digits, or a revision of the Deployment.
        who: the image and its services.
        repository: registry and name of the image.
        found: what ran.

    Raises:
        InputError: nothing fits, more than one does, or it is another image; the message lists what ran.
    """
    if not asked:
        before = proposed(found)
        if before is None:
            raise InputError(
                f"image {who.image!r}: the cluster remembers no digest that ran before and was not rejected",
                hint=f"name one with --to REFERENCE; {_ran(found)}",
            )
        return before.reference
    if asked.isdecimal() and len(asked) < 12:  # noqa: PLR2004 -- from here on it reads as digits of a digest
        return _of_revision(int(asked), who, found)
    if _REFERENCE.fullmatch(asked):
        if repository_of(asked) != repository:
            raise InputError(
                f"--to {asked} is another image: {repository_of(asked)} instead of {repository}",
                hint="name a digest of the same image",
            )
        return asked
    if _DIGEST.fullmatch(asked) or _SHORT.fullmatch(asked):
        return _of_digest(asked, repository, found)
    raise InputError(
        f"--to {asked!r} is no revision and no reference with a digest",
        hint=f"for example 3, sha256:<64 hex digits> or {repository}:1.2@sha256:<64 hex digits>; {_ran(found)}",
    )


def _of_revision(revision: int, who: Chosen, found: Iterable[Version]) -> str:
    if not who.service:
        raise InputError(
            f"--to {revision}: the services {', '.join(who.services)} run this image, and each counts for itself",
            hint="name the service instead of the image",
        )
    fits = [each for each in found if each.revisions.get(who.service) == revision]
    if not fits:
        raise InputError(f"--to {revision}: service {who.service!r} has no such revision", hint=_ran(found))
    return fits[0].reference


def _of_digest(asked: str, repository: str, found: Iterable[Version]) -> str:
    digits = asked.removeprefix("sha256:")
    fits = [each.reference for each in found if each.digest.removeprefix("sha256:").startswith(digits)]
    if len(fits) == 1:
        return fits[0]
    if not fits and _DIGEST.fullmatch(asked):
        return f"{repository}@{asked}"
    raise InputError(f"--to {asked}: {len(fits)} of the digests that ran begin so", hint=_ran(found))


def _ran(found: Iterable[Version]) -> str:
    lines = [
        f"revision {'/'.join(map(str, each.revisions.values()))} {each.digest[:19]}"
        f"{' (runs)' if each.current else f' ({each.rejected})' if each.rejected else ''}"
        for each in found
    ]
    return f"what ran: {', '.join(lines) or 'nothing'}"
