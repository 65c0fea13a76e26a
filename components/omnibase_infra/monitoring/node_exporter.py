"""NodeExporter: figures of every node."""

from typing import Any

import pulumi

from omnibase_infra.errors import refuse
from omnibase_infra.monitoring import names
from omnibase_infra.monitoring.args import NodeExporterArgs
from omnibase_infra.naming import labels
from omnibase_infra.objects import Manifest, child
from omnibase_infra.pinned import digest_problem
from omnibase_infra.pods import hardened
from omnibase_infra.scrape import ScrapeTarget

_UID = 65532
_COLLECTORS = ("cpu", "diskstats", "filesystem", "loadavg", "meminfo", "pressure", "stat", "time", "uname", "vmstat")
"""No network devices: they would need the node's network namespace, and with it every port of the node."""
_MOUNTS = {"proc": "/proc", "sys": "/sys", "root": "/"}
_PSEUDO = (
    "autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|mqueue|nsfs|overlay|proc|pstore|"
    "rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tmpfs|tracefs"
)


class NodeExporter(pulumi.ComponentResource):
    """One pod per node that reads the node's processor, memory, disks and pressure.

    Makes: ServiceAccount without token, DaemonSet. The pods run as a user without rights, with a read-only view of
    /proc, /sys and the mounts: of files they see what everybody may read.

    Raises:
        ArgsError: an image without digest, sizes out of range.
    """

    job: pulumi.Output[str]
    """Job label of the series, known when the pods run."""

    def __init__(self, name: str, args: NodeExporterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse("NodeExporter", name, _problems(args))
        inputs: dict[str, Any] = {**args}
        super().__init__("omnibase-infra:index:NodeExporter", name, inputs, opts)
        account = child(self, f"{name}-account", _account(args))
        made = child(self, f"{name}-pods", _daemon_set(args), depends_on=[account])
        self.scrape_targets: list[ScrapeTarget] = [node_target(args["namespace"])]
        self.job = made.urn.apply(lambda _: names.NODE_EXPORTER)
        self.register_outputs({"job": self.job})


def node_target(namespace: str) -> ScrapeTarget:
    """Where the metrics of the nodes are."""
    return {
        "name": names.NODE_EXPORTER,
        "namespace": namespace,
        "labels": {"app.kubernetes.io/name": names.NODE_EXPORTER},
        "port": names.NODE_EXPORTER_PORT,
    }


def _problems(args: NodeExporterArgs) -> list[str]:
    found = []
    image = args["image"]
    if isinstance(image, str) and digest_problem(image):
        found.append(digest_problem(image))
    bounds = {"cpu_request_millis": (args["cpu_request_millis"], 1, 4000), "memory_mib": (args["memory_mib"], 24, 4096)}
    found += [
        f"{field}={value} is outside {low}..{high}"
        for field, (value, low, high) in bounds.items()
        if not low <= value <= high
    ]
    return found


def _account(args: NodeExporterArgs) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": _metadata(args),
        "automountServiceAccountToken": False,
    }


def _metadata(args: NodeExporterArgs) -> Manifest:
    return {
        "name": names.NODE_EXPORTER,
        "namespace": args["namespace"],
        "labels": labels(names.NODE_EXPORTER, "monitoring", args["environment"]),
    }


def _daemon_set(args: NodeExporterArgs) -> Manifest:
    metadata = _metadata(args)
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": metadata,
        "spec": {
            "selector": {"matchLabels": {"app.kubernetes.io/name": names.NODE_EXPORTER}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "template": {"metadata": {"labels": metadata["labels"]}, "spec": _pod(args)},
        },
    }


def _pod(args: NodeExporterArgs) -> Manifest:
    return {
        "serviceAccountName": names.NODE_EXPORTER,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 10,
        "tolerations": [{"operator": "Exists"}],  # a node with a taint fills its disk like any other
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _UID,
            "runAsGroup": _UID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(args)],
        "volumes": [{"name": name, "hostPath": {"path": path}} for name, path in _MOUNTS.items()],
    }


def _container(args: NodeExporterArgs) -> Manifest:
    memory = f"{int(args['memory_mib'])}Mi"
    probe = {"httpGet": {"path": "/", "port": "metrics"}, "timeoutSeconds": 3}
    return {
        "name": names.NODE_EXPORTER,
        "image": args["image"],
        "imagePullPolicy": "IfNotPresent",
        "args": [
            f"--web.listen-address=:{names.NODE_EXPORTER_PORT}",
            "--path.procfs=/host/proc",
            "--path.sysfs=/host/sys",
            "--path.rootfs=/host/root",
            "--collector.disable-defaults",
            *(f"--collector.{name}" for name in _COLLECTORS),
            f"--collector.filesystem.fs-types-exclude=^({_PSEUDO})$",
            "--collector.filesystem.mount-points-exclude=^/(dev|proc|sys|var/lib/kubelet/pods/.+)($|/)",
        ],
        "ports": [{"name": "metrics", "containerPort": names.NODE_EXPORTER_PORT, "protocol": "TCP"}],
        "readinessProbe": {**probe, "periodSeconds": 5},
        "livenessProbe": {**probe, "periodSeconds": 20, "initialDelaySeconds": 5},
        "resources": {
            "requests": {"cpu": f"{int(args['cpu_request_millis'])}m", "memory": memory},
            "limits": {"memory": memory},
        },
        "securityContext": hardened(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": name, "mountPath": f"/host/{name}", "readOnly": True, "mountPropagation": "HostToContainer"}
            for name in _MOUNTS
        ],
    }
