"""Settings of monitoring: metrics, alerts, and where alerts are sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from omnibase_infra.config.agents import required_by
from omnibase_infra.config.capability import Capability, Finding
from omnibase_infra.config.environments import Environment
from omnibase_infra.config.section import Cidr, CpuMillis, Label, MemoryMib, QuotaConfig, Section
from omnibase_infra.config.units import Address, Date, Port
from omnibase_infra.waiver import Waiver, today, waiver_problems

if TYPE_CHECKING:
    from omnibase_infra.config.model import ClusterConfig

BYTES_PER_SAMPLE = 1.7
"""On disk, compressed. Prometheus' own documentation says 1 to 2 bytes."""
USABLE_SHARE = 0.8
"""Of the volume for finished blocks; the rest is for the log of the newest samples and for compaction."""
_DAY = 86_400
_GIB = 1 << 30


def _webhook(url: SecretStr) -> SecretStr:
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http(s) address such as https://alerts.example.test/hook")
    return url


class TokenWaiverConfig(Section):
    """Who answers until when for an operator that carries a token of the API."""

    owner: Annotated[str, Field(min_length=1, max_length=80)] = "platform"
    """A person or team."""
    until: Date = "2027-05-31"
    """Last valid day, YYYY-MM-DD, at most a year ahead; after it nothing is deployed until somebody looks again."""


class MetricsOperatorConfig(Section):
    """The operator that runs Prometheus and Alertmanager; one per stack, with rights in the stack's namespaces only."""

    install_crds: bool = True
    """False where another stack of the same cluster installs the resource definitions."""
    cpu_request_millis: CpuMillis
    """CPU request, in thousandths of a core."""
    memory_mib: MemoryMib
    """Memory request and limit, in MiB."""
    waiver: TokenWaiverConfig = TokenWaiverConfig()
    """The dated permission for its token."""

    @property
    def permission(self) -> Waiver:
        """The waiver as components and the stack's outputs have it."""
        return {
            "setting": "service-account-token",
            "reason": "the metrics operator's work is to talk to the API server",
            "owner": self.waiver.owner,
            "until": self.waiver.until,
        }


class PrometheusConfig(Section):
    """The metrics store."""

    replicas: Annotated[int, Field(ge=1, le=5)]
    """Pods; each scrapes and stores everything. At least 2 in prod."""
    scrape_seconds: Annotated[int, Field(ge=5, le=300)]
    """Seconds between two readings of a target, and between two evaluations of the rules."""
    retention_days: Annotated[int, Field(ge=1, le=730)]
    """How long samples are kept, in days."""
    expected_series: Annotated[int, Field(ge=1000, le=50_000_000)]
    """How many series are expected at a time; storage must hold them for `retention_days`."""
    storage_gib: Annotated[int, Field(ge=1, le=16_384)]
    """Volume of each pod, in GiB; the oldest samples go when 80 % are used."""
    cpu_request_millis: CpuMillis
    """CPU request of a pod, in thousandths of a core."""
    memory_mib: Annotated[int, Field(ge=128, le=524_288)]
    """Memory request and limit of a pod, in MiB."""

    @property
    def needed_gib(self) -> float:
        """Disk that the expected series need for the whole retention, in GiB."""
        samples = self.expected_series * self.retention_days * _DAY / self.scrape_seconds
        return samples * BYTES_PER_SAMPLE / USABLE_SHARE / _GIB


class AlertmanagerConfig(Section):
    """Groups, silences and sends alerts."""

    replicas: Annotated[int, Field(ge=1, le=5)]
    """Pods; they agree on who sends. At least 3 in prod."""
    lowest_severity: Literal["critical", "warning"]
    """`warning` sends both severities, `critical` only the worse one."""
    group_wait_seconds: Annotated[int, Field(ge=1, le=600)]
    """How long a first alert waits for others of its group."""
    group_interval_seconds: Annotated[int, Field(ge=5, le=3600)]
    """How long a changed group waits before it is sent again; also the delay of `resolved`."""
    repeat_hours: Annotated[int, Field(ge=1, le=168)]
    """After how long an alert that still fires is sent again."""
    cpu_request_millis: CpuMillis
    """CPU request of a pod, in thousandths of a core."""
    memory_mib: MemoryMib
    """Memory request and limit of a pod, in MiB."""


