"""MetricsOperator: the Prometheus Operator, with rights in the stack's namespaces only."""

from typing import Any

import pulumi

from omnibase_infra.errors import refuse
from omnibase_infra.monitoring import names, operator_spec
from omnibase_infra.monitoring.args import MetricsOperatorArgs
from omnibase_infra.network import NetworkFlow, Party
from omnibase_infra.objects import child
from omnibase_infra.vendor import VendorManifest
from omnibase_infra.versions import PROMETHEUS_OPERATOR
from omnibase_infra.workload import HardenedWorkload


class MetricsOperator(pulumi.ComponentResource):
    """The operator of Prometheus and Alertmanager, one per stack.

    Makes: the pinned resource definitions (unless another stack has them), ClusterRoles that are bound in the stack's
    namespaces, the flow to the API server, and the controller as a HardenedWorkload. Whatever it is to run depends on
    it as a whole: it looks at its rights once, when it starts.

    Raises:
        ArgsError: the definitions are not the pinned ones, the image has no digest, no network of the API server.
    """

    version: pulumi.Output[str]
    """Version of the operator, known once it is ready."""

    def __init__(self, name: str, args: MetricsOperatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse("MetricsOperator", name, _problems(name, args))
        inputs: dict[str, Any] = {**args, "manifest": args["manifest"].rpartition("/")[2]}
        super().__init__("omnibase-infra:index:MetricsOperator", name, inputs, opts)
        before = [*self._definitions(name, args), *self._rights(name, args), self._flow(name, args)]
        controller = self._controller(args, before)
        self.version = controller.workload.apply(lambda _: PROMETHEUS_OPERATOR.version)
        self.register_outputs({"version": self.version})

    def _definitions(self, name: str, args: MetricsOperatorArgs) -> list[pulumi.Resource]:
        if not args["install_crds"]:
            return []
        vendored = VendorManifest(
            f"{name}-definitions",
            {
                "path": args["manifest"],
                "sha256": PROMETHEUS_OPERATOR.sha256,
                "images": {},
                "transforms": ["images"],
            },
            pulumi.ResourceOptions(parent=self),
        )
        return [vendored]

    def _rights(self, name: str, args: MetricsOperatorArgs) -> list[pulumi.Resource]:
        roles = {
            role: child(self, f"{name}-role-{role}", manifest)
            for role, manifest in operator_spec.cluster_roles(args).items()
        }
        bound = [
            child(self, f"{name}-bound-cluster", operator_spec.cluster_binding(args), depends_on=[roles["cluster"]])
        ]
        places = [("watch", space) for space in operator_spec.watched(args)] + [("run", args["namespace"])]
        for role, space in places:
            manifest = operator_spec.binding(args, role, space)
            bound.append(child(self, f"{name}-bound-{role}-{space}", manifest, depends_on=[roles[role]]))
        return [*roles.values(), *bound]

    def _flow(self, name: str, args: MetricsOperatorArgs) -> pulumi.Resource:
        api: Party = {"name": "API server", "cidrs": list(args["api_server_cidrs"])}
        source = names.pods(names.CONTROLLER, args["namespace"])
        ports = [int(port) for port in args["api_server_ports"]]
        opts = pulumi.ResourceOptions(parent=self)
        return NetworkFlow(f"{name}-api", {"source": source, "destination": api, "ports": ports}, opts)

    def _controller(self, args: MetricsOperatorArgs, before: list[pulumi.Resource]) -> HardenedWorkload:
        return HardenedWorkload(
            names.CONTROLLER,
            {
                "namespace": args["namespace"],
                "environment": args["environment"],
                "image": args["image"],
                "command": operator_spec.command(args),
                "memory_mib": int(args["memory_mib"]),
                "cpu_request_millis": int(args["cpu_request_millis"]),
                "port": names.OPERATOR_PORT,
                "ready": {"path": "/healthz"},
                "service_account_token": True,
                "waivers": [args["waiver"]],
            },
            pulumi.ResourceOptions(parent=self, depends_on=before),
        )


def _problems(name: str, args: MetricsOperatorArgs) -> list[str]:
    found = []
    if name != names.OPERATOR:
        found.append(f"name must be {names.OPERATOR!r}, which the objects of the operator are called after")
    if not args["api_server_cidrs"] or not args["api_server_ports"]:
        found.append(
            "api_server_cidrs and api_server_ports are required: the operator's work is to talk to the API server"
        )
    return found
