"""Keys and certificates of one node: made once, kept, renewed when they would soon end or their names changed."""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from local.node.network import NetworkPlan
from local.steps import write_atomically

AUTHORITIES = ("ca", "etcd-ca", "front-proxy-ca", "registry-ca")
"""Names of the node's authorities; each vouches for certificates of one kind of use."""
RENEW_BEFORE = timedelta(days=30)
"""How long before its end a certificate is made anew."""
_AUTHORITY_LIFE = timedelta(days=3650)
_LIFE = timedelta(days=365)
_BACKDATE = timedelta(minutes=5)  # a clock that was set back a little must not make fresh certificates invalid


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """One certificate that the node needs. Its files are `<file>.crt` and `<file>.key`."""

    file: str
    common_name: str
    groups: tuple[str, ...] = ()
    """Kubernetes groups, written as organisations."""
    authority: str = "ca"
    names: tuple[str, ...] = ()
    addresses: tuple[IPv4Address, ...] = ()
    """With names or addresses it may serve; without, it is for clients only."""


def leaves(plan: NetworkPlan) -> list[Leaf]:
    """Every certificate of the node."""
    loopback = IPv4Address("127.0.0.1")
    service_names = (
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    )
    return [
        Leaf(
            file="apiserver",
            common_name="kube-apiserver",
            names=(*service_names, plan.name, "localhost"),
            addresses=(plan.node_address, plan.api_service_address, loopback),
        ),
        Leaf(file="etcd", common_name="etcd", authority="etcd-ca", names=("localhost",), addresses=(loopback,)),
        Leaf(file="etcd-client", common_name="kube-apiserver", authority="etcd-ca"),
        Leaf(file="front-proxy", common_name="front-proxy-client", authority="front-proxy-ca"),
        Leaf(file="apiserver-kubelet", common_name="kube-apiserver-kubelet", groups=("system:masters",)),
        Leaf(file="kubelet-server", common_name=plan.name, names=(plan.name,), addresses=(plan.node_address,)),
        Leaf(file="kubelet", common_name=f"system:node:{plan.name}", groups=("system:nodes",)),
        Leaf(file="controller-manager", common_name="system:kube-controller-manager"),
        Leaf(file="scheduler", common_name="system:kube-scheduler"),
        Leaf(file="proxy", common_name="system:kube-proxy"),
        Leaf(file="kube-router", common_name="kube-router"),
        Leaf(file="admin", common_name="admin", groups=("system:masters",)),
        registry_leaf(plan),
    ]


def registry_leaf(plan: NetworkPlan) -> Leaf:
    """The certificate of the machine's registry. Docker reaches it as 0.0.0.0: see `local.images.registry`."""
    return Leaf(
        file="registry",
        common_name="registry",
        authority="registry-ca",
        names=("localhost", f"registry.{plan.name}"),
        addresses=(IPv4Address("127.0.0.1"), IPv4Address("0.0.0.0")),  # noqa: S104 - nothing listens there
    )


def ends(directory: Path) -> dict[str, datetime]:
    """When each certificate in the directory ends, by the name of its file; a damaged one has ended."""
    found: dict[str, datetime] = {}
    for file in sorted(directory.glob("*.crt")):
        try:
            found[file.stem] = x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
        except ValueError:
            found[file.stem] = datetime.fromtimestamp(0, UTC)
    return found


def ensure(directory: Path, plan: NetworkPlan, *, now: datetime | None = None) -> list[str]:
    """Make what is missing, ends within 30 days or no longer fits `plan`; return the names that were (re)made.

    Besides the certificates: `service-account.key` and `.pub` (tokens), `secrets.key` (encryption of Secrets at rest).
    The last two are never renewed, as renewing would invalidate tokens and make stored Secrets unreadable.
    """
    moment = now or datetime.now(UTC)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    made: list[str] = []
    for authority in AUTHORITIES:
        fits = _fits(directory, Leaf(file=authority, common_name=authority), None, moment)
        if not fits or _limits_of(directory / f"{authority}.crt") != _limits(authority, plan):
            _make_authority(directory, authority, plan, moment)
            made.append(authority)
    for leaf in leaves(plan):
        if not _fits(directory, leaf, directory / f"{leaf.authority}.crt", moment):
            _make_leaf(directory, leaf, moment)
            made.append(leaf.file)
    if not (directory / "service-account.pub").exists():
        key = _new_key(directory / "service-account.key")
        _write(directory / "service-account.pub", _public(key), 0o644)
        made.append("service-account")
    if not (directory / "secrets.key").exists():
        _write(directory / "secrets.key", base64.b64encode(os.urandom(32)), 0o600)
        made.append("secrets")
    return made