class NodeExporterConfig(Section):
    """Figures of each node: processor, memory, disks."""

    cpu_request_millis: CpuMillis
    """CPU request of a pod, in thousandths of a core."""
    memory_mib: MemoryMib
    """Memory request and limit of a pod, in MiB."""


class ReceiverConfig(Section):
    """Where alerts are sent."""

    secret_url: Annotated[SecretStr, AfterValidator(_webhook)] | None = None
    """Webhook that takes Alertmanager's calls; never shown, as such addresses carry their permission. Default: one in
    the cluster that keeps the newest 500; not in prod, where nobody would look at it."""
    cidrs: list[Cidr] = []
    """Networks of that webhook, for the network policy; required with `secret_url`."""


class WorkloadExporterConfig(Section):
    """What the API server knows of the stack's workloads, as metrics."""

    cpu_request_millis: CpuMillis
    """CPU request, in thousandths of a core."""
    memory_mib: Annotated[int, Field(ge=32, le=8192)]
    """Memory request and limit, in MiB."""
    waiver: TokenWaiverConfig = TokenWaiverConfig()
    """The dated permission for its token."""

    @property
    def permission(self) -> Waiver:
        """The waiver as components and the stack's outputs have it."""
        return {
            "setting": "service-account-token",
            "reason": "the workload exporter reads how pods and their owners stand from the API server",
            "owner": self.waiver.owner,
            "until": self.waiver.until,
        }


class DockerHostConfig(Section):
    """A Docker host whose engine serves its figures, by `metrics-addr` in its daemon.json."""

    address: Address | None = None
    """Where; a private address, as the figures have neither password nor encryption. Default: the local node."""
    port: Port = 9323
    """Port of the figures."""
    containers: Annotated[int, Field(ge=0, le=10_000)] = 0
    """How many containers must run there at least; 0: not looked at."""


class MonitoringConfig(Section):
    """Metrics of every part, alerts of ours, and their way to people."""

    enabled: bool
    """Make it. Always in staging and prod."""
    quota: QuotaConfig
    """Upper bounds of the namespace `omnibase-<stack>-monitoring`."""
    team: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,38}$")] = "platform"
    """Label `team` of alerts: who is asked."""
    runbooks: Annotated[str, Field(pattern=r"^[^\s]+[^/\s]$")] = "docs/runbooks"
    """Start of the runbooks' addresses; a directory of this project, or where its documents are served."""
    operator: MetricsOperatorConfig
    """The operator."""
    prometheus: PrometheusConfig
    """The metrics store."""
    alertmanager: AlertmanagerConfig
    """The sender of alerts."""
    node_exporter: NodeExporterConfig
    """Figures of each node."""
    workload_exporter: WorkloadExporterConfig
    """What the API server knows of the stack's workloads."""
    receiver: ReceiverConfig = ReceiverConfig()
    """Where alerts are sent."""
    docker_hosts: dict[Label, DockerHostConfig] = {}
    """Docker hosts outside of the cluster that are watched too, by name."""


def _images(monitoring: MonitoringConfig) -> Sequence[str]:
    own = () if monitoring.receiver.secret_url else ("alert-receiver",)
    return ("prometheus-operator", "prometheus", "alertmanager", "node-exporter", "kube-state-metrics", *own)


