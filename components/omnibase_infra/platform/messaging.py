"""The message bus of an environment, and what its clients are given."""

from __future__ import annotations

from omnibase_infra.alert import Alert
from omnibase_infra.config import MessagingConfig, TopicConfig
from omnibase_infra.messaging import (
    SEED_KEY,
    BusTopicArgs,
    ClientArgs,
    ConsumerArgs,
    MessageBus,
    MessageBusArgs,
    message_alerts,
    server_hosts,
)
from omnibase_infra.platform.certificates import Certificates
from omnibase_infra.platform.room import Room
from omnibase_infra.workload import HardenedWorkloadArgs

BUS = "messages"
_SEED_DIRECTORY = "/run/secrets/messages"
_CA_DIRECTORY = "/run/secrets/messages-ca"


def make_messaging(room: Room, certificates: Certificates) -> MessageBus | None:
    """The bus with all topics of the settings; None where it is not enabled."""
    settings = room.config.messaging
    if not settings.enabled:
        return None
    certificate = certificates.server(
        BUS,
        namespace=room.namespace,
        hosts=server_hosts(BUS, room.namespace, settings.servers),
        also_client=True,  # servers show it to each other
    )
    args: MessageBusArgs = {
        "namespace": room.namespace,
        "environment": room.tier,
        "image": room.args.images["nats"],
        "controller_image": room.args.images["stream-controller"],
        "servers": settings.servers,
        "copies": settings.copies,
        "storage_gib": settings.storage_gib,
        "memory_mib": settings.memory_mib,
        "cpu_request_millis": settings.cpu_request_millis,
        "controller_memory_mib": settings.controller.memory_mib,
        "controller_cpu_request_millis": settings.controller.cpu_request_millis,
        "tls_secret": certificate.secret,
        "ca_secret": certificates.trust(room.namespace),
        "clients": [_client(room, name) for name in settings.users()],
        "readers": [room.api_server],  # `ops messages` asks through the API server's proxy
        "topics": [_topic(settings, name, topic) for name, topic in settings.topics.items()],
        "duplicates_seconds": settings.duplicates_seconds,
        "credential_generation": settings.credential_generation,
        "priority_class": room.environment.data_priority_class,
        "protect": room.config.protect,
    }
    if settings.storage_class:
        args["storage_class"] = settings.storage_class
    return MessageBus(BUS, args, room.below(room.environment))


def make_message_alerts(room: Room, bus: MessageBus | None) -> list[Alert]:
    """Alerts on the bus, its topics and those who read them."""
    settings = room.config.messaging
    return message_alerts(BUS, settings.usable_mib * settings.servers) if bus else []


def uses_messages(room: Room, service: str) -> bool:
    """Whether a topic names the service."""
    return room.config.messaging.enabled and service in room.config.messaging.users()


def connect_messages(args: HardenedWorkloadArgs, prefix: str, service: str, bus: MessageBus, generation: int) -> None:
    """Give a workload the bus: address, name, key and certificate as files, a restart on a new key."""
    args.setdefault("env", {}).update({
        f"{prefix}_MESSAGES_URL": bus.url,
        f"{prefix}_MESSAGES_CLIENT": service,
        f"{prefix}_MESSAGES_SEED_FILE": f"{_SEED_DIRECTORY}/{SEED_KEY}",
        f"{prefix}_MESSAGES_CA_FILE": f"{_CA_DIRECTORY}/ca.crt",
    })  # fmt: skip
    args.setdefault("secret_mounts", []).extend([
        {"secret": bus.client_secrets[service], "keys": [SEED_KEY], "path": _SEED_DIRECTORY},
        {"secret": bus.ca_secret, "keys": ["ca.crt"], "path": _CA_DIRECTORY},
    ])  # fmt: skip
    args.setdefault("restart_on", {})["messages-credential-generation"] = str(generation)


def _client(room: Room, name: str) -> ClientArgs:
    if name in room.services:
        own, *others = room.instances(name)
        return {"name": name, "party": own, "others": others} if others else {"name": name, "party": own}
    return {"name": name}


def _topic(settings: MessagingConfig, name: str, topic: TopicConfig) -> BusTopicArgs:
    consumers: list[ConsumerArgs] = [
        {
            "client": client,
            "max_deliveries": consumer.max_deliveries,
            "ack_wait_seconds": consumer.ack_wait_seconds,
            "start": consumer.start,
        }
        for client, consumer in sorted(topic.consumers.items())
    ]
    events, letters = settings.kept(name, topic)
    return {
        "topic": name,
        "publishers": sorted(topic.publishers),
        "consumers": consumers,
        "max_mib": settings.size_mib(topic),
        "dead_letter_mib": settings.dead_letter_mib,
        "retention_hours": -(-events.seconds // 3600),
        "dead_letter_hours": -(-letters.seconds // 3600),
    }
