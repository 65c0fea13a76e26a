"""What monitoring has to know of a capability: where its metrics are. Plain values, passed from one to the other."""

from typing import NotRequired, TypedDict


class ScrapeTarget(TypedDict):
    """Pods that serve Prometheus metrics."""

    name: str
    """Job label of the series, a DNS label, unique in the stack."""
    namespace: str
    """Namespace of the pods."""
    labels: dict[str, str]
    """Labels of the pods."""
    port: int
    """Port of the pods that serves the metrics; a container must declare it."""
    path: NotRequired[str]
    """Default /metrics."""
    server_name: NotRequired[str]
    """The port speaks HTTPS with a certificate for this name; default plain HTTP."""
    ca_secret: NotRequired[str]
    """Secret in the pods' namespace whose `ca.crt` signed that certificate; default the platform's authority."""
    own_labels: NotRequired[bool]
    """True where the series name pod and namespace themselves, and mean others than the pods that serve them."""
    unmanaged: NotRequired[bool]
    """True where the namespace is not under default-deny, see Party."""
