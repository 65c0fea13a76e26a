"""Topic: the declaration of one topic, from which the bus's controller makes streams and consumers."""

import json
import re
from typing import Any

import pulumi

from omnibase_infra.config import topics as follow
from omnibase_infra.errors import refuse
from omnibase_infra.messaging import names
from omnibase_infra.messaging.args import TopicArgs
from omnibase_infra.naming import labels
from omnibase_infra.objects import Manifest, child, register_outputs

_MIB = 1024 * 1024
_DEFAULTS = {"max_deliveries": 3, "ack_wait_seconds": 30}


class Topic(pulumi.ComponentResource):
    """One topic of a message bus: its stream, its consumers, and the stream of its dead letters.

    Makes: a ConfigMap that the bus's controller reads. Streams are kept when a topic is no longer declared; only people
    delete events.

    Raises:
        ArgsError: a name outside the pattern, a bound out of range, a consumer twice; all problems together.
    """

    subject: pulumi.Output[str]
    """Subject to publish to; of a snapshot followed by `.<key>`."""
    stream: pulumi.Output[str]
    """Stream that holds the events."""
    dead_letter_topic: pulumi.Output[str]
    """Topic of the events that a consumer could not handle."""
    declaration: pulumi.Output[str]
    """Name of the ConfigMap."""

    def __init__(self, name: str, args: TopicArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse("Topic", name, topic_problems(args))
        inputs: dict[str, Any] = {**args}
        super().__init__("omnibase-infra:index:Topic", name, inputs, opts)
        made = child(self, f"{name}-declaration", manifest(args["topic"], declaration(args), args))
        self.subject = pulumi.Output.from_input(args["topic"])
        self.stream = pulumi.Output.from_input(follow.stream(args["topic"]))
        self.dead_letter_topic = pulumi.Output.from_input(follow.dead_letters(args["topic"]))
        self.declaration = made.urn.apply(lambda _: names.config_map(args["bus"], args["topic"]))
        register_outputs(self)


def topic_problems(args: TopicArgs) -> list[str]:
    """Every reason why a topic cannot be."""
    topic = args["topic"]
    found = []
    if not re.match(follow.TOPIC, topic) or len(topic) > follow.LONGEST_TOPIC:
        found.append(
            f"topic={topic!r} must match {follow.TOPIC} and have at most {follow.LONGEST_TOPIC} characters, "
            "for example onex.evt.orders.order-placed.v1"
        )
    bounds = {
        "max_mib": (int(args["max_mib"]), 1, 1_048_576),
        "dead_letter_mib": (int(args["dead_letter_mib"]), 1, 1_048_576),
        "copies": (int(args["copies"]), 1, 5),
        "retention_hours": (int(args.get("retention_hours", 1)), 1, 8760),
        "dead_letter_hours": (int(args.get("dead_letter_hours", 1)), 1, 8760),
        "duplicates_seconds": (int(args.get("duplicates_seconds", 120)), 1, 3600),
    }
    for consumer in args.get("consumers", []):
        client = consumer["client"]
        bounds[f"{client}.max_deliveries"] = (int(consumer.get("max_deliveries", 3)), 1, 10)
        bounds[f"{client}.ack_wait_seconds"] = (int(consumer.get("ack_wait_seconds", 30)), 1, 3600)
        if consumer.get("start", "new") not in ("new", "all"):
            found.append(f"{client}.start={consumer.get('start')!r} must be new or all")
    found += [f"{field}={value} is outside {low}..{high}" for field, (value, low, high) in bounds.items()
              if not low <= value <= high]  # fmt: skip
    clients = [consumer["client"] for consumer in args.get("consumers", [])]
    found += [f"{client} consumes {topic} twice" for client in sorted(set(clients)) if clients.count(client) > 1]
    return found


def declaration(args: TopicArgs) -> dict[str, Any]:
    """What the controller reads, with every number that a server would else choose itself."""
    topic = args["topic"]
    letters = follow.dead_letters(topic)
    return {
        **_stream(topic, args, int(args["max_mib"]), args.get("retention_hours")),
        "dead_letters": _stream(letters, args, int(args["dead_letter_mib"]), args.get("dead_letter_hours")),
        "consumers": [
            {
                "name": consumer["client"],
                "max_deliveries": int(consumer.get("max_deliveries", _DEFAULTS["max_deliveries"])),
                "ack_wait_seconds": int(consumer.get("ack_wait_seconds", _DEFAULTS["ack_wait_seconds"])),
                "start": consumer.get("start", "new"),
            }
            for consumer in args.get("consumers", [])
        ],
    }


def advisories(copies: int) -> dict[str, Any]:
    """The stream of the servers' notes about events handed out in vain; read notes are removed."""
    kinds = ("MAX_DELIVERIES", "MSG_TERMINATED")
    return {
        "topic": follow.ADVISORIES,
        "stream": follow.ADVISORIES,
        "subjects": [f"$JS.EVENT.ADVISORY.CONSUMER.{kind}.*.*" for kind in kinds],
        "max_age_seconds": follow.RETENTION_HOURS["dlq"] * 3600,
        "max_bytes": follow.ADVISORIES_MIB * _MIB,
        "max_events_per_key": -1,
        "copies": copies,
        "duplicates_seconds": 120,
        "removes_what_is_taken": True,
        "consumers": [{"name": "stream-controller", "max_deliveries": -1, "ack_wait_seconds": 60, "start": "all"}],
    }


def redeliveries(copies: int) -> dict[str, Any]:
    """The stream of records that a dead letter was handed out again, one for each; the controller logs them."""
    return {
        "topic": follow.REDELIVERIES,
        "stream": follow.REDELIVERIES,
        "subjects": [follow.redelivery("*", "*")],
        "max_age_seconds": follow.RETENTION_HOURS["dlq"] * 3600,
        "max_bytes": follow.REDELIVERIES_MIB * _MIB,
        "max_events_per_key": 1,
        "copies": copies,
        "duplicates_seconds": 120,
        "is_log": True,
        "consumers": [{"name": "stream-controller", "max_deliveries": -1, "ack_wait_seconds": 60, "start": "all"}],
    }


def manifest(topic: str, content: dict[str, Any], args: TopicArgs) -> Manifest:
    """The ConfigMap of a declaration."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": names.config_map(args["bus"], topic),
            "namespace": args["namespace"],
            "labels": labels(args["bus"], "messaging", args["environment"]),
        },
        "data": {f"{follow.stream(topic)}.json": json.dumps(content, indent=1, sort_keys=True) + "\n"},
    }


def _stream(topic: str, args: TopicArgs, mib: int, hours: int | None) -> dict[str, Any]:
    kind = follow.kind(topic)
    return {
        "topic": topic,
        "stream": follow.stream(topic),
        "subjects": follow.subjects(topic),
        "max_age_seconds": int(hours or follow.RETENTION_HOURS[kind]) * 3600,
        "max_bytes": mib * _MIB,
        "max_events_per_key": 1 if kind == "snapshot" else -1,
        "copies": int(args["copies"]),
        "duplicates_seconds": int(args.get("duplicates_seconds", 120)),
    }
