"""`docker:index/image:Image`: built from a context and pushed. The one type that the official plugin does not bridge.

State and Diff are the official ones: the inputs lie in `__inputs`, as a whole secret, and are compared with new ones;
deleting leaves the image in the registry, where others may use it.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

from local.plugins.common.bridged import Change
from local.plugins.common.errors import ResourceError
from local.plugins.common.values import UNKNOWN, Json, Object, Secret, clone, contains_unknown, dig, plain
from local.plugins.docker import context
from local.plugins.docker.daemon import Daemon
from local.plugins.docker.settings import registry_of

TOKEN = "docker:index/image:Image"  # noqa: S105  # a resource type
INPUTS = "__inputs"
_KNOWN = frozenset({"build", "buildOnPreview", "imageName", "registry", "skipPush"})
_KNOWN_OF_BUILD = frozenset(
    {"addHosts", "args", "builderVersion", "cacheFrom", "context", "contextDigest", "dockerfile", "network", "platform",
     "target"}
)  # fmt: skip
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
_BUILD_SECONDS = 1800


@dataclass(frozen=True, kw_only=True)
class _Build:
    """The inputs, read."""

    name: str
    context: str
    dockerfile: str
    given: Object


def check(inputs: Object) -> tuple[Object, list[tuple[str, str]]]:
    """Defaults and the hash of the context, and what is wrong with the inputs.

    Raises:
        ResourceError: there is no such context or Dockerfile.
    """
    checked = {key: value for key, value in clone(inputs).items() if value is not None}
    failures = [(key, f"invalid or unknown property '{key}'") for key in sorted(checked.keys() - _KNOWN)]
    if "imageName" not in checked:
        failures.append(("imageName", "missing required property 'imageName'"))
    checked.setdefault("buildOnPreview", False)
    build = checked.setdefault("build", {})
    if isinstance(build, dict):
        failures += _check_build(build)
    name = plain(checked.get("imageName"))
    if isinstance(name, str) and not plain(checked.get("skipPush")) and not _is_qualified(name):
        failures.append(("imageName", f"{name!r} must be fully qualified to be pushed, for example docker.io/team/app"))
    return checked, failures


def _is_qualified(name: str) -> bool:
    return registry_of(name) != "docker.io" or name.startswith("docker.io/")


def _check_build(build: Object) -> list[tuple[str, str]]:
    failures = [
        (f"build.{key}", f"invalid or unknown property '{key}'") for key in sorted(build.keys() - _KNOWN_OF_BUILD)
    ]
    where = build.setdefault("context", ".")
    if where is not UNKNOWN:
        build.setdefault("dockerfile", str(Path(plain(where)) / "Dockerfile"))
    build.setdefault("platform", f"linux/{_MACHINES.get(platform.machine(), platform.machine())}")
    builder = plain(build.get("builderVersion"))
    if builder not in ("BuilderV1", UNKNOWN):
        failures.append(
            ("build.builderVersion", f"{builder or 'BuildKit, the default,'} needs the official docker provider; the "
             "offline plugin builds with builderVersion=BuilderV1")
        )  # fmt: skip
    if not contains_unknown([build["context"], build.get("dockerfile", UNKNOWN)]):
        directory, dockerfile = Path(plain(build["context"])), Path(plain(build["dockerfile"]))
        context.check(directory, dockerfile)
        build["contextDigest"] = context.digest(directory, dockerfile)
    return failures


def diff(state: Object, new_inputs: Object) -> tuple[Change, ...]:
    """What differs between recorded and new inputs; user and password of the registry do not count."""
    old, new = plain(state.get(INPUTS) or {}), plain(new_inputs)
    return tuple(
        Change((key,), "add" if key not in old else "delete" if key not in new else "update")
        for key in sorted(old.keys() | new.keys())
        if _comparable(key, old.get(key)) != _comparable(key, new.get(key))
    )


def _comparable(key: str, value: Json) -> Json:
    return dig(value, "server") if key == "registry" and isinstance(value, dict) else value


def build(daemon: Daemon, urn: str, inputs: Object, *, preview: bool) -> tuple[str, Object]:
    """Build the image and push it, unless told not to; return its id and state.

    In a preview nothing is built unless `buildOnPreview` says so, and nothing is pushed.

    Raises:
        ResourceError: the build or the push failed; with the engine's words.
    """
    wanted = plain(inputs)
    if preview and (not wanted.get("buildOnPreview") or contains_unknown(wanted)):
        return "", dict(inputs)
    found = _Build(
        name=wanted["imageName"],
        context=wanted["build"]["context"],
        dockerfile=wanted["build"]["dockerfile"],
        given=wanted["build"],
    )
    identity = _run(daemon, urn, found)
    pushes = not preview and not wanted.get("skipPush")
    outputs = {
        "dockerfile": found.dockerfile,
        "context": found.context,
        "baseImageName": found.name,
        "registryServer": dig(wanted, "registry", "server", default="") or "",
        "imageName": found.name,
        "platform": found.given.get("platform") or "",
        "repoDigest": _push(daemon, urn, found.name, wanted) if pushes else identity,
    }
    return found.name, {**outputs, INPUTS: Secret(plain(inputs))}


def _run(daemon: Daemon, urn: str, found: _Build) -> str:
    """Build and return the image's id."""
    what, given = f"build image {found.name}", found.given
    directory, dockerfile = Path(found.context), Path(found.dockerfile)
    inside = dockerfile.is_relative_to(directory)
    name = str(dockerfile.relative_to(directory)) if inside else ".dockerfile.outside"
    archive = _archive(directory, dockerfile, name, inside=inside)
    with archive:
        lines = daemon.ask(
            what,
            lambda api: daemon.follow(
                what,
                urn,
                api.build(
                    fileobj=archive,
                    custom_context=True,
                    dockerfile=name,
                    tag=found.name,
                    rm=True,
                    forcerm=True,
                    decode=True,
                    timeout=_BUILD_SECONDS,
                    buildargs=given.get("args"),
                    target=given.get("target"),
                    platform=given.get("platform"),
                    network_mode=given.get("network"),
                    cache_from=dig(given, "cacheFrom", "images"),
                    extra_hosts=dict(entry.split(":", 1) for entry in given.get("addHosts") or []) or None,
                ),
            ),
        )
    built = [dig(line, "aux", "ID") for line in lines if dig(line, "aux", "ID")]
    if not built:
        raise ResourceError(f"{what}: the engine named no image")
    return str(built[-1])


