"""HardenedWorkload: one service or job of ours on Kubernetes."""

from typing import Any

import pulumi

from omnibase_infra.errors import refuse
from omnibase_infra.naming import dns_label, service_host
from omnibase_infra.network import NetworkFlow, NetworkFlowArgs, Party
from omnibase_infra.objects import KubernetesObject, child
from omnibase_infra.pinned import checked_image
from omnibase_infra.waiver import today
from omnibase_infra.workload import manifests
from omnibase_infra.workload.args import LONG_RUNNING, HardenedWorkloadArgs
from omnibase_infra.workload.checks import problems
from omnibase_infra.workload.pod import ports, scheme, settings_digest


class HardenedWorkload(pulumi.ComponentResource):
    """A Deployment, StatefulSet, Job or CronJob that is hardened without being asked.

    Always: non-root user, read-only root, no capabilities, no privilege escalation, seccomp RuntimeDefault, no API
    token, memory limit, start, readiness and liveness probes, spread over zones and nodes, image by digest, own
    service account, and network flows for whoever may connect. A weaker setting needs a Waiver.

    Makes: ServiceAccount, the workload, Service (long-running kinds with a port), an immutable ConfigMap (settings),
    PodDisruptionBudget (2 replicas or more), HorizontalPodAutoscaler (max_replicas), NetworkFlows (accepts_from,
    calls).

    Raises:
        ArgsError: anything out of its range, an image without digest, a credential in `env`, a weaker setting without
            waiver, a waiver that is expired or waives nothing; all problems together.
    """

    url: pulumi.Output[str]
    """URL of the main port inside the cluster, https with `tls_secret`; empty where there is none."""
    cluster_ip: pulumi.Output[str]
    """The Service's address; empty where there is no Service."""
    workload: pulumi.Output[str]
    """Name of the workload, known when it is ready."""

    def __init__(self, name: str, args: HardenedWorkloadArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse("HardenedWorkload", name, problems(name, args, today()))
        inputs: dict[str, Any] = {**args}
        super().__init__("omnibase-infra:index:HardenedWorkload", name, inputs, opts)
        waived = "unpinned-image" in {waiver["setting"] for waiver in args.get("waivers", [])}
        if not isinstance(args["image"], str) and not waived:
            args = {**args, "image": checked_image("HardenedWorkload", name, args["image"])}
        account = child(self, f"{name}-account", manifests.service_account(name, args))
        before = [account, *self._settings(name, args), *self._flows(name, args)]
        service = self._service(name, args)
        guard = bool(args.get("protect", False))
        made = child(
            self,
            f"{name}-workload",
            manifests.workload(name, args),
            depends_on=before,
            protect=guard or None,
            retain_on_delete=guard or None,
        )
        self._availability(name, args)
        self.workload = made.urn.apply(lambda _: name)
        self.cluster_ip = service.spec.apply(_cluster_ip) if service else pulumi.Output.from_input("")
        host = f"{scheme(args)}://{service_host(name, args['namespace'])}"
        address = f"{host}:{int(args['port'])}" if service and "port" in args else ""
        self.url = pulumi.Output.from_input(address)
        self.register_outputs({"workload": self.workload, "url": self.url, "cluster_ip": self.cluster_ip})

    def _settings(self, name: str, args: HardenedWorkloadArgs) -> list[pulumi.Resource]:
        """The ConfigMap of the settings. The digest is part of the resource's own name too: settings that come back
        after an update that failed are the resource that is still there, and not a second one of the same object."""
        if not args.get("settings"):
            return []
        return [child(self, f"{name}-settings-{settings_digest(args)}", manifests.settings(name, args))]

    def _service(self, name: str, args: HardenedWorkloadArgs) -> KubernetesObject | None:
        if args.get("kind", "Deployment") not in LONG_RUNNING or not ports(args):
            return None
        manifest = manifests.service(name, args)
        # Its endpoints come with the pods, which are made after it: waiting here would wait for what cannot happen.
        manifest["metadata"]["annotations"] = {"pulumi.com/skipAwait": "true"}
        return child(self, f"{name}-service", manifest)

    def _availability(self, name: str, args: HardenedWorkloadArgs) -> None:
        if args.get("replicas", 1) > 1:
            child(self, f"{name}-budget", manifests.disruption_budget(name, args))
        if "max_replicas" in args:
            child(self, f"{name}-autoscaler", manifests.autoscaler(name, args))

    def _flows(self, name: str, args: HardenedWorkloadArgs) -> list[pulumi.Resource]:
        """The arrows from and to the pods; those that the pods need from their first moment on are returned."""
        own: Party = {
            "name": name,
            "namespace": args["namespace"],
            "labels": {"app.kubernetes.io/name": name},
        }
        opts = pulumi.ResourceOptions(parent=self)
        for source in args.get("accepts_from", []):
            arrow: NetworkFlowArgs = {"source": source, "destination": own, "ports": list(ports(args).values())}
            NetworkFlow(_arrow(source["name"], name), arrow, opts)
        return [
            NetworkFlow(
                _arrow(name, call["party"]["name"]),
                {"source": own, "destination": call["party"], "ports": [int(port) for port in call["ports"]]},
                opts,
            )
            for call in args.get("calls", [])
        ]


def _arrow(source: str, destination: str) -> str:
    return dns_label(source.lower().replace(" ", "-"), "to", destination.lower().replace(" ", "-"), limit=50)


def _cluster_ip(spec: object) -> str:
    return str(spec.get("clusterIP") or "") if isinstance(spec, dict) else ""
