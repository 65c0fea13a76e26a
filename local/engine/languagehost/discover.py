"""Prints as JSON the installed distributions that may need a Pulumi plugin, each with its pulumi-plugin.json."""

import importlib.metadata
import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any


def plugin_file(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    places = (spec.submodule_search_locations or []) if spec else []
    candidates = (Path(place) / "pulumi-plugin.json" for place in places)
    return next((path for path in candidates if path.is_file()), None)


packages: dict[str, dict[str, Any]] = {}
for distribution in importlib.metadata.distributions():
    name = distribution.metadata["Name"]
    if not name:
        continue  # a half-removed package leaves a directory without metadata
    canonical = re.sub(r"[-_.]+", "-", name).lower()
    path = plugin_file(name.replace("-", "_"))
    if canonical in packages or not (path or canonical.startswith("pulumi-")):
        continue  # the first one on sys.path is the one that is imported
    description = json.loads(path.read_text(encoding="utf-8")) if path else None
    packages[canonical] = {"name": canonical, "version": distribution.version, "plugin": description}

json.dump(
    {"python": list(sys.version_info[:3]), "packages": sorted(packages.values(), key=lambda p: p["name"])}, sys.stdout
)
