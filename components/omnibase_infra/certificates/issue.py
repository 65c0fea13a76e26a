"""Keys and certificates as PEM text: ECDSA P-256, SHA-256. Time comes from the caller; `cryptography` is loaded late.

A program of many resources pays 60 ms for that import only when it makes certificates.
"""

from __future__ import annotations

import ipaddress
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

BACKDATE = timedelta(minutes=5)
"""A clock that was set back a little must not make fresh certificates invalid."""
_LONGEST_SUBJECT = 64  # RFC 5280's bound of a common name


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A private key and its certificate, PEM."""

    key: str
    certificate: str

    def to_text(self) -> str:
        """One JSON text, as a stash keeps it."""
        return json.dumps({"key": self.key, "certificate": self.certificate})

    @classmethod
    def of_text(cls, text: str) -> Pair:
        """The inverse of `to_text`; other fields are left alone."""
        content = json.loads(text)
        return cls(key=content["key"], certificate=content["certificate"])


def now() -> datetime:
    """The moment from which new certificates count; tests replace it."""
    return datetime.now(UTC)


def authority(common_name: str, days: int, moment: datetime) -> Pair:
    """A self-signed authority. Path length 1: below it there may be the authority that follows it."""
    from cryptography import x509  # noqa: PLC0415 -- see the module's text

    key = _new_key()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    builder = _builder(subject, subject, key, moment, moment + timedelta(days=days))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
    builder = builder.add_extension(_usage(authority=True), critical=True)
    return Pair(key=_key_pem(key), certificate=_sign(builder, key))


def cross_sign(new: Pair, old: Pair, moment: datetime) -> str:
    """The new authority's key in a certificate of the old authority: whoever trusts the old one follows to the new."""
    from cryptography import x509  # noqa: PLC0415

    inner, issuer = _certificate(new), _certificate(old)
    issuer_key = _load_key(old)
    end = min(inner.not_valid_after_utc, issuer.not_valid_after_utc)
    builder = _builder(inner.subject, issuer.subject, _load_key(new), min(moment, end - BACKDATE), end)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(authority=True), critical=True)
    return _sign(_with_issuer(builder, issuer_key), issuer_key)


def server(issuer: Pair, hosts: list[str], days: int, moment: datetime, *, also_client: bool = False) -> Pair:
    """A server's key and certificate; it ends with its authority at the latest.

    Raises:
        ValueError: the authority has ended: raise its generation.
    """
    from cryptography import x509  # noqa: PLC0415
    from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: PLC0415

    above = _certificate(issuer)
    end = min(moment + timedelta(days=days), above.not_valid_after_utc)
    if end <= moment:
        raise ValueError(f"the authority ended on {above.not_valid_after_utc:%Y-%m-%d}; raise its generation")
    key, issuer_key = _new_key(), _load_key(issuer)
    common = [hosts[0]] if len(hosts[0]) <= _LONGEST_SUBJECT else []
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name) for name in common])
    names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, *([ExtendedKeyUsageOID.CLIENT_AUTH] if also_client else [])]
    builder = _builder(subject, above.subject, key, moment, end)
    builder = builder.add_extension(names, critical=not common)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(authority=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    return Pair(key=_key_pem(key), certificate=_sign(_with_issuer(builder, issuer_key), issuer_key))


def issued_by(pair: Pair, issuer: Pair) -> bool:
    """Whether this authority signed this certificate."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415

    try:
        _certificate(pair).verify_directly_issued_by(_certificate(issuer))
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    from cryptography import x509  # noqa: PLC0415

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - BACKDATE)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _with_issuer(builder: x509.CertificateBuilder, issuer_key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    from cryptography import x509  # noqa: PLC0415

    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return builder.add_extension(identifier, critical=False)


def _usage(*, authority: bool) -> x509.KeyUsage:
    from cryptography import x509  # noqa: PLC0415

    return x509.KeyUsage(
        digital_signature=True, key_cert_sign=authority, crl_sign=authority, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _general_name(host: str) -> x509.GeneralName:
    from cryptography import x509  # noqa: PLC0415

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _new_key() -> ec.EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    return ec.generate_private_key(ec.SECP256R1())


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode("ascii")


def _load_key(pair: Pair) -> ec.EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = serialization.load_pem_private_key(pair.key.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is not an elliptic curve key")
    return key


def _certificate(pair: Pair) -> x509.Certificate:
    from cryptography import x509  # noqa: PLC0415

    return x509.load_pem_x509_certificate(pair.certificate.encode())


def _sign(builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> str:
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415

    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode("ascii")
