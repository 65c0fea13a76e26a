"""Settings of the message bus: servers, storage, topics with publishers and consumers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from omnibase_infra.config import topics as names
from omnibase_infra.config.capability import Capability, Demand, Finding
from omnibase_infra.config.certificates import CertificatesConfig
from omnibase_infra.config.environments import Environment
from omnibase_infra.config.errors import nearest
from omnibase_infra.config.section import CpuMillis, Label, MemoryMib, Section
from omnibase_infra.config.units import Duration, between

USABLE_PERCENT = 80
"""Part of a volume that streams may fill; the rest is for the server's indexes and for files being rewritten."""
QUORUM_SERVERS = 3
_GUARDED = (Environment.STAGING, Environment.PROD)


class ConsumerConfig(Section):
    """How one service reads one topic. The service is the consumer group, so that no two services share one."""

    max_deliveries: Annotated[int, Field(ge=1, le=10)] = 3
    """How often an event is handed out before it becomes a dead letter."""
    ack_wait_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """How long the service may work on an event before it is handed out again."""
    start: Literal["new", "all"] = "new"
    """Where a consumer that did not exist before begins: at new events, or at the oldest that is kept."""


class TopicConfig(Section):
    """One topic: who writes, who reads, how much is kept."""

    publishers: Annotated[list[Label], Field(min_length=1)]
    """Services (or `messaging.clients`) that may publish."""
    consumers: dict[Label, ConsumerConfig] = {}
    """Service (or one of `messaging.clients`) -> how it reads."""
    retention: Label | None = None
    """Class of `messaging.retention` that says how long events are kept; default that of its kind, `evt`, `cmd`,
    `intent` or `snapshot`."""
    dead_letters: Label = "dlq"
    """Class that says how long its dead letters are kept; `quarantine` for those that somebody must look at."""
    max_mib: Annotated[int, Field(ge=1, le=1_048_576)] | None = None
    """Size at which the oldest events go before their time, in MiB; default `messaging.topic_mib`."""


class ControllerConfig(Section):
    """The process that makes streams and dead letters."""

    cpu_request_millis: CpuMillis
    """CPU request, in thousandths of a core."""
    memory_mib: MemoryMib
    """Memory request and limit, in MiB."""


