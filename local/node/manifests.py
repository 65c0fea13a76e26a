"""Objects of the add-ons, as plain data."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from local.node.network import NetworkPlan
from local.paths import Paths

Object = dict[str, Any]

_USER = 65532  # the user in our images of both add-ons
_COREFILE = """\
cluster.local:53 in-addr.arpa:53 ip6.arpa:53 {
    errors
    health :8080
    ready :8181
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        ttl 5
    }
    prometheus :9153
    cache 5
    loadbalance
}
.:53 {
    errors
    template ANY ANY . {
        rcode NXDOMAIN
    }
}
"""
_SETUP = '#!/bin/sh\nset -eu\nmkdir -m 0777 -p "$VOL_DIR"\nchmod 0777 "$VOL_DIR"\n'
_TEARDOWN = '#!/bin/sh\nset -eu\nrm -rf "$VOL_DIR"\n'


def policy_controller_rights() -> list[Object]:
    """What kube-router may read; it writes nothing through the API."""
    rules = [
        {"apiGroups": [""], "resources": ["pods", "namespaces", "nodes", "services", "endpoints"], "verbs": _READ},
        {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": _READ},
    ]
    return [
        _object("rbac.authorization.k8s.io/v1", "ClusterRole", "omnibase:kube-router", rules=rules),
        _binding(
            "omnibase:kube-router", {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "kube-router"}
        ),
    ]


def dns(plan: NetworkPlan, image: str) -> list[Object]:
    """CoreDNS for cluster.local. Any other name does not exist: pods have no way out of the machine."""
    labels = {"k8s-app": "kube-dns"}
    account = _object("v1", "ServiceAccount", "coredns", "kube-system")
    rules = [
        {"apiGroups": [""], "resources": ["endpoints", "services", "pods", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    ports = [
        {"name": "dns", "port": 53, "targetPort": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "targetPort": 53, "protocol": "TCP"},
        {"name": "metrics", "port": 9153, "targetPort": 9153, "protocol": "TCP"},
    ]
    service = {"selector": labels, "clusterIP": str(plan.dns_address), "ports": ports}
    container = {
        "name": "coredns",
        "image": image,
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [
            {"name": port["name"], "containerPort": port["port"], "protocol": port["protocol"]} for port in ports
        ],
        "env": [{"name": "GOMEMLIMIT", "value": "50MiB"}],
        "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "96Mi"}},
        "securityContext": _container_security(),
        "livenessProbe": {"httpGet": {"path": "/health", "port": 8080}, "periodSeconds": 10, "failureThreshold": 5},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 2},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
    }
    pod = {
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        # Listening on 53 without a capability. Another port would not do: policies see the pod's port, and all say 53.
        "securityContext": _pod_security()
        | {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "53"}]},
        "terminationGracePeriodSeconds": 5,
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
    }
    reachable = [{"port": port["port"], "protocol": port["protocol"]} for port in ports]
    policy = {
        "podSelector": {"matchLabels": labels},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": reachable}],
        "egress": [_to_api(plan)],
    }
    return [
        account,
        _object("rbac.authorization.k8s.io/v1", "ClusterRole", "omnibase:coredns", rules=rules),
        _binding("omnibase:coredns", {"kind": "ServiceAccount", "name": "coredns", "namespace": "kube-system"}),
        _object("v1", "ConfigMap", "coredns", "kube-system", data={"Corefile": _COREFILE}),
        _deployment("coredns", "kube-system", labels, pod, _COREFILE),
        _object("v1", "Service", "kube-dns", "kube-system", labels=labels, spec=service),
        _object("networking.k8s.io/v1", "NetworkPolicy", "coredns", "kube-system", spec=policy),
    ]


def volumes(paths: Paths, plan: NetworkPlan, image: str) -> list[Object]:
    """The volume provisioner and the default StorageClass `local-path`: directories below the node's state.

    A volume has no size limit of its own and cannot be resized. It is bound when the first pod that uses it is placed.
    """
    name, namespace, account = "local-path-provisioner", "local-path-storage", "local-path-provisioner-service-account"
    labels = {"app": name}
    directory = {"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": [str(paths.node / "volumes")]}
    data = {
        "config.json": json.dumps({"nodePathMap": [directory]}),
        "setup": _SETUP,
        "teardown": _TEARDOWN,
        "helperPod.yaml": json.dumps(_helper_pod(image)),
    }
    container = {
        "name": name,
        "image": image,
        "args": ["start", "--config=/etc/config/config.json", f"--helper-image={image}", f"--namespace={namespace}"],
        "env": [{"name": "CONFIG_MOUNT_PATH", "value": "/etc/config/"}, {"name": "GOMEMLIMIT", "value": "40MiB"}],
        "resources": {"requests": {"cpu": "10m", "memory": "24Mi"}, "limits": {"memory": "80Mi"}},
        "securityContext": _container_security(),
        "volumeMounts": [{"name": "config", "mountPath": "/etc/config", "readOnly": True}],
    }
    pod = {
        "serviceAccountName": account,
        "priorityClassName": "system-cluster-critical",
        "securityContext": _pod_security(),
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "local-path-config"}}],
    }
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    nothing: Object = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    api_only = {"podSelector": {"matchLabels": labels}, "policyTypes": ["Egress"], "egress": [_to_api(plan)]}
    storage_class: Object = {
        "provisioner": "rancher.io/local-path",
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Delete",
        "allowVolumeExpansion": False,
    }
    marks = {"storageclass.kubernetes.io/is-default-class": "true", "defaultVolumeType": "local"}
    return [
        _object("v1", "Namespace", namespace, labels={"pod-security.kubernetes.io/enforce": "privileged"}),
        _object("v1", "ServiceAccount", account, namespace),
        _object("rbac.authorization.k8s.io/v1", "Role", name, namespace, rules=[_pods_rule()]),
        _binding(name, subject, namespace),
        _object("rbac.authorization.k8s.io/v1", "ClusterRole", "omnibase:local-path", rules=_volume_rules()),
        _binding("omnibase:local-path", subject),
        _object("v1", "ConfigMap", "local-path-config", namespace, data=data),
        # Before the Deployment: its first pod must find the way to the API server open.
        _object("networking.k8s.io/v1", "NetworkPolicy", "default-deny", namespace, spec=nothing),
        _object("networking.k8s.io/v1", "NetworkPolicy", name, namespace, spec=api_only),
        _deployment(name, namespace, labels, pod, json.dumps(data)),
        _object("storage.k8s.io/v1", "StorageClass", "local-path", annotations=marks, **storage_class),
    ]


def _to_api(plan: NetworkPlan) -> Object:
    """The one way out of an add-on, as policies see it: behind the Service's translation."""
    return {"to": [{"ipBlock": {"cidr": f"{plan.node_address}/32"}}], "ports": [{"port": 6443, "protocol": "TCP"}]}


