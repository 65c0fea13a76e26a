"""What may be asked of a workload."""

from typing import NotRequired, TypedDict

import pulumi

from omnibase_infra.network import Party
from omnibase_infra.waiver import Waiver

KINDS = ("Deployment", "StatefulSet", "Job", "CronJob")
LONG_RUNNING = ("Deployment", "StatefulSet")
PROBES = ("live", "ready", "start")
WAIVABLE = ("writable-root", "unpinned-image", "service-account-token")
"""Settings that a Waiver may weaken: `writable_root`, an image without digest, `service_account_token`."""

DEFAULT_UID = 10001
DEFAULT_START_SECONDS = 60
DEFAULT_STOP_SECONDS = 30
DEFAULT_DEADLINE_SECONDS = 3600
LONGEST_START_SECONDS = 1800
LONGEST_STOP_SECONDS = 90
TLS_DIRECTORY = "/run/tls"
SETTINGS_DIRECTORY = "/etc/omnibase"
"""Where the files of `settings` are."""
MOST_SETTINGS_BYTES = 1_000_000
"""Of all files together: a ConfigMap holds 1 MiB with its own names."""
TLS_KEYS = ["tls.crt", "tls.key", "ca.crt"]


class SecretMount(TypedDict):
    """Keys of a Secret as files, read-only."""

    secret: pulumi.Input[str]
    """Name of the Secret in the workload's namespace."""
    keys: list[str]
    """Only these keys become files; the others stay out of the pod."""
    path: str
    """Directory, absolute."""


class ConfigMount(TypedDict):
    """All keys of some ConfigMaps as files of one directory, read-only."""

    config_maps: list[pulumi.Input[str]]
    """Names of ConfigMaps in the workload's namespace; no two have the same key."""
    path: str
    """Directory, absolute."""


class Probe(TypedDict):
    """How the kubelet asks a pod. Exactly one of `path`, `command` and `tcp`."""

    path: NotRequired[str]
    """GET on the port; from 200 to 399 is well."""
    command: NotRequired[list[str]]
    """A program in the container; exit code 0 is well."""
    tcp: NotRequired[bool]
    """True: the port accepts a connection."""
    port: NotRequired[int]
    """One of the workload's ports; default its `port`."""
    interval_seconds: NotRequired[int]
    """Between two questions, 1..300; default 2 for start, 5 for ready, 10 for live."""
    timeout_seconds: NotRequired[int]
    """For an answer, 1..300; default 2 for start, 3 otherwise."""
    retries: NotRequired[int]
    """Failures in a row that count, 1..100; default 2 for ready, 3 for live. Start has `start_seconds` instead."""


LIVE: Probe = {"path": "/healthz"}
READY: Probe = {"path": "/readyz"}
"""What services of ours answer to."""


class Volume(TypedDict):
    """A volume of each pod of a StatefulSet. It outlives its pod, the StatefulSet and a smaller number of pods."""

    path: str
    """Directory, absolute."""
    size_gib: int
    """Size, GiB, 1..65536."""


class Call(TypedDict):
    """Somebody whom the pods connect to."""

    party: Party
    """Pods, or addresses outside."""
    ports: list[int]
    """Ports of the party's pods, or of the addresses."""


