"""Security settings: each rule alone with its words, the floor of prod, and the document that programs get."""

from __future__ import annotations

import json
from typing import Any

import pytest
from omnibase_infra.config import load
from omnibase_infra.config.security import CLASSES, LEAST_HSTS_SECONDS, security_document

from tests.unit.components.test_config_rules import complaint, settings

TOKENS = {"secret": "receipt-key", "issuer": "https://login.example.test", "audience": ["platform"]}
HOOK = {"service": "reference", "secret": "receipt-key", "cidrs": ["192.0.2.0/24"]}


def problem(stack: str, path: str, **changes: Any) -> str:  # noqa: ANN401 -- values of a stack file
    at = f"security.{path}"
    return complaint(stack, at, **changes).removeprefix(f"Pulumi.{stack}.yaml: {at} = ")


@pytest.mark.req("C1.8", "C5.4", "C5.7", "V18")
@pytest.mark.parametrize(
    ("stack", "path", "changes", "said"),
    [
        (
            "staging",
            "cors.origins.0",
            {"security__cors__origins": ["*"]},
            "*: must be a single origin in staging; any page in the world could call",
        ),
        (
            "dev",
            "cors.origins.0",
            {"security__cors__origins": ["*"], "security__cors__credentials": True},
            "*: cannot go together with cors.credentials; name the origins, or set credentials to false",
        ),
        (
            "prod",
            "cors.origins.0",
            {"security__cors__origins": ["http://app.example.test"]},
            "http://app.example.test: must be https in prod; whoever sits on the way could change the page",
        ),
        (
            "prod",
            "cors.methods",
            {"security__cors__origins": ["https://app.example.test"], "security__cors__methods": ["GET", "DELETE"]},
            "DELETE: may be GET, POST, OPTIONS in prod; take the others out",
        ),
        (
            "prod",
            "headers.hsts_seconds",
            {"security__headers__hsts_seconds": LEAST_HSTS_SECONDS - 1},
            "31535999: must be at least 31536000 in prod; a shorter time lets a browser fall back to clear text",
        ),
        (
            "prod",
            "headers.content_security_policy",
            {"security__headers__content_security_policy": "script-src 'unsafe-inline'"},
            "script-src 'unsafe-inline': must be without 'unsafe-...' in prod; "
            "a script that somebody slipped in would run",
        ),
        (
            "prod",
            "api_docs",
            {"security__api_docs": True},
            "true: must be false in prod; it tells strangers what to try",
        ),
        (
            "dev",
            "limits.classes.admin.burst",
            {"security__limits__classes__admin": {"requests_per_minute": 5, "burst": 6}},
            "6: may be at most requests_per_minute = 5; lower it",
        ),
        (
            "staging",
            "tokens.issuer",
            {"security__tokens": {**TOKENS, "issuer": "http://login.example.test"}},
            "http://login.example.test: must be https in staging; it is where keys come from",
        ),
        (
            "dev",
            "tokens.refresh_life",
            {"security__tokens": {**TOKENS, "access_life": "1d", "refresh_life": "24h"}},
            "24h: must be longer than access_life = 1d; it would never be of use",
        ),
        (
            "dev",
            "tokens.secret",
            {"security__tokens": {**TOKENS, "secret": "receipt-kay"}},
            "receipt-kay: is not among secrets.entries; did you mean 'receipt-key'?",
        ),
        (
            "dev",
            "limits.lockout.length",
            {"security__limits__lockout": {"length": "14m"}},
            "14m: must be at least window = 15m; it would end before its reason does",
        ),
        (
            "prod",
            "webhooks.forge.cidrs.0",
            {"security__webhooks": {"forge": {**HOOK, "cidrs": ["0.0.0.0/0"]}}},
            "0.0.0.0/0: must not be everything in prod; name the networks that the source publishes",
        ),
        (
            "dev",
            "webhooks.forge.service",
            {"security__webhooks": {"forge": {**HOOK, "service": "referense"}}},
            "referense: is not a service of this stack; did you mean 'reference'?",
        ),
        (
            "dev",
            "webhooks.forge.secret",
            {
                "security__webhooks": {"forge": {**HOOK, "secret": "forge-key"}},
                "secrets__entries__forge-key": {"source": "generated"},
            },
            "forge-key: is not given to service 'reference'; add it to services.reference.secrets",
        ),
    ],
)
def test_a_setting_that_would_not_protect_is_refused_in_words(
    stack: str, path: str, changes: dict[str, Any], said: str
) -> None:
    assert problem(stack, path, **changes) == said


