"""What may be asked of a message bus and of a topic. All structure is plain values."""

from typing import NotRequired, TypedDict

import pulumi

from omnibase_infra.network import Party

CLIENT_PORT = 4222
ROUTE_PORT = 6222
MONITOR_PORT = 8222
CONTROLLER_PORT = 8080


class ConsumerArgs(TypedDict):
    """How one client reads one topic."""

    client: str
    """Name of the client; also the name of the consumer."""
    max_deliveries: NotRequired[int]
    """How often an event is handed out before it becomes a dead letter, 1..10, default 3."""
    ack_wait_seconds: NotRequired[int]
    """How long the client may work on an event, 1..3600, default 30."""
    start: NotRequired[str]
    """Where a new consumer begins: new (default) or all."""


class TopicArgs(TypedDict):
    """One topic of a bus."""

    bus: str
    """Name of the bus."""
    namespace: str
    """Namespace of the bus."""
    environment: str
    """dev, test, staging or prod; a label."""
    topic: str
    """`onex.<evt|cmd|intent|snapshot>.<producer>.<event>.v<number>`."""
    max_mib: int
    """Size at which the oldest events go before their time, in MiB."""
    dead_letter_mib: int
    """The same for its dead letters."""
    copies: int
    """Servers that hold each event."""
    retention_hours: NotRequired[int]
    """How long events are kept, default by kind: evt 720, cmd 168, intent 24, snapshot 168."""
    dead_letter_hours: NotRequired[int]
    """How long its dead letters are kept, default 168."""
    duplicates_seconds: NotRequired[int]
    """How long an event that is published again under its id is recognised, default 120."""
    consumers: NotRequired[list[ConsumerArgs]]
    """Who reads."""


class BusTopicArgs(TypedDict):
    """One topic as the bus needs it; the rest follows from the bus."""

    topic: str
    """`onex.<evt|cmd|intent|snapshot>.<producer>.<event>.v<number>`."""
    publishers: list[str]
    """Clients that may publish."""
    consumers: NotRequired[list[ConsumerArgs]]
    """Clients that read."""
    max_mib: int
    """Size at which the oldest events go before their time, in MiB."""
    dead_letter_mib: int
    """The same for its dead letters."""
    retention_hours: NotRequired[int]
    """How long events are kept, default by kind."""
    dead_letter_hours: NotRequired[int]
    """How long its dead letters are kept, default 168."""


class ClientArgs(TypedDict):
    """Somebody who gets keys to the bus."""

    name: str
    """A DNS label."""
    party: NotRequired[Party]
    """Its pods; without it the client needs a flow of its own."""
    others: NotRequired[list[Party]]
    """Further pods that come with its name and key, each with another name: a canary."""


class MessageBusArgs(TypedDict):
    """What a caller may ask of a message bus."""

    namespace: str
    """Where it runs."""
    environment: str
    """dev, test, staging or prod; a label."""
    image: pulumi.Input[str]
    """NATS server, reference with digest."""
    controller_image: pulumi.Input[str]
    """Stream controller, reference with digest."""
    servers: int
    """Servers, odd."""
    copies: int
    """Servers that hold each event, at most `servers`."""
    storage_gib: int
    """Volume of each server, in GiB; streams may fill 80 %."""
    memory_mib: int
    """Memory request and limit of each server, in MiB."""
    controller_memory_mib: int
    """The same of the controller."""
    tls_secret: pulumi.Input[str]
    """Secret with tls.crt, tls.key and ca.crt; the certificate names `server_hosts(name, namespace, servers)` and is
    for servers and for clients, as servers show it to each other."""
    ca_secret: pulumi.Input[str]
    """Secret with ca.crt, for clients."""
    clients: list[ClientArgs]
    """Everybody who gets keys."""
    readers: NotRequired[list[Party]]
    """Who may ask the controller for counts and dead letters (never their messages), for instance the API server on
    behalf of `ops`."""
    topics: list[BusTopicArgs]
    """The topics; nothing else can be published."""
    cpu_request_millis: NotRequired[int]
    """CPU request of each server, default 50."""
    controller_cpu_request_millis: NotRequired[int]
    """The same of the controller, default 10."""
    duplicates_seconds: NotRequired[int]
    """How long an event that is published again under its id is recognised, default 120."""
    credential_generation: NotRequired[int]
    """Raise by one to make new keys for all clients, default 1."""
    storage_class: NotRequired[str]
    """StorageClass of the volumes; default the cluster's own default."""
    priority_class: NotRequired[pulumi.Input[str]]
    """PriorityClass of the servers."""
    protect: NotRequired[bool]
    """Refuse to delete the servers and their volumes; default False."""
