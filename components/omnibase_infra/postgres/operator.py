"""PostgresOperator: CloudNativePG, hardened, with its own flows."""

from typing import Any

import pulumi

from omnibase_infra.environment import limit_range, quota
from omnibase_infra.naming import labels
from omnibase_infra.network import NetworkFlow, Party, default_deny, dns_egress
from omnibase_infra.objects import Manifest, child
from omnibase_infra.postgres import names
from omnibase_infra.postgres.args import PostgresOperatorArgs
from omnibase_infra.postgres.scrape import operator_target
from omnibase_infra.scrape import ScrapeTarget
from omnibase_infra.vendor import VendorManifest, VendorManifestArgs
from omnibase_infra.versions import CLOUDNATIVE_PG

_PLUGIN_PODS = 2  # one, and the one before it, which still ends
_TRANSFORMS = ["images", "env", "resources", "hardened-pods", "replicas", "pod-security"]


class PostgresOperator(pulumi.ComponentResource):
    """The PostgreSQL operator, once per Kubernetes cluster: it watches all namespaces.

    Makes: the pinned manifest (VendorManifest), quota, limit range, default-deny and DNS egress in its namespace, the
    flows operator -> API server and API server -> webhooks, and a disruption budget (2 pods or more). Clusters depend
    on it as a whole, as its webhooks must answer before a Cluster can be made.

    Raises:
        ArgsError: the manifest is not the pinned one, or the image has no digest.
    """

    version: pulumi.Output[str]
    """Version of the operator, known once it is ready."""

    def __init__(self, name: str, args: PostgresOperatorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        inputs: dict[str, Any] = {**args, "manifest": args["manifest"].rpartition("/")[2]}
        super().__init__("omnibase-infra:index:PostgresOperator", name, inputs, opts)
        vendored = VendorManifest(f"{name}-manifest", _vendor_args(args), pulumi.ResourceOptions(parent=self))
        self._bounds(name, args, vendored)
        self._network(name, args, vendored)
        if args["replicas"] > 1:
            child(self, f"{name}-budget", _budget(), depends_on=[vendored])
        self.scrape_targets: list[ScrapeTarget] = [operator_target()]
        self.version = vendored.sha256.apply(lambda _: CLOUDNATIVE_PG.version)
        self.register_outputs({"version": self.version})

    def _bounds(self, name: str, args: PostgresOperatorArgs, vendored: VendorManifest) -> None:
        """Room for the operator's pods and one more, which an update starts before it ends an old one."""
        pods, space = int(args["replicas"]) + 1, names.OPERATOR_NAMESPACE
        spare = _PLUGIN_PODS if "plugin_memory_mib" in args else 0
        bounds = quota(
            space,
            cpu_request_millis=pods * int(args["cpu_request_millis"])
            + spare * int(args.get("plugin_cpu_request_millis", 0)),
            memory_mib=pods * int(args["memory_mib"]) + spare * int(args.get("plugin_memory_mib", 0)),
            pods=pods + spare,
            storage_gib=0,
        )
        child(self, f"{name}-quota", bounds, depends_on=[vendored])
        child(self, f"{name}-limits", limit_range(space), depends_on=[vendored])

    def _network(self, name: str, args: PostgresOperatorArgs, vendored: VendorManifest) -> None:
        space = names.OPERATOR_NAMESPACE
        api: Party = {"name": "API server", "cidrs": list(args["api_server_cidrs"])}
        ports = [int(port) for port in args["api_server_ports"]]
        opts = pulumi.ResourceOptions(parent=self, depends_on=[vendored])  # its namespace comes from there
        NetworkFlow(f"{name}-api", {"source": names.OPERATOR, "destination": api, "ports": ports}, opts)
        webhook = [names.WEBHOOK_PORT]
        NetworkFlow(f"{name}-webhook", {"source": api, "destination": names.OPERATOR, "ports": webhook}, opts)
        child(self, f"{name}-default-deny", default_deny(space), depends_on=[vendored])
        child(self, f"{name}-dns-egress", dns_egress(space), depends_on=[vendored])


def _vendor_args(args: PostgresOperatorArgs) -> VendorManifestArgs:
    return {
        "path": args["manifest"],
        "sha256": CLOUDNATIVE_PG.sha256,
        "images": {CLOUDNATIVE_PG.image: args["image"]},
        "transforms": _TRANSFORMS,
        # Database pods run the operator's image in an init container, so this must be the one they can pull.
        "env": {"OPERATOR_IMAGE_NAME": args["image"]},
        "replicas": int(args["replicas"]),
        "cpu_request_millis": int(args["cpu_request_millis"]),
        "memory_mib": int(args["memory_mib"]),
    }


def _budget() -> Manifest:
    name = "cnpg-controller-manager"
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": names.OPERATOR_NAMESPACE, "labels": labels(name, "database")},
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": names.OPERATOR["labels"]},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }
