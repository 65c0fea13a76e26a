"""What is refused about images, before any resource exists."""

import re

from omnibase_infra.images.args import HardenedImageArgs
from omnibase_infra.pinned import is_pinned

_REPOSITORY = re.compile(r"^[a-z0-9.-]+(:\d+)?(/[a-z0-9._-]+)+$")
_TAG = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$")
_ARGUMENT = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_CREDENTIAL = re.compile(r"(PASSWORD|SECRET|TOKEN|API_?KEY|PRIVATE_KEY|CREDENTIAL)S?$", re.IGNORECASE)


def problems(args: HardenedImageArgs) -> list[str]:
    """Every reason why these arguments cannot be used."""
    found = []
    if not _REPOSITORY.match(args["repository"]) or not _names_registry(args["repository"]):
        found.append(
            f"repository={args['repository']!r} must name its registry and have no tag, "
            "for example registry.example/team/app"
        )
    if not _TAG.match(args["tag"]) or args["tag"] == "latest":
        found.append(f"tag={args['tag']!r} must be a version, for example 1.4.2; 'latest' says nothing")
    if not args["context"].strip() or args["context"].strip() in (".", "/"):
        found.append(
            f"context={args['context']!r} would send the whole project to the engine; name the image's own directory"
        )
    for key, base in args.get("bases", {}).items():
        if isinstance(base, str) and not is_pinned(base):
            found.append(f"bases {key}={base!r} has no digest; a base that changes by itself makes another image")
    for key in {**args.get("bases", {}), **args.get("build_args", {})}:
        if not _ARGUMENT.match(key):
            found.append(f"build argument {key!r} is not a name")
    for key in args.get("build_args", {}):
        if _CREDENTIAL.search(key):
            found.append(f"build argument {key} looks like a credential, and everybody who has the image can read it")
    if "password" in args and "username" not in args:
        found.append("password needs username")
    return found


def _names_registry(repository: str) -> bool:
    """A first part without dot, port or `localhost` is a user's name on the public registry."""
    first = repository.partition("/")[0]
    return "." in first or ":" in first or first == "localhost"
