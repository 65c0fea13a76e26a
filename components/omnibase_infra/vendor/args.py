"""What may be asked of a vendor manifest."""

from typing import NotRequired, TypedDict


class VendorManifestArgs(TypedDict):
    """All values are plain: they decide which objects exist."""

    path: str
    """File of the manifest, fetched beforehand by version and checksum: the vendor's YAML, or (`.json`, which is read
    forty times as fast) a list of its objects."""
    sha256: str
    """Checksum of the file, 64 hex digits."""
    images: dict[str, str]
    """Image as the manifest names it -> reference with digest. Every image of the manifest must be here."""
    transforms: list[str]
    """Names of changes, applied in this order; see vendor/transforms.py."""
    env: NotRequired[dict[str, str]]
    """For `env`: variables that replace the manifest's values in every container that has them."""
    replicas: NotRequired[int]
    """For `replicas`: pods of each Deployment."""
    cpu_request_millis: NotRequired[int]
    """For `resources`: CPU request of each container; CPU limits are removed."""
    memory_mib: NotRequired[int]
    """For `resources`: memory request and limit of each container."""
    pod_security: NotRequired[str]
    """For `pod-security`: level of the manifest's namespaces, default restricted."""