_READ = ["get", "list", "watch"]


def _pods_rule() -> Object:
    verbs = ["get", "list", "watch", "create", "patch", "update", "delete"]
    return {"apiGroups": [""], "resources": ["pods"], "verbs": verbs}


def _volume_rules() -> list[Object]:
    writing = ["get", "list", "watch", "create", "patch", "update", "delete"]
    read = ["nodes", "persistentvolumeclaims", "configmaps", "pods", "pods/log"]
    return [
        {"apiGroups": [""], "resources": read, "verbs": _READ},
        {"apiGroups": [""], "resources": ["persistentvolumes"], "verbs": writing},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "patch"]},
        {"apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": _READ},
    ]


def _helper_pod(image: str) -> Object:
    """Makes or removes a volume's directory. Root with two capabilities: it must delete what any user wrote."""
    security = _container_security() | {
        "runAsNonRoot": False,
        "runAsUser": 0,
        "capabilities": {"drop": ["ALL"], "add": ["DAC_OVERRIDE", "FOWNER"]},
    }
    container = {
        "name": "helper-pod",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "securityContext": security,
        "resources": {"requests": {"cpu": "10m", "memory": "8Mi"}, "limits": {"memory": "64Mi"}},
    }
    spec = {
        "priorityClassName": "system-node-critical",
        "automountServiceAccountToken": False,
        "tolerations": [{"key": "node.kubernetes.io/disk-pressure", "operator": "Exists", "effect": "NoSchedule"}],
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "helper-pod"}, "spec": spec}


def _deployment(name: str, namespace: str, labels: dict[str, str], pod: Object, settings: str) -> Object:
    """One replica; changed settings make a new pod."""

    mark = {"omnibase/settings": hashlib.sha256(settings.encode()).hexdigest()[:16]}
    template = {"metadata": {"labels": labels, "annotations": mark}, "spec": pod}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template, "revisionHistoryLimit": 1}
    return _object("apps/v1", "Deployment", name, namespace, labels=labels, spec=spec)


def _object(
    version: str,
    kind: str,
    name: str,
    namespace: str = "",
    /,
    *,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    **content: object,
) -> Object:
    metadata: Object = {"name": name, "labels": {"app.kubernetes.io/managed-by": "omnibase-node", **(labels or {})}}
    if namespace:
        metadata["namespace"] = namespace
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}


def _binding(role: str, subject: Object, namespace: str = "") -> Object:
    kind = "Role" if namespace else "ClusterRole"
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}
    return _object(
        "rbac.authorization.k8s.io/v1", f"{kind}Binding", role, namespace, roleRef=reference, subjects=[subject]
    )


def _pod_security() -> Object:
    return {"runAsNonRoot": True, "runAsUser": _USER, "runAsGroup": _USER, "seccompProfile": {"type": "RuntimeDefault"}}


def _container_security() -> Object:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
