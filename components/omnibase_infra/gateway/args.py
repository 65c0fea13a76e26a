"""What may be asked of the edge."""

from typing import NotRequired, TypedDict

import pulumi

from omnibase_infra.network import Party


class GatewayControllerArgs(TypedDict):
    """All values are plain: they decide which objects exist."""

    gateway_api_crds: str
    """File of the Gateway API's definitions, standard channel, the pinned one."""
    envoy_gateway_crds: str
    """File of Envoy Gateway's definitions, the pinned one."""
    image: str
    """Envoy Gateway with digest; proxies run it too, beside Envoy, to drain connections."""
    environment: str
    """dev, test, staging or prod; a label."""
    namespaces: list[str]
    """Namespaces whose gateways it serves; they exist. It reads secrets in these only."""
    replicas: int
    """Pods, 1..5; they elect a leader, and 2 or more get a disruption budget."""
    cpu_request_millis: int
    """CPU request of a pod, in thousandths of a core; there is no CPU limit."""
    memory_mib: int
    """Memory request and limit of a pod, MiB."""
    api_server_cidrs: list[str]
    """Networks under which pods see the API server, before and after translation."""
    api_server_ports: list[int]
    """Its ports, before and after translation."""
    proxies: int
    """Proxy pods of all gateways together, with those that an update starts before it ends old ones; for the quota."""
    proxy_cpu_request_millis: int
    """CPU request of the largest of them, in thousandths of a core."""
    proxy_memory_mib: int
    """Memory limit of the largest of them, MiB."""
    load_balancers: NotRequired[int]
    """Gateways with an address of the cluster's provider; default 0, which refuses them."""
    protect: NotRequired[bool]
    """Refuse to delete the namespace, in which the proxies of all stacks run; default False."""


class GatewayClient(TypedDict):
    """One caller."""

    requests_per_minute: int
    """Calls a minute that each proxy lets through, route by route; at least 1."""


class GatewayCors(TypedDict):
    """Which pages of other origins may call."""

    origins: list[str]
    """Scheme, host and port, for example `https://app.example.test`; `*` is any. At least one."""
    methods: list[str]
    """Methods that such a page may use, at least one."""
    headers: NotRequired[list[str]]
    """Headers that it may send, default none but the harmless ones that browsers know."""
    exposed_headers: NotRequired[list[str]]
    """Headers of replies that it may read, default none."""
    credentials: NotRequired[bool]
    """Whether browsers send cookies along, default False; never with the origin `*`."""
    max_age_seconds: NotRequired[int]
    """How long a browser remembers the answer, 1..86400, default 86400."""


class GatewayArgs(TypedDict):
    """Plain values decide what exists; keys and certificate come from other resources."""

    namespace: str
    """Of the Gateway, its policies and its routes; the proxies run beside the controller."""
    environment: str
    """dev, test, staging or prod; a label, and a field of every line of the access log."""
    image: str
    """Envoy with digest."""
    hosts: list[str]
    """Names under which callers may come."""
    certificate_hosts: list[str]
    """Names that the certificate is made for; every host must be among them (`*.` stands for one label)."""
    tls_secret: pulumi.Input[str]
    """Secret of type kubernetes.io/tls in the namespace, with its chain."""
    clients: dict[str, GatewayClient]
    """Name -> caller, 1..15 of them."""
    keys_secret: pulumi.Input[str]
    """Secret in the namespace whose keys are the clients' names and whose values are their API keys."""
    keys: dict[str, pulumi.Input[str]]
    """The same API keys, to check that they are different and hard to guess; they are not written anywhere."""
    replicas: int
    """Proxies; 2 or more get a disruption budget."""
    cpu_request_millis: int
    """CPU request of a proxy, in thousandths of a core; there is no CPU limit."""
    memory_mib: int
    """Memory request and limit of a proxy, MiB."""
    connections: int
    """Connections of callers that each proxy holds at the same time."""
    accepts_from: list[Party]
    """Who may connect to the proxies."""
    load_balancer: NotRequired[bool]
    """Ask the cluster's provider for an outside address; default False, an address inside the cluster."""
    trusted_hops: NotRequired[int]
    """Proxies in front whose X-Forwarded-For is believed, default 0."""
    tls_min_version: NotRequired[str]
    """1.2 (default) or 1.3."""
    hsts_seconds: NotRequired[int]
    """max-age of Strict-Transport-Security, default a year."""
    max_body_kib: NotRequired[int]
    """Longest request body, KiB, default 1024."""
    reply_headers: NotRequired[dict[str, str]]
    """Header of every reply -> its value, instead of the strict default: X-Frame-Options, Content-Security-Policy,
    Referrer-Policy, Permissions-Policy, Cross-Origin-Resource-Policy. Others cannot be changed."""
    cors: NotRequired[GatewayCors]
    """Pages of other origins that may call; default none."""


class RouteBackend(TypedDict):
    """One Service behind a route."""

    service: str
    """Name of the Service, in the route's namespace."""
    port: int
    """Port of the Service and of the pods behind it."""
    pods: dict[str, str]
    """Labels of those pods, for the network flow."""
    weight: NotRequired[int]
    """Share of the calls, 0..1,000,000, default 1; shares are weight / sum of all weights."""


class RouteArgs(TypedDict):
    """All values are plain."""

    namespace: str
    """Of the route, its Gateway and its Services."""
    environment: str
    """dev, test, staging or prod; a label."""
    gateway: str
    """Name of the Gateway object."""
    hosts: list[str]
    """Names under which the route is reached; among the gateway's."""
    backends: list[RouteBackend]
    """Where calls go, at least one with a weight above 0."""
    path: NotRequired[str]
    """Prefix of the paths, default `/`."""
    timeout_seconds: NotRequired[int]
    """How long a call may take, all tries together, 1..300, default 15."""
    retries: NotRequired[int]
    """Further tries of a call that never reached a backend, 0..5, default 2."""
    limits: NotRequired[dict[str, int]]
    """Client of the gateway -> calls a minute that each proxy lets through on this route, instead of the gateway's own
    numbers; 1..15 of them, and whoever is not named has no limit here. Default: the gateway's."""
    moving_weights: NotRequired[bool]
    """True where something in the cluster moves the weights for a time (Rollout): a change of the route by the engine
    takes them back. Default False: it stops with a conflict."""
