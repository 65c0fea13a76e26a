"""One service of the catalogue: what it is, what it needs, how it runs. The rules between services: `service_rules`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from omnibase_infra.config.rollout import FaultsConfig, RolloutConfig
from omnibase_infra.config.section import Section
from omnibase_infra.config.topics import TopicName
from omnibase_infra.config.units import (
    AbsolutePath,
    Cidr,
    CpuMillis,
    Date,
    EnvName,
    HttpPath,
    Identifier,
    Label,
    Memory,
    MemoryMib,
    OwnPort,
    Port,
    PortName,
    Uid,
)
from omnibase_infra.waiver import Waiver

HTTP = "http"
"""Name of the port of requests: the gateway, probes and metrics use it unless told otherwise."""
DEFAULT_SEGMENT = "default"
PLATFORM_PARTS = ("backup-store", "certificate-exporter", "database", "messages", "restore-drill")
"""Parts of the platform beside the services, in the same namespace: no service can be called so, or `database-...`."""
Layer = Literal["infrastructure", "runtime", "observability", "auth", "secrets"]
Kind = Literal["service", "stateful", "job"]
Condition = Literal["started", "healthy", "completed"]
Exceptional = Literal["writable-root", "single-replica", "open-egress"]

DATABASE_VARIABLES = ("RW_HOST", "RO_HOST", "PORT", "NAME", "USER", "PASSWORD_FILE", "SSLMODE", "CA_FILE")
"""What follows `<DATABASE>_DATABASE_` in the names of the variables that a service gets for each of its databases."""
MESSAGE_VARIABLES = ("URL", "CLIENT", "SEED_FILE", "CA_FILE")
"""What follows `<SERVICE>_MESSAGES_` in those of a service that publishes or reads topics."""


class HealthConfig(Section):
    """How a service shows that it can take work: exactly one of `path`, `command` and `tcp`."""

    path: HttpPath | None = None
    """Asked by GET; readiness and start. It may fail while something that the service needs is away."""
    command: Annotated[list[str], Field(min_length=1)] | None = None
    """Run in the container; 0 means ready. For programs that speak no HTTP."""
    tcp: bool = False
    """Ready when the port takes connections. The weakest sign; for programs with neither path nor command."""
    port: PortName | None = None
    """Name of the port of `path` and `tcp`; default `http`, or the only one."""
    live_path: HttpPath | None = None
    """Asked by GET; its failure restarts the pod, so it must not depend on others. Default: whether the port takes
    connections; with `command`, the command."""
    start_seconds: Annotated[int, Field(ge=1, le=1800)] = 60
    """How long the start may take."""
    interval_seconds: Annotated[int, Field(ge=2, le=300)] = 30
    """Time between two checks; during the start it is asked more often."""
    timeout_seconds: Annotated[int, Field(ge=1, le=60)] = 10
    """How long an answer may take; below the interval."""
    retries: Annotated[int, Field(ge=1, le=10)] = 3
    """Failures in a row that count."""


class MetricsConfig(Section):
    """Where Prometheus reads the service's metrics."""

    path: HttpPath = "/metrics"
    """Asked by GET."""
    port: PortName | None = None
    """Name of a port; default `http`, or the only one."""


class VolumeConfig(Section):
    """A volume of each pod of a stateful service; it outlives the pod."""

    path: AbsolutePath
    """Where it is mounted."""
    size_gib: Annotated[int, Field(ge=1, le=16_384)]
    """Its size, in GiB; can grow, never shrink."""


class ServiceDatabaseConfig(Section):
    """How a service uses one database, which reaches it as the variables `<DATABASE>_DATABASE_...`."""

    role: Literal["app", "read_only"] = "app"
    """`app` reads and writes rows; `read_only` reads, and must be declared by the database."""
    pool_max: Annotated[int, Field(ge=1, le=100)] = 10
    """Most connections that each pod opens to the pooler."""


class EgressConfig(Section):
    """One place outside the cluster that the service calls."""

    cidrs: Annotated[list[Cidr], Field(min_length=1)]
    """Its networks."""
    ports: Annotated[list[Port], Field(min_length=1)]
    """Its TCP ports."""


class ExceptionConfig(Section):
    """A dated permission for one weaker setting of a service; it fails after its date."""

    setting: Exceptional
    """writable-root: `writable_root`; single-replica: one pod in prod; open-egress: a flow to everywhere."""
    reason: Annotated[str, Field(min_length=10, max_length=300)]
    """Why; at least 10 characters."""
    owner: Annotated[str, Field(min_length=1, max_length=80)]
    """A person or team."""
    until: Date
    """Last valid day, at most a year ahead."""

    @property
    def permission(self) -> Waiver:
        """As components and the stack's outputs have it."""
        return {"setting": self.setting, "reason": self.reason, "owner": self.owner, "until": self.until}


