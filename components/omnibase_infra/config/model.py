"""The typed settings of one stack. Strict: no unknown keys, no silent conversions, every bound stated at its field."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import Field

from omnibase_infra.config.agents import AgentsConfig
from omnibase_infra.config.backup import BackupConfig
from omnibase_infra.config.bundles import BundleConfig, deployed
from omnibase_infra.config.certificates import CertificatesConfig
from omnibase_infra.config.databases import PostgresConfig
from omnibase_infra.config.environments import Environment
from omnibase_infra.config.gateway import GatewayConfig
from omnibase_infra.config.logging import LoggingConfig
from omnibase_infra.config.mcp import McpConfig
from omnibase_infra.config.messaging import MessagingConfig
from omnibase_infra.config.monitoring import MonitoringConfig
from omnibase_infra.config.objectives import ObjectivesConfig
from omnibase_infra.config.responders import RespondersConfig
from omnibase_infra.config.rotation import RotationConfig
from omnibase_infra.config.secrets import SecretsConfig
from omnibase_infra.config.section import QuotaConfig, Section
from omnibase_infra.config.security import SecurityConfig
from omnibase_infra.config.services import SegmentConfig, ServiceConfig
from omnibase_infra.config.units import Cidr, Cpu, ImageReference, Label, Memory, Port

LOCAL_NETWORKS = {"local": "10.213.0.0/16", "test": "10.214.0.0/16"}
"""Private range of each local instance that has one by default; any other instance must state `cluster.network`."""


class CapacityConfig(Section):
    """How large the cluster is. What the stack asks for must fit, in staging and prod with one node less."""

    nodes: Annotated[int, Field(ge=1, le=5000)]
    """Nodes that run this stack's pods."""
    cpu: Cpu
    """What pods may use of each node's cores, for example "8"."""
    memory: Memory
    """What pods may use of each node's memory, for example 32Gi."""


class ClusterConfig(Section):
    """Which Kubernetes cluster the stack lives on."""

    target: Literal["local", "existing"]
    """`local`: the node that `make up` runs on this machine; `existing`: a context of the kubeconfig."""
    instance: str = Field(default="local", pattern=r"^[a-z][a-z0-9]{0,7}$")
    """Name of the local node; its context is `omnibase-<instance>`."""
    network: Cidr | None = None
    """Private /16 of the local node, default by instance."""
    context: str | None = None
    """Context of the kubeconfig; only for `existing`, where it is required."""
    api_server_cidrs: list[Cidr] = []
    """Addresses of the API server, those of the nodes' side and of the service `kubernetes`; only for `existing`."""
    api_server_ports: list[Port] = [443, 6443]
    """Ports of the API server before and after the service's translation."""
    operator_cidrs: list[Cidr] = []
    """Where people and tests outside the cluster may reach service ports from; for `local` this machine is added."""
    capacity: CapacityConfig | None = None
    """How large it is; default unknown, and so not checked."""

    @property
    def range(self) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
        """The local node's network."""
        text = self.network or LOCAL_NETWORKS.get(self.instance)
        return ipaddress.ip_network(text) if text and self.target == "local" else None

    @property
    def kube_context(self) -> str:
        """Name of the kubeconfig's context."""
        return self.context if self.context else f"omnibase-{self.instance}"

    @property
    def api_server(self) -> list[str]:
        """Networks under which pods see the API server: the node's address and the first of the service range."""
        if self.range is None:
            return list(self.api_server_cidrs)
        return [f"{self.range[2]}/32", f"{self.range[128 * 256 + 1]}/32"]

    @property
    def operators(self) -> list[str]:
        """Networks of people and tests outside the cluster."""
        return [*([f"{self.range[1]}/32"] if self.range else []), *self.operator_cidrs]


class ImagesConfig(Section):
    """Where image digests come from: exactly one of `lock` and `references`, and what is pinned beside it."""

    lock: Literal["local"] | None = None
    """`local`: the file named by OMNIBASE_IMAGES_LOCK, written when this machine builds the images."""
    references: dict[str, ImageReference] = {}
    """Image name -> reference with digest."""
    pins: dict[str, ImageReference] = {}
    """Image name of a service -> reference that it runs whatever the lock or `references` say: a rollback that holds.
    Written by `ops rollback image`, which also takes it out again."""


class StackConfig(Section):
    """Everything that one stack is made from. Build it with `load` or `load_stack_file`."""

    environment: Environment
    """dev, test, staging, prod or an alias; default the stack's name."""
    cluster: ClusterConfig
    """Which Kubernetes cluster the stack lives on."""
    images: ImagesConfig
    """Where image digests come from."""
    quota: QuotaConfig
    """Upper bounds of the namespace."""
    protect: bool
    """Refuse to delete data and namespaces, and keep volumes when it is forced. Always in prod."""
    postgres: PostgresConfig
    """The PostgreSQL cluster."""
    services: dict[Label, ServiceConfig] = {}
    """Name -> service. One that a bundle names is deployed where such a bundle is selected, any other always."""
    bundles: dict[Label, BundleConfig] = {}
    """Name -> services that are deployed together."""
    selected_bundles: list[Label] = []
    """The bundles of this stack."""
    segments: dict[Label, SegmentConfig] = {}
    """Name -> part of the network; `default` needs no entry."""
    agents: AgentsConfig
    """Where pods run that need the node's own files, one per node."""
    monitoring: MonitoringConfig
    """Metrics, alerts, and where alerts are sent."""
    gateway: GatewayConfig
    """Who may call which service from outside."""
    logging: LoggingConfig
    """Logs of all pods in one place."""
    secrets: SecretsConfig
    """Secrets of the services."""
    security: SecurityConfig
    """Origins, headers, limits, tokens and webhooks."""
    certificates: CertificatesConfig
    """The environment's own certificate authority and what it signs."""
    messaging: MessagingConfig
    """The message bus, and who may publish and read which topic."""
    mcp: McpConfig
    """MCP endpoints of the stack and outside."""
    responders: RespondersConfig = RespondersConfig()
    """Which model answers what, and where it is."""
    objectives: ObjectivesConfig
    """What callers of services may count on."""
    backup: BackupConfig
    """When the database is saved, and where to."""
    rotation: RotationConfig
    """How old credentials are, and may become."""
    allowed_overrides: list[str] = []
    """Key paths that `OMNIBASE__...` variables may change in prod."""

    def effective_services(self) -> dict[str, ServiceConfig]:
        """What is deployed: each service once, with the variables of its bundles in `env`."""
        return deployed(self.services, self.bundles, self.selected_bundles)
