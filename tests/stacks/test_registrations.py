"""Each stack's whole graph: golden files, names, parents, providers, protection."""

from __future__ import annotations

import json
import os
import re
from collections import Counter

import pytest

from tests.stacks.support import stacks
from tests.stacks.support.recorder import Recorder

_UPDATE = "UPDATE_GOLDENS"


@pytest.mark.req("C1.10")
@pytest.mark.parametrize("stack", stacks.STACKS)
def test_the_registrations_of_a_stack_are_those_of_its_golden_file(stack: str) -> None:
    found = [stacks.golden_entry(registration) for registration in stacks.registrations(stack)]
    text = json.dumps(found, indent=1, sort_keys=True) + "\n"
    file = stacks.GOLDEN / f"{stack}.json"
    if os.environ.get(_UPDATE) == "1":
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    wanted = {entry["urn"]: entry for entry in json.loads(file.read_text())}
    changed = {entry["urn"]: entry for entry in found}
    assert sorted(changed) == sorted(wanted), "resources came or went; `make goldens` writes the file anew"
    for urn, entry in changed.items():
        assert entry == wanted[urn], f"{urn} changed; `make goldens` writes the file anew, read its diff"


@pytest.mark.parametrize("stack", stacks.STACKS)
def test_no_two_resources_have_the_same_urn(stack: str) -> None:
    counts = Counter(found.urn for found in stacks.registrations(stack))
    assert [urn for urn, count in counts.items() if count > 1] == []


