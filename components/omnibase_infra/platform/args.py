"""What the whole environment is made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi

from omnibase_infra.config import StackConfig
from omnibase_infra.versions import VendorPin


@dataclass(frozen=True, kw_only=True)
class PlatformArgs:
    """Plain values, all known before the first resource."""

    stack: str
    """Name of the stack; namespaces derive from it."""
    config: StackConfig
    images: Mapping[str, str]
    """Image name -> reference with digest, for every image that the settings name."""
    vendor: str
    """Directory of the pinned third-party manifests."""
    migrations: Mapping[str, Mapping[str, str]]
    """Database -> migration file name -> SQL text, of each that has a set."""
    overrides: Mapping[str, str]
    """Key path -> environment variable that changed it; an output."""

    imported: Mapping[str, pulumi.Output[str]] = field(default_factory=dict)
    """Name of an imported secret -> its value, a secret."""

    def manifest(self, pin: VendorPin) -> str:
        """Path of a pinned manifest."""
        return f"{self.vendor}/{pin.file}"
