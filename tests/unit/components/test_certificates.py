"""Certificates verify as TLS clients verify them, also in the middle of a rotation."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from hypothesis import given, settings
from hypothesis import strategies as st
from omnibase_infra import (
    ArgsError,
    CertificateAuthority,
    CertificateAuthorityArgs,
    ServerCertificate,
    ServerCertificateArgs,
    TrustBundle,
)
from omnibase_infra.certificates import issue
from omnibase_infra.certificates.checks import authority_problems, server_problems

from tests.stacks.support.recorder import HIDDEN, Recorder, Registration, record

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOST = "api.example.test"


def parsed(text: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(text.encode())


def accepts(trusted: str, served: str, host: str = HOST, moment: datetime = NOW + timedelta(days=1)) -> bool:
    """Whether a client that trusts these authorities accepts this chain for a host."""
    leaf, *chain = parsed(served)
    verifier = PolicyBuilder().store(Store(parsed(trusted))).time(moment).build_server_verifier(x509.DNSName(host))
    try:
        verifier.verify(leaf, chain)
    except VerificationError:
        return False
    return True


OLD = issue.authority("omnibase dev 1", 1825, NOW - timedelta(days=400))
NEW = issue.authority("omnibase dev 2", 1825, NOW)
CROSS = issue.cross_sign(NEW, OLD, NOW)
STRANGER = issue.authority("stranger", 1825, NOW)


def leaf(authority: issue.Pair, *hosts: str, days: int = 90) -> issue.Pair:
    return issue.server(authority, list(hosts or [HOST]), days, NOW)


@pytest.mark.req("C5.6")
def test_a_server_is_accepted_for_its_hosts_by_whoever_trusts_its_authority_and_by_nobody_else() -> None:
    served = leaf(OLD, HOST, "*.apps.example.test").certificate
    assert accepts(OLD.certificate, served)
    assert accepts(OLD.certificate, served, "x.apps.example.test")
    assert not accepts(OLD.certificate, served, "other.example.test")
    assert not accepts(STRANGER.certificate, served)
    assert not accepts(OLD.certificate, served, moment=NOW + timedelta(days=91))


@pytest.mark.req("C5.5", "C5.6")
def test_during_a_rotation_every_client_accepts_every_server() -> None:
    old_server, new_server = leaf(OLD).certificate, leaf(NEW).certificate + CROSS
    old_client, new_client = OLD.certificate, NEW.certificate + OLD.certificate
    for trusted in (old_client, new_client):
        for served in (old_server, new_server):
            assert accepts(trusted, served)
    assert not accepts(STRANGER.certificate, new_server)


def test_the_cross_signed_certificate_ends_with_the_old_authority_at_the_latest() -> None:
    (cross,) = parsed(CROSS)
    assert cross.not_valid_after_utc == parsed(OLD.certificate)[0].not_valid_after_utc
    assert cross.subject == parsed(NEW.certificate)[0].subject


def test_a_certificate_is_for_servers_only_unless_servers_show_it_to_each_other() -> None:
    def purposes(pair: issue.Pair) -> list[str]:
        extensions = parsed(pair.certificate)[0].extensions
        return [each._name for each in extensions.get_extension_for_class(x509.ExtendedKeyUsage).value]

    assert purposes(leaf(OLD)) == ["serverAuth"]
    assert purposes(issue.server(OLD, [HOST], 90, NOW, also_client=True)) == ["serverAuth", "clientAuth"]


def test_addresses_are_written_as_addresses() -> None:
    (found,) = parsed(leaf(OLD, "10.0.0.1", HOST).certificate)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]
    assert names.get_values_for_type(x509.DNSName) == [HOST]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 825), st.integers(1, 7300))
def test_a_certificate_never_outlives_its_authority(days: int, authority_days: int) -> None:
    authority = issue.authority("any", authority_days, NOW)
    (found,) = parsed(leaf(authority, days=days).certificate)
    assert found.not_valid_after_utc == NOW + timedelta(days=min(days, authority_days))


def test_an_authority_that_has_ended_signs_nothing() -> None:
    ended = issue.authority("ended", 2, NOW - timedelta(days=3))
    with pytest.raises(ValueError, match="the authority ended on 2026-02-28; raise its generation"):
        leaf(ended)


def test_only_its_own_authority_is_recognised() -> None:
    assert issue.issued_by(leaf(OLD), OLD)
    assert not issue.issued_by(leaf(OLD), NEW)


# -- the components --------------------------------------------------------------------------------------------------


def environment(authority_generation: int = 1, changes: dict[str, object] | None = None) -> Recorder:
    def program() -> None:
        authority = CertificateAuthority(
            "ca", {"common_name": "omnibase dev", "validity_days": 1825, "generation": authority_generation}
        )
        args = {
            "authority": authority.signer,
            "authority_generation": authority_generation,
            "namespace": "apps",
            "environment": "dev",
            "hosts": [HOST],
            "validity_days": 90,
            **(changes or {}),
        }
        ServerCertificate("api", cast(ServerCertificateArgs, args))
        TrustBundle("trust", {"namespace": "apps", "environment": "dev", "secret": "ca", "bundle": authority.bundle})

    return record(program)


def of_type(recorder: Recorder, ending: str) -> list[Registration]:
    return [item for item in recorder.registrations() if item.type.endswith(ending)]


def server_secret(recorder: Recorder) -> Registration:
    return next(item for item in of_type(recorder, ":Secret") if item.name.startswith("api-secret-"))


def test_a_servers_secret_is_of_the_tls_type_immutable_and_made_before_the_old_one_goes() -> None:
    found = server_secret(environment())
    assert found.inputs["type"] == "kubernetes.io/tls"
    assert found.inputs["immutable"] is True
    assert found.inputs["data"] == HIDDEN
    assert not found.delete_before_replace


def test_private_keys_stand_in_secret_stashes_only() -> None:
    recorder = environment(2)
    assert "PRIVATE KEY" not in json.dumps([item.inputs for item in recorder.registrations()])
    assert "PRIVATE KEY" not in json.dumps(list(recorder.outputs.values()))
    stashes = of_type(recorder, ":Stash")
    assert [item.name for item in stashes if item.name.startswith("ca-")] == ["ca-1", "ca-2", "ca-2-cross"]
    assert all(item.inputs == {"input": HIDDEN} and item.ignore_changes == ("input",) for item in stashes)


def test_the_trust_bundle_holds_this_authority_and_the_one_before() -> None:
    recorder = environment(2)
    (outputs,) = [found for urn, found in recorder.outputs.items() if "CertificateAuthority" in urn]
    subjects = [found.subject.rfc4514_string() for found in parsed(outputs["bundle"])]
    assert subjects == ["CN=omnibase dev 2", "CN=omnibase dev 1"]
    assert outputs["signer"] == HIDDEN


@pytest.mark.parametrize(
    "changes",
    [{"generation": 2}, {"hosts": [HOST, "b.example.test"]}, {"validity_days": 30}, {"also_client": True}],
    ids=str,
)
def test_whatever_changes_a_certificate_changes_its_secrets_name(changes: dict[str, object]) -> None:
    names = [server_secret(found).inputs["metadata"]["name"] for found in (environment(), environment(changes=changes))]
    assert names[0] != names[1]
    assert server_secret(environment()).inputs["metadata"]["name"] == names[0]


def test_another_authority_changes_the_secrets_name() -> None:
    names = {server_secret(environment(number)).inputs["metadata"]["name"] for number in (1, 2)}
    assert len(names) == 2


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"hosts": []}, "hosts is empty"),
        ({"hosts": ["API.example.test", "a b"]}, "host 'API.example.test' is neither an IP address nor a DNS name"),
        ({"validity_days": 826}, "validity_days=826 is outside 1..825"),
        ({"generation": 0, "authority_generation": 1}, "generation=0 must be at least 1"),
    ],
)
def test_a_wrong_certificate_is_refused_before_anything_exists(changes: dict[str, Any], complaint: str) -> None:
    base = {"authority": "x", "authority_generation": 1, "namespace": "a", "environment": "dev", "hosts": [HOST]}
    args = cast(ServerCertificateArgs, {**base, "validity_days": 90, **changes})
    assert any(complaint in problem for problem in server_problems("api", args))
    with pytest.raises(ArgsError, match="ServerCertificate 'api'"):
        record(lambda: ServerCertificate("api", args))


def test_a_wrong_authority_is_refused_with_all_problems() -> None:
    wrong: CertificateAuthorityArgs = {"common_name": " ", "validity_days": 1, "generation": 0}
    assert len(authority_problems(wrong)) == 3
    with pytest.raises(ArgsError, match="CertificateAuthority 'ca'"):
        record(lambda: CertificateAuthority("ca", wrong))
