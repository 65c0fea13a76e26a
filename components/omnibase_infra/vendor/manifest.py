"""Reading a pinned manifest and checking that its transforms fit, before any resource exists."""

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from omnibase_infra.config.errors import nearest
from omnibase_infra.errors import ArgsError, refuse
from omnibase_infra.objects import Manifest
from omnibase_infra.vendor.args import VendorManifestArgs
from omnibase_infra.vendor.transforms import NEEDS, TRANSFORMS, containers

_DIGEST = re.compile(r"^[^@\s]+@sha256:[0-9a-f]{64}$")


def read_objects(name: str, args: VendorManifestArgs) -> list[Manifest]:
    """The manifest's objects after all transforms.

    Raises:
        ArgsError: the file is missing or not the pinned one, an unknown transform or one whose arguments are missing,
            an image without a digest to replace it.
    """
    refuse("VendorManifest", name, _transform_problems(args))
    objects = _read(name, args)
    used = sorted({str(container["image"]) for container in containers(objects)})
    refuse("VendorManifest", name, _image_problems(args, used))
    for transform in args["transforms"]:
        objects = TRANSFORMS[transform](objects, args)
    return objects


def _read(name: str, args: VendorManifestArgs) -> list[Manifest]:
    path = Path(args["path"])
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = f"cannot read {path} ({error.strerror}); `make up` and `make preview` fetch it by version and checksum"
        raise ArgsError("VendorManifest", name, [reason]) from error
    found = hashlib.sha256(content).hexdigest()
    if found != args["sha256"]:
        reason = f"{path.name} has sha256 {found}, pinned is {args['sha256']}; remove the file and fetch it again"
        raise ArgsError("VendorManifest", name, [reason])
    documents = json.loads(content) if path.suffix == ".json" else _yaml(content)
    return [document for document in documents if document]


def _yaml(content: bytes) -> Iterable[Any]:
    """The documents of a vendor's own file. Slow: a megabyte takes 0.3 s in every run of the program."""
    import yaml  # noqa: PLC0415 - manifests of ours are JSON

    class Loader(yaml.CSafeLoader):
        """The fast loader, which by itself fails on a bare `=` (an enum value in some CRDs)."""

    Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: str(node.value))
    found: Iterable[Any] = yaml.load_all(content, Loader=Loader)  # Loader is a safe loader
    return found


def _transform_problems(args: VendorManifestArgs) -> list[str]:
    found = []
    for transform in args["transforms"]:
        if transform not in TRANSFORMS:
            found.append(f"transform {transform!r} does not exist; {nearest(transform, TRANSFORMS)}")
        missing = [field for field in NEEDS.get(transform, ()) if field not in args]
        if missing:
            found.append(f"transform {transform!r} needs {', '.join(missing)}")
    if "images" not in args["transforms"]:
        found.append("transform 'images' is required: third-party images run by digest only")
    return found


def _image_problems(args: VendorManifestArgs, used: list[str]) -> list[str]:
    found = [
        f"image {image} of the manifest has no replacement in images" for image in used if image not in args["images"]
    ]
    for image, reference in args["images"].items():
        if not _DIGEST.match(reference):
            found.append(f"images[{image!r}]={reference!r} has no digest")
        if image not in used:
            found.append(f"images[{image!r}] is not used by the manifest, which names {', '.join(used)}")
    return found
