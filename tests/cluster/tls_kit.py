"""A certificate authority for tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(frozen=True, kw_only=True)
class Authority:
    """Key and certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def make_authority(name: str) -> Authority:
    """A new one, valid for an hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = _builder(subject, subject, key).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    return Authority(key=key, certificate=builder.sign(key, hashes.SHA256()))


def make_certificate(
    authority: Authority, host: str, directory: Path, *, valid_for: timedelta = timedelta(hours=1)
) -> None:
    """Write ca.crt, tls.crt and tls.key for a server of that name that ends then."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    builder = _builder(subject, authority.certificate.subject, key, valid_for)
    names = x509.SubjectAlternativeName([_name(host)])
    signed = builder.add_extension(names, critical=False).sign(authority.key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    (directory / "ca.crt").write_bytes(authority.certificate.public_bytes(pem))
    (directory / "tls.crt").write_bytes(signed.public_bytes(pem))
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "tls.key").write_bytes(plain)


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, valid_for: timedelta = timedelta(hours=1)
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + valid_for)
    )
