"""Compose files and manifests become settings; what must not be is refused, and nothing is lost in silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from omnibase_infra.config import load
from rich.console import Console

from local.errors import InputError
from ops.config.migrate import migrate, migration

DIGEST = f"sha256:{'a' * 64}"
COMPOSE = f"""
x-common: &common
  KAFKA_BOOTSTRAP_SERVERS: redpanda:9092
services:
  runtime:
    image: registry.example.test/omni/runtime:1.4@{DIGEST}
    environment:
      <<: *common
      LOG_FORMAT: ${{LOG_FORMAT:-json}}
      TENANT: ${{TENANT:?set it}}
      LINEAR_TOKEN: ${{LINEAR_TOKEN}}
      VERBOSE: true
    ports: ["8085:8085"]
    healthcheck:
      test: [CMD, curl, -f, "http://localhost:8085/health"]
      interval: 30s
      timeout: 10s
      start_period: 1800s
    depends_on:
      cache: {{condition: service_healthy}}
      migrate: {{condition: service_completed_successfully}}
    deploy:
      resources:
        limits: {{cpus: "1.0", memory: 1536M}}
        reservations: {{cpus: "0.25", memory: 256M}}
    stop_grace_period: 1m30s
    tmpfs: ["/run:size=16m"]
  cache:
    image: registry.example.test/valkey@{DIGEST}
    ports: [6379]
    healthcheck: {{test: valkey-cli ping, timeout: 5s, interval: 10s}}
    volumes: ["cache_data:/data"]
  migrate:
    image: registry.example.test/omni/migrate@{DIGEST}
    restart: "no"
    command: migrate up --all
"""
WANTED: dict[str, Any] = {
    "runtime": {
        "image": "runtime",
        "env": {"KAFKA_BOOTSTRAP_SERVERS": "redpanda:9092", "LOG_FORMAT": "json", "VERBOSE": "true"},
        "requires": ["TENANT"],
        "secrets": ["linear-token"],
        "ports": {"http": 8085},
        "health": {"path": "/health", "interval_seconds": 30, "timeout_seconds": 10, "start_seconds": 1800},
        "depends_on": {"cache": "healthy", "migrate": "completed"},
        "calls": ["cache"],
        "cpu_limit_millis": 1000,
        "memory_mib": 1536,
        "cpu_request_millis": 250,
        "memory_request_mib": 256,
        "stop_grace_seconds": 90,
        "writable_paths": {"/run": "16Mi"},
    },
    "cache": {
        "image": "valkey",
        "ports": {"http": 6379},
        "health": {"command": ["sh", "-c", "valkey-cli ping"], "interval_seconds": 10, "timeout_seconds": 5},
        "kind": "stateful",
        "volumes": {"cache-data": {"path": "/data", "size_gib": 1}},
    },
    "migrate": {"image": "migrate", "kind": "job", "args": ["migrate", "up", "--all"]},
}


def files(directory: Path, **texts: str) -> list[Path]:
    made = []
    for name, text in texts.items():
        made.append(directory / f"{name}.yaml")
        made[-1].write_text(text, encoding="utf-8")
    return made


def one(directory: Path, **fields: Any) -> tuple[dict[str, Any], dict[str, tuple[str, str]]]:  # noqa: ANN401
    """The settings of one service, and field -> kind and text of its notes."""
    service = {"image": f"registry.example.test/a@{DIGEST}", "healthcheck": {"test": "true"}, **fields}
    (file,) = files(directory, compose=yaml.safe_dump({"services": {"a": service}}))
    found = migration([file])
    return found.sections["services"]["a"], {each.field: (each.kind, each.what) for each in found.notes}


@pytest.mark.req("R38")
def test_a_compose_file_becomes_services_that_load(tmp_path: Path) -> None:
    found = migration(files(tmp_path, compose=COMPOSE))
    assert found.sections["services"] == WANTED
    assert found.sections["images"]["references"]["runtime"] == f"registry.example.test/omni/runtime:1.4@{DIGEST}"
    assert found.sections["secrets"]["entries"] == {"linear-token": {"source": "imported"}}
    assert [each for each in found.notes if each.kind == "refused"] == []
    services = {**WANTED, "runtime": {**WANTED["runtime"], "requires": [], "secrets": []}}
    database = {"databases": {"a": {"owner": "a_owner", "app_role": "a_app"}}}
    values = {"cluster": {"target": "local"}, "images": {"lock": "local"}, "postgres": database, "services": services}
    assert set(load("dev", values, {"OMNIBASE__QUOTA__MEMORY_MIB": "9000"}).config.services) == set(WANTED)


@pytest.mark.req("R38")
def test_a_manifest_and_its_bundle_become_the_same(tmp_path: Path) -> None:
    manifest = {
        "name": "ci-relay",
        "layer": "runtime",
        "image": {"repository": "registry.example.test/relay", "tag": "1.0", "digest": DIGEST},
        "required_env": ["WEBHOOK_SECRET", "REPOSITORY"],
        "operational_defaults": {"RETRIES": 3},
        "ports": {"external": 8089, "internal": 8089},
        "healthcheck": {
            "test": "curl -f http://localhost:8089/health",
            "interval_s": 30,
            "timeout_s": 10,
            "retries": 3,
        },
        "depends_on": [{"service": "redpanda", "condition": "service_healthy"}],
        "restart": "unless-stopped",
        "resources": {"cpus": 0.25, "memory": "128M", "cpus_reservation": 0.1, "memory_reservation": "64M"},
    }
    bundle = {
        "name": "relays",
        "description": "hooks from outside",
        "services": ["ci-relay"],
        "includes": [],
        "inject_env": {"LANE": "dev"},
        "inject_required_env": ["REPOSITORY"],
    }
    found = migration(files(tmp_path, a=yaml.safe_dump(manifest), b=yaml.safe_dump(bundle)))
    assert found.sections["services"]["ci-relay"] == {
        "layer": "runtime",
        "image": "relay",
        "secrets": ["webhook-secret"],
        "requires": ["REPOSITORY"],
        "env": {"RETRIES": "3"},
        "ports": {"http": 8089},
        "health": {"path": "/health", "interval_seconds": 30, "timeout_seconds": 10, "retries": 3},
        "depends_on": {"redpanda": "healthy"},
        "calls": ["redpanda"],
        "cpu_limit_millis": 250,
        "memory_mib": 128,
        "cpu_request_millis": 100,
        "memory_request_mib": 64,
    }
    assert found.document()["config"]["omnibase-infra:bundles"]["relays"] == {
        "description": "hooks from outside",
        "services": ["ci-relay"],
        "includes": [],
        "env": {"LANE": "dev"},
        "requires": ["REPOSITORY"],
    }


@pytest.mark.req("V1", "V2", "V4", "V11", "V26")
@pytest.mark.parametrize(
    ("field", "value", "noted", "why"),
    [
        ("image", "postgres:16", "image", "has no digest"),
        ("image", "runtime:latest", "image", "has no digest"),
        ("environment", {"DB_PASSWORD": "hunter2"}, "environment.DB_PASSWORD", "everybody has seen it"),
        ("environment", ["API_TOKEN=hunter2"], "environment.API_TOKEN", "everybody has seen it"),
        ("environment", {"DB": "postgresql://me:hunter2@db/x"}, "env.DB", "looks like a credential"),
        ("environment", {"CACHE": "localhost:6379"}, "env.CACHE", "address of the pod itself"),
        ("environment", {"CACHE": "192.168.0.7:6379"}, "env.CACHE", "private address"),
        ("environment", {"lower": "x"}, "env.lower", "in upper case"),
        ("volumes", ["/var/run/docker.sock:/var/run/docker.sock"], "volumes", "engine's socket"),
        ("volumes", [{"type": "bind", "source": "./init", "target": "/init"}], "volumes", "path of the host"),
        ("volumes", ["~/.aws:/root/.aws:ro"], "volumes", "path of the host"),
        ("privileged", True, "privileged", "node's root"),
        ("network_mode", "host", "network_mode", "node's network"),
        ("cap_add", ["NET_ADMIN"], "cap_add", "capabilities are dropped"),
        ("user", "root", "user", "not 0"),
        ("user", "0:0", "user", "greater than or equal to 1"),
        ("read_only", False, "read_only", "writable_paths"),
        ("ports", ["80:80"], "ports.http", "greater than or equal to 1024"),
        ("ports", ["${PORT}"], "ports", "names no port"),
        ("healthcheck", {"disable": True}, "healthcheck", "shows its health"),
        ("deploy", {"replicas": 0}, "replicas", "greater than or equal to 1"),
        ("command", "serve --password=hunter2", "args", "holds a credential"),
    ],
)
def test_what_must_not_be_is_refused_with_the_reason_and_left_out(
    tmp_path: Path, field: str, value: object, noted: str, why: str
) -> None:
    settings, notes = one(tmp_path, **{field: value})
    kind, what = notes[noted]
    assert (kind, why in what) == ("refused", True), what
    assert "hunter2" not in str(settings) + str(notes)


@pytest.mark.parametrize(
    ("field", "value", "noted"),
    [
        ("build", ".", "build"),
        ("container_name", "a", "container_name"),
        ("networks", ["back"], "networks"),
        ("labels", {"a": "b"}, "labels"),
        ("extra_hosts", ["a:192.0.2.1"], "extra_hosts"),
        ("deploy", {"update_config": {"order": "start-first"}}, "deploy.update_config"),
        ("ports", ["8085:8085"], "ports"),
        ("x-unheard-of", 1, "x-unheard-of"),
    ],
)
def test_a_field_without_a_home_is_reported(tmp_path: Path, field: str, value: object, noted: str) -> None:
    kind, what = one(tmp_path, **{field: value})[1][noted]
    assert kind == "no home"
    assert what


def test_the_settings_go_to_stdout_and_the_notes_beside_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = files(tmp_path, compose=COMPOSE.replace("privileged", ""))
    errors = Console(stderr=True, highlight=False, width=200)
    assert migrate(written, None, as_json=False, console=errors) == 0
    out, notes = capsys.readouterr()
    assert yaml.safe_load(out)["config"]["omnibase-infra:services"] == WANTED
    assert "look\truntime\tenvironment.TENANT\tmust be provided" in notes
    target = tmp_path / "made.yaml"
    assert migrate(written, target, as_json=False, console=errors) == 0
    assert target.read_text(encoding="utf-8") == out
    capsys.readouterr()
    refused = files(tmp_path, other="services: {a: {image: x, privileged: true}}")
    assert migrate(refused, None, as_json=True, console=errors) == 1
    report = json.loads(capsys.readouterr().out)
    assert {each["kind"] for each in report["notes"]} == {"refused"}
    assert set(report["settings"]["config"]) == {"omnibase-infra:services"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: 1", "neither a compose file nor the manifest"),
        ("- a", "not a mapping"),
        ("services: {a: {image: x, healthcheck: never}}", "another shape"),
        ("a: [", "line 1"),
    ],
)
def test_a_file_that_describes_no_services_is_bad_input(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        migration(files(tmp_path, some=text))


def test_a_service_in_two_files_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="in two of the files"):
        migration(files(tmp_path, a=COMPOSE, b=COMPOSE))
