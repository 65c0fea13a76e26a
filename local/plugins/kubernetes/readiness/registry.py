"""Which check belongs to which kind."""

from __future__ import annotations

from dataclasses import dataclass

from local.plugins.common.values import Object
from local.plugins.kubernetes import gvk
from local.plugins.kubernetes.readiness import network, others, pods, storage, workloads
from local.plugins.kubernetes.readiness.verdict import Check


@dataclass(frozen=True)
class Rule:
    """How readiness of a kind is told."""

    check: Check
    on_refresh: bool = False
    """Whether a refresh reports an object that is not ready any more."""
    selects_pods: bool = False
    """Whether `spec.selector` leads to pods that explain a delay."""


_RULES: dict[tuple[str, str], Rule] = {
    ("apps", "Deployment"): Rule(workloads.deployment, on_refresh=True, selects_pods=True),
    ("apps", "StatefulSet"): Rule(workloads.stateful_set, on_refresh=True, selects_pods=True),
    ("apps", "DaemonSet"): Rule(workloads.daemon_set, on_refresh=True, selects_pods=True),
    ("batch", "Job"): Rule(pods.job, on_refresh=True, selects_pods=True),
    ("", "Pod"): Rule(pods.pod, on_refresh=True),
    ("", "ReplicationController"): Rule(workloads.replication_controller),
    ("", "Service"): Rule(network.service, on_refresh=True),
    ("networking.k8s.io", "Ingress"): Rule(network.ingress, on_refresh=True),
    ("", "PersistentVolume"): Rule(storage.volume),
    ("", "PersistentVolumeClaim"): Rule(storage.claim),
    ("", "Namespace"): Rule(others.namespace),
    ("", "ResourceQuota"): Rule(others.resource_quota),
    ("", "Secret"): Rule(others.secret),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): Rule(others.custom_resource_definition),
}
ANY_KIND = Rule(others.any_kind)
"""For every other kind, when PULUMI_K8S_AWAIT_ALL asks for it."""


def rule_for(obj: Object) -> Rule | None:
    """The rule of an object's kind, or None where a created object is ready."""
    kind = gvk.of_object(obj)
    return _RULES.get((kind.group, kind.kind))