def _promised(environment: Environment, monitoring: MonitoringConfig) -> Iterator[Finding]:
    guarded = environment in (Environment.STAGING, Environment.PROD)
    if guarded and not monitoring.enabled:
        hint = "an environment without alerts fails unseen"
        yield "monitoring.enabled", "false", f"must be true in {environment}", hint
    if not guarded or not monitoring.enabled:
        return
    copies = {
        "prometheus": (monitoring.prometheus.replicas, 2, "with one, a restart is a gap in which no alert fires"),
        "alertmanager": (monitoring.alertmanager.replicas, 3, "with fewer, losing one during an upgrade stops alerts"),
    }
    for part, (found, least, hint) in copies.items():
        if found < least:
            yield f"monitoring.{part}.replicas", str(found), f"must be at least {least} in {environment}", hint
    if environment is Environment.PROD and monitoring.receiver.secret_url is None:
        hint = "the receiver in the cluster fails together with it, and nobody reads it"
        yield "monitoring.receiver.secret_url", "nothing", "is required in prod", hint


def _dated(monitoring: MonitoringConfig) -> Iterator[Finding]:
    holders = {"operator": monitoring.operator.permission, "workload_exporter": monitoring.workload_exporter.permission}
    for who, permission in holders.items() if monitoring.enabled else ():
        for problem in waiver_problems([permission], ["service-account-token"], today()):
            hint = "look again whether it is still needed, then write a new date"
            yield f"monitoring.{who}.waiver.until", permission["until"], problem, hint


def _storage(monitoring: MonitoringConfig) -> Iterator[Finding]:
    store = monitoring.prometheus
    if store.needed_gib > store.storage_gib:
        allowed = (
            f"{store.expected_series} series every {store.scrape_seconds} s need {store.needed_gib:.1f} GiB for "
            f"{store.retention_days} days, prometheus.storage_gib is {store.storage_gib}"
        )
        hint = "lower retention_days or expected_series, or raise storage_gib"
        yield "monitoring.prometheus.retention_days", str(store.retention_days), allowed, hint


def _receiver(environment: Environment, monitoring: MonitoringConfig) -> Iterator[Finding]:
    receiver = monitoring.receiver
    if receiver.secret_url and not receiver.cidrs:
        hint = "name its networks, or 0.0.0.0/0 knowing that the sender then reaches everything"
        yield (
            "monitoring.receiver.cidrs",
            "[]",
            "is required with receiver.secret_url: default-deny stops every alert",
            hint,
        )
    if receiver.cidrs and not receiver.secret_url:
        yield (
            "monitoring.receiver.cidrs",
            "a list",
            "belongs to receiver.secret_url, which is not set",
            "set it, or remove this",
        )
    plain = receiver.secret_url and receiver.secret_url.get_secret_value().startswith("http://")
    if plain and environment in (Environment.STAGING, Environment.PROD):
        hint = "alerts name what is weak at the moment"
        yield "monitoring.receiver.secret_url", "[hidden]", f"must be https in {environment}", hint


def _quota(monitoring: MonitoringConfig) -> Iterator[Finding]:
    store, sender = monitoring.prometheus, monitoring.alertmanager
    storage = store.replicas * store.storage_gib + sender.replicas * ALERTMANAGER_STORAGE_GIB
    # Beside each pod a reloader; one pod more of each kind that rolls.
    memory = (
        store.replicas * (store.memory_mib + RELOADER_MEMORY_MIB)
        + sender.replicas * (sender.memory_mib + RELOADER_MEMORY_MIB)
        + 2 * monitoring.operator.memory_mib
        + 2 * monitoring.workload_exporter.memory_mib
    )
    sums = {
        "storage_gib": (storage, monitoring.quota.storage_gib),
        "memory_mib": (memory, monitoring.quota.memory_mib),
    }
    for field, (needed, limit) in sums.items():
        if monitoring.enabled and needed > limit:
            yield f"monitoring.quota.{field}", str(limit), f"must be at least {needed}", "raise it, or declare less"


