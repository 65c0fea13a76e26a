"""Ports, hosts, doubles and orphans: what the rules' own examples do not show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from omnibase_policies import ParameterError, check_registrations, evaluate
from omnibase_policies.examples import OBJECTS, POD, example


def broken(*manifests: object, parameters: Mapping[str, object] | None = None) -> set[str]:
    return {each.rule for each in evaluate(list(manifests), tier="prod", parameters=parameters)}


def service(kind: str | None, port: object, target: object = 8080) -> dict[str, Any]:
    return example({"kind": "Service", "spec.type": kind, "spec.ports": [{"port": port, "targetPort": target}]})


@pytest.mark.req("V8")
@pytest.mark.parametrize(
    ("kind", "port", "target", "is_open"),
    [
        ("LoadBalancer", 5432, 5432, True),
        ("NodePort", 80, 9644, True),
        ("NodePort", "8081", 80, True),
        ("LoadBalancer", 443.0, 9000.0, True),
        ("LoadBalancer", 443, "https", False),
        ("ClusterIP", 5432, 5432, False),
        (None, 5432, 5432, False),
    ],
)
def test_ports_of_administrations_are_not_opened_by_number(
    kind: str, port: object, target: object, is_open: bool
) -> None:
    assert ("no-admin-port-exposed" in broken(service(kind, port, target))) is is_open


@pytest.mark.req("V10")
@pytest.mark.parametrize(
    ("url", "is_refused"),
    [
        ("https://api.other.test/v1", True),
        ("https://user@api.other.test:8443/v1", True),
        ("https://llm.example/v1", False),
        ("https://eu.models.example/v1", False),
        ("https://models.example.evil.test/v1", True),
        ("http://orders.shop.svc.cluster.local:80", False),
        ("postgresql://database-rw:5432/orders", False),
        ("http://10.0.0.7:80", False),
        ("http://8.8.8.8", True),
    ],
)
def test_only_hosts_that_were_agreed_on_are_called(url: str, is_refused: bool) -> None:
    pod = example({"spec.containers.0.env": [{"name": "UPSTREAM", "value": url}]})
    settings: dict[str, object] = {"allowed_hosts": ["llm.example", "*.models.example"]}
    assert ("egress-host-listed" in broken(pod, parameters=settings)) is is_refused
    assert "egress-host-listed" not in broken(pod), "nothing is judged where nothing was agreed on"


@pytest.mark.req("V10")
def test_names_for_hosts_outside_are_judged_as_well() -> None:
    outside = example({"kind": "Service", "spec.type": "ExternalName", "spec.externalName": "api.other.test"})
    entry = {"kind": "ServiceEntry", "metadata": {"name": "a", "namespace": "b"}, "spec": {"hosts": ["api.other.test"]}}
    for manifest in (outside, entry, OBJECTS["Backend"]):
        assert "egress-host-listed" in broken(manifest, parameters={"allowed_hosts": ["llm.example"]})


@pytest.mark.req("V20")
@pytest.mark.parametrize(
    ("name", "value", "is_off"),
    [
        ("OTEL_SDK_DISABLED", "true", True),
        ("OTEL_TRACES_EXPORTER", "none", True),
        ("OTEL_TRACES_EXPORTER", "otlp", False),
        ("METRICS_ENABLED", "false", True),
        ("ENABLE_TRACING", "0", True),
        ("DISABLE_METRICS", "1", True),
        ("QDRANT__TELEMETRY_DISABLED", "true", False),
    ],
)
def test_observability_stays_on(name: str, value: str, is_off: bool) -> None:
    pod = example({"spec.containers.0.env": [{"name": name, "value": value}]})
    assert ("observability-on" in broken(pod)) is is_off


@pytest.mark.req("V25")
@pytest.mark.parametrize(
    "changes",
    [
        {"spec.containers.0.envFrom": [{"secretRef": {"name": "a", "optional": True}}]},
        {"spec.containers.0.args": ["--level=${LEVEL:-debug}"]},
        {"spec.containers.0.env": [{"name": "A", "value": "${B-c}"}]},
    ],
)
def test_no_default_steps_in_for_a_missing_setting(changes: dict[str, object]) -> None:
    assert "no-soft-default" in broken(example(changes))
    found = evaluate([example(changes)], tier="staging")
    assert {each.level for each in found if each.rule == "no-soft-default"} == {"advisory"}


@pytest.mark.req("V23")
def test_an_object_that_is_made_twice_is_said_once() -> None:
    assert "no-duplicate-object" not in broken(POD, example({"metadata.name": "others"}))
    assert "no-duplicate-object" not in broken(POD, example({"metadata.namespace": "others"}))
    found = [each for each in evaluate([POD, POD], tier="prod") if each.rule == "no-duplicate-object"]
    assert [(each.object_index, each.path) for each in found] == [(1, "metadata.name")]


@pytest.mark.req("V23")
def test_two_containers_of_a_docker_host_share_no_name_and_no_port() -> None:
    def container(name: str, port: int, provider: str = "host") -> dict[str, Any]:
        inputs = {"name": name, "ports": [{"internal": 80, "external": port, "ip": "127.0.0.1"}]}
        urn = f"urn:pulumi:prod::orders::pulumi:providers:docker::{provider}::0f"
        return {"type": "docker:index/container:Container", "provider": urn, "inputs": inputs}

    def doubles(*resources: dict[str, Any]) -> list[str]:
        found = check_registrations(resources, tier="prod")
        return [each.path for each in found if each.rule == "no-duplicate-object"]

    assert doubles(container("a", 8080), container("b", 8081)) == []
    assert doubles(container("a", 8080), container("b", 8080)) == ["ports[0].external"]
    assert doubles(container("a", 8080), container("a", 8081)) == ["name"]
    assert doubles(container("a", 8080), container("a", 8080, "other-host")) == []


@pytest.mark.req("V27")
def test_a_secret_or_claim_that_nobody_names_is_said_where_there_are_pods() -> None:
    secret = example({"kind": "Secret", "metadata.name": "keys"})
    claim = example({"kind": "PersistentVolumeClaim", "metadata.name": "disk"})
    used = example({
        "spec.volumes": [
            {"name": "a", "secret": {"secretName": "keys"}},
            {"name": "b", "persistentVolumeClaim": {"claimName": "disk"}},
        ]
    })  # fmt: skip
    assert "nothing-orphaned" in broken(secret, POD)
    assert "nothing-orphaned" in broken(claim, POD)
    assert "nothing-orphaned" not in broken(secret, claim, used)
    assert "nothing-orphaned" not in broken(secret, claim), "who uses them is not to be seen"


@pytest.mark.req("V29", "R26")
def test_a_digest_that_staging_has_not_proven_stops_in_prod_only() -> None:
    digest = POD["spec"]["containers"][0]["image"].partition("@")[2]
    whole = {"digest": digest, "has": ["provenance", "sbom", "signature"], "proven_in": ["staging"]}
    assert broken(POD, parameters={"image_evidence": [whole]}).isdisjoint({"image-evidence", "image-proven-in-staging"})
    unproven = {"image_evidence": [{**whole, "proven_in": ["test"]}]}
    levels = {
        tier: [each.level for each in evaluate([POD], tier=tier, parameters=unproven) if "image-proven" in each.rule]
        for tier in ("staging", "prod")
    }
    assert levels == {"staging": ["advisory"], "prod": ["mandatory"]}
    unknown = {"image_evidence": [{**whole, "digest": "sha256:" + 64 * "0"}]}
    assert {"image-evidence", "image-proven-in-staging"} <= broken(POD, parameters=unknown)


@pytest.mark.req("V2")
@pytest.mark.parametrize(
    ("user", "said", "is_refused"),
    [
        ("65532", None, False),
        ("65532:65532", None, False),
        ("", None, True),
        ("root", None, True),
        ("0:0", None, True),
        ("orders", None, True),
        ("root", 10001, False),
    ],
)
def test_an_image_that_comes_ready_made_is_not_roots(user: str, said: int | None, is_refused: bool) -> None:
    digest = POD["spec"]["containers"][0]["image"].partition("@")[2]
    evidence = {"image_evidence": [{"digest": digest, "has": [], "user": user}]}
    of_pod = example({"spec.securityContext.runAsUser": said})
    assert ("image-user-nonroot" in broken(of_pod, parameters=evidence)) is is_refused
    of_container = example(
        {"spec.securityContext.runAsUser": None, "spec.containers.0.securityContext.runAsUser": said}
    )
    assert ("image-user-nonroot" in broken(of_container, parameters=evidence)) is is_refused
    windows = example({"spec.securityContext.runAsUser": None, "spec.os.name": "windows"})
    assert "image-user-nonroot" not in broken(windows, parameters=evidence)
    assert "image-user-nonroot" not in broken(of_pod), "nothing is judged where there is no evidence"


@pytest.mark.req("V2")
def test_an_image_without_evidence_beside_others_that_have_it_must_be_told_its_user() -> None:
    others = {"image_evidence": [{"digest": f"sha256:{'0' * 64}", "user": "65532"}]}
    assert "image-user-nonroot" in broken(example({"spec.securityContext.runAsUser": None}), parameters=others)
    with pytest.raises(ParameterError, match=r'image_evidence\[0\].user must be a text such as "65532:65532"'):
        broken(POD, parameters={"image_evidence": [{"digest": "sha256:0", "user": 65532}]})


@pytest.mark.req("V12")
def test_one_set_of_secrets_for_several_services_is_said() -> None:
    def service_with(name: str, secret: str) -> dict[str, Any]:
        sources = [{"secretRef": {"name": secret}}]
        return example(
            {"kind": "Deployment", "metadata.name": name, "spec.template.spec.containers.0.envFrom": sources}
        )

    assert "secret-set-of-one-service" in broken(service_with("a", "all"), service_with("b", "all"))
    assert "secret-set-of-one-service" not in broken(service_with("a", "a-keys"), service_with("b", "b-keys"))
