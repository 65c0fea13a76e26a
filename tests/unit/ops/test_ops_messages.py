"""`ops messages`: how the controller's answer is read and shown, and what is refused."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from local.errors import InputError, LocalError
from local.plugins.kubernetes.client import ApiError
from ops.messages import command
from ops.messages.render import render
from ops.messages.state import bus_state

LETTER = {
    "sequence": 4,
    "original_sequence": 9,
    "consumer": "billing",
    "error_type": "max_deliveries",
    "failure_reason": "not acknowledged after 3 deliveries",
    "retry_count": 3,
    "correlation_id": "abc-1",
    "timestamp": "2026-11-26T01:02:03.456Z",
}
DOCUMENT: dict[str, Any] = {
    "connected": True,
    "looked_at": "2026-11-26T01:02:05Z",
    "topics": [
        {
            "topic": "onex.evt.orders.order-placed.v1",
            "stream": "onex_evt_orders_order-placed_v1",
            "events": 12,
            "bytes": 32 << 20,
            "limit_bytes": 64 << 20,
            "dead_letters": 1,
            "consumers": [
                {"name": "billing", "pending": 5, "unacknowledged": 2, "redelivered": 1},
                {"name": "mailer", "pending": 0, "unacknowledged": 0, "redelivered": 0},
            ],
            "letters": [LETTER],
        },
        {
            "topic": "onex.cmd.orders.ship.v1",
            "stream": "onex_cmd_orders_ship_v1",
            "events": 0,
            "bytes": 0,
            "limit_bytes": 1 << 20,
            "dead_letters": 0,
            "consumers": [],
            "letters": [],
        },
    ],
    "undeclared": ["stray"],
    "problems": [],
}


def shown(document: dict[str, Any]) -> str:
    out = io.StringIO()
    render(Console(file=out, width=160), bus_state(document))
    return out.getvalue()


def test_topics_readers_and_letters_are_shown() -> None:
    text = shown(DOCUMENT)
    for wanted in (
        "onex.evt.orders.order-placed.v1", "50 % of 64 MiB", "billing", "mailer", "onex.cmd.orders.ship.v1",
        "2026-11-26 01:02:03", "max_deliveries", "not acknowledged after 3 deliveries", "abc-1", "stray",
    ):  # fmt: skip
        assert wanted in text, text
    assert "problem" not in text


def test_an_id_is_never_broken_into_lines_however_narrow_the_rest_becomes() -> None:
    identity = "test-01234567-89ab-cdef-0123-456789abcdef"
    topic = {**DOCUMENT["topics"][0], "letters": [{**LETTER, "correlation_id": identity}]}
    out = io.StringIO()
    render(Console(file=out, width=140), bus_state({**DOCUMENT, "topics": [topic]}))
    assert identity in out.getvalue()


def test_a_topic_can_be_chosen_and_an_unknown_one_is_bad_input() -> None:
    (topic,) = bus_state(DOCUMENT, ["onex.cmd.orders.ship.v1"]).topics
    assert topic.limit_bytes == 1 << 20
    with pytest.raises(InputError, match="no topic 'orders' is declared"):
        bus_state(DOCUMENT, ["orders"])


@pytest.mark.parametrize(
    ("change", "said"),
    [({"connected": False}, "no connection to the bus"), ({"problems": ["stream orders: no space"]}, "no space")],
)
def test_a_bus_that_is_not_as_declared_is_not_healthy_and_says_why(change: dict[str, Any], said: str) -> None:
    document = {**DOCUMENT, **change}
    assert bus_state(document).healthy is False
    assert said in shown(document)
    assert bus_state(DOCUMENT).healthy is True


def test_json_says_the_same_and_no_message_of_anybody() -> None:
    found = json.loads(json.dumps(bus_state(DOCUMENT).to_dict()))
    assert found["healthy"] is True
    assert found["topics"][0]["consumers"][0]["pending"] == 5
    assert set(found["topics"][0]["letters"][0]) == set(LETTER) - {"original_sequence"}


class Cluster:
    """Pods of a controller, of which only the last answers, or none."""

    def __init__(self, pods: list[str], answer: str) -> None:
        self._pods, self._answer = pods, answer

    def request(self, _method: str, path: str, *, query: dict[str, str]) -> dict[str, Any]:
        assert path == "/api/v1/namespaces/omnibase-dev/pods"
        assert query == {"labelSelector": "app.kubernetes.io/name=messages-controller"}
        return {"items": [{"metadata": {"name": name}} for name in self._pods]}

    def text(self, path: str) -> str:
        if self._answer and path.endswith(f"/pods/{self._pods[-1]}:8080/proxy/state?letters=3"):
            return self._answer
        raise ApiError(503, {"message": "connection refused"}, path)


def test_a_pod_that_answers_is_asked_also_while_another_is_ending() -> None:
    found = command._ask(Cluster(["old", "new"], '{"topics": []}'), "dev", 3)  # type: ignore[arg-type]  # what is used
    assert found == {"topics": []}


@pytest.mark.parametrize(("pods", "said"), [([], "has no message bus"), (["a"], "does not answer: connection refused")])
def test_a_missing_bus_and_a_silent_one_are_told_apart(pods: list[str], said: str) -> None:
    with pytest.raises(LocalError, match=said):
        command._ask(Cluster(pods, ""), "dev", 3)  # type: ignore[arg-type]  # all that is used of a client
