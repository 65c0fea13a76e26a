"""WorkloadExporter: what the API server knows of pods, copies, jobs, claims, policies, by kube-state-metrics."""

from typing import Any

import pulumi

from omnibase_infra.errors import refuse
from omnibase_infra.monitoring import names
from omnibase_infra.monitoring.args import WorkloadExporterArgs
from omnibase_infra.monitoring.rights import role_binding
from omnibase_infra.naming import dns_label, labels
from omnibase_infra.network import PART_OF_LABEL, NetworkFlow, Party
from omnibase_infra.objects import KubernetesObject, Manifest, child
from omnibase_infra.pinned import digest_problem
from omnibase_infra.scrape import ScrapeTarget
from omnibase_infra.workload import HardenedWorkload

_TELEMETRY_PORT = 8081  # of the exporter itself; nobody may reach it
_RESOURCES = {
    "": ["pods", "persistentvolumeclaims"],
    "apps": ["deployments", "statefulsets", "daemonsets"],
    "batch": ["jobs"],
    "networking.k8s.io": ["networkpolicies"],
}
"""What may be read, by group: no Secrets, no ConfigMaps, and nothing outside the watched namespaces."""
_SERIES = (
    "kube_pod_status_(phase|ready)",
    "kube_pod_container_status_(restarts_total|waiting_reason|last_terminated_(reason|exitcode))",
    "kube_deployment_(spec_replicas|status_replicas_available)",
    "kube_statefulset_(replicas|status_replicas_ready)",
    "kube_daemonset_status_(desired_number_scheduled|number_available)",
    "kube_job_status_(active|failed|succeeded)",
    "kube_persistentvolumeclaim_status_phase",
    "kube_networkpolicy_(created|labels)",
)
"""What alerts and people ask for, as whole names; everything else would be stored for nobody."""


class WorkloadExporter(pulumi.ComponentResource):
    """One pod that tells how the watched namespaces' pods, Deployments, StatefulSets, DaemonSets, Jobs and volume
    claims stand, and which network policies there are.

    Makes: a ClusterRole (list and watch of those kinds) that is bound in the watched namespaces only, the flow to the
    API server, and kube-state-metrics as a HardenedWorkload with a token.

    Raises:
        ArgsError: another name than its objects are called after, an image without digest, no namespace to watch, no
            network of the API server, sizes out of range.
    """

    job: pulumi.Output[str]
    """Job label of the series, known when the pod runs."""

    def __init__(self, name: str, args: WorkloadExporterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse("WorkloadExporter", name, _problems(name, args))
        inputs: dict[str, Any] = {**args}
        super().__init__("omnibase-infra:index:WorkloadExporter", name, inputs, opts)
        role = child(self, f"{name}-role", _role(args))
        bound = [
            child(self, f"{name}-reads-{space}", _binding(args, space), depends_on=[role]) for space in _watched(args)
        ]
        made = self._workload(args, [*bound, self._flow(name, args)])
        self.scrape_targets: list[ScrapeTarget] = [workload_target(args["namespace"])]
        self.job = made.workload.apply(lambda _: names.WORKLOAD_JOB)
        self.register_outputs({"job": self.job})

    def _flow(self, name: str, args: WorkloadExporterArgs) -> pulumi.Resource:
        api: Party = {"name": "API server", "cidrs": list(args["api_server_cidrs"])}
        source = names.pods(names.WORKLOAD_READER, args["namespace"])
        ports = [int(port) for port in args["api_server_ports"]]
        opts = pulumi.ResourceOptions(parent=self)
        return NetworkFlow(f"{name}-api", {"source": source, "destination": api, "ports": ports}, opts)

    def _workload(
        self, args: WorkloadExporterArgs, before: list[KubernetesObject | pulumi.Resource]
    ) -> HardenedWorkload:
        return HardenedWorkload(
            names.WORKLOAD_READER,
            {
                "namespace": args["namespace"],
                "environment": args["environment"],
                "image": args["image"],
                "command": command(args),
                "memory_mib": int(args["memory_mib"]),
                "cpu_request_millis": int(args["cpu_request_millis"]),
                "port": names.WORKLOAD_EXPORTER_PORT,
                "scratch_mib": {},
                "ready": {
                    "path": "/healthz"
                },  # its own /readyz and /livez ask the API server, whose outage is not its own
                "service_account_token": True,
                "waivers": [args["waiver"]],
            },
            pulumi.ResourceOptions(parent=self, depends_on=before),
        )


def workload_target(namespace: str) -> ScrapeTarget:
    """Where the series are. They name namespace and pod themselves: those of whom they tell, not the exporter's."""
    return {
        "name": names.WORKLOAD_JOB,
        "namespace": namespace,
        "labels": {"app.kubernetes.io/name": names.WORKLOAD_READER},
        "port": names.WORKLOAD_EXPORTER_PORT,
        "own_labels": True,
    }


def command(args: WorkloadExporterArgs) -> list[str]:
    """The exporter's arguments; its defaults would read every kind of every namespace."""
    kinds = sorted(kind for found in _RESOURCES.values() for kind in found)
    return [
        "/kube-state-metrics",
        "--host=0.0.0.0",
        f"--port={names.WORKLOAD_EXPORTER_PORT}",
        "--telemetry-host=127.0.0.1",
        f"--telemetry-port={_TELEMETRY_PORT}",
        f"--resources={','.join(kinds)}",
        f"--namespaces={','.join(_watched(args))}",
        f"--metric-allowlist={','.join(f'^{series}$' for series in _SERIES)}",
        f"--metric-labels-allowlist=networkpolicies=[{PART_OF_LABEL}]",
        "--use-apiserver-cache",
        "--auto-gomemlimit",
    ]


def _watched(args: WorkloadExporterArgs) -> list[str]:
    return sorted({*args["watched"], args["namespace"]})


def _problems(name: str, args: WorkloadExporterArgs) -> list[str]:
    found = []
    if name != names.WORKLOAD_EXPORTER:
        found.append(f"name must be {names.WORKLOAD_EXPORTER!r}, which its objects are called after")
    image = args["image"]
    if isinstance(image, str) and digest_problem(image):
        found.append(digest_problem(image))
    if not args["watched"]:
        found.append("watched is empty: name the namespaces whose workloads are told of")
    if not args["api_server_cidrs"] or not args["api_server_ports"]:
        found.append("api_server_cidrs and api_server_ports are required: the exporter reads from the API server")
    bounds = {"cpu_request_millis": (args["cpu_request_millis"], 1, 4000), "memory_mib": (args["memory_mib"], 32, 8192)}
    found += [
        f"{field}={value} is outside {low}..{high}"
        for field, (value, low, high) in bounds.items()
        if not low <= value <= high
    ]
    return found


def _role(args: WorkloadExporterArgs) -> Manifest:
    name = _role_name(args)
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": labels(name, "monitoring", args["environment"])},
        "rules": [
            {"apiGroups": [group], "resources": kinds, "verbs": ["list", "watch"]}
            for group, kinds in _RESOURCES.items()
        ],
    }


def _binding(args: WorkloadExporterArgs, namespace: str) -> Manifest:
    account = {"kind": "ServiceAccount", "name": names.WORKLOAD_READER, "namespace": args["namespace"]}
    return role_binding(_role_name(args), namespace, args["environment"], account)


def _role_name(args: WorkloadExporterArgs) -> str:
    """Stacks share clusters, so it derives from the namespace."""
    return dns_label(args["namespace"], names.WORKLOAD_EXPORTER)
