"""Every rule: its examples, each container list, each workload kind, its three states, its words."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from omnibase_policies import RULES, Level, Rule, State, evaluate
from omnibase_policies.examples import OBJECTS, POD, SPECIAL, change, example
from omnibase_policies.model import Example

LATER = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
ALL = list(RULES.values())
OF_CONTAINERS = [rule for rule in ALL if any(path.startswith("spec.containers.0.") for path in rule.bad)]
_TOGETHER = {
    "no-added-capabilities": {"no-dangerous-capabilities"},
    "no-dangerous-capabilities": {"no-added-capabilities"},
    "drop-net-raw": {"drop-all-capabilities"},
    "no-host-path": {"volume-types-allowlist", "no-runtime-socket"},
    "no-runtime-socket": {"volume-types-allowlist", "no-host-path"},
    "no-host-credentials": {"volume-types-allowlist", "no-host-path"},
    "host-path-read-only": {"volume-types-allowlist", "no-host-path"},
    "no-unconfined-seccomp": {"seccomp-runtime-default"},
    "no-run-as-uid-0": {"high-uid-gid"},
    "no-ssh-port": {"no-privileged-container-port", "probe-port-exists"},
    "no-privileged-container-port": {"probe-port-exists"},
    "image-digest": {"image-pull-policy"},
    "image-no-latest": {"image-digest"},
    "image-pull-policy": {"image-digest"},
    "image-evidence": {"image-proven-in-staging"},
    "docker-no-secret-env": {"sensitive-input-is-pulumi-secret"},
    "image-moving-tag-pulled": {"image-digest", "image-pull-policy", "image-no-latest"},
    "memory-request-and-limit": {"memory-request-equals-limit"},
    "cpu-request": {"cpu-limit"},
    "no-best-effort": {"cpu-limit", "ephemeral-storage-limits", "cpu-request", "memory-request-and-limit"},
    "resource-ratio": {"memory-request-equals-limit"},
    "emptydir-bounded": {"ephemeral-storage-limits"},
    "no-wildcard-or-empty-host": {"ingress-tls-hosts"},
    "netpol-no-allow-all": {"no-imds-egress"},
    "recommended-labels": {"any-label"},
    "any-label": {"recommended-labels"},
    "namespace-psa-enforced": {"namespace-psa-labels"},
    "no-wildcard-rbac": {"no-pod-create", "no-excessive-delete"},
    "no-default-credential": {"no-plaintext-secret-in-env-args"},
    "secret-not-placeholder": {"external-secret-preferred"},
    "image-user-nonroot": {"high-uid-gid"},
    "containers-per-pod": {rule.id for rule in ALL if any(path.startswith("spec.containers.0.") for path in rule.bad)},
}
"""Rules that a bad example breaks by its nature, beside the one that it is for."""


def violated(manifest: object, parameters: object = None) -> set[str]:
    settings = parameters if isinstance(parameters, dict) else None
    found = evaluate([manifest], tier="prod", parameters=settings, together=False)
    return {each.rule for each in found if each.state is State.VIOLATED}


def violated_by(changes: Example) -> set[str]:
    return violated(example(changes), changes.get("settings"))


def named(rule: Rule) -> str:
    return rule.id


def test_there_are_at_least_thirty_rules_for_pods() -> None:
    assert len([rule for rule in ALL if rule.check_pod is not None]) >= 30


@pytest.mark.parametrize("kind", sorted(OBJECTS))
def test_the_hardened_objects_break_no_rule(kind: str) -> None:
    assert violated(OBJECTS[kind]) == set()


@pytest.mark.req(
    "C5.9", "C1.11", "R26", "V1", "V2", "V3", "V4", "V5", "V6", "V7", "V8", "V10", "V11", "V12", "V13", "V21"
)
@pytest.mark.parametrize("rule", ALL, ids=named)
def test_the_bad_example_breaks_its_rule_and_no_other(rule: Rule) -> None:
    found = violated_by(rule.bad)
    assert rule.id in found
    assert found - {rule.id} <= _TOGETHER.get(rule.id, set())


@pytest.mark.parametrize("rule", ALL, ids=named)
def test_the_good_example_does_not_break_its_rule(rule: Rule) -> None:
    assert rule.id not in violated_by(rule.good)


@pytest.mark.parametrize("rule", ALL, ids=named)
def test_a_rule_says_why_and_what_to_do_in_sentences(rule: Rule) -> None:
    assert rule.id == rule.id.lower()
    assert not rule.title.endswith(".")
    assert rule.rationale.endswith(".")
    assert rule.remedy.endswith(".")


_OF_RUNNING = {"liveness-and-readiness", "probes-differ", "probe-port-exists"}
"""Containers that end by themselves have no probes."""
_OF_PLANNED = {
    "memory-request-and-limit", "cpu-request", "cpu-limit", "memory-request-equals-limit", "resource-ratio",
    "limit-maximum", "request-maximum", "resource-quantity-whole", "ephemeral-storage-limits", "emptydir-bounded",
    "port-named",
}  # fmt: skip
"""Ephemeral containers have no resources and no ports."""
_OF_WHOLE_PODS = {"no-best-effort", "no-local-address"}
"""One container is enough; a neighbour may be what listens on localhost."""
_PLACES = [
    (rule, where)
    for rule in OF_CONTAINERS
    for where in ("initContainers", "ephemeralContainers", "second")
    if rule.id not in _OF_WHOLE_PODS
    and not (where != "second" and rule.id in _OF_RUNNING)
    and not (where == "ephemeralContainers" and rule.id in _OF_PLANNED)
]


@pytest.mark.parametrize(("rule", "where"), _PLACES, ids=[f"{rule.id}-{where}" for rule, where in _PLACES])
def test_no_container_is_overlooked(rule: Rule, where: str) -> None:
    pod = example(rule.bad)
    broken = pod["spec"]["containers"][0]
    pod["spec"]["containers"] = copy.deepcopy(POD["spec"]["containers"])
    if where == "second":
        pod["spec"]["containers"].append(broken)
    else:
        pod["spec"][where] = [broken]
    assert rule.id in violated(pod, rule.bad.get("settings"))


_TEMPLATE_AT = {
    "Deployment": ("spec", "template"), "StatefulSet": ("spec", "template"), "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"), "ReplicationController": ("spec", "template"), "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"), "PodTemplate": ("template",),
    "SandboxTemplate": ("spec", "podTemplate"), "Rollout": ("spec", "template"),
}  # fmt: skip
_ENDING = {"Job", "CronJob"}
"""What ends by itself has no probes."""


def _holding(kind: str, pod: dict[str, Any]) -> dict[str, Any]:
    """An object of a kind that makes such pods."""
    manifest: Any = {"metadata": pod["metadata"], "spec": pod["spec"]}
    for key in reversed(_TEMPLATE_AT[kind]):
        manifest = {key: manifest}
    return {"kind": kind, "metadata": {"name": "x", "namespace": "orders"}, **manifest}


@pytest.mark.parametrize("rule", [rule for rule in ALL if rule.check_pod], ids=named)
def test_every_kind_that_holds_pods_is_judged(rule: Rule) -> None:
    pod = example(rule.bad)
    found = {kind for kind in _TEMPLATE_AT if rule.id in violated(_holding(kind, pod), rule.bad.get("settings"))}
    assert found | (_ENDING if rule.id == "liveness-and-readiness" else set()) == set(_TEMPLATE_AT)


def test_objects_in_lists_are_judged_with_their_place() -> None:
    inner = {"kind": "List", "items": [POD, example({"spec.hostPID": True})]}
    found = evaluate([{"kind": "List", "items": [inner]}], tier="prod", together=False)
    assert [(each.rule, each.path) for each in found] == [("no-host-pid", "items[0].items[1].spec.hostPID")]


def test_lists_in_lists_without_end_do_not_pass_unread() -> None:
    manifest: Any = example({"spec.hostPID": True})
    for _ in range(5000):
        manifest = {"kind": "List", "items": [manifest]}
    assert violated(manifest) == {"readable-pod"}


def test_a_patch_is_judged_by_what_it_says_only() -> None:
    from omnibase_policies.evaluation import judge  # noqa: PLC0415
    from omnibase_policies.model import Tier  # noqa: PLC0415
    from omnibase_policies.parameters import Parameters  # noqa: PLC0415

    patch = {
        "spec": {
            "template": {
                "spec": {"hostIPC": True, "containers": [{"name": "a", "image": POD["spec"]["containers"][0]["image"]}]}
            }
        }
    }
    found = judge(patch, Parameters(), Tier.PROD, token="kubernetes:apps/v1:DeploymentPatch")
    assert {each.rule for each in found} == {"no-host-ipc"}


@pytest.mark.parametrize("kind", ["Pooler", "Prometheus", "Alertmanager"])
def test_what_an_operator_completes_is_judged_by_what_it_says_only(kind: str) -> None:
    spec = {"containers": [{"name": "a", "securityContext": {"privileged": True}}]}
    pooler = {"template": {"spec": spec}, "pgbouncer": {"parameters": {"client_tls_sslmode": "require"}}}
    place = pooler if kind == "Pooler" else spec
    assert violated({"kind": kind, "metadata": {"name": "a", "namespace": "orders"}, "spec": place}) == {
        "no-privileged"
    }


_DECIDED = {"readable-pod", "no-default-credential", "secret-not-placeholder", "certificate-not-ending"}
"""A value that only the update makes has a shape, is no password that everybody knows, and as a certificate is new."""
_DECIDING = [
    (rule, path)
    for rule in ALL
    for path in rule.bad
    if rule.level is Level.MANDATORY and path not in SPECIAL and rule.id not in _DECIDED
]


@pytest.mark.parametrize(("rule", "path"), _DECIDING, ids=[f"{rule.id}" for rule, _ in _DECIDING])
def test_a_mandatory_rule_says_that_it_cannot_tell_where_its_value_is_not_known_yet(rule: Rule, path: str) -> None:
    manifest = example({**{key: value for key, value in rule.bad.items() if key == "kind"}, path: LATER})
    settings = rule.bad.get("settings")
    parameters = settings if isinstance(settings, dict) else None
    said = evaluate([manifest], tier="prod", parameters=parameters, together=False)
    found = [each for each in said if each.rule == rule.id]
    assert {each.state for each in found} == {State.UNKNOWN}
    assert {each.level for each in found} == {Level.ADVISORY}


def test_one_unknown_value_hides_nothing_beside_it() -> None:
    pod = example({"spec.containers.0.securityContext.privileged": LATER})
    pod["spec"]["containers"].append(
        example({"spec.containers.0.securityContext.privileged": True})["spec"]["containers"][0]
    )
    states = {each.path: each.state for each in evaluate([pod], tier="prod", together=False)}
    assert states == {
        "spec.containers[0].securityContext.privileged": State.UNKNOWN,
        "spec.containers[1].securityContext.privileged": State.VIOLATED,
    }


@pytest.mark.parametrize("rule", ALL, ids=named)
def test_no_message_shows_a_value_of_the_object(rule: Rule) -> None:
    canary = "canary-7c1f9d5e"
    for path in rule.bad:
        if path in SPECIAL:
            continue
        manifest = example({**{key: value for key, value in rule.bad.items() if key == "kind"}, path: canary})
        assert all(canary not in each.message for each in evaluate([manifest], tier="prod"))


@pytest.mark.parametrize("value", [0, 0.0, "0", "root", False, {}])
def test_a_user_that_is_no_number_other_than_0_counts_as_root(value: object) -> None:
    assert "no-run-as-uid-0" in violated(example({"spec.securityContext.runAsUser": value}))
    assert "no-run-as-uid-0" in violated(example({"spec.containers.0.securityContext.runAsUser": value}))


@pytest.mark.parametrize("value", ["true", "false", 1, {}, []])
def test_a_switch_of_a_wrong_type_counts_as_on(value: object) -> None:
    assert "no-privileged" in violated(example({"spec.containers.0.securityContext.privileged": value}))


@pytest.mark.parametrize(
    ("path", "value"),
    [("spec", "x"), ("spec.containers", {}), ("spec.containers", ["x"]), ("spec.volumes", "x"),
     ("spec.securityContext", []), ("spec.containers.0.securityContext", "x"), ("spec.containers.0.ports", {})],
)  # fmt: skip
def test_a_pod_that_cannot_be_read_does_not_pass(path: str, value: object) -> None:
    pod = copy.deepcopy(POD)
    change(pod, path, value)
    assert "readable-pod" in violated(pod)
