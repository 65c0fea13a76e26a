"""What each client may do on the bus: exactly what its topics need, pure.

A client can neither make nor change nor delete a stream or a consumer, nor read another's events or replies.
"""

from collections.abc import Sequence

from omnibase_infra.config.topics import (
    ADVISORIES,
    CONTROLLER,
    OPERATORS,
    REDELIVERIES,
    dead_letters,
    may_redeliver,
    redelivery,
    stream,
    subjects,
)
from omnibase_infra.messaging.args import BusTopicArgs

CONTROLLER_CLIENT = CONTROLLER
"""Name of the controller among the clients, and of its consumer."""
Permissions = dict[str, dict[str, list[str]]]

_FOR_NOBODY = ["$JS.API.STREAM.DELETE.>", "$JS.API.STREAM.PURGE.>", "$JS.API.STREAM.MSG.DELETE.>"]


def inbox(client: str) -> str:
    """Subjects of a client's replies; a shared prefix would let clients read each other's."""
    return f"_INBOX.{client}"


def client_permissions(client: str, topics: Sequence[BusTopicArgs]) -> Permissions:
    """Subjects that a client may publish to, and may subscribe to."""
    publish: list[str] = []
    for topic in topics:
        name = stream(topic["topic"])
        if client in topic["publishers"]:
            # the newest event tells a publisher where it stopped
            publish += [*subjects(topic["topic"]), f"$JS.API.STREAM.MSG.GET.{name}"]
        if client in [consumer["client"] for consumer in topic.get("consumers", [])]:
            publish += reading(name, client)
    return _both(sorted(publish), client)


def controller_permissions(topics: Sequence[BusTopicArgs]) -> Permissions:
    """The controller makes streams and consumers, reads failed events and writes dead letters. It deletes nothing."""
    publish = [
        "$JS.API.INFO",
        "$JS.API.STREAM.CREATE.*",
        "$JS.API.STREAM.UPDATE.*",
        "$JS.API.STREAM.INFO.*",
        "$JS.API.STREAM.NAMES",
        "$JS.API.STREAM.MSG.GET.*",
        "$JS.API.DIRECT.GET.>",
        "$JS.API.CONSUMER.CREATE.>",
        "$JS.API.CONSUMER.INFO.>",
        *reading(ADVISORIES, CONTROLLER_CLIENT),
        *reading(REDELIVERIES, CONTROLLER_CLIENT),
        *(dead_letters(topic["topic"]) for topic in topics),
    ]
    return _both(sorted(publish), CONTROLLER_CLIENT)


def operator_permissions(topics: Sequence[BusTopicArgs]) -> Permissions:
    """Operators read dead letters and their records, hand events out again in their own topic, and write the record.

    They read no events, take none from a consumer, and change no stream.
    """
    publish = [f"$JS.API.STREAM.MSG.GET.{REDELIVERIES}"]
    for topic in (each["topic"] for each in topics if may_redeliver(each["topic"])):
        letters = stream(dead_letters(topic))
        publish += [f"$JS.API.STREAM.{question}.{letters}" for question in ("INFO", "MSG.GET")]
        publish += [*subjects(topic), redelivery(letters, "*")]
    return _both(sorted(publish), OPERATORS)


def reading(stream_name: str, consumer: str) -> list[str]:
    """What a consumer publishes: requests for events, questions about itself, acknowledgements."""
    return [
        f"$JS.API.CONSUMER.MSG.NEXT.{stream_name}.{consumer}",
        f"$JS.API.CONSUMER.INFO.{stream_name}.{consumer}",
        f"$JS.ACK.{stream_name}.{consumer}.>",
    ]


def _both(publish: list[str], client: str) -> Permissions:
    # An empty list of what is allowed would allow everything.
    allowed = {"allow": publish, "deny": _FOR_NOBODY} if publish else {"allow": [], "deny": [">"]}
    return {"publish": allowed, "subscribe": {"allow": [f"{inbox(client)}.>"], "deny": []}}
