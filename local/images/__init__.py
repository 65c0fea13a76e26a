"""The images of this project, the registry that holds them and the Docker engine that builds them."""

from local.images.build import build_images
from local.images.engine import processes
from local.images.manifests import manifest_steps
from local.images.prepare import build_steps

__all__ = ["build_images", "build_steps", "manifest_steps", "processes"]
