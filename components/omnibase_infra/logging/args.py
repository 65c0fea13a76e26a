"""What may be asked of logging."""

from typing import NotRequired, TypedDict

import pulumi

DEFAULT_LOGS = "/var/log/pods"
"""Where every kubelet has its containers' logs."""
DEFAULT_DATA = "/var/lib/omnibase"
"""Below it the collector keeps positions and buffer on each node."""


class LoggingStackArgs(TypedDict):
    """All values but images and the priority class are plain."""

    namespace: str
    """Namespace of the store."""
    agents_namespace: str
    """Namespace of the collectors; its Pod Security level must be `privileged`, as they mount the node's files."""
    environment: str
    """dev, test, staging or prod; a label."""
    namespaces: list[str]
    """Pods of these namespaces are read, of no others: stacks share nodes."""
    store_image: pulumi.Input[str]
    """Reference with digest of VictoriaLogs."""
    collector_image: pulumi.Input[str]
    """Reference with digest of the OpenTelemetry Collector of ours."""
    retention: str
    """How long lines are kept: a whole number and d, w or y."""
    storage_gib: int
    """Volume of the store, in GiB."""
    size_cap_gib: int
    """The oldest days are dropped above it, in GiB; at most 80 % of the volume."""
    store_memory_mib: int
    """Memory request and limit of the store, in MiB."""
    collector_memory_mib: int
    """Memory request and limit of each collector, in MiB; at least 96."""
    buffer_mib: int
    """Lines kept on each node's disk while the store does not answer, in MiB."""
    api_server_cidrs: list[str]
    """Networks under which pods see the API server: it tells collectors the pods' labels, and carries `ops logs`."""
    api_server_ports: list[int]
    """Ports of the API server before and after its service's translation."""
    store_cpu_request_millis: NotRequired[int]
    """CPU request of the store, in thousandths of a core, default 25."""
    collector_cpu_request_millis: NotRequired[int]
    """CPU request of each collector, in thousandths of a core, default 25."""
    redact: NotRequired[list[str]]
    """Regular expressions (RE2) beside the built-in ones; what they match is stored as `****`."""
    priority_class: NotRequired[pulumi.Input[str]]
    """PriorityClass of the store."""
    protect: NotRequired[bool]
    """Whether the store with its lines is protected from deletion; default false."""
    data_path: NotRequired[str]
    """Directory of the node for positions and buffer, not shared by stacks.
    Default /var/lib/omnibase/<agents_namespace>/logs."""
