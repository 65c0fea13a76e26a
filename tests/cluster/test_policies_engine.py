"""The policy pack in the real engine: an unsafe program is stopped in preview, a hardened one goes through."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cluster.engine_kit import Checkout, checkout

ROOT = Path(__file__).resolve().parents[2]
PACK = ROOT / "policies"
EXAMPLE = ROOT / "examples" / "unsafe-workload" / "__main__.py"
BROKEN_RULES = (
    "no-privileged", "no-run-as-uid-0", "no-host-network", "no-host-path", "no-runtime-socket",
    "volume-types-allowlist", "no-privilege-escalation", "drop-all-capabilities", "seccomp-runtime-default",
    "run-as-non-root", "read-only-root-fs", "no-automount-sa-token", "no-default-service-account",
    "no-default-namespace", "cpu-request", "drop-net-raw", "image-digest", "image-no-latest", "liveness-and-readiness",
    "memory-request-and-limit",
)  # fmt: skip
IN_PROD = ("min-replicas",)

_HARDENED = """
    import pulumi
    import pulumi_kubernetes as kubernetes
    opts = pulumi.ResourceOptions(provider=kubernetes.Provider("cluster", context="files"))
    texts = {"name": "orders", "instance": "api", "version": "1", "component": "service", "part-of": "orders"}
    labels = {f"app.kubernetes.io/{key}": text for key, text in {**texts, "managed-by": "pulumi"}.items()}
    metadata = {"name": "orders", "namespace": "orders", "labels": labels}
    selector = {"matchLabels": {"app.kubernetes.io/name": "orders"}}
    kubernetes.core.v1.ServiceAccount(
        "orders", metadata={**metadata, "name": "orders"}, automount_service_account_token=False, opts=opts
    )
    kubernetes.networking.v1.NetworkPolicy(
        "orders",
        metadata={**metadata, "name": "closed"},
        spec={"podSelector": selector, "policyTypes": ["Ingress", "Egress"]},
        opts=opts,
    )
    kubernetes.policy.v1.PodDisruptionBudget(
        "orders",
        metadata={**metadata, "name": "budget"},
        spec={"selector": selector, "maxUnavailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow"},
        opts=opts,
    )
    container = {
        "name": "orders",
        "image": "registry.example/orders@sha256:" + 64 * "0",
        "resources": {
            "requests": {"cpu": "10m", "memory": "64Mi", "ephemeral-storage": "16Mi"},
            "limits": {"cpu": "1", "memory": "64Mi", "ephemeral-storage": "16Mi"},
        },
        "livenessProbe": {"tcpSocket": {"port": 8080}},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    pod = {
        "serviceAccountName": "orders",
        "automountServiceAccountToken": False,
        "hostUsers": False,
        "priorityClassName": "orders",
        "topologySpreadConstraints": [{**spread, "labelSelector": selector}],
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": 10001, "runAsGroup": 10001, "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    kubernetes.apps.v1.Deployment(
        "orders",
        metadata={**metadata, "name": "api"},
        spec={"replicas": 2, "selector": selector, "template": {"metadata": {"labels": labels}, "spec": pod}},
        opts=opts,
    )
"""
_OTHER = '{**metadata, "name": "other"}'
_NOT_KNOWN_YET = """
    import pulumi
    import pulumi_kubernetes as kubernetes
    later = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # how a program's SDK sends the outputs of what does not exist yet
    kubernetes.core.v1.Pod(
        "orders",
        metadata={"name": "orders", "namespace": "orders"},
        spec={
            "containers": [
                {"name": "first", "image": later, "securityContext": {"privileged": later}},
                {"name": "second", "image": "registry.example/orders:1", "securityContext": {"privileged": True}},
            ],
        },
    )
"""


def _checkout(directory: Path, program: str) -> Checkout:
    made = checkout(directory, program)
    made.serve_kubernetes_from_files()
    return made


def _preview(made: Checkout, levels: Path) -> int:
    engine = made.engine(policy_packs=(PACK,), policy_configs=(levels,))
    return engine.preview()


def _levels(tier: str) -> Path:
    return PACK / "environments" / f"{tier}.json"


@pytest.mark.req("C1.11", "C5.9", "V1", "V2", "V3")
@pytest.mark.parametrize("tier", ["test", "staging", "prod"])
def test_the_unsafe_example_is_stopped_in_preview_with_the_id_of_each_rule(tmp_path: Path, tier: str) -> None:
    made = _checkout(tmp_path, EXAMPLE.read_text())
    assert _preview(made, _levels(tier)) == 1
    mandatory = re.findall(r"\[mandatory\] \[severity: \w+\]  (\S+)", made.text)
    assert sorted(mandatory) == sorted((*BROKEN_RULES, *(IN_PROD if tier == "prod" else ())))
    assert not made.objects.exists(), "a stopped preview creates nothing"


def test_up_is_stopped_as_well_and_creates_nothing_of_the_workload(tmp_path: Path) -> None:
    made = _checkout(tmp_path, EXAMPLE.read_text())
    assert made.engine(policy_packs=(PACK,), policy_configs=(_levels("prod"),)).up() == 1
    assert not made.objects.exists()


def test_in_dev_the_same_findings_are_advice(tmp_path: Path) -> None:
    made = _checkout(tmp_path, EXAMPLE.read_text())
    assert _preview(made, _levels("dev")) == 0
    assert "[mandatory]" not in made.text
    assert all(rule in made.text for rule in BROKEN_RULES)


def test_a_hardened_workload_passes_without_a_word(tmp_path: Path) -> None:
    made = _checkout(tmp_path, _HARDENED)
    assert _preview(made, _levels("prod")) == 0
    assert "[mandatory]" not in made.text
    assert "[advisory]" not in made.text


def test_a_value_that_is_not_known_yet_hides_no_violation_beside_it(tmp_path: Path) -> None:
    made = _checkout(tmp_path, _NOT_KNOWN_YET)
    assert _preview(made, _levels("prod")) == 1
    assert "spec.containers[1].securityContext.privileged: must be false or not set" in made.text
    assert "cannot tell before the update" in made.text
    assert "spec.containers[0].securityContext.privileged" in made.text


def test_what_only_the_whole_stack_shows_is_advice_with_its_resource_in_preview_and_in_up(tmp_path: Path) -> None:
    made = _checkout(tmp_path, _HARDENED.replace('{**metadata, "name": "orders"}', _OTHER))
    engine = made.engine(policy_packs=(PACK,), policy_configs=(_levels("prod"),))
    for command in (engine.preview, engine.up):
        made.output.clear()
        assert command() == 0, made.text
        advised = re.findall(r"\[advisory\] \[severity: \w+\]  (\S+)", made.text)
        assert advised == ["service-account-exists"], made.text
        assert (
            "spec.template.spec.serviceAccountName: should be the name of a ServiceAccount of this stack" in made.text
        )


_MENDED = _HARDENED.replace('"serviceAccountName": "orders",', '"serviceAccountName": "orders", "hostPID": True,')


@pytest.mark.req("C5.9")
def test_what_has_one_right_answer_is_put_right_on_the_way_and_the_report_says_so(
    tmp_path: Path,
) -> None:
    levels = tmp_path / "levels.json"
    levels.write_text(json.dumps({"no-host-pid": "remediate"}))
    made = _checkout(tmp_path, _MENDED)
    assert made.engine(policy_packs=(PACK,), policy_configs=(levels,)).up() == 0, made.text
    assert "[remediate]  no-host-pid  (1 resource)" in made.text
    deployment = json.loads((made.objects / "orders" / "api.json").read_text())
    assert deployment["spec"]["template"]["spec"]["hostPID"] is False


@pytest.mark.req("C5.9")
def test_in_prod_nothing_but_the_program_changes_what_is_made(tmp_path: Path) -> None:
    levels = tmp_path / "levels.json"
    levels.write_text(json.dumps({"no-host-pid": "remediate"}))
    made = _checkout(tmp_path, _MENDED)
    (made.root / "Pulumi.prod.yaml").write_text("config: {}\n")
    assert made.engine(stack="prod", policy_packs=(PACK,), policy_configs=(levels,)).preview() != 0
    assert "level 'remediate' is not allowed in stack 'prod'" in made.text


_OUTPUTS = """
    import pulumi
    pulumi.export("databasePassword", "hunter2")
    pulumi.export("adminToken", pulumi.Output.secret("hunter3"))
    pulumi.export("url", "https://www.example.test")
"""


@pytest.mark.req("C1.11", "R26")
def test_an_output_that_is_a_readable_credential_stops_the_preview_and_a_secret_one_does_not(tmp_path: Path) -> None:
    made = _checkout(tmp_path, _OUTPUTS)
    assert _preview(made, _levels("prod")) == 1
    assert "stack-output-no-plaintext-secret" in made.text
    assert "databasePassword: must be marked as a secret" in made.text
    assert "adminToken" not in made.text.partition("Policies")[2].partition("Outputs")[0]
    assert "hunter3" not in made.text


def test_a_level_for_a_rule_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    levels = tmp_path / "levels.json"
    levels.write_text(json.dumps({"no-privilegd": "mandatory"}))
    made = _checkout(tmp_path, _HARDENED)
    assert _preview(made, levels) != 0
    assert "did you mean 'no-privileged'?" in made.text
