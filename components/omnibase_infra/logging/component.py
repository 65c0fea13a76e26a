"""LoggingStack: a collector on each node, one store."""

from typing import Any

import pulumi

from omnibase_infra.errors import refuse
from omnibase_infra.logging import manifests, names
from omnibase_infra.logging.args import LoggingStackArgs
from omnibase_infra.logging.checks import problems
from omnibase_infra.network import NetworkFlow, Party
from omnibase_infra.objects import child
from omnibase_infra.scrape import ScrapeTarget
from omnibase_infra.workload import HardenedWorkload, HardenedWorkloadArgs

_MIB = 1024 * 1024
_GIB = 1024 * _MIB
_FREE_SHARE = 20  # one twentieth of the volume stays free: below that the store takes no more lines


class LoggingStack(pulumi.ComponentResource):
    """The logs of some namespaces, collected on each node and kept in one store, searchable by correlation id.

    JSON lines become fields; Kubernetes metadata, `service`, `level` and `correlation_id` are added; secrets are
    redacted before anything leaves the node. Positions and a buffer are on the node's disk: a restart of either side
    loses nothing, and an outage of the store nothing as long as buffer and the kubelet's rotated files hold the lines.
    After that the oldest files are gone, which no buffer can prevent. A line can arrive twice, never half.

    Makes: VictoriaLogs as a HardenedWorkload (StatefulSet with a volume, retention and size cap), the OpenTelemetry
    Collector as a DaemonSet with account, ClusterRole (reads pods), ConfigMap, and the flows collectors -> store,
    API server -> store (`ops logs`) and collectors -> API server.

    The collectors need hostPath, so their namespace has Pod Security `privileged`; they run as a plain user in root's
    group, and one init step as root without capabilities opens their own directory on the node.

    Raises:
        ArgsError: a size out of its range, a cap above 80 % of the volume, a retention without unit, a redaction
            pattern that RE2 does not compile, no namespaces; all problems together.
    """

    store_url: pulumi.Output[str]
    """http URL of the store inside the cluster, known when it is ready."""
    collector: pulumi.Output[str]
    """Name of the DaemonSet, known when it is ready."""

    scrape_targets: list[ScrapeTarget]
    """Where the metrics of both are."""

    def __init__(self, name: str, args: LoggingStackArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse("LoggingStack", name, problems(name, args))
        inputs: dict[str, Any] = {**args}
        super().__init__("omnibase-infra:index:LoggingStack", name, inputs, opts)
        below = pulumi.ResourceOptions(parent=self)
        store = HardenedWorkload(names.store(name), _store_args(name, args), below)
        api: Party = {"name": "API server", "cidrs": list(args["api_server_cidrs"])}
        source = names.collectors(name, args["agents_namespace"])
        ports = [int(port) for port in args["api_server_ports"]]
        NetworkFlow(f"{name}-collector-api", {"source": source, "destination": api, "ports": ports}, below)
        daemon_set = self._collector(name, args)
        self.scrape_targets = _scrape_targets(name, args)
        self.store_url = store.workload.apply(lambda _: names.store_url(name, args["namespace"]))
        self.collector = daemon_set.urn.apply(lambda _: names.collector(name))
        self.register_outputs({
            "store_url": self.store_url,
            "collector": self.collector,
            "scrape_targets": self.scrape_targets,
        })  # fmt: skip

    def _collector(self, name: str, args: LoggingStackArgs) -> pulumi.Resource:
        account = child(self, f"{name}-collector-account", manifests.account(name, args))
        role = child(self, f"{name}-collector-role", manifests.role(name, args))
        binding = child(self, f"{name}-collector-binding", manifests.binding(name, args), depends_on=[account, role])
        settings = child(self, f"{name}-collector-configuration", manifests.configuration(name, args))
        # Without its rights the collector would wait for the pods' labels, and then give up.
        return child(self, f"{name}-collector", manifests.daemon_set(name, args), depends_on=[binding, settings])


def _store_args(name: str, args: LoggingStackArgs) -> HardenedWorkloadArgs:
    volume, memory = int(args["storage_gib"]), int(args["store_memory_mib"])
    found: HardenedWorkloadArgs = {
        "namespace": args["namespace"],
        "environment": args["environment"],
        "kind": "StatefulSet",
        "image": args["store_image"],
        "port": names.STORE_PORT,
        "memory_mib": memory,
        "cpu_request_millis": int(args.get("store_cpu_request_millis", 25)),
        "volumes": {"data": {"path": names.DATA, "size_gib": volume}},
        "live": {"path": "/health"},
        "ready": {"path": "/health"},
        "start_seconds": 120,
        "command": [
            "/victoria-logs",
            f"-storageDataPath={names.DATA}",
            f"-httpListenAddr=:{names.STORE_PORT}",
            f"-retentionPeriod={args['retention']}",
            f"-retention.maxDiskSpaceUsageBytes={int(args['size_cap_gib']) * _GIB}",
            f"-storage.minFreeDiskSpaceBytes={volume * _GIB // _FREE_SHARE}",
            f"-memory.allowedBytes={memory * _MIB // 2}",
            # The collector has given up by then; a query that holds the store busy longer helps nobody.
            "-search.maxQueryDuration=30s",
            "-loggerFormat=json",
        ],
        "protect": bool(args.get("protect", False)),
        "env": {"GOMEMLIMIT": f"{memory * 7 // 10}MiB"},
        "accepts_from": [
            names.collectors(name, args["agents_namespace"]),
            {"name": "API server", "cidrs": list(args["api_server_cidrs"])},
        ],
    }
    if "priority_class" in args:
        found["priority_class"] = args["priority_class"]
    return found


def _scrape_targets(name: str, args: LoggingStackArgs) -> list[ScrapeTarget]:
    store: ScrapeTarget = {
        "name": names.store(name),
        "namespace": args["namespace"],
        "labels": {"app.kubernetes.io/name": names.store(name)},
        "port": names.STORE_PORT,
    }
    collector: ScrapeTarget = {
        "name": names.collector(name),
        "namespace": args["agents_namespace"],
        "labels": {"app.kubernetes.io/name": names.collector(name)},
        "port": names.METRICS_PORT,
    }
    return [store, collector]
