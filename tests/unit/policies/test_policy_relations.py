"""Rules over objects together: a stack in which all is well, and one change that breaks each rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from omnibase_policies import STACK_RULES, State, evaluate_stack
from omnibase_policies.examples import NAMESPACE, OBJECTS, ROLE_BINDING

Stack = dict[str, Any]
LATER = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def thing(api: str, kind: str, name: str = "orders", space: str = "orders", **fields: object) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": space}, **fields}


def whole() -> Stack:
    """One object of each kind by its kind, each of which needs another one."""
    labels = {"app.kubernetes.io/name": "orders"}
    deny = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    target = {"kind": "Deployment", "name": "orders", "apiVersion": "apps/v1"}
    stack: Stack = {
        kind: OBJECTS[kind]
        for kind in ("Deployment", "Service", "ServiceAccount", "Ingress", "Role", "PodDisruptionBudget")
    }
    stack |= {
        "Namespace": NAMESPACE,
        "RoleBinding": ROLE_BINDING,
        "ResourceQuota": thing("v1", "ResourceQuota"),
        "LimitRange": thing("v1", "LimitRange"),
        "Deny": thing("networking.k8s.io/v1", "NetworkPolicy", "deny", spec=deny),
        "Allow": thing("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {"matchLabels": labels}}),
        "Scaler": thing("autoscaling/v2", "HorizontalPodAutoscaler", spec={"scaleTargetRef": target, "minReplicas": 2}),
        "HTTPRoute": thing(
            "gateway.networking.k8s.io/v1", "HTTPRoute", spec={"rules": [{"backendRefs": [{"name": "orders"}]}]}
        ),
    }
    copied: Stack = json.loads(json.dumps(stack))
    copied["Deployment"]["spec"].pop("replicas")
    copied["PodDisruptionBudget"]["spec"]["maxUnavailable"] = 1
    return copied


def broken(stack: Stack) -> set[str]:
    found = evaluate_stack(list(stack.values()), tier="prod")
    assert [each for each in found if "itself failed" in each.message] == []
    return {each.rule for each in found if each.state is State.VIOLATED}


def without(*kinds: str) -> Callable[[Stack], None]:
    def change(stack: Stack) -> None:
        for kind in kinds:
            stack.pop(kind)

    return change


def setting(kind: str, path: str, value: object) -> Callable[[Stack], None]:
    def change(stack: Stack) -> None:
        at = stack[kind]
        *above, last = path.split("/")
        for key in above:
            at = at[int(key)] if isinstance(at, list) else at.setdefault(key, {})
        at[last] = value

    return change


def adding(kind: str, like: str, **changes: object) -> Callable[[Stack], None]:
    """A second object like one of the stack's, under another name."""

    def change(stack: Stack) -> None:
        twin = json.loads(json.dumps(stack[like]))
        twin["metadata"]["name"] = "others"
        twin.update(changes)
        stack[kind] = twin

    return change


def having(kind: str, made: dict[str, Any]) -> Callable[[Stack], None]:
    def change(stack: Stack) -> None:
        stack[kind] = made

    return change


def alerting(expression: object) -> dict[str, Any]:
    rule = {"alert": "Down", "expr": expression, "annotations": {"runbook_url": "https://example.test"}}
    return thing("monitoring.coreos.com/v1", "PrometheusRule", spec={"groups": [{"rules": [rule]}]})


def showing(board: object) -> dict[str, Any]:
    made = thing("v1", "ConfigMap", "boards", data={"board.json": board})
    made["metadata"]["labels"] = {"grafana_dashboard": "1"}
    return made


