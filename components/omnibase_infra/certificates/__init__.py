"""Certificates of an environment's own authority."""

from omnibase_infra.certificates.args import CertificateAuthorityArgs, ServerCertificateArgs, TrustBundleArgs
from omnibase_infra.certificates.authority import CertificateAuthority
from omnibase_infra.certificates.server import ServerCertificate
from omnibase_infra.certificates.trust import TrustBundle

__all__ = [
    "CertificateAuthority",
    "CertificateAuthorityArgs",
    "ServerCertificate",
    "ServerCertificateArgs",
    "TrustBundle",
    "TrustBundleArgs",
]
