"""MonitoringStack: Prometheus, Alertmanager, who is watched, and which alerts go where."""

from typing import Any

import pulumi

from omnibase_infra.errors import refuse
from omnibase_infra.monitoring import alertmanager_spec, names, operator_spec, pods_spec, prometheus_spec, targets
from omnibase_infra.monitoring.args import MonitoringStackArgs
from omnibase_infra.monitoring.checks import all_alerts, problems
from omnibase_infra.monitoring.docker_hosts import docker_party, docker_probe
from omnibase_infra.monitoring.rules_spec import rules
from omnibase_infra.naming import service_host
from omnibase_infra.network import NetworkFlow, Party
from omnibase_infra.objects import KubernetesObject, child
from omnibase_infra.scrape import ScrapeTarget


class MonitoringStack(pulumi.ComponentResource):
    """Metrics of every target, alerts on them, and their way to a webhook.

    Makes: Prometheus and Alertmanager (resources of the operator) with accounts, volumes and disruption budgets (2 pods
    or more), one PodMonitor and one flow per target, one Probe and one flow per Docker host, PrometheusRule with all
    alerts, AlertmanagerConfig with one route to the receiver, the Secret with its address, and read rights in the
    targets' namespaces. Prometheus, Alertmanager and the operator are targets themselves.

    Raises:
        ArgsError: a name of a target used twice, an alert without runbook or with an unknown severity, a service,
            database or node job that is no target, sizes out of range, an address that is none; all problems together.
    """

    prometheus_url: pulumi.Output[str]
    """http URL inside the cluster, known once Prometheus answers."""
    alertmanager_url: pulumi.Output[str]
    """http URL inside the cluster, known once Alertmanager answers."""

    def __init__(self, name: str, args: MonitoringStackArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        args = {**args, "targets": [*args["targets"], *targets.own_targets(args["namespace"])]}
        refuse("MonitoringStack", name, problems(args))
        inputs: dict[str, Any] = {**args, "receiver_url": pulumi.Output.secret(args["receiver_url"])}
        super().__init__("omnibase-infra:index:MonitoringStack", name, inputs, opts)
        flows = self._flows(name, args)
        sender = self._alertmanager(name, args, flows)
        store = self._prometheus(name, args, flows)
        self._monitors(name, args)
        child(self, f"{name}-rules", rules("alerts", args, all_alerts(args)))
        space = args["namespace"]
        self.prometheus_url = store.urn.apply(lambda _: _url("prometheus-operated", space, names.PROMETHEUS_PORT))
        self.alertmanager_url = sender.urn.apply(
            lambda _: _url("alertmanager-operated", space, names.ALERTMANAGER_PORT)
        )
        self.register_outputs({"prometheus_url": self.prometheus_url, "alertmanager_url": self.alertmanager_url})

    def _prometheus(self, name: str, args: MonitoringStackArgs, flows: list[NetworkFlow]) -> KubernetesObject:
        account = child(self, f"{name}-prometheus-account", pods_spec.account(names.PROMETHEUS, args, token=True))
        role = child(self, f"{name}-prometheus-role", prometheus_spec.reading_role(args))
        spaces = sorted({args["namespace"], *(target["namespace"] for target in args["targets"])})
        bound = [
            child(
                self,
                f"{name}-prometheus-reads-{space}",
                prometheus_spec.reading_binding(args, space),
                depends_on=[role],
            )
            for space in spaces
        ]
        if args["replicas"] > 1:
            child(self, f"{name}-prometheus-budget", pods_spec.budget(names.PROMETHEUS, args))
        before = [account, *bound, *flows]
        return child(self, f"{name}-prometheus", prometheus_spec.prometheus(args), depends_on=before)

    def _alertmanager(self, name: str, args: MonitoringStackArgs, flows: list[NetworkFlow]) -> KubernetesObject:
        account = child(self, f"{name}-alertmanager-account", pods_spec.account(names.ALERTMANAGER, args, token=False))
        address = child(self, f"{name}-receiver-address", alertmanager_spec.address(args))
        routes = child(self, f"{name}-routes", alertmanager_spec.routes(args), depends_on=[address])
        if args["alertmanager_replicas"] > 1:
            child(self, f"{name}-alertmanager-budget", pods_spec.budget(names.ALERTMANAGER, args))
        before = [account, routes, *flows]
        return child(self, f"{name}-alertmanager", alertmanager_spec.alertmanager(args), depends_on=before)

    def _monitors(self, name: str, args: MonitoringStackArgs) -> None:
        """Monitors, each after the right to read the Secret that it names."""
        before: dict[str, list[KubernetesObject]] = {}
        for space in sorted({target["namespace"] for target in args["targets"] if "ca_secret" in target}):
            secrets = {
                target["ca_secret"]
                for target in args["targets"]
                if target["namespace"] == space and "ca_secret" in target
            }
            role = child(self, f"{name}-tls-role-{space}", prometheus_spec.secret_role(args, space, sorted(secrets)))
            operator = operator_spec.subject(args["namespace"])
            binding = prometheus_spec.secret_binding(args, space, operator)
            before[space] = [child(self, f"{name}-tls-bound-{space}", binding, depends_on=[role])]
        for target in args["targets"]:
            wanted = before.get(targets.home(args, target), [])
            child(self, f"{name}-target-{target['name']}", targets.monitor(args, target), depends_on=wanted)
        for host in args.get("docker_hosts", []):
            child(self, f"{name}-docker-{host['name']}", docker_probe(args, host))

    def _flows(self, name: str, args: MonitoringStackArgs) -> list[NetworkFlow]:
        opts = pulumi.ResourceOptions(parent=self)
        return [
            NetworkFlow(f"{name}-{role}", {"source": source, "destination": destination, "ports": ports}, opts)
            for role, (source, destination, ports) in self._arrows(args).items()
        ] + self._mesh(name, args)

    def _arrows(self, args: MonitoringStackArgs) -> dict[str, tuple[Party, Party, list[int]]]:
        store, sender = (names.pods(role, args["namespace"]) for role in (names.PROMETHEUS, names.ALERTMANAGER))
        api: Party = {"name": "API server", "cidrs": list(args["api_server_cidrs"])}
        found: dict[str, tuple[Party, Party, list[int]]] = {
            "api": (store, api, [int(port) for port in args["api_server_ports"]]),
            "alerts": (store, sender, [names.ALERTMANAGER_PORT]),
            "pages": (sender, args["receiver"], [int(args["receiver_port"])]),
        }
        for reader in args.get("metrics_readers", []):
            found[f"{reader['name']}-reads-metrics"] = (reader, store, [names.PROMETHEUS_PORT])
        for reader in args.get("readers", []):
            role = reader["name"].lower().replace(" ", "-")
            found[f"{role}-reads-metrics"] = (reader, store, [names.PROMETHEUS_PORT])
            found[f"{role}-reads-alerts"] = (reader, sender, [names.ALERTMANAGER_PORT])
        for host in args.get("docker_hosts", []):
            found[f"scrape-docker-{host['name']}"] = (store, docker_party(host), [int(host["port"])])
        return found | {f"scrape-{target['name']}": self._scrape(store, target) for target in args["targets"]}

    def _scrape(self, store: Party, target: ScrapeTarget) -> tuple[Party, Party, list[int]]:
        return store, targets.party(target), [int(target["port"])]

    def _mesh(self, name: str, args: MonitoringStackArgs) -> list[NetworkFlow]:
        """Alertmanagers agree who sends; a single one has nobody to ask."""
        if args["alertmanager_replicas"] == 1:
            return []
        sender, opts = names.pods(names.ALERTMANAGER, args["namespace"]), pulumi.ResourceOptions(parent=self)
        return [
            NetworkFlow(
                f"{name}-mesh-{protocol.lower()}",
                {"source": sender, "destination": sender, "ports": [names.MESH_PORT], "protocol": protocol},
                opts,
            )
            for protocol in ("TCP", "UDP")
        ]


def _url(service: str, namespace: str, port: int) -> str:
    return f"http://{service_host(service, namespace)}:{port}"