class ServiceConfig(Section):
    """One service: ours, or a third party's program under our hardening."""

    image: str
    """Name of an image, default the service's name."""
    layer: Layer = "runtime"
    """What it is for; a label of its objects."""
    kind: Kind = "service"
    """service: pods that are all alike (Deployment); stateful: pods with volumes of their own (StatefulSet); job: runs
    once to its end whenever it changes."""
    command: list[str] = []
    """Instead of the image's entry point."""
    args: list[str] = []
    """Arguments; credentials never stand here, everybody who may list pods reads them."""
    user: Uid = 10_001
    """User and group of the process; never 0, which is root."""
    writable_root: bool = False
    """Let the program write outside `writable_paths`. Needs the exception `writable-root`."""
    writable_paths: dict[AbsolutePath, Memory] = {"/tmp": Memory("64Mi")}  # noqa: S108 -- in a container
    """Directory -> size of what may be written there; emptied with the pod."""
    volumes: dict[Label, VolumeConfig] = {}
    """stateful: name -> volume of each pod."""
    ports: dict[PortName, OwnPort] = {}
    """Name -> port, from 1024, of the pods and of the Service. Requests come to `http`."""
    health: HealthConfig | None = None
    """Required unless it is a job."""
    metrics: MetricsConfig | None = None
    """Default: it serves none; its pods are watched all the same."""
    depends_on: dict[Label, Condition] = {}
    """Service -> what to wait for before this one is started: started, healthy (which it shows by its health check) or
    completed (a job). It opens no flow, see `calls`."""
    calls: list[Label] = []
    """Services whose ports it may connect to."""
    egress: dict[Label, EgressConfig] = {}
    """Name -> place outside that it may connect to."""
    segment: Label = DEFAULT_SEGMENT
    """Part of the network that it is in, see `segments`."""
    replicas: Annotated[int, Field(ge=1, le=100)]
    """Pods. A service has no default in prod, where at least 2 are required; stateful ones and jobs have 1."""
    cpu_request_millis: CpuMillis
    """CPU request of a pod, in thousandths of a core."""
    cpu_limit_millis: CpuMillis | None = None
    """CPU limit of a pod, in thousandths of a core. Default none: a limit slows a program down on an idle machine."""
    memory_mib: MemoryMib
    """Memory limit of a pod, in MiB."""
    memory_request_mib: MemoryMib | None = None
    """Memory request of a pod, in MiB; default its limit, so that a node never runs out."""
    stop_grace_seconds: Annotated[int, Field(ge=30, le=90)] = 30
    """How long the end may take."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]
    """Lowest level that is logged; not DEBUG in prod."""
    env: dict[EnvName, str] = {}
    """Variable -> text. Settings only: addresses of declared parts follow from `databases`, `calls` and topics, and
    credentials are `secrets`."""
    requires: list[EnvName] = []
    """Variables without which it does not start: each must come from `env`, a selected bundle, `secrets` (as
    `<NAME>_FILE`) or the platform."""
    secrets: list[str] = []
    """Names of `secrets.entries` that it gets, as files; `<SERVICE>_<NAME>_FILE` says where each is."""
    databases: dict[Identifier, ServiceDatabaseConfig] = {}
    """Databases that it uses."""
    topics: list[TopicName] = []
    """Topics without which it is of no use: each must be declared with this service as publisher or consumer."""
    documents: list[Literal["mcp", "responders", "security"]] = []
    """Documents that it gets as files: the MCP endpoints, the responder chain, limits and tokens."""
    exceptions: list[ExceptionConfig] = []
    """Dated permissions for weaker settings."""
    rollout: RolloutConfig
    """How a new version comes in."""
    faults: FaultsConfig = FaultsConfig()
    """Faults on purpose, in dev and test only."""

    @property
    def http_port(self) -> int | None:
        """Port of requests: `http`, or the only one."""
        return self.port_of(None)

    def port_of(self, name: str | None) -> int | None:
        """The port of a name; without one `http`, or the only one. None where there is no such port."""
        if name is not None:
            return self.ports.get(name)
        return self.ports.get(HTTP) or (next(iter(self.ports.values())) if len(self.ports) == 1 else None)

    @property
    def http_check(self) -> tuple[int, str] | None:
        """Port and path that answer 200 when it can take work; None where that is asked in another way."""
        if self.health is None or self.health.path is None:
            return None
        port = self.port_of(self.health.port)
        return None if port is None else (port, self.health.path)

    @property
    def requested_memory_mib(self) -> int:
        """Memory request of a pod, in MiB."""
        return self.memory_request_mib or self.memory_mib


class SegmentConfig(Section):
    """A part of the network. Services of one segment may declare calls to each other, and to those below."""

    description: Annotated[str, Field(min_length=1, max_length=200)]
    """What is in it."""
    accepts_from: list[Label] = []
    """Segments whose services may declare calls into this one; `default` is where services are that name none."""


def prefix(name: str) -> str:
    """What the variables of a service or database start with: its name in upper case."""
    return name.upper().replace("-", "_")


def provided(name: str, service: ServiceConfig, *, bus: bool) -> set[str]:
    """Names of the variables that a service has.

    Args:
        name: of the service.
        service: with its bundles' variables in `env`.
        bus: whether it publishes or reads topics.
    """
    own = prefix(name)
    found = {*service.env, f"{own}_ENVIRONMENT", f"{own}_LOG_LEVEL", f"{own}_SETTINGS_FILE"}
    found |= {f"{own}_{prefix(key)}_FILE" for key in (*service.secrets, *service.documents)}
    found |= {f"{own}_{prefix(callee)}_URL" for callee in service.calls}
    for database in service.databases:
        found |= {f"{prefix(database)}_DATABASE_{what}" for what in DATABASE_VARIABLES}
    return found | {f"{own}_MESSAGES_{what}" for what in (MESSAGE_VARIABLES if bus else ())}
