"""Certificates that end, addresses without TLS: what the rules' own examples do not show."""

from __future__ import annotations

import base64
import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from omnibase_policies import evaluate
from omnibase_policies.examples import example

TODAY = datetime.date(2026, 11, 26)
KEY = ec.generate_private_key(ec.SECP256R1())
LATER = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def certificate(*, lasts: float, of: float) -> str:
    """PEM of one that ends in so many days, of a life of so many."""
    moment = datetime.datetime.combine(TODAY, datetime.time())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "orders")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1).public_key(KEY.public_key())
    ends = moment + datetime.timedelta(days=lasts)
    made = made.not_valid_before(ends - datetime.timedelta(days=of)).not_valid_after(ends)
    return made.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


NEW, OLD, ENDED = certificate(lasts=90, of=90), certificate(lasts=5, of=90), certificate(lasts=-1, of=90)


def refused(kind: str, place: str, name: str, text: str, **settings: object) -> bool:
    manifest = {**example({"kind": kind}), place: {name: text}}
    found = evaluate([manifest], tier="prod", parameters={"today": TODAY.isoformat(), **settings})
    assert all(text not in each.message for each in found)
    return "certificate-not-ending" in {each.rule for each in found}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.req("V17")
@pytest.mark.parametrize(
    ("name", "text", "is_refused"),
    [
        ("tls.crt", NEW, False),
        ("tls.crt", OLD, True),
        ("tls.crt", ENDED, True),
        ("tls.crt", NEW + ENDED, True),
        ("ca.crt", ENDED, True),
        ("ca.crt", ENDED + OLD, True),
        ("ca.crt", ENDED + NEW, False),
        ("bundle.pem", f"# the old authority\n{ENDED}", True),
        ("tls.crt", certificate(lasts=1, of=1.5), False),
        ("tls.crt", certificate(lasts=0.5, of=1.5), True),
        ("tls.crt", NEW.replace("MII", "!!!"), False),
        ("tls.key", "a key", False),
    ],
)
def test_certificates_that_have_ended_or_soon_will_are_not_deployed(name: str, text: str, is_refused: bool) -> None:
    assert refused("ConfigMap", "data", name, text) is is_refused
    assert refused("Secret", "stringData", name, text) is is_refused
    if text.startswith("-----"):
        assert refused("Secret", "data", name, encoded(text)) is is_refused


def test_how_early_is_a_setting() -> None:
    assert not refused("Secret", "data", "tls.crt", encoded(OLD), minimum_certificate_days=4)
    assert refused("Secret", "data", "tls.crt", encoded(certificate(lasts=25, of=90)), minimum_certificate_days=30)


def test_data_that_looks_like_a_certificate_in_base64_and_is_none_is_passed_over() -> None:
    for text in (encoded("-----BEGIN CERTIFICATE-----\n"), encoded(NEW)[:-3], encoded(NEW)[:60] + "\u00e4"):
        assert not refused("Secret", "data", "tls.crt", text)


@pytest.mark.req("V17")
@pytest.mark.parametrize(
    ("name", "value", "is_refused"),
    [
        ("PARTNER_URL", "http://api.partner.test/v1", True),
        ("PARTNER_URL", "HTTP://key:word@api.partner.test:8080", True),
        ("EVENTS", "ws://events.partner.test", True),
        ("PARTNER_URL", "http://8.8.8.8/", True),
        ("PARTNER_URL", "https://api.partner.test/v1", False),
        ("CACHE_URL", "http://cache:8080", False),
        ("CACHE_URL", "http://cache.orders.svc.cluster.local", False),
        ("STORE_URL", "http://10.0.0.7:9000", False),
        ("HTTP_PROXY", "http://proxy.partner.test:3128", False),
    ],
)
def test_hosts_outside_are_called_over_tls(name: str, value: str, is_refused: bool) -> None:
    by_variable = example({"spec.containers.0.env": [{"name": name, "value": value}]})
    assert ("no-plain-http" in rules(by_variable)) is is_refused
    if name != "HTTP_PROXY":
        assert ("no-plain-http" in rules(example({"spec.containers.0.args": [f"--upstream={value}"]}))) is is_refused


def test_plain_http_stops_in_prod_and_is_advised_before() -> None:
    pod = example({"spec.containers.0.env": [{"name": "PARTNER_URL", "value": "http://api.partner.test"}]})
    levels = {
        tier: [str(each.level) for each in evaluate([pod], tier=tier) if each.rule == "no-plain-http"]
        for tier in ("staging", "prod")
    }
    assert levels == {"staging": ["advisory"], "prod": ["mandatory"]}


def rules(manifest: dict[str, Any]) -> set[str]:
    return {each.rule for each in evaluate([manifest], tier="prod", together=False)}