@pytest.mark.req("C1.8", "C5.2")
@pytest.mark.parametrize("name", CLASSES)
def test_no_stack_file_of_prod_loosens_a_class_and_dev_may(name: str) -> None:
    most = CLASSES[name]["requests_per_minute"]
    change = {f"security__limits__classes__{name}__requests_per_minute": most + 1}
    said = f"{most + 1}: may be at most {most} in prod; give the route no class: then its clients' own limits apply"
    assert problem("prod", f"limits.classes.{name}.requests_per_minute", **change) == said
    load("dev", settings("dev", **change), {})


@pytest.mark.parametrize("stack", ["dev", "test", "staging", "prod"])
def test_what_is_on_the_safe_side_of_every_bound_is_accepted(stack: str) -> None:
    hook = {**HOOK, "tolerance": "1h"}
    given = settings(stack, security__tokens=TOKENS, security__webhooks={"forge": hook})
    given["security"]["cors"]["origins"] = ["https://app.example.test:8443"]
    assert load(stack, given, {}).config.security.cors.max_age.seconds == 86_400


@pytest.mark.parametrize(
    ("path", "changes", "said"),
    [
        (
            "cors.origins.0",
            {"security__cors__origins": ["https://app.example.test/"]},
            "must be an origin without path",
        ),
        ("cors.origins.0", {"security__cors__origins": ["https://*.example.test"]}, "must be an origin without path"),
        ("cors.methods.0", {"security__cors__methods": ["TRACE"]}, "must be one of GET, HEAD, POST"),
        ("cors.max_age", {"security__cors__max_age": "2d"}, "must be from 1s to 1d"),
        ("headers.hsts_seconds", {"security__headers__hsts_seconds": 299}, "should be greater than or equal to 300"),
        ("headers.frame_options", {"security__headers__frame_options": "ALLOW"}, "must be one of DENY, SAMEORIGIN"),
        ("headers.referrer_policy", {"security__headers__referrer_policy": "unsafe-url"}, "must be one of no-referrer"),
        ("headers.content_security_policy", {"security__headers__content_security_policy": "a\nb"}, "should match"),
        ("limits.classes.admn", {"security__limits__classes__admn": CLASSES["admin"]}, "is an unknown key"),
        ("tokens.algorithm", {"security__tokens": {**TOKENS, "algorithm": "none"}}, "must be one of HS256"),
        ("tokens.audience", {"security__tokens": {**TOKENS, "audience": []}}, "should have at least 1 item"),
        ("webhooks.forge.cidrs", {"security__webhooks": {"forge": {**HOOK, "cidrs": []}}}, "at least 1 item"),
        ("webhooks.forge.tolerance", {"security__webhooks": {"forge": {**HOOK, "tolerance": "2h"}}}, "from 1s to 1h"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_at_its_field(path: str, changes: dict[str, Any], said: str) -> None:
    assert said in problem("dev", path, **changes)


@pytest.mark.req("C5.2")
def test_a_route_takes_one_of_the_classes() -> None:
    text = complaint("dev", "gateway.routes.notes.limit_class", gateway__routes__notes__limit_class="admn")
    assert "did you mean 'admin'?" in text
    load("dev", settings("dev", gateway__routes__notes__limit_class="admin"), {})


def test_the_document_has_what_services_keep_to_and_no_secret() -> None:
    given = settings("dev", security__tokens=TOKENS, security__webhooks={"forge": HOOK})
    document = security_document(load("dev", given, {}).config)
    assert document["limits"]["failed_login"] == {"requests_per_minute": 10, "burst": 2}
    assert document["lockout"] == {"failures": 5, "window_seconds": 900, "share": 0.25, "length_seconds": 86_400}
    assert document["tokens"]["access_life_seconds"] == 1800
    assert document["tokens"]["secret"] == "receipt-key"
    assert document["webhooks"]["forge"]["signature"] == "hmac-sha256"
    assert document["webhooks"]["forge"]["tolerance_seconds"] == 300
    assert document["hosts"] == ["api.omnibase.test"]
    assert json.loads(json.dumps(document)) == document, "plain values only"
