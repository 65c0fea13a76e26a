"""What may be asked of an authority and of its certificates."""

from typing import NotRequired, TypedDict

import pulumi

CA_KEY = "ca.crt"
CERTIFICATE_KEY = "tls.crt"
PRIVATE_KEY = "tls.key"
KEYS = [CERTIFICATE_KEY, PRIVATE_KEY, CA_KEY]
"""Keys of a ServerCertificate's Secret."""
LONGEST_AUTHORITY_DAYS = 7300
LONGEST_SERVER_DAYS = 825
"""Longer ones are refused by several TLS clients."""


class CertificateAuthorityArgs(TypedDict):
    """A certificate authority of the environment's own."""

    common_name: str
    """Subject, at most 50 characters; the generation is added to it."""
    validity_days: int
    """Life of the authority's certificate, 2..7300 days from when its generation was first made."""
    generation: NotRequired[int]
    """From 1, default 1. Raised by one it makes a new key, which the generation before vouches for."""


class ServerCertificateArgs(TypedDict):
    """A certificate for one server."""

    authority: pulumi.Input[str]
    """`signer` of a CertificateAuthority."""
    authority_generation: int
    """Generation of that authority: another one makes a new certificate."""
    namespace: str
    """Where its Secret is."""
    environment: str
    """dev, test, staging or prod; a label."""
    hosts: list[str]
    """DNS names (a leading `*.` is allowed) and IP addresses under which clients know the server; the first is also
    the subject."""
    validity_days: int
    """Life in days, 1..825; never beyond the authority's own."""
    generation: NotRequired[int]
    """From 1, default 1. Raised by one it makes a new key and certificate."""
    also_client: NotRequired[bool]
    """Servers that show each other the same certificate (mutual TLS) use it as clients too; default False."""


class TrustBundleArgs(TypedDict):
    """What clients of one namespace trust."""

    namespace: str
    """Where the Secret is."""
    environment: str
    """dev, test, staging or prod; a label."""
    secret: str
    """Name of the Secret; it stays the same when the authority changes."""
    bundle: pulumi.Input[str]
    """`bundle` of a CertificateAuthority."""
