"""The logging stack: what its collector is told, what it makes, and what it refuses."""

from __future__ import annotations

import re
from typing import Any, cast

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from omnibase_infra import ArgsError, LoggingStack, LoggingStackArgs
from omnibase_infra.config.logging import pattern_problem, retention_problem
from omnibase_infra.logging.collector_config import collector_config
from omnibase_infra.logging.redaction import KEYS, VALUES

from tests.stacks.support import schemas
from tests.stacks.support.recorder import Recorder, record

DIGEST = "@sha256:" + "c" * 64


def arguments(**changes: Any) -> LoggingStackArgs:  # noqa: ANN401 -- any argument
    found = {
        "namespace": "space-logging",
        "agents_namespace": "space-agents",
        "environment": "dev",
        "namespaces": ["space", "cnpg-system"],
        "store_image": f"registry.example.test/omnibase/victoria-logs:1{DIGEST}",
        "collector_image": f"registry.example.test/omnibase/otel-collector:1{DIGEST}",
        "retention": "7d",
        "storage_gib": 2,
        "size_cap_gib": 1,
        "store_memory_mib": 128,
        "collector_memory_mib": 192,
        "buffer_mib": 64,
        "api_server_cidrs": ["10.213.0.2/32"],
        "api_server_ports": [6443],
        **changes,
    }
    return cast(LoggingStackArgs, found)


def made(**changes: Any) -> Recorder:  # noqa: ANN401 -- any argument
    return record(lambda: LoggingStack("logging", arguments(**changes)))


def manifest(recorder: Recorder, name: str) -> dict[str, Any]:
    return next(item.inputs for item in recorder.registrations() if item.name == name)


def config(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- any argument
    return collector_config("logging", arguments(**changes))


@pytest.mark.req("C6.5")
def test_every_object_would_be_taken_by_the_api_server() -> None:
    for item in made().registrations():
        if item.type.startswith("kubernetes:"):
            assert schemas.problems(item.inputs) == [], item.name


@pytest.mark.req("C6.5")
def test_lines_are_redacted_last_and_leave_the_node_only_then() -> None:
    pipeline = config()["service"]["pipelines"]["logs"]
    assert pipeline["processors"] == ["memory_limiter", "k8s_attributes", "transform", "redaction"]
    assert pipeline["exporters"] == ["otlp_http"]


def test_the_collector_reads_the_named_namespaces_and_not_itself() -> None:
    files = config()["receivers"]["file_log"]
    assert files["include"] == ["/var/log/pods/space_*/*/*.log", "/var/log/pods/cnpg-system_*/*/*.log"]
    assert files["exclude"] == ["/var/log/pods/space-agents_logging-collector-*/*/*.log"]


def test_nothing_is_given_up_while_the_store_is_away() -> None:
    found = config()
    export, queue = found["exporters"]["otlp_http"], found["exporters"]["otlp_http"]["sending_queue"]
    assert export["retry_on_failure"]["max_elapsed_time"] == "0s"
    assert found["receivers"]["file_log"]["retry_on_failure"]["max_elapsed_time"] == "0s"
    assert (queue["storage"], queue["block_on_overflow"], queue["queue_size"]) == (
        "file_storage/buffer",
        True,
        64 * 1024 * 1024,
    )
    assert found["receivers"]["file_log"]["storage"] == "file_storage/positions"
    # a batch in memory would be lost with the process
    assert "batch" not in found["service"]["pipelines"]["logs"]["processors"]


@given(st.from_regex(r"[a-z$]{1,12}", fullmatch=True))
def test_a_dollar_in_a_pattern_is_not_a_reference_to_a_variable(pattern: str) -> None:
    found = config(redact=[pattern])["processors"]["redaction"]["blocked_values"][-1]
    assert found.replace("$$", "") == pattern.replace("$", "")
    assert found.count("$") == 2 * pattern.count("$")


@pytest.mark.req("C6.5", "V11")
@pytest.mark.parametrize(
    "text",
    [
        "login with password=canary-123 failed",
        'body {"api_key": "canary-123"}',
        "Authorization: Bearer canary-123456",
        "connecting to postgresql://app:canary-123@database:5432/app",
        "token eyJhbGciOi.canary-123.sig",
        "-----BEGIN EC PRIVATE KEY-----\ncanary-123\n-----END EC PRIVATE KEY-----",
    ],
)
def test_a_secret_in_a_text_is_masked(text: str) -> None:
    for pattern in VALUES:
        text = re.sub(pattern, "****", text)
    assert "canary-123" not in text


@pytest.mark.parametrize("text", ["3 tokens were used", "GET /notes/12?limit=3", "https://example.test/a:b@c"])
def test_a_harmless_text_stays(text: str) -> None:
    assert [pattern for pattern in VALUES if re.search(pattern, text)] == []


@pytest.mark.parametrize(
    ("key", "masked"),
    [
        ("password", True),
        ("db.password", True),
        ("X-Api-Key", True),
        ("authorization", True),
        ("headers.cookie", True),
        ("token_count", False),
        ("password_generation", False),
        ("secretary", False),
    ],
)
def test_fields_are_masked_by_their_names(key: str, masked: bool) -> None:
    assert any(re.search(pattern, key) for pattern in KEYS) == masked


def test_the_built_in_patterns_are_ones_that_the_collector_compiles() -> None:
    assert [problem for pattern in [*KEYS, *VALUES] if (problem := pattern_problem(pattern))] == []


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "is no regular expression"),
        ("(?=x)y", "look-around"),
        ("(?<!a)b", "look-around"),
        (r"(a)\1", "references to groups"),
        ("(?P<a>x)(?P=a)", "references to groups"),
        ("a++", "possessive"),
        ("(?>a)b", "look-around, atomic groups"),
        ("a{1001}", "repeats beyond 1000"),
        ("a{2,5000}", "repeats beyond 1000"),
        ("x*", "matches the empty text"),
    ],
)
def test_a_redaction_pattern_that_cannot_be_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(ArgsError) as caught:
        made(redact=[pattern])
    assert said in str(caught.value)


