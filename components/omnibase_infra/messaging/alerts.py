"""Alerts on the bus, pure. Thresholds and their sources: docs/architecture/messaging.md."""

from omnibase_infra.alert import Alert
from omnibase_infra.messaging import names

_BEHIND = 100
_MIB = 1 << 20


def message_alerts(bus: str, room_mib: int) -> list[Alert]:
    """Alerts on the bus itself, on clients without it, on topics and on those who read them.

    Args:
        bus: name of the MessageBus.
        room_mib: what its servers may hold together.
    """
    job = names.controller(bus)
    return [*_bus(job), _store(job, room_mib), *_topics(job), *_readers(job)]


def _bus(job: str) -> list[Alert]:
    return [
        {
            "name": "MessageBusDown",
            "expr": f'absent(messages_connected{{job="{job}"}} == 1)',
            "for_seconds": 60,
            "severity": "critical",
            "summary": "The message bus does not answer its controller: events wait with those who publish them.",
            "runbook": "message-bus-down",
            "labels": {"service": "messages"},
        },
        {
            "name": "ServiceWithoutBus",
            "expr": f'min by (job, pod) (messages_connected{{job!="{job}"}}) == 0',
            "for_seconds": 60,
            "severity": "warning",
            "summary": "{{ $labels.job }} {{ $labels.pod }} has no connection to the message bus.",
            "runbook": "message-bus-down",
        },
    ]


def _store(job: str, room_mib: int) -> Alert:
    """Declared topics fit by construction; streams that nobody declares any more are kept beside them."""
    return {
        "name": "MessageStoreFilling",
        "expr": f'max(messages_storage_bytes{{job="{job}",state="used"}}) / {room_mib * _MIB} > 0.8',
        "for_seconds": 300,
        "severity": "warning",
        "summary": "Streams take {{ $value | humanizePercentage }} of what the bus may hold; full, it takes no more.",
        "runbook": "message-store-filling",
        "labels": {"service": "messages"},
    }


def _topics(job: str) -> list[Alert]:
    return [
        {
            "name": "TopicsNotAsDeclared",
            "expr": f'max(messages_streams_different{{job="{job}"}}) > 0',
            "for_seconds": 300,
            "severity": "warning",
            "summary": "{{ $value }} streams or consumers are not as declared and could not be mended.",
            "runbook": "topics-not-as-declared",
            "labels": {"service": "messages"},
        },
        {
            "name": "TopicFilling",
            "expr": (
                f'max by (topic) (messages_stream_bytes{{job="{job}"}} / '
                f'messages_stream_limit_bytes{{job="{job}"}}) > 0.8'
            ),
            "for_seconds": 300,
            "severity": "warning",
            "summary": "{{ $labels.topic }} is {{ $value | humanizePercentage }} full; its oldest events go early.",
            "runbook": "topic-filling",
            "labels": {"service": "messages"},
        },
    ]


def _readers(job: str) -> list[Alert]:
    waiting = f'max by (topic, consumer) (messages_consumer_pending{{job="{job}"}})'
    made = f'sum by (topic, consumer) (increase(messages_dead_letters_made_total{{job="{job}"}}[5m]))'
    return [
        {
            "name": "DeadLetters",
            "expr": f"{made} > 0",
            "for_seconds": 10,
            "severity": "warning",
            "summary": "{{ $labels.consumer }} could not handle events of {{ $labels.topic }}; they are dead letters.",
            "runbook": "dead-letters",
            "labels": {"service": "messages"},
        },
        {
            "name": "ConsumerBehind",
            "expr": f"{waiting} > {_BEHIND} and delta(({waiting})[10m:1m]) > 0",
            "for_seconds": 900,
            "severity": "warning",
            "summary": "{{ $value }} events of {{ $labels.topic }} wait for {{ $labels.consumer }}, ever more.",
            "runbook": "consumer-behind",
            "labels": {"service": "messages"},
        },
    ]
