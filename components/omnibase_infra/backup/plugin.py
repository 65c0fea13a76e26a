"""BarmanPlugin: backups and the archive of the log for the database operator, once per cluster."""

import re
from typing import Any

import pulumi

from omnibase_infra.backup import names, plugin_spec
from omnibase_infra.backup.args import BarmanPluginArgs
from omnibase_infra.errors import refuse
from omnibase_infra.network import NetworkFlow, NetworkFlowArgs, Party
from omnibase_infra.objects import KubernetesObject, child
from omnibase_infra.postgres import BACKUP_PLUGIN
from omnibase_infra.vendor import VendorManifest
from omnibase_infra.versions import BARMAN_PLUGIN_CRDS

_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")


class BarmanPlugin(pulumi.ComponentResource):
    """The barman-cloud plugin of CloudNativePG, in the operator's namespace, which must exist before.

    Makes: the definition of ObjectStore (VendorManifest), account and rights, the Deployment (one pod), the Secret with
    what the operator trusts, the Service by which the operator finds it, and the flows operator -> plugin and plugin ->
    API server. Both ends show certificates. Clusters with backups depend on it as a whole: the operator asks the
    plugin about each of their pods.

    Raises:
        ArgsError: the definition is not the pinned one, or an image has no digest.
    """

    plugin: pulumi.Output[str]
    """What a Cluster calls it, known once it is ready."""

    def __init__(self, name: str, args: BarmanPluginArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse("BarmanPlugin", name, problems(args))
        inputs: dict[str, Any] = {**args, "definitions": args["definitions"].rpartition("/")[2]}
        super().__init__("omnibase-infra:index:BarmanPlugin", name, inputs, opts)
        definitions = VendorManifest(
            f"{name}-definitions",
            {
                "path": args["definitions"],
                "sha256": BARMAN_PLUGIN_CRDS.sha256,
                "images": {},
                "transforms": ["images"],
            },
            pulumi.ResourceOptions(parent=self),
        )
        before: list[pulumi.Resource] = [definitions, *self._flows(name, args)]
        for role, manifest in (
            ("account", plugin_spec.account()),
            ("role", plugin_spec.cluster_role()),
            ("binding", plugin_spec.binding()),
            ("trust", plugin_spec.trust(args["trust"])),
        ):
            before.append(child(self, f"{name}-{role}", manifest))
        made = child(self, f"{name}-plugin", plugin_spec.deployment(args), depends_on=before)
        service = self._service(name, args, made)
        self.plugin = service.urn.apply(lambda _: BACKUP_PLUGIN)
        self.register_outputs({"plugin": self.plugin})

    def _service(self, name: str, args: BarmanPluginArgs, made: KubernetesObject) -> KubernetesObject:
        """The operator reads the certificates once for each Service that it finds: new ones need a new Service."""
        opts = pulumi.ResourceOptions(
            parent=self, depends_on=[made], replace_on_changes=["metadata.annotations"], delete_before_replace=True
        )
        return KubernetesObject(f"{name}-service", plugin_spec.service(args), opts)

    def _flows(self, name: str, args: BarmanPluginArgs) -> list[NetworkFlow]:
        api: Party = {"name": "API server", "cidrs": list(args["api_server_cidrs"])}
        ports = [int(port) for port in args["api_server_ports"]]
        arrows: dict[str, NetworkFlowArgs] = {
            "api": {"source": names.PLUGIN_PARTY, "destination": api, "ports": ports},
            "calls": {
                "source": args["operator"],
                "destination": names.PLUGIN_PARTY,
                "ports": [names.PLUGIN_PORT],
            },
        }
        opts = pulumi.ResourceOptions(parent=self)
        return [NetworkFlow(f"{name}-{role}", arrow, opts) for role, arrow in arrows.items()]


def problems(args: BarmanPluginArgs) -> list[str]:
    """Every reason why these arguments cannot be used."""
    found = [
        f"{field}={args[field]!r} must end in @sha256:<digest>"
        for field in ("image", "sidecar_image")
        if not _DIGEST.search(str(args[field]))
    ]
    if not args["api_server_cidrs"] or not args["api_server_ports"]:
        found.append("api_server_cidrs and api_server_ports are required: it reads stores and gives rights there")
    if args["operator"].get("namespace") != names.PLUGIN_NAMESPACE:
        found.append(f"operator must be pods of {names.PLUGIN_NAMESPACE}: it looks for plugins in its own namespace")
    return found