@pytest.mark.parametrize("pattern", [r"\d{4}-\d{4}", r"(?i)canary-[a-z]+", r"\\1", "a{1000}", r"\$[0-9]+$"])
def test_a_redaction_pattern_of_re2_is_taken(pattern: str) -> None:
    assert pattern_problem(pattern) == ""


@pytest.mark.parametrize("retention", ["0d", "7", "7m", "7 d", "-1d", "d", "1.5d", ""])
def test_a_retention_is_a_number_and_a_unit_that_the_store_knows(retention: str) -> None:
    assert "a unit, d (days), w (weeks) or y (years)" in retention_problem(retention)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ArgsError) as caught:
        made(retention="0d", size_cap_gib=2, namespaces=[], redact=["("], buffer_mib=1)
    text = str(caught.value)
    for part in ("retention='0d'", "size_cap_gib=2 is above 80%", "namespaces is empty", "redact '('", "buffer_mib=1"):
        assert part in text


@pytest.mark.req("C6.6")
def test_the_store_has_a_retention_a_cap_and_keeps_space_free() -> None:
    command = manifest(made(), "logging-store-workload")["spec"]["template"]["spec"]["containers"][0]["command"]
    assert "-retentionPeriod=7d" in command
    assert f"-retention.maxDiskSpaceUsageBytes={1024**3}" in command
    assert any(word.startswith("-storage.minFreeDiskSpaceBytes=") for word in command)


@pytest.mark.req("C4.1")
def test_the_collector_is_no_root_and_only_its_first_step_is_one_without_capabilities() -> None:
    spec = manifest(made(), "logging-collector")["spec"]["template"]["spec"]
    (collector,), (prepare,) = spec["containers"], spec["initContainers"]
    assert spec["securityContext"]["runAsUser"] == 10001
    assert spec["securityContext"]["supplementalGroups"] == [0]
    assert collector["securityContext"]["runAsNonRoot"] is True
    assert prepare["securityContext"]["runAsUser"] == 0
    for container in (collector, prepare):
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
    logs = next(mount for mount in collector["volumeMounts"] if mount["name"] == "logs")
    assert logs["readOnly"] is True


def test_a_changed_setting_rolls_the_collectors() -> None:
    def checksum(**changes: Any) -> str:  # noqa: ANN401 -- any argument
        template = manifest(made(**changes), "logging-collector")["spec"]["template"]
        return str(template["metadata"]["annotations"]["omnibase.io/configuration"])

    assert checksum() == checksum()
    assert checksum() != checksum(buffer_mib=65)


def test_the_configuration_in_the_config_map_is_yaml_of_the_same() -> None:
    text = manifest(made(), "logging-collector-configuration")["data"]["collector.yaml"]
    assert yaml.safe_load(text) == config()