class HardenedWorkloadArgs(TypedDict):
    """Everything else about the pod is fixed by the component: see HardenedWorkload."""

    namespace: str
    """Where it runs."""
    environment: str
    """dev, test, staging or prod; a label."""
    image: pulumi.Input[str]
    """Reference with digest, `registry/name:tag@sha256:...`."""
    memory_mib: int
    """Memory limit of the container, MiB, and its request unless `memory_request_mib` says less."""
    layer: NotRequired[str]
    """What it is for (runtime, observability, ...); label `omnibase.io/layer` of workload and pods."""
    kind: NotRequired[str]
    """Deployment (default), StatefulSet, Job or CronJob."""
    port: NotRequired[int]
    """HTTP port, >= 1024, which the pods serve and a Service of the same number. Deployment and StatefulSet need it
    unless every probe names another port or is a command."""
    more_ports: NotRequired[dict[str, int]]
    """Name (at most 15 characters) -> further port, >= 1024, of pods and Service."""
    replicas: NotRequired[int]
    """Pods, default 1; at least 2 get a disruption budget."""
    max_replicas: NotRequired[int]
    """More than `replicas` makes an autoscaler on CPU use (70 % of the request) own the number."""
    cpu_request_millis: NotRequired[int]
    """CPU request in thousandths of a core, default 50; there is no CPU limit."""
    memory_request_mib: NotRequired[int]
    """Memory request, MiB, at most the limit. Less than the limit is a promise that not all pods need it at once."""
    cpu_limit_millis: NotRequired[int]
    """CPU limit in thousandths of a core, at least the request; default none."""
    command: NotRequired[list[str]]
    """Instead of the image's entry point."""
    arguments: NotRequired[list[str]]
    """Instead of the image's arguments."""
    env: NotRequired[dict[str, pulumi.Input[str]]]
    """Plain settings; credentials are files, see `secret_mounts`."""
    secret_mounts: NotRequired[list[SecretMount]]
    """Secrets as files."""
    settings: NotRequired[dict[str, str]]
    """File name -> text, read-only in /etc/omnibase. The files are an immutable ConfigMap that is named after its
    content: other settings are other pods, and the ones before come back with the old settings. No secrets here."""
    config_mounts: NotRequired[list[ConfigMount]]
    """ConfigMaps of others, as files. They follow a ConfigMap after a minute; `restart_on` is faster."""
    tls_secret: NotRequired[pulumi.Input[str]]
    """Secret of a ServerCertificate: its tls.crt, tls.key and ca.crt are in /run/tls; probes and Service speak
    HTTPS on `port`."""
    scratch_mib: NotRequired[dict[str, int]]
    """Writable directory -> size limit in MiB; emptied with the pod. Default {"/tmp": 64}."""
    uid: NotRequired[int]
    """User and group, default 10001; never 0."""
    live: NotRequired[Probe]
    """Liveness, default GET /healthz; must not depend on other services, or their outage restarts this one."""
    ready: NotRequired[Probe]
    """Readiness, default GET /readyz."""
    start: NotRequired[Probe]
    """What ends the start, default the question of `live`."""
    start_seconds: NotRequired[int]
    """How long the start may take, default 60, at most 1800."""
    stop_seconds: NotRequired[int]
    """How long the end may take, default 30, at most 90."""
    deadline_seconds: NotRequired[int]
    """Job, CronJob: how long all tries together may take, 10..86400, default 3600; the engine waits a minute longer."""
    final_exit_codes: NotRequired[list[int]]
    """Job, CronJob: exit codes, 1..255, after which another try is no use; default none: three more tries after any."""
    schedule: NotRequired[str]
    """Cron expression of five fields (UTC); required for CronJob."""
    volumes: NotRequired[dict[str, Volume]]
    """StatefulSet: name -> volume of each pod; at least one."""
    storage_class: NotRequired[str]
    """StatefulSet: StorageClass of the volumes; default the cluster's own default."""
    protect: NotRequired[bool]
    """StatefulSet: refuse to delete it, and leave it in the cluster when the program forgets it; default False."""
    priority_class: NotRequired[pulumi.Input[str]]
    """PriorityClass of the pods."""
    accepts_from: NotRequired[list[Party]]
    """Who may connect to the ports."""
    calls: NotRequired[list[Call]]
    """Whom the pods may connect to, beside those who name this workload in their own `accepts_from`."""
    restart_on: NotRequired[dict[str, pulumi.Input[str]]]
    """Values whose change must restart the pods (a secret's generation); become annotations of the pod."""
    writable_root: NotRequired[bool]
    """Weaker: needs a waiver for `writable-root`."""
    service_account_token: NotRequired[bool]
    """Weaker: mounts an API token; needs a waiver for `service-account-token`."""
    waivers: NotRequired[list[Waiver]]
    """Dated permissions; each shows in the stack's outputs and fails after its date."""
