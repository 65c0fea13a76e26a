"""GatewayController: Envoy Gateway, once per cluster."""

from typing import Any

import pulumi

from omnibase_infra.environment import limit_range, namespace
from omnibase_infra.errors import refuse
from omnibase_infra.gateway import controller_spec, names, rights
from omnibase_infra.gateway.args import GatewayControllerArgs
from omnibase_infra.gateway.checks import controller_problems
from omnibase_infra.network import NetworkFlow, NetworkFlowArgs, Party, default_deny, dns_egress
from omnibase_infra.objects import KubernetesObject, child
from omnibase_infra.vendor import VendorManifest
from omnibase_infra.versions import ENVOY_GATEWAY_CRDS, GATEWAY_API_CRDS


class GatewayController(pulumi.ComponentResource):
    """Envoy Gateway: it turns the Gateways and routes of the served namespaces into configured Envoy proxies.

    Makes: the definitions of the Gateway API (standard channel) and of Envoy Gateway (VendorManifests), the namespace
    `envoy-gateway-system` with quota and limit range under default-deny, accounts and rights, a Job that makes the
    certificates between controller and proxies, the Deployment with Service and disruption budget (2 pods or more), the
    GatewayClass `omnibase`, and the flows controller -> API server and proxies -> controller. Proxies of all stacks run
    in its namespace, where alone it may make workloads.

    Raises:
        ArgsError: a definition file that is not the pinned one, an image without digest, no namespace to serve.
    """

    gateway_class: pulumi.Output[str]
    """Name of the GatewayClass, known once the controller accepts it."""

    def __init__(self, name: str, args: GatewayControllerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse("GatewayController", name, controller_problems(args))
        shown = {key: str(args[key]).rpartition("/")[2] for key in ("gateway_api_crds", "envoy_gateway_crds")}
        inputs: dict[str, Any] = {**args, **shown}
        super().__init__("omnibase-infra:index:GatewayController", name, inputs, opts)
        space = child(
            self,
            f"{name}-namespace",
            namespace(names.CONTROLLER_NAMESPACE, args["environment"], "restricted"),
            protect=args.get("protect", False),
        )
        for role, manifest in (
            ("quota", controller_spec.bounds(args)),
            ("limits", limit_range(names.CONTROLLER_NAMESPACE)),
        ):
            child(self, f"{name}-{role}", manifest, depends_on=[space])
        definitions = self._definitions(name, args)
        flows = self._network(name, args, space)
        allowed = self._rights(name, args, space)
        job = child(self, f"{name}-certgen", controller_spec.certgen(args), depends_on=[*allowed, *flows])
        made = self._workload(name, args, [job, *definitions])
        self.gateway_class = made.urn.apply(lambda _: names.GATEWAY_CLASS)
        self.register_outputs({"gateway_class": self.gateway_class})

    def _definitions(self, name: str, args: GatewayControllerArgs) -> list[VendorManifest]:
        pins = {
            "gateway-api": (args["gateway_api_crds"], GATEWAY_API_CRDS),
            "envoy-gateway": (args["envoy_gateway_crds"], ENVOY_GATEWAY_CRDS),
        }
        return [
            VendorManifest(
                f"{name}-{role}",
                {"path": path, "sha256": pin.sha256, "images": {}, "transforms": ["images"]},
                pulumi.ResourceOptions(parent=self),
            )
            for role, (path, pin) in pins.items()
        ]

    def _network(self, name: str, args: GatewayControllerArgs, space: KubernetesObject) -> list[pulumi.Resource]:
        api: Party = {"name": "API server", "cidrs": list(args["api_server_cidrs"])}
        certgen: Party = {
            "name": "gateway certificate job",
            "namespace": names.CONTROLLER_NAMESPACE,
            "labels": {"app.kubernetes.io/name": rights.CERTGEN_NAME},
        }
        ports = [int(port) for port in args["api_server_ports"]]
        arrows: dict[str, NetworkFlowArgs] = {
            "api": {"source": names.CONTROLLER, "destination": api, "ports": ports},
            "certgen-api": {"source": certgen, "destination": api, "ports": ports},
            "xds": {"source": names.ALL_PROXIES, "destination": names.CONTROLLER, "ports": [names.XDS_PORT]},
        }
        opts = pulumi.ResourceOptions(parent=self, depends_on=[space])
        found: list[pulumi.Resource] = [NetworkFlow(f"{name}-{role}", arrow, opts) for role, arrow in arrows.items()]
        for role, policy in (("default-deny", default_deny), ("dns-egress", dns_egress)):
            found.append(child(self, f"{name}-{role}", policy(names.CONTROLLER_NAMESPACE), depends_on=[space]))
        return found

    def _rights(self, name: str, args: GatewayControllerArgs, space: KubernetesObject) -> list[KubernetesObject]:
        manifests = {
            "account": rights.account(names.CONTROLLER_NAME),
            "certgen-account": rights.account(rights.CERTGEN_NAME),
            "cluster-role": rights.cluster_role(),
            "served-role": rights.served_role(),
            "own-role": rights.own_role(),
            "certgen-role": rights.certgen_role(),
            **rights.bindings(controller_spec.watched(args)),
        }
        return [child(self, f"{name}-{role}", manifest, depends_on=[space]) for role, manifest in manifests.items()]

    def _workload(self, name: str, args: GatewayControllerArgs, before: list[pulumi.Resource]) -> KubernetesObject:
        settings = child(self, f"{name}-config", controller_spec.config_map(args), depends_on=before)
        pods = child(self, f"{name}-controller", controller_spec.deployment(args), depends_on=[*before, settings])
        child(self, f"{name}-service", controller_spec.service(args), depends_on=[pods])
        if args["replicas"] > 1:
            child(self, f"{name}-budget", controller_spec.disruption_budget(args), depends_on=[pods])
        # last made and first removed: only a running controller lets go of its class
        return child(self, f"{name}-class", controller_spec.gateway_class(), depends_on=[pods])
