"""Images of ours, built and pushed by a Docker engine."""

from omnibase_infra.images.args import HardenedImageArgs
from omnibase_infra.images.component import HardenedImage

__all__ = ["HardenedImage", "HardenedImageArgs"]