class MessagingConfig(Section):
    """The message bus: NATS servers with JetStream."""

    enabled: bool
    """False leaves the bus out; refused in staging and prod."""
    servers: Annotated[int, Field(ge=1, le=9)]
    """Servers; odd, as an even number survives no more losses than one less."""
    copies: Annotated[int, Field(ge=1, le=5)]
    """Servers that hold each event."""
    storage_gib: Annotated[int, Field(ge=1, le=16_384)]
    """Volume of each server, in GiB; topics may fill 80 % of it."""
    storage_class: str | None = None
    """StorageClass of the volumes; default the cluster's own default."""
    cpu_request_millis: CpuMillis
    """CPU request of each server, in thousandths of a core."""
    memory_mib: MemoryMib
    """Memory request and limit of each server, in MiB."""
    retention: dict[Label, Annotated[Duration, between(Duration("1h"), Duration("365d"))]]
    """Class -> how long events are kept. Topics and dead letters name classes, also further ones."""
    topic_mib: Annotated[int, Field(ge=1, le=1_048_576)]
    """Size of a topic that does not say its own, in MiB."""
    dead_letter_mib: Annotated[int, Field(ge=1, le=1_048_576)]
    """Size of each topic's dead letters, in MiB."""
    duplicates_seconds: Annotated[int, Field(ge=1, le=3600)] = 120
    """How long an event that is published again under its id is recognised; no event is kept for less than an hour."""
    credential_generation: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Raise by one to make new keys for all clients."""
    controller: ControllerConfig
    """The process that makes streams and dead letters."""
    clients: list[Label] = []
    """Names besides the services that get keys: tools, other stacks. They need a flow of their own to the bus."""
    topics: dict[names.TopicName, TopicConfig] = {}
    """Name, `onex.<evt|cmd|intent|snapshot>.<producer>.<event>.v<number>` -> topic; events on any other subject are
    refused."""

    @property
    def usable_mib(self) -> int:
        """What streams may hold on one server, in MiB."""
        return self.storage_gib * 1024 * USABLE_PERCENT // 100

    def kept(self, name: str, topic: TopicConfig) -> tuple[Duration, Duration]:
        """How long the events of a topic, and their dead letters, are kept."""
        return self.retention[topic.retention or names.kind(name)], self.retention[topic.dead_letters]

    def size_mib(self, topic: TopicConfig) -> int:
        """Size of a topic, in MiB."""
        return topic.max_mib or self.topic_mib

    def users(self) -> list[str]:
        """Everybody who publishes or consumes, and the clients, sorted."""
        named = {name for topic in self.topics.values() for name in (*topic.publishers, *topic.consumers)}
        return sorted({*named, *self.clients})


_RETENTION = {name: f"{hours // 24}d" for name, hours in names.RETENTION_HOURS.items()}
_SMALL: dict[str, Any] = {
    "enabled": True,
    "retention": _RETENTION,
    "servers": 1,
    "copies": 1,
    "storage_gib": 1,
    "cpu_request_millis": 25,
    "memory_mib": 128,
    "topic_mib": 64,
    "dead_letter_mib": 16,
    "controller": {"cpu_request_millis": 10, "memory_mib": 48},
}
_LARGE: dict[str, Any] = {
    "enabled": True,
    "retention": _RETENTION,
    "servers": 3,
    "copies": 3,
    "storage_gib": 20,
    "cpu_request_millis": 250,
    "memory_mib": 1024,
    "topic_mib": 1024,
    "dead_letter_mib": 256,
    "controller": {"cpu_request_millis": 25, "memory_mib": 96},
}
DEFAULTS = {
    Environment.DEV: _SMALL,
    Environment.TEST: _SMALL,
    Environment.STAGING: _LARGE,
    Environment.PROD: {**_LARGE, "storage_gib": 100, "cpu_request_millis": 500, "memory_mib": 2048},
}


def _servers(environment: Environment, messaging: MessagingConfig) -> Iterator[Finding]:
    servers, copies = messaging.servers, messaging.copies
    guarded = environment in _GUARDED
    if guarded and not messaging.enabled:
        yield "messaging.enabled", "false", f"must be true in {environment}", "events are part of what the platform is"
    if servers % 2 == 0:
        hint = f"{servers} servers need {servers // 2 + 1} to agree: they survive no more losses than {servers - 1}"
        yield "messaging.servers", str(servers), "must be odd", hint
    if copies > servers:
        hint = "raise messaging.servers or lower messaging.copies"
        yield "messaging.copies", str(copies), f"needs {copies} servers, there are {servers}", hint
    if guarded and servers < QUORUM_SERVERS:
        hint = "with fewer, the loss of one stops all events"
        yield "messaging.servers", str(servers), f"must be at least 3 in {environment}", hint
    if guarded and copies < QUORUM_SERVERS:
        hint = "with fewer, acknowledged events can be lost with one server"
        yield "messaging.copies", str(copies), f"must be at least 3 in {environment}", hint


def _certificates(certificates: CertificatesConfig, messaging: MessagingConfig) -> Iterator[Finding]:
    if messaging.enabled and not certificates.enabled:
        hint = "set certificates.enabled to true, or messaging.enabled to false"
        yield "messaging.enabled", "true", "needs the platform's certificates: the bus speaks TLS only", hint


def _storage(messaging: MessagingConfig) -> Iterator[Finding]:
    sizes = [messaging.size_mib(topic) + messaging.dead_letter_mib for topic in messaging.topics.values()]
    needed = (sum(sizes) + names.OWN_MIB) * messaging.copies
    room = messaging.usable_mib * messaging.servers
    if needed > room:
        yield (
            "messaging.storage_gib",
            str(messaging.storage_gib),
            f"topics and dead letters may grow to {needed} MiB with {messaging.copies} copies, of which "
            f"{messaging.servers} servers hold {room} MiB ({USABLE_PERCENT} % of their volumes)",
            "raise storage_gib, or lower topics[].max_mib, topic_mib or dead_letter_mib",
        )


def _topics(messaging: MessagingConfig) -> Iterator[Finding]:
    letters: dict[str, str] = {}
    for topic in messaging.topics:
        known = letters.setdefault(names.dead_letters(topic), topic)
        if known != topic:
            allowed = f"has the same dead letters as {known} ({names.dead_letters(topic)})"
            yield "messaging.topics", topic, allowed, "give it another event name or version"


def _retention(messaging: MessagingConfig) -> Iterator[Finding]:
    classes = messaging.retention
    for name, topic in messaging.topics.items():
        path = f"messaging.topics.{name}"
        chosen = {"retention": topic.retention or names.kind(name), "dead_letters": topic.dead_letters}
        unknown = {field: each for field, each in chosen.items() if each not in classes}
        for field, each in unknown.items():
            yield f"{path}.{field}", each, "is not among messaging.retention", nearest(each, classes)
        if unknown or topic.dead_letters != names.QUARANTINE:
            continue
        events, letters = messaging.kept(name, topic)
        if letters.seconds <= events.seconds:
            allowed = f"keeps letters for {letters}, and must be longer than the events' {events}"
            hint = "raise messaging.retention.quarantine: who looks at a letter also wants to see what came with it"
            yield f"{path}.dead_letters", names.QUARANTINE, allowed, hint


def _clients(services: Mapping[str, Any], messaging: MessagingConfig) -> Iterator[Finding]:
    known = [*services, *messaging.clients]
    for each, topic in messaging.topics.items():
        for role, named in (("publishers", topic.publishers), ("consumers", list(topic.consumers))):
            for name in (name for name in named if name not in known):
                path = f"messaging.topics.{each}.{role}"
                yield path, name, "is neither a service nor one of messaging.clients", nearest(name, known)
    for own, what in ((names.OPERATORS, "the client of `ops`"), (names.CONTROLLER, "the bus's own controller")):
        if own in messaging.users():
            yield "messaging.clients", own, f"is the name of {what}", "take another name"
    for name in sorted(set(messaging.clients) & set(services)):
        yield "messaging.clients", name, "is a service of this stack, which has keys already", "remove it"


def _demands(messaging: MessagingConfig) -> list[Demand]:
    """Pods of the bus in the stack's namespace; the controller has a second one while it rolls."""
    controller = messaging.controller
    return [
        Demand(messaging.servers, messaging.memory_mib, messaging.cpu_request_millis, messaging.storage_gib),
        Demand(2, controller.memory_mib, controller.cpu_request_millis, 0),
    ]


MESSAGING = Capability(
    section="messaging",
    defaults=DEFAULTS,
    images=lambda messaging: ("nats", "stream-controller"),
    demands=_demands,
    rules=(
        (("environment", "messaging"), _servers),
        (("certificates", "messaging"), _certificates),
        (("messaging",), _storage),
        (("messaging",), _topics),
        (("messaging",), _retention),
        (("services", "messaging"), _clients),
    ),
)
