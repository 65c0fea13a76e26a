from __future__ import annotations

import base64
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from cryptography import x509

from local.node import NetworkPlan, pki

PLAN = NetworkPlan(instance="test", network=IPv4Network("10.214.0.0/16"))
ALL = {*pki.AUTHORITIES, "service-account", "secrets", *(leaf.file for leaf in pki.leaves(PLAN))}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    directory = tmp_path_factory.mktemp("pki")
    assert set(pki.ensure(directory, PLAN)) == ALL
    return {file.name: file.read_bytes() for file in directory.iterdir()}


@pytest.fixture
def keys(template: dict[str, bytes], tmp_path: Path) -> Path:
    for name, content in template.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_a_second_call_makes_nothing(keys: Path) -> None:
    assert pki.ensure(keys, PLAN) == []


def test_private_keys_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    pki.ensure(tmp_path / "pki", PLAN)
    private = [file for file in (tmp_path / "pki").iterdir() if file.suffix == ".key"]
    assert private
    assert {stat.S_IMODE(file.stat().st_mode) for file in private} == {0o600}
    assert stat.S_IMODE((tmp_path / "pki").stat().st_mode) == 0o700


def test_the_api_server_is_known_by_every_name_and_address_that_clients_use(keys: Path) -> None:
    certificate = x509.load_pem_x509_certificate((keys / "apiserver.crt").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(address) for address in names.get_values_for_type(x509.IPAddress)} == {
        "10.214.0.2", "10.214.128.1", "127.0.0.1",
    }  # fmt: skip
    assert "kubernetes.default.svc" in names.get_values_for_type(x509.DNSName)


def test_certificates_that_end_within_thirty_days_are_renewed_and_their_authority_stays(keys: Path) -> None:
    before = (keys / "ca.crt").read_bytes()
    soon = datetime.now(UTC) + timedelta(days=365 - 29)
    assert set(pki.ensure(keys, PLAN, now=soon)) == {leaf.file for leaf in pki.leaves(PLAN)}
    assert (keys / "ca.crt").read_bytes() == before


def test_a_new_authority_renews_what_it_signed_and_nothing_else(keys: Path) -> None:
    (keys / "etcd-ca.crt").unlink()
    assert set(pki.ensure(keys, PLAN)) == {"etcd-ca", "etcd", "etcd-client"}


def test_another_range_renews_only_what_names_addresses(keys: Path) -> None:
    moved = NetworkPlan(instance="test", network=IPv4Network("10.99.0.0/16"))
    assert set(pki.ensure(keys, moved)) == {"apiserver", "kubelet-server"}


@pytest.mark.parametrize("damage", [b"", b"not a certificate"])
def test_a_damaged_certificate_is_made_again(keys: Path, damage: bytes) -> None:
    (keys / "admin.crt").write_bytes(damage)
    assert pki.ensure(keys, PLAN) == ["admin"]


def test_the_registrys_certificate_is_for_its_addresses_and_its_name(keys: Path) -> None:
    names = _extensions(keys / "registry.crt").get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(address) for address in names.get_values_for_type(x509.IPAddress)} == {
        "127.0.0.1", "0.0.0.0",  # noqa: S104 - nothing listens there
    }  # fmt: skip
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "registry.omnibase-test"]


def test_the_registrys_authority_may_vouch_for_nothing_but_the_registry(keys: Path) -> None:
    constraints = _extensions(keys / "registry-ca.crt").get_extension_for_class(x509.NameConstraints).value
    assert sorted(str(entry.value) for entry in constraints.permitted_subtrees or []) == [
        "0.0.0.0/32", "127.0.0.1/32", "localhost", "registry.omnibase-test",
    ]  # fmt: skip
    with pytest.raises(x509.ExtensionNotFound):
        _extensions(keys / "ca.crt").get_extension_for_class(x509.NameConstraints)


def test_an_authority_that_may_vouch_for_other_names_than_the_registrys_is_made_again(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = replace(pki.registry_leaf(PLAN), names=("localhost", "elsewhere"))
    monkeypatch.setattr(pki, "registry_leaf", lambda _: more)
    assert pki.ensure(keys, PLAN) == ["registry-ca", "registry"]


@pytest.mark.parametrize("file", ["registry.crt", "registry.key"])
@pytest.mark.parametrize("damage", [None, b"", b"not a certificate"])
def test_damaged_files_of_the_registry_are_made_again_and_its_authority_stays(
    keys: Path, file: str, damage: bytes | None
) -> None:
    authority = (keys / "registry-ca.crt").read_bytes()
    (keys / file).unlink() if damage is None else (keys / file).write_bytes(damage)
    assert pki.ensure(keys, PLAN) == ["registry"]
    assert (keys / "registry-ca.crt").read_bytes() == authority


@pytest.mark.parametrize("file", ["registry-ca.crt", "registry-ca.key"])
def test_a_damaged_authority_of_the_registry_is_made_again_with_its_certificate(keys: Path, file: str) -> None:
    (keys / file).write_bytes(b"")
    assert pki.ensure(keys, PLAN) == ["registry-ca", "registry"]


def test_ends_are_told_by_name_and_a_damaged_certificate_has_ended(keys: Path) -> None:
    (keys / "etcd.crt").write_bytes(b"damaged")
    ends, now = pki.ends(keys), datetime.now(UTC)
    assert set(ends) == {*pki.AUTHORITIES, *(leaf.file for leaf in pki.leaves(PLAN))}
    assert timedelta(days=364) < ends["registry"] - now < timedelta(days=366)
    assert ends["etcd"] < now


def test_keys_for_tokens_and_stored_secrets_outlive_every_renewal(keys: Path) -> None:
    kept = [(keys / name).read_bytes() for name in ("service-account.key", "secrets.key")]
    pki.ensure(keys, PLAN, now=datetime.now(UTC) + timedelta(days=20 * 365))
    assert [(keys / name).read_bytes() for name in ("service-account.key", "secrets.key")] == kept
    assert len(base64.b64decode(kept[1])) == 32


def _extensions(file: Path) -> x509.Extensions:
    return x509.load_pem_x509_certificate(file.read_bytes()).extensions


def test_a_kubeconfig_holds_everything_and_one_context(keys: Path) -> None:
    document = pki.kubeconfig(keys, "admin", PLAN)
    assert document["current-context"] == "omnibase-test"
    assert [context["name"] for context in document["contexts"]] == ["omnibase-test"]  # type: ignore[attr-defined]
    assert "/" + keys.name not in str(document)
