"""Third-party manifests."""

from omnibase_infra.vendor.args import VendorManifestArgs
from omnibase_infra.vendor.component import VendorManifest

__all__ = ["VendorManifest", "VendorManifestArgs"]
