"""What may be asked of monitoring."""

from typing import NotRequired, TypedDict

import pulumi

from omnibase_infra.alert import Alert
from omnibase_infra.network import Party
from omnibase_infra.scrape import ScrapeTarget
from omnibase_infra.waiver import Waiver

SEVERITIES = ("critical", "warning", "none")
"""critical: a person is called; warning: looked at in working hours; none: proves that the way works (Watchdog)."""


class MetricsOperatorArgs(TypedDict):
    """All values are plain."""

    manifest: str
    """Path of the pinned resource definitions of the Prometheus Operator."""
    install_crds: bool
    """Make the resource definitions; they exist once per Kubernetes cluster."""
    image: str
    """Image with digest that holds the operator and the reloader."""
    namespace: str
    """Where the operator, Prometheus and Alertmanager run."""
    watched: list[str]
    """Namespaces whose monitors and rules are read; `namespace` is always one of them."""
    environment: str
    """dev, test, staging or prod; a label."""
    cpu_request_millis: int
    """CPU request, thousandths of a core."""
    memory_mib: int
    """Memory request and limit, MiB."""
    reloader_memory_mib: int
    """Memory request and limit of the reloader beside each Prometheus and Alertmanager, MiB."""
    api_server_cidrs: list[str]
    """Networks under which pods see the API server, before and after translation."""
    api_server_ports: list[int]
    """Its ports, before and after translation."""
    waiver: Waiver
    """Permission for `service-account-token`: without a token the operator can do nothing."""


class DockerHost(TypedDict):
    """A Docker host whose engine serves its figures (`metrics-addr`). All values are plain."""

    name: str
    """Label `docker_host` of its series, a DNS label, unique in the stack."""
    address: str
    """Its IPv4 address."""
    port: int
    """Port of the engine's figures."""
    containers: int
    """How many containers must run there; 0: not looked at."""


class MonitoringStackArgs(TypedDict):
    """Plain values decide what exists; images, the receiver's address and names of Secrets may come from elsewhere."""

    namespace: str
    """Where it runs, the operator's own."""
    environment: str
    """dev, test, staging or prod; a label."""
    prometheus_image: pulumi.Input[str]
    """Prometheus with digest."""
    alertmanager_image: pulumi.Input[str]
    """Alertmanager with digest."""
    targets: list[ScrapeTarget]
    """Whose metrics are read; each gets a PodMonitor and a network flow."""
    services: list[str]
    """Names of targets that serve people: each gets alerts on outage, errors and slowness."""
    databases: NotRequired[list[str]]
    """Names of the targets that are PostgreSQL clusters; each gets alerts on primary, replicas and connections."""
    nodes: NotRequired[str]
    """Name of the target that is the node exporter; gets an alert on disks."""
    workloads: NotRequired[str]
    """Name of the target that is the workload exporter; gets alerts on pods, copies, jobs and volume claims."""
    certificates: NotRequired[bool]
    """True where the certificate exporter is among the targets; gets alerts on expiry. Default False."""
    docker_hosts: NotRequired[list[DockerHost]]
    """Docker hosts outside of the cluster; each gets a Probe, a network flow and alerts."""
    alerts: NotRequired[list[Alert]]
    """Further alerts."""
    team: str
    """Label `team` of all alerts."""
    runbooks: str
    """Start of the runbooks' addresses, without the last slash."""
    replicas: int
    """Prometheus pods, each with everything."""
    scrape_seconds: int
    """Seconds between two readings and between two evaluations."""
    retention_days: int
    """How long samples are kept."""
    storage_gib: int
    """Volume of each Prometheus, GiB."""
    cpu_request_millis: int
    """CPU request of a Prometheus, thousandths of a core."""
    memory_mib: int
    """Memory request and limit of a Prometheus, MiB."""
    alertmanager_replicas: int
    """Alertmanager pods."""
    alertmanager_storage_gib: int
    """Volume of each, GiB."""
    alertmanager_cpu_request_millis: int
    """CPU request of each, thousandths of a core."""
    alertmanager_memory_mib: int
    """Memory request and limit of each, MiB."""
    lowest_severity: str
    """critical or warning: what is sent."""
    group_wait_seconds: int
    """How long a first alert waits for others of its group."""
    group_interval_seconds: int
    """How long a changed group waits before it is sent again."""
    repeat_hours: int
    """After how long an alert that still fires is sent again."""
    receiver_url: pulumi.Input[str]
    """Webhook that takes Alertmanager's calls; kept as a secret."""
    receiver: Party
    """The same as one end of an arrow."""
    receiver_port: int
    """Its port, of the pods where it is pods."""
    trust_secret: NotRequired[pulumi.Input[str]]
    """Secret of this namespace with the platform's `ca.crt`, for targets with `server_name` and no `ca_secret`."""
    readers: NotRequired[list[Party]]
    """Who may ask Prometheus and Alertmanager, for instance the API server on behalf of `ops`."""
    metrics_readers: NotRequired[list[Party]]
    """Who may ask Prometheus only, for instance the analysis of a rollout."""
    api_server_cidrs: list[str]
    """Networks under which pods see the API server, before and after translation."""
    api_server_ports: list[int]
    """Its ports, before and after translation."""
    priority_class: NotRequired[pulumi.Input[str]]
    """PriorityClass of the pods."""
    storage_class: NotRequired[str]
    """Default: the cluster's default class."""


class NodeExporterArgs(TypedDict):
    """Plain values, but the image."""

    namespace: str
    """A namespace whose Pod Security level admits hostPath."""
    environment: str
    """dev, test, staging or prod; a label."""
    image: pulumi.Input[str]
    """Image with digest."""
    cpu_request_millis: int
    """CPU request, thousandths of a core."""
    memory_mib: int
    """Memory request and limit, MiB."""


class WorkloadExporterArgs(TypedDict):
    """Plain values, but the image."""

    namespace: str
    """Where it runs."""
    watched: list[str]
    """Namespaces whose workloads it tells of; `namespace` is always one of them."""
    environment: str
    """dev, test, staging or prod; a label."""
    image: pulumi.Input[str]
    """Image with digest."""
    cpu_request_millis: int
    """CPU request, thousandths of a core."""
    memory_mib: int
    """Memory request and limit, MiB."""
    api_server_cidrs: list[str]
    """Networks under which pods see the API server, before and after translation."""
    api_server_ports: list[int]
    """Its ports, before and after translation."""
    waiver: Waiver
    """Permission for `service-account-token`: without a token the exporter sees nothing."""