def _docker_hosts(cluster: ClusterConfig, monitoring: MonitoringConfig) -> Iterator[Finding]:
    for name, host in monitoring.docker_hosts.items():
        path = f"monitoring.docker_hosts.{name}.address"
        if host.address is None:
            if cluster.range is None:
                yield path, "nothing", "is required for cluster.target 'existing'", "name where its engine can be read"
            continue
        address = IPv4Address(host.address)
        if not address.is_private or address.is_loopback or address.is_unspecified:
            hint = "the engine's figures have neither password nor encryption: bind them inside a private network"
            yield path, host.address, "must be a private address that pods can reach", hint


RELOADER_MEMORY_MIB = 48
"""Memory request and limit of the operator's reloader beside each Prometheus and Alertmanager; 20 MiB are used."""
ALERTMANAGER_STORAGE_GIB = 1
"""Volume of each Alertmanager: silences and what was sent."""

_SMALL: dict[str, Any] = {
    "enabled": True,
    "quota": {"cpu_request_millis": 300, "memory_mib": 1280, "pods": 10, "storage_gib": 5},
    "operator": {"cpu_request_millis": 10, "memory_mib": 96},
    "prometheus": {
        "replicas": 1,
        "scrape_seconds": 10,
        "retention_days": 2,
        "expected_series": 20_000,
        "storage_gib": 2,
        "cpu_request_millis": 25,
        "memory_mib": 320,
    },
    "alertmanager": {
        "replicas": 1,
        "lowest_severity": "warning",
        "group_wait_seconds": 5,
        "group_interval_seconds": 15,
        "repeat_hours": 4,
        "cpu_request_millis": 10,
        "memory_mib": 64,
    },
    "node_exporter": {"cpu_request_millis": 10, "memory_mib": 40},
    "workload_exporter": {"cpu_request_millis": 10, "memory_mib": 96},
}
_TEST: dict[str, Any] = {
    **_SMALL,
    "prometheus": {**_SMALL["prometheus"], "scrape_seconds": 5, "retention_days": 1},
}
_STAGING: dict[str, Any] = {
    "enabled": True,
    "quota": {"cpu_request_millis": 4000, "memory_mib": 16_384, "pods": 30, "storage_gib": 200},
    "operator": {"cpu_request_millis": 50, "memory_mib": 192},
    "prometheus": {
        "replicas": 2,
        "scrape_seconds": 30,
        "retention_days": 7,
        "expected_series": 200_000,
        "storage_gib": 30,
        "cpu_request_millis": 250,
        "memory_mib": 3072,
    },
    "alertmanager": {
        "replicas": 3,
        "lowest_severity": "warning",
        "group_wait_seconds": 30,
        "group_interval_seconds": 300,
        "repeat_hours": 4,
        "cpu_request_millis": 25,
        "memory_mib": 128,
    },
    "node_exporter": {"cpu_request_millis": 25, "memory_mib": 64},
    "workload_exporter": {"cpu_request_millis": 50, "memory_mib": 256},
}
_PROD: dict[str, Any] = {
    **_STAGING,
    "quota": {"cpu_request_millis": 8000, "memory_mib": 32_768, "pods": 50, "storage_gib": 500},
    "prometheus": {
        **_STAGING["prometheus"],
        "retention_days": 30,
        "expected_series": 500_000,
        "storage_gib": 150,
        "memory_mib": 8192,
    },
}

MONITORING = Capability(
    section="monitoring",
    defaults={
        Environment.DEV: _SMALL,
        Environment.TEST: _TEST,
        Environment.STAGING: _STAGING,
        Environment.PROD: _PROD,
    },
    images=_images,
    rules=[
        (("environment", "monitoring"), _promised),
        (("monitoring",), _dated),
        (("monitoring",), _storage),
        (("environment", "monitoring"), _receiver),
        (("monitoring",), _quota),
        (("cluster", "monitoring"), _docker_hosts),
        required_by("monitoring", "a node exporter"),
    ],
)
