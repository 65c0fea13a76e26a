"""The images of this project, the registry that holds them and the Docker engine that builds them.

Names are loaded when first asked for: a preview needs the manifests only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local import lazy

if TYPE_CHECKING:
    from local.images.build import build_images
    from local.images.engine import processes
    from local.images.manifests import manifest_steps
    from local.images.prepare import build_steps

__all__ = ["build_images", "build_steps", "manifest_steps", "processes"]

__getattr__ = lazy.names(
    __name__,
    {"build_images": "build", "build_steps": "prepare", "manifest_steps": "manifests", "processes": "engine"},
)
