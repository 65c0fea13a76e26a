"""Debian trixie for images, whatever release the machine runs: a minimal root file system and single packages.

The mirror is the machine's own (its apt configuration), the signing keys are Debian's keyring. An apt directory of our
own below the cache keeps the machine's package lists untouched.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from local.errors import InputError, LocalError, MachineError
from local.images.catalogue import DEBIAN, IMAGES, Image, rootfs
from local.paths import Paths
from local.steps import Step, StepContext

SUITE = "trixie"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_EPOCH = "1767225600"  # newest time stamp in the base: two runs over the same packages give the same tar file
_MIRROR = "OMNIBASE_DEBIAN_MIRROR"
_AFTER = ("debian packages",)  # mmdebstrap is one of them


def debian_steps(paths: Paths, images: Sequence[Image] = IMAGES) -> list[Step]:
    """Steps `debian rootfs` and, for every image with a packages.txt, `debian packages of <image>`."""
    places = {image.debs(paths): image for image in images if image.packages(paths)}
    return [_rootfs_step(paths), *(_debs_step(image, paths) for image in places.values())]


def _rootfs_step(paths: Paths) -> Step:
    target = rootfs(paths)

    def run(context: StepContext) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        building = target.with_name("building.tar")  # mmdebstrap chooses the format by the name's end
        building.unlink(missing_ok=True)
        drop = [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("man", "info", "locale", "doc")]
        context.command(
            [
                "mmdebstrap", "--variant=minbase", "--quiet", *drop,
                "--dpkgopt=path-include=/usr/share/doc/*/copyright",
                # The list names this machine's mirror, which means nothing where the image runs.
                "--customize-hook=rm -f \"$1\"/etc/apt/sources.list \"$1\"/etc/hostname \"$1\"/etc/resolv.conf",
                SUITE, building, *sources(),
            ],
            env={"SOURCE_DATE_EPOCH": _EPOCH},
        )  # fmt: skip
        building.replace(target)

    return Step(
        name="debian rootfs",
        run=run,
        inputs=[SUITE, _EPOCH, Path(__file__)],
        outputs=[target],
        after=_AFTER,
        seconds=25,
    )


def _debs_step(image: Image, paths: Paths) -> Step:
    target, packages = image.debs(paths), image.packages(paths)

    def run(context: StepContext) -> None:
        fresh = target.with_name(f".{target.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        apt = _apt(paths, image)
        context.command([*apt, "update", "-qq"])  # an old index names versions that the mirror no longer has
        context.command([*apt, "download", "-q", *packages], cwd=fresh)
        if len(list(fresh.glob("*.deb"))) != len(packages):
            raise LocalError(f"image {image.name!r}: apt did not download each of its {len(packages)} packages")
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)

    inputs: list[Path | str] = [SUITE, " ".join(packages)]
    return Step(
        name=f"debian packages of {image.context or image.name}",
        run=run,
        inputs=inputs,
        outputs=[target],
        after=_AFTER,
        seconds=15,
    )


def _apt(paths: Paths, image: Image) -> list[str]:
    """apt-get with directories of its own. One per image: two downloads at once would wait for the same lock."""
    home = paths.cache / "images" / image.name / "apt"
    for directory in ("lists/partial", "cache/archives/partial", "preferences.d"):
        (home / directory).mkdir(parents=True, exist_ok=True)
    (home / "status").touch()
    (home / "sources.list").write_text("\n".join(sources()) + "\n")
    options = {
        "Dir::Etc::sourcelist": home / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferencesparts": home / "preferences.d",
        "Dir::State": home,
        "Dir::State::lists": home / "lists",
        "Dir::State::status": home / "status",
        "Dir::Cache": home / "cache",
        "APT::Sandbox::User": "root",  # apt's own user may not look below the cache directory
    }
    return ["apt-get", *(word for key, value in options.items() for word in ("-o", f"{key}={value}"))]


def sources() -> list[str]:
    """Lines of a sources.list for trixie, its updates and its security fixes, on the machine's own mirrors.

    Raises:
        MachineError: Debian's keyring is missing, or apt names no Debian mirror and OMNIBASE_DEBIAN_MIRROR is not set.
        InputError: OMNIBASE_DEBIAN_MIRROR is no http(s) address.
    """
    if not _KEYRING.exists():
        raise MachineError(f"{_KEYRING} is missing", hint="install the package debian-archive-keyring")
    archive, security = _mirrors()
    option = f"[signed-by={_KEYRING}]"
    lines = [f"deb {option} {archive} {suite} main" for suite in (SUITE, f"{SUITE}-updates")]
    return [*lines, *([f"deb {option} {security} {SUITE}-security main"] if security else [])]


def _mirrors() -> tuple[str, str]:
    """Addresses of the archive and of its security fixes; the second may be empty."""
    given = os.environ.get(_MIRROR, "")
    if given:
        if not re.match(r"https?://\S+$", given):
            raise InputError(f"{_MIRROR}={given!r} is no address", hint="give http://host/debian, a mirror of Debian")
        return given, ""
    listing = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    try:
        known = subprocess.run(listing, capture_output=True, text=True, check=False).stdout.split()
    except OSError as error:
        raise MachineError(
            "apt-get does not run: images are made of Debian packages",
            hint="use a Debian machine, or set `target: existing` in the stack file",
        ) from error
    return choose_mirrors(known)


def choose_mirrors(known: list[str]) -> tuple[str, str]:
    """Pick archive and security address out of the addresses of a machine's apt configuration.

    Raises:
        MachineError: none of them is a mirror of Debian.
    """
    archive = next((uri for uri in known if uri.rstrip("/").endswith("/debian")), "")
    security = next((uri for uri in known if uri.rstrip("/").endswith("/debian-security")), "")
    if not archive:
        raise MachineError(
            f"apt knows no mirror of Debian; its addresses are {sorted(set(known)) or 'none'}",
            hint=f"set {_MIRROR} to a mirror's address that ends in /debian",
        )
    return archive, security


__all__ = ["DEBIAN", "SUITE", "choose_mirrors", "debian_steps", "sources"]