def kubeconfig(directory: Path, leaf: str, plan: NetworkPlan) -> dict[str, object]:
    """A kubeconfig with everything inside, whose only context is the node's name."""

    def inline(file: str) -> str:
        return base64.b64encode((directory / file).read_bytes()).decode()

    cluster = {"server": plan.api_url, "certificate-authority-data": inline("ca.crt")}
    user = {"client-certificate-data": inline(f"{leaf}.crt"), "client-key-data": inline(f"{leaf}.key")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": plan.name, "cluster": cluster}],
        "users": [{"name": leaf, "user": user}],
        "contexts": [{"name": plan.name, "context": {"cluster": plan.name, "user": leaf}}],
        "current-context": plan.name,
    }


def _fits(directory: Path, leaf: Leaf, authority: Path | None, now: datetime) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate((directory / f"{leaf.file}.crt").read_bytes())
        key = serialization.load_pem_private_key((directory / f"{leaf.file}.key").read_bytes(), None)
        if certificate.not_valid_after_utc - now < RENEW_BEFORE or certificate.public_key() != key.public_key():
            return False
        if authority is None:
            return True
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.read_bytes()))
        return certificate.subject == _subject(leaf) and _alternatives(certificate) == _wanted_alternatives(leaf)
    except Exception:  # a damaged or missing file of any kind means: make a new one
        return False


def _make_authority(directory: Path, name: str, plan: NetworkPlan, now: datetime) -> None:
    key = _new_key(directory / f"{name}.key")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{plan.name} {name}")])
    builder = _builder(subject, subject, key, now, _AUTHORITY_LIFE).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = builder.add_extension(usage, critical=True)
    limits = _limits(name, plan)
    if limits:
        builder = builder.add_extension(limits, critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    _write(directory / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _limits(authority: str, plan: NetworkPlan) -> x509.NameConstraints | None:
    """What an authority may vouch for, where that is limited.

    The Docker engine trusts the registry's for every registry that it pulls from.
    """
    leaf = registry_leaf(plan)
    if authority != leaf.authority:
        return None
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in leaf.names]
    names += [x509.IPAddress(IPv4Network(address)) for address in leaf.addresses]
    return x509.NameConstraints(permitted_subtrees=names, excluded_subtrees=None)


def _limits_of(file: Path) -> x509.NameConstraints | None:
    extensions = x509.load_pem_x509_certificate(file.read_bytes()).extensions
    try:
        return extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return None


def _make_leaf(directory: Path, leaf: Leaf, now: datetime) -> None:
    issuer = x509.load_pem_x509_certificate((directory / f"{leaf.authority}.crt").read_bytes())
    issuer_key = serialization.load_pem_private_key((directory / f"{leaf.authority}.key").read_bytes(), None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)  # noqa: S101 - tells the type checker what _new_key made
    key = _new_key(directory / f"{leaf.file}.key")
    builder = _builder(_subject(leaf), issuer.subject, key, now, _LIFE)
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
    if leaf.names or leaf.addresses:
        usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in leaf.names]
        names += [x509.IPAddress(address) for address in leaf.addresses]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = builder.add_extension(issuer_id, critical=False)
    certificate = builder.sign(issuer_key, hashes.SHA256())
    _write(directory / f"{leaf.file}.crt", certificate.public_bytes(serialization.Encoding.PEM), 0o644)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _subject(leaf: Leaf) -> x509.Name:
    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in leaf.groups]
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, leaf.common_name)])


def _wanted_alternatives(leaf: Leaf) -> tuple[set[str], set[str]]:
    return set(leaf.names), {str(address) for address in leaf.addresses}


def _alternatives(certificate: x509.Certificate) -> tuple[set[str], set[str]]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set(), set()
    names = extension.get_values_for_type(x509.DNSName)
    addresses = extension.get_values_for_type(x509.IPAddress)
    return set(names), {str(address) for address in addresses}


def _new_key(file: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    _write(file, pem, 0o600)
    return key


def _public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _write(file: Path, content: Sequence[int] | bytes, mode: int) -> None:
    write_atomically(file, bytes(content).decode("ascii"), mode)