@pytest.mark.req("P4")
@pytest.mark.parametrize("stack", stacks.STACKS)
def test_no_two_resources_describe_the_same_object(stack: str) -> None:
    counts: Counter[tuple[str, str, str]] = Counter()
    for found in stacks.kubernetes_objects(stack):
        metadata = found.inputs["metadata"]
        counts[found.type, metadata.get("namespace", ""), metadata["name"]] += 1
    assert [key for key, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("stack", stacks.STACKS)
def test_every_object_stands_below_a_component_of_ours_and_has_the_stacks_provider(stack: str) -> None:
    for found in stacks.kubernetes_objects(stack):
        assert "omnibase-infra:index:" in found.parent, found.urn
        assert "pulumi:providers:kubernetes::kubernetes" in found.provider, found.urn


@pytest.mark.parametrize("stack", stacks.STACKS)
def test_names_fit_into_dns(stack: str) -> None:
    label = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    for found in stacks.kubernetes_objects(stack):
        name = found.inputs["metadata"]["name"]
        assert label.match(name), name
        assert len(name) <= 63, name


@pytest.mark.req("V22")
def test_data_and_namespaces_are_protected_in_staging_and_prod_only() -> None:
    for stack in stacks.STACKS:
        guarded = stack in ("staging", "prod")
        for kind in ("Cluster", "Namespace"):
            own = [found for found in stacks.of_kind(stack, kind) if stacks.VENDOR_COMPONENT not in found.urn]
            assert {found.protect for found in own} == {guarded}, (stack, kind)
        (cluster,) = stacks.of_kind(stack, "Cluster")
        assert cluster.retain == guarded


def test_what_is_kept_in_stashes_is_secret_and_a_second_run_does_not_change_it() -> None:
    stashes = [found for found in stacks.registrations("dev") if found.type == "pulumi:index:Stash"]
    assert {"database-password-1", "platform-ca-1", "services-receipt-key-1-base64url-43"} <= {
        found.name for found in stashes
    }
    for stash in stashes:
        assert stash.inputs == {"input": "[secret]"}, stash.name
        assert stash.ignore_changes == ("input",), stash.name


@pytest.mark.req("C1.4")
@pytest.mark.parametrize("stack", stacks.STACKS)
def test_no_credential_stands_readable_in_any_input(stack: str) -> None:
    secrets = stacks.of_kind(stack, "Secret")
    assert secrets
    assert [found.name for found in secrets if found.inputs["data"] != "[secret]"] == []
    texts = json.dumps([found.inputs for found in stacks.registrations(stack)]).replace("sha256:", "")
    assert "PRIVATE KEY" not in texts
    found = set(re.findall(r'"([0-9a-f]{64})"', texts.replace("sha256:", "")))
    assert found <= stacks_checksums(stack)


def stacks_checksums(stack: str) -> set[str]:
    """The checksums that are inputs by themselves: those of the vendor manifests."""
    manifests = [found for found in stacks.registrations(stack) if found.type.endswith(":VendorManifest")]
    return {str(found.inputs["sha256"]) for found in manifests}


@pytest.mark.req("V4", "C4.6")
@pytest.mark.parametrize("stack", stacks.STACKS)
def test_every_image_runs_by_digest(stack: str) -> None:
    texts = json.dumps([found.inputs for found in stacks.kubernetes_objects(stack)])
    images = re.findall(r'"(?:image|imageName)": "([^"]*)"', texts)
    assert len(images) >= 5
    assert [image for image in images if not re.search(r"@sha256:[0-9a-f]{64}$", image)] == []


@pytest.mark.req("C2.8", "P13", "C1.12")
@pytest.mark.parametrize("stack", stacks.STACKS)
def test_a_service_that_names_a_database_gets_addresses_role_certificate_and_password(stack: str) -> None:
    (service,) = [found for found in stacks.of_kind(stack, "Deployment") if found.name == "reference-workload"]
    pod = service.inputs["spec"]["template"]["spec"]
    env = {item["name"]: item["value"] for item in pod["containers"][0]["env"]}
    assert env == {
        "REFERENCE_ENVIRONMENT": stack,
        "REFERENCE_SETTINGS_FILE": "/etc/omnibase/settings.json",
        "REFERENCE_LOG_LEVEL": "DEBUG" if stack in ("dev", "test") else "INFO",
        "REFERENCE_DATABASE_RW_HOST": f"database-pooler-rw.omnibase-{stack}.svc.cluster.local",
        "REFERENCE_DATABASE_RO_HOST": f"database-pooler-ro.omnibase-{stack}.svc.cluster.local",
        "REFERENCE_DATABASE_PORT": "5432",
        "REFERENCE_DATABASE_NAME": "reference",
        "REFERENCE_DATABASE_USER": "reference_app",
        "REFERENCE_DATABASE_PASSWORD_FILE": "/run/secrets/databases/reference/password",
        "REFERENCE_DATABASE_SSLMODE": "verify-full",
        "REFERENCE_DATABASE_CA_FILE": "/run/secrets/database-ca/ca.crt",
        "REFERENCE_RECEIPT_KEY_FILE": "/run/secrets/service/receipt-key",
        "REFERENCE_MESSAGES_URL": f"tls://messages.omnibase-{stack}.svc.cluster.local:4222",
        "REFERENCE_MESSAGES_CLIENT": "reference",
        "REFERENCE_MESSAGES_SEED_FILE": "/run/secrets/messages/seed",
        "REFERENCE_MESSAGES_CA_FILE": "/run/secrets/messages-ca/ca.crt",
    }
    mounted = {item["secret"]["secretName"]: item["secret"]["items"] for item in pod["volumes"] if "secret" in item}
    own = next(name for name in mounted if re.fullmatch(r"services-reference-[0-9a-f]{10}", name))
    assert mounted == {
        own: [{"key": "receipt-key", "path": "receipt-key"}],
        "database-app-role": [{"key": "password", "path": "password"}],
        "database-ca": [{"key": "ca.crt", "path": "ca.crt"}],
        "messages-client-reference": [{"key": "seed", "path": "seed"}],
        "platform-ca": [{"key": "ca.crt", "path": "ca.crt"}],
    }


def test_the_webhooks_answer_before_a_database_is_asked_for() -> None:
    (service,) = [found for found in stacks.of_kind("dev", "Service") if stacks.VENDOR_COMPONENT in found.urn]
    (database,) = [found for found in stacks.registrations("dev") if found.type.endswith(":PostgresCluster")]
    assert service.urn in database.dependencies
    (operator,) = [found for found in stacks.of_kind("dev", "Deployment") if stacks.VENDOR_COMPONENT in found.urn]
    assert operator.urn in service.dependencies


@pytest.fixture(scope="module")
def fresh() -> Recorder:
    """A preview on a machine that built nothing, with an override."""
    changed = {
        "OMNIBASE_IMAGES_LOCK": "/nonexistent/images.lock.json",
        "OMNIBASE__SERVICES__REFERENCE__REPLICAS": "2",
    }
    return stacks.record_stack("dev", changed, preview=True)


def test_a_preview_of_a_machine_that_built_nothing_shows_digests_of_zeros(fresh: Recorder) -> None:
    (service,) = [found for found in fresh.registrations() if found.name == "reference-workload"]
    image = service.inputs["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image.endswith("@sha256:" + "0" * 64)


@pytest.mark.req("C1.2")
def test_overrides_are_an_output_of_the_stack(fresh: Recorder) -> None:
    assert stacks.stack_outputs(fresh)["overrides"] == {
        "services.reference.replicas": "OMNIBASE__SERVICES__REFERENCE__REPLICAS"
    }


@pytest.mark.req("V28")
@pytest.mark.parametrize("stack", stacks.STACKS)
def test_the_one_namespace_without_pod_security_stands_among_the_waivers(stack: str) -> None:
    levels = {
        found.inputs["metadata"]["name"]: found.inputs["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for found in stacks.of_kind(stack, "Namespace")
    }
    assert {name for name, level in levels.items() if level == "privileged"} == {f"omnibase-{stack}-agents"}
    settings = {waiver["setting"] for waiver in stacks.stack_outputs(stacks.recorded(stack))["waivers"]}
    assert "pod-security" in settings


def test_the_outputs_are_those_that_others_rely_on() -> None:
    outputs = stacks.stack_outputs(stacks.recorded("dev"))
    assert sorted(outputs) == [
        "alertmanager_url",
        "certificate_authority",
        "database_ca_secret",
        "database_name",
        "database_ro_endpoint",
        "database_rw_endpoint",
        "database_secret",
        "database_user",
        "environment",
        "gateway_address",
        "gateway_clients",
        "gateway_keys_secret",
        "gateway_limits",
        "gateway_paths",
        "gateway_url",
        "image_pins",
        "images",
        "log_store_url",
        "messages_ca_secret",
        "messages_credentials",
        "messages_streams",
        "messages_url",
        "monitoring_namespace",
        "namespace",
        "overrides",
        "prometheus_url",
        "service_cluster_ip_url",
        "service_url",
        "waivers",
    ]
    assert outputs["service_url"] == "http://reference.omnibase-dev.svc.cluster.local:8080"
    assert outputs["database_rw_endpoint"] == "database-pooler-rw.omnibase-dev.svc.cluster.local:5432"


@pytest.mark.req("C5.6")
@pytest.mark.parametrize("stack", stacks.STACKS)
def test_the_certificate_of_the_bus_serves_for_mutual_tls(stack: str) -> None:
    """Without it three servers refuse each other, which one server never shows."""
    (found,) = [
        item for item in stacks.registrations(stack)
        if item.type.endswith(":ServerCertificate") and item.name == "messages"
    ]  # fmt: skip
    assert found.inputs["also_client"] is True
    servers = 3 if stack in ("staging", "prod") else 1
    assert len([host for host in found.inputs["hosts"] if "messages-peers" in host]) == servers
