"""What may be asked of a workload."""

from typing import NotRequired, TypedDict

import pulumi

from omnibase_infra.network import Party
from omnibase_infra.waiver import Waiver

KINDS = ("Deployment", "StatefulSet", "Job", "CronJob")
LONG_RUNNING = ("Deployment", "StatefulSet")
WAIVABLE = ("writable-root", "unpinned-image", "service-account-token")
"""Settings that a Waiver may weaken: `writable_root`, an image without digest, `service_account_token`."""

DEFAULT_UID = 10001
DEFAULT_START_SECONDS = 60
DEFAULT_STOP_SECONDS = 30
DEFAULT_DEADLINE_SECONDS = 3600
LONGEST_START_SECONDS = 1800
LONGEST_STOP_SECONDS = 90
TLS_DIRECTORY = "/run/tls"
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


class HardenedWorkloadArgs(TypedDict):
    """Everything else about the pod is fixed by the component: see HardenedWorkload."""

    namespace: str
    """Where it runs."""
    environment: str
    """dev, test, staging or prod; a label."""
    image: pulumi.Input[str]
    """Reference with digest, `registry/name:tag@sha256:...`."""
    memory_mib: int
    """Memory request and limit of the container, MiB."""
    kind: NotRequired[str]
    """Deployment (default), StatefulSet, Job or CronJob."""
    port: NotRequired[int]
    """HTTP port, >= 1024; required for Deployment and StatefulSet, where a Service on the same port is made."""
    replicas: NotRequired[int]
    """Pods, default 1; at least 2 get a disruption budget."""
    max_replicas: NotRequired[int]
    """More than `replicas` makes an autoscaler on CPU use (70 % of the request) own the number."""
    cpu_request_millis: NotRequired[int]
    """CPU request in thousandths of a core, default 50; there is no CPU limit."""
    command: NotRequired[list[str]]
    """Instead of the image's command."""
    env: NotRequired[dict[str, pulumi.Input[str]]]
    """Plain settings; credentials are files, see `secret_mounts`."""
    secret_mounts: NotRequired[list[SecretMount]]
    """Secrets as files."""
    config_mounts: NotRequired[list[ConfigMount]]
    """Settings too big for variables, as files. They follow a ConfigMap after a minute; `restart_on` is faster."""
    tls_secret: NotRequired[pulumi.Input[str]]
    """Secret of a ServerCertificate: its tls.crt, tls.key and ca.crt are in /run/tls; probes and Service speak
    HTTPS on `port`."""
    scratch_mib: NotRequired[dict[str, int]]
    """Writable directory -> size limit in MiB; emptied with the pod. Default {"/tmp": 64}."""
    uid: NotRequired[int]
    """User and group, default 10001; never 0."""
    live_path: NotRequired[str]
    """Liveness, default /healthz; must not depend on other services, or their outage restarts this one."""
    ready_path: NotRequired[str]
    """Readiness and start, default /readyz."""
    start_seconds: NotRequired[int]
    """How long the start may take, default 60, at most 1800."""
    stop_seconds: NotRequired[int]
    """How long the end may take, default 30, at most 90."""
    deadline_seconds: NotRequired[int]
    """Job: how long all tries together may take, 10..86400, default 3600; the engine waits a minute longer."""
    final_exit_codes: NotRequired[list[int]]
    """Job: exit codes, 1..255, after which another try is no use; default none: three more tries after any failure."""
    schedule: NotRequired[str]
    """Cron expression of five fields (UTC); required for CronJob."""
    storage_gib: NotRequired[int]
    """StatefulSet: size of the volume at `storage_path`."""
    storage_path: NotRequired[str]
    """StatefulSet: where the volume is mounted."""
    priority_class: NotRequired[pulumi.Input[str]]
    """PriorityClass of the pods."""
    accepts_from: NotRequired[list[Party]]
    """Who may connect to `port`."""
    restart_on: NotRequired[dict[str, pulumi.Input[str]]]
    """Values whose change must restart the pods (a secret's generation); become annotations of the pod."""
    writable_root: NotRequired[bool]
    """Weaker: needs a waiver for `writable-root`."""
    service_account_token: NotRequired[bool]
    """Weaker: mounts an API token; needs a waiver for `service-account-token`."""
    waivers: NotRequired[list[Waiver]]
    """Dated permissions; each shows in the stack's outputs and fails after its date."""
