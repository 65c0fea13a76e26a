"""Services of ours on a Docker host."""

from omnibase_infra.container.args import HardenedContainerArgs, Publish
from omnibase_infra.container.component import HardenedContainer

__all__ = ["HardenedContainer", "HardenedContainerArgs", "Publish"]
