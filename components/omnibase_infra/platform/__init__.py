"""One environment as a whole."""

from omnibase_infra.platform.args import PlatformArgs
from omnibase_infra.platform.component import Platform

__all__ = ["Platform", "PlatformArgs"]
