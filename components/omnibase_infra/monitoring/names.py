"""Names of everything that monitoring brings, pure, so that flows and checks can know them beforehand."""

from omnibase_infra.network import Party

OPERATOR = "metrics-operator"
CONTROLLER = f"{OPERATOR}-controller"
PROMETHEUS = "prometheus"
ALERTMANAGER = "alertmanager"
NODE_EXPORTER = "node-exporter"
WORKLOAD_EXPORTER = "workload-exporter"
WORKLOAD_READER = f"{WORKLOAD_EXPORTER}-reader"
"""Its Deployment and account."""
WORKLOAD_JOB = "kube-state-metrics"
"""Job of its series: the name that dashboards of others know."""
RECEIVER = "alert-receiver"
INSTANCE = "main"
"""Name of the operator's Prometheus and Alertmanager; its StatefulSets put the kind before it."""

OPERATOR_PORT = 8080
PROMETHEUS_PORT = 9090
ALERTMANAGER_PORT = 9093
MESH_PORT = 9094
"""Alertmanagers talk to each other here, TCP and UDP."""
NODE_EXPORTER_PORT = 9100
WORKLOAD_EXPORTER_PORT = 8080
RECEIVER_PORT = 8080
RECEIVER_PATH = "/alerts"


def pods(name: str, namespace: str) -> Party:
    """Pods of a part: controller, Prometheus, Alertmanager, node exporter and receiver carry the same label."""
    return {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/name": name}}
