"""Every third-party version that components refer to. Images of ours are pinned by digest in the stack's settings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class VendorPin:
    """One third-party manifest."""

    version: str
    file: str
    """Name below OMNIBASE_VENDOR_DIR: a JSON list of the manifest's objects, without the texts of schemas."""
    sha256: str
    """Checksum of that list; the vendor's own file is pinned where the list is made (local/images/manifests.py)."""
    module: str
    """Go module and path inside it that the file is read from."""
    image: str = ""
    """The image that the manifest names, to be replaced by one of ours; definitions alone name none."""


CLOUDNATIVE_PG = VendorPin(
    version="1.30.0",
    file="cnpg-1.30.0.json",
    sha256="079d6c6321e67d2e4cb44f5dd558663f195b943e43378a195511b2bbba5df402",
    module="github.com/cloudnative-pg/cloudnative-pg@v1.30.0:releases/cnpg-1.30.0.yaml",
    image="ghcr.io/cloudnative-pg/cloudnative-pg:1.30.0",
)
PROMETHEUS_OPERATOR = VendorPin(
    version="0.85.0",
    file="prometheus-operator-crds-0.85.0.json",
    sha256="5d0942f5f9e0a57f66bd0e2f4bc8085a4c2576160b4c556f82850ad7d2802d2d",
    module="github.com/prometheus-operator/prometheus-operator@v0.85.0:example/prometheus-operator-crd",
)
PROMETHEUS_VERSION = "2.53.3"
"""Of the Debian package in our image; the operator chooses arguments by it."""
ALERTMANAGER_VERSION = "0.28.1"
"""The same for Alertmanager."""
GATEWAY_API_CRDS = VendorPin(
    version="1.6.1",
    file="gateway-api-1.6.1.json",
    sha256="49196a55a8560917a92bf7febf222fdcbe287a41b4344361f7320e4b812b1823",
    module="sigs.k8s.io/gateway-api@v1.6.1:config/crd/standard",
)
ENVOY_GATEWAY_CRDS = VendorPin(
    version="1.9.1",
    file="envoy-gateway-1.9.1.json",
    sha256="e93f513e3dc37850a576d63e3a25e779171cedd9f89eb19d7aed6a55a220c15b",
    module="github.com/envoyproxy/gateway@v1.9.1:charts/gateway-helm/charts/crds/crds/generated",
)
BARMAN_PLUGIN_CRDS = VendorPin(
    version="0.14.0",
    file="plugin-barman-cloud-0.14.0.json",
    sha256="91a2122b0bc01f806a529ea0e61aa42a6fd24338b933f4f3f65d0e1669e924c4",
    module="github.com/cloudnative-pg/plugin-barman-cloud@v0.14.0:config/crd/bases",
)
ENVOY_VERSION = "1.39.3"
VENDOR_VARIABLE = "OMNIBASE_VENDOR_DIR"
