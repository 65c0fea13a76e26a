"""Events between services: NATS with JetStream."""

from omnibase_infra.messaging.alerts import message_alerts
from omnibase_infra.messaging.args import (
    CLIENT_PORT,
    BusTopicArgs,
    ClientArgs,
    ConsumerArgs,
    MessageBusArgs,
    TopicArgs,
)
from omnibase_infra.messaging.component import MessageBus
from omnibase_infra.messaging.names import SEED_KEY, server_hosts
from omnibase_infra.messaging.topic import Topic

__all__ = [
    "CLIENT_PORT",
    "SEED_KEY",
    "BusTopicArgs",
    "ClientArgs",
    "ConsumerArgs",
    "MessageBus",
    "MessageBusArgs",
    "Topic",
    "TopicArgs",
    "message_alerts",
    "server_hosts",
]
