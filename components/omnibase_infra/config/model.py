"""The typed settings of one stack. Strict: no unknown keys, no silent conversions, every bound stated at its field."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

from pydantic import Field

from omnibase_infra.config.agents import AgentsConfig
from omnibase_infra.config.backup import BackupConfig
from omnibase_infra.config.certificates import CertificatesConfig
from omnibase_infra.config.environments import Environment
from omnibase_infra.config.gateway import GatewayConfig
from omnibase_infra.config.logging import LoggingConfig
from omnibase_infra.config.mcp import McpConfig
from omnibase_infra.config.messaging import MessagingConfig
from omnibase_infra.config.monitoring import MonitoringConfig
from omnibase_infra.config.objectives import ObjectivesConfig
from omnibase_infra.config.responders import RespondersConfig
from omnibase_infra.config.rollout import FaultsConfig, RolloutConfig
from omnibase_infra.config.rotation import RotationConfig
from omnibase_infra.config.secrets import SecretsConfig
from omnibase_infra.config.section import (
    Cidr,
    CpuMillis,
    Identifier,
    ImageReference,
    Label,
    MemoryMib,
    QuotaConfig,
    Section,
)
from omnibase_infra.config.security import SecurityConfig

LOCAL_NETWORKS = {"local": "10.213.0.0/16", "test": "10.214.0.0/16"}
"""Private range of each local instance that has one by default; any other instance must state `cluster.network`."""


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
    api_server_ports: list[Annotated[int, Field(ge=1, le=65535)]] = [443, 6443]
    """Ports of the API server before and after the service's translation."""
    operator_cidrs: list[Cidr] = []
    """Where people and tests outside the cluster may reach service ports from; for `local` this machine is added."""

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


class PoolerConfig(Section):
    """One connection pooler; a cluster has a read-write and a read-only one of this shape."""

    instances: Annotated[int, Field(ge=1, le=20)]
    """Pods of each pooler."""
    pool_size: Annotated[int, Field(ge=1, le=500)]
    """Server connections per pooler pod, database and role."""
    max_clients: Annotated[int, Field(ge=10, le=20_000)]
    """Client connections per pooler pod."""
    cpu_request_millis: CpuMillis
    """CPU request of a pod, in thousandths of a core."""
    memory_mib: MemoryMib
    """Memory request and limit of a pod, in MiB."""


class DatabaseConfig(Section):
    """One database, its owner (who cannot log in) and its application role."""

    name: Identifier
    """Name of the database."""
    owner: Identifier
    """Role that owns the schema and runs migrations; cannot log in."""
    app_role: Identifier
    """Role that the services log in as; reads and writes rows."""
    migrations: str
    """Directory of `NNNN_name.up.sql` files, relative to the project."""


class OperatorConfig(Section):
    """The PostgreSQL operator."""

    install: bool = True
    """False where another stack of the same cluster installs it."""
    replicas: Annotated[int, Field(ge=1, le=5)]
    """Operator pods; they elect a leader."""
    cpu_request_millis: CpuMillis
    """CPU request of a pod, in thousandths of a core."""
    memory_mib: MemoryMib
    """Memory request and limit of a pod, in MiB."""


class PostgresConfig(Section):
    """The PostgreSQL cluster."""

    version: Annotated[int, Field(ge=17, le=18)] = 17
    """Major version; the image's tag must start with it. 17 is the first with the built-in locale provider."""
    instances: Annotated[int, Field(ge=1, le=9)]
    """PostgreSQL servers: one primary and its standbys. At least 3 in staging and prod."""
    synchronous_standbys: Annotated[int, Field(ge=0, le=4)] = 1
    """Standbys that must have a commit before it is acknowledged; 0 allows loss at failover."""
    storage_gib: Annotated[int, Field(ge=1, le=16_384)]
    """Data volume of each instance, in GiB; can grow, never shrink."""
    wal_storage_gib: Annotated[int, Field(ge=1, le=4096)]
    """Volume of each instance's write-ahead log, in GiB."""
    storage_class: str | None = None
    """StorageClass of the volumes; default the cluster's own default."""
    cpu_request_millis: CpuMillis
    """CPU request of each instance, in thousandths of a core; there is no CPU limit."""
    memory_mib: Annotated[int, Field(ge=256, le=524_288)]
    """Memory request and limit of each instance, in MiB; a quarter is shared_buffers."""
    max_connections: Annotated[int, Field(ge=20, le=5000)]
    """Server connections of each instance; the poolers must fit below it."""
    password_generation: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Raise by one to make a new password of the application role."""
    pooler: PoolerConfig
    """Both connection poolers."""
    database: DatabaseConfig
    """The database that the cluster starts with."""
    operator: OperatorConfig
    """The operator that runs the cluster."""


class ServiceConfig(Section):
    """One service of ours."""

    image: str
    """Name of an image, default the service's name."""
    port: Annotated[int, Field(ge=1024, le=65535)] = 8080
    """HTTP port of the pods and of the Service."""
    replicas: Annotated[int, Field(ge=1, le=100)]
    """Pods. No default in prod, where at least 2 are required."""
    cpu_request_millis: CpuMillis
    """CPU request of a pod, in thousandths of a core; there is no CPU limit."""
    memory_mib: MemoryMib
    """Memory request and limit of a pod, in MiB."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]
    """Lowest level that is logged; not DEBUG in prod."""
    secrets: list[str] = []
    """Names of `secrets.entries` that it gets, as files; `<SERVICE>_<NAME>_FILE` says where each is."""
    database: str | None = None
    """Name of the database that it uses; its address, role, certificate and flow follow from it."""
    rollout: RolloutConfig
    """How a new version comes in."""
    faults: FaultsConfig = FaultsConfig()
    """Faults on purpose, in dev and test only."""


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
    """Refuse to delete data and namespaces, and keep volumes when it is forced."""
    postgres: PostgresConfig
    """The PostgreSQL cluster."""
    services: dict[Label, ServiceConfig] = {}
    """Name -> service of ours."""
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
