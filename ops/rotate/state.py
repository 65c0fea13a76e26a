"""What the engine recorded of a stack's certificates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509

_PLATFORM = "omnibase-infra:index:Platform"
_SERVER = "omnibase-infra:index:ServerCertificate"
_AUTHORITY = "omnibase-infra:index:CertificateAuthority"


@dataclass(frozen=True, kw_only=True)
class Generations:
    """Which certificates are deployed, or asked for."""

    authority: int
    server: int


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """One certificate that was handed out."""

    name: str
    namespace: str
    hosts: tuple[str, ...]
    secret: str
    certificate: x509.Certificate


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """Everything of one stack."""

    generations: Generations
    authority: x509.Certificate
    bundle: str
    """What clients trust, PEM."""
    servers: tuple[Deployed, ...]


def certificates(deployment: Mapping[str, Any]) -> Certificates | None:
    """Certificates in an exported state; None where none were deployed."""
    resources = deployment.get("resources") or []
    platform = next((item for item in resources if item["type"] == _PLATFORM), None)
    authority = next((item for item in resources if item["type"] == _AUTHORITY), None)
    if platform is None or authority is None or "bundle" not in authority.get("outputs", {}):
        return None
    settings = platform["inputs"]["settings"]["certificates"]
    generations = Generations(authority=int(settings["authority_generation"]), server=int(settings["generation"]))
    outputs = authority["outputs"]
    return Certificates(
        generations=generations,
        authority=load(outputs["certificate"]),
        bundle=str(outputs["bundle"]),
        servers=tuple(_server(item) for item in resources if item["type"] == _SERVER and item.get("outputs")),
    )


def _server(item: Mapping[str, Any]) -> Deployed:
    inputs, outputs = item["inputs"], item["outputs"]
    return Deployed(
        name=str(item["urn"]).rpartition("::")[2],
        namespace=str(inputs["namespace"]),
        hosts=tuple(inputs["hosts"]),
        secret=str(outputs["secret"]),
        certificate=load(outputs["certificate"]),
    )


def load(text: str) -> x509.Certificate:
    """The first certificate of a PEM text."""
    return x509.load_pem_x509_certificate(text.encode())


def days_left(certificate: x509.Certificate, moment: datetime) -> float:
    """Days until it ends."""
    return (certificate.not_valid_after_utc - moment).total_seconds() / 86_400