def _archive(directory: Path, dockerfile: Path, name: str, *, inside: bool) -> Json:
    """The context as a tar file; a Dockerfile from outside lies in it under a name of its own."""
    from docker.utils.build import create_archive  # noqa: PLC0415  # with docker, 0.2 s that only builds should cost

    extra = None if inside else [(name, dockerfile.read_text(encoding="utf-8"))]
    paths = list(context.files(directory, dockerfile))
    return create_archive(root=str(directory), files=paths, gzip=False, extra_files=extra)


def _push(daemon: Daemon, urn: str, name: str, wanted: Object) -> str:
    """Push and return the reference by digest."""
    what, registry = f"push image {name}", wanted.get("registry") or {}
    login = daemon.settings.login(name)
    if registry.get("username"):
        login = {"username": str(registry["username"]), "password": str(registry.get("password") or "")}
    lines = daemon.ask(
        what,
        lambda api: daemon.follow(what, urn, api.push(name, stream=True, decode=True, auth_config=login)),
    )
    digests = [dig(line, "aux", "Digest") for line in lines if dig(line, "aux", "Digest")]
    if not digests:
        raise ResourceError(f"{what}: the registry told no digest")
    repository, _, tag = name.rpartition(":")
    return f"{repository if repository and '/' not in tag else name}@{digests[-1]}"