_EVERYTHING = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
_SHELL = {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create"]}
_CASES: list[tuple[str, Callable[[Stack], None], set[str]]] = [
    ("service-account-exists", setting("ServiceAccount", "metadata/name", "others"), set()),
    ("namespace-quota-limitrange", without("LimitRange"), set()),
    ("netpol-covers-every-workload", setting("Deny", "spec/policyTypes", ["Ingress"]), {"namespace-default-deny"}),
    (
        "netpol-selects-every-workload",
        without("Deny", "Allow"),
        {"netpol-covers-every-workload", "namespace-default-deny"},
    ),
    (
        "namespace-default-deny",
        setting("Deny", "spec/podSelector", {"matchLabels": {"app.kubernetes.io/name": "orders"}}),
        set(),
    ),
    ("netpol-not-dangling", setting("Allow", "spec/podSelector/matchLabels", {"app": "orders"}), set()),
    ("service-not-dangling", setting("Service", "spec/selector", {"app": "orders"}), set()),
    ("service-port-exists", setting("Service", "spec/ports/0/targetPort", "grpc"), set()),
    ("ingress-backend-exists", setting("Ingress", "metadata/namespace", "others"), set()),
    ("route-backend-exists", setting("HTTPRoute", "metadata/namespace", "others"), set()),
    ("ingress-host-unique", adding("Second", "Ingress"), set()),
    ("service-selector-unique", adding("Second", "Service"), set()),
    ("pdb-present", without("PodDisruptionBudget", "Scaler"), set()),
    ("pdb-leaves-room", setting("PodDisruptionBudget", "spec/minAvailable", 2), set()),
    ("hpa-target-exists", setting("Scaler", "spec/scaleTargetRef/name", "others"), set()),
    ("hpa-target-unique", adding("Second", "Scaler"), set()),
    ("no-cluster-admin-by-role", setting("Role", "rules", [_EVERYTHING]), {"no-exec-by-binding"}),
    ("no-exec-by-binding", setting("Role", "rules", [_SHELL]), set()),
    ("binding-role-exists", setting("RoleBinding", "roleRef/name", "others"), set()),
    ("service-has-alert", having("Alerts", alerting('absent(up{job="others"})')), set()),
    ("service-has-dashboard", having("Boards", showing('{"title": "others"}')), set()),
    ("account-is-used", setting("Deployment", "spec/template/spec/serviceAccountName", "default"), set()),
]


def test_a_stack_in_which_all_is_there_is_not_spoken_of() -> None:
    assert broken(whole()) == set()


_ELSEWHERE = {
    "cnpg-backup-scheduled", "consumer-group-of-one-service", "exception-is-needed", "explicit-provider",
    "gateway-rate-limited", "no-duplicate-object", "nothing-orphaned", "pools-within-connections", "protect-stateful",
    "secret-set-of-one-service",
    "stack-output-no-plaintext-secret",
}  # fmt: skip
"""Rules about other things than this stack's; tests named after these things break them."""


def test_every_rule_over_a_stack_has_a_case_that_breaks_it() -> None:
    assert {rule for rule, _, _ in _CASES} == set(STACK_RULES) - _ELSEWHERE


@pytest.mark.req("V9", "V24")
@pytest.mark.parametrize(("rule", "change", "also"), _CASES, ids=[rule for rule, _, _ in _CASES])
def test_one_change_breaks_one_rule(rule: str, change: Callable[[Stack], None], also: set[str]) -> None:
    stack = whole()
    if rule == "pdb-present":
        stack["Deployment"]["spec"]["replicas"] = 3
    change(stack)
    assert broken(stack) == {rule} | also


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Deployment", "spec/template/metadata/labels"),
        ("Deployment", "metadata/namespace"),
        ("Service", "spec/selector"),
        ("Allow", "spec/podSelector"),
        ("Deny", "spec/podSelector"),
        ("Deny", "spec/policyTypes"),
        ("Ingress", "spec/rules"),
        ("PodDisruptionBudget", "spec/selector"),
        ("Scaler", "spec/scaleTargetRef/name"),
        ("RoleBinding", "roleRef/name"),
        ("Role", "rules"),
    ],
)
def test_what_is_not_known_yet_breaks_no_rule_over_the_stack(kind: str, path: str) -> None:
    stack = whole()
    setting(kind, path, LATER)(stack)
    assert broken(stack) == set()


@pytest.mark.req("V19")
@pytest.mark.parametrize(
    ("expression", "is_watched"),
    [
        ('absent(up{job="orders"} == 1)', True),
        ('rate(errors_total{job=~"orders|others"}[5m]) > 1', True),
        ('max by (namespace, pod) (kube_pod_status_phase{job="kube-state-metrics",phase="Pending"}) == 1', True),
        ('kube_deployment_status_replicas_unavailable{namespace=~".+"} > 0', True),
        ('kube_pod_status_ready{namespace!="kube-system"} == 0', True),
        ('absent(up{job="orders-others"} == 1)', False),
        ('kube_pod_status_ready{namespace="others"} == 0', False),
        ('kube_pod_status_ready{pod=~"others-.*"} == 0', False),
        ("up == 0", False),
    ],
)
def test_a_service_is_watched_by_an_alert_that_names_it_or_is_about_all_pods(expression: str, is_watched: bool) -> None:
    stack = whole()
    having("Alerts", alerting(expression))(stack)
    assert broken(stack) == (set() if is_watched else {"service-has-alert"})


@pytest.mark.req("V19")
def test_a_stack_whose_metrics_are_read_and_that_alerts_of_nothing_is_refused_in_prod_and_advised_before() -> None:
    monitor = thing("monitoring.coreos.com/v1", "PodMonitor", spec={})
    stack = [*whole().values(), monitor]
    levels = {
        tier: [each.level for each in evaluate_stack(stack, tier=tier) if each.rule == "service-has-alert"]
        for tier in ("staging", "prod")
    }
    assert levels == {"staging": ["advisory"], "prod": ["mandatory"]}


@pytest.mark.req("V19")
@pytest.mark.parametrize(
    ("board", "is_shown"),
    [
        ('{"title": "orders"}', True),
        ('{"templating": {"list": [{"query": "label_values(up, job)"}]}}', True),
        ('{"title": "preorders"}', False),
    ],
)
def test_a_service_is_shown_by_a_dashboard_that_names_it_or_lets_one_choose(board: str, is_shown: bool) -> None:
    stack = whole()
    having("Boards", showing(board))(stack)
    assert broken(stack) == (set() if is_shown else {"service-has-dashboard"})


@pytest.mark.parametrize(("rule", "made"), [("alert", alerting(LATER)), ("dashboard", showing(LATER))])
def test_alerts_and_dashboards_that_are_not_known_yet_are_decided_by_the_update(
    rule: str, made: dict[str, Any]
) -> None:
    stack = whole()
    having("Made", made)(stack)
    found = [each.state for each in evaluate_stack(list(stack.values()), tier="prod") if each.rule.endswith(rule)]
    assert found == [State.UNKNOWN]
    del stack["Service"]
    assert all(not each.rule.endswith(rule) for each in evaluate_stack(list(stack.values()), tier="prod"))
