"""The message bus of a deployed environment: events arrive, failures become dead letters, nobody exceeds his rights."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import uuid
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import StreamConfig

from local.paths import Paths
from tests.cluster.alerts_kit import holds, noticed
from tests.cluster.conftest import Kubectl
from tests.cluster.messages_kit import STREAM, TOPIC, Door, door, letters, metrics
from tests.cluster.node_kit import eventually, nothing_scheduled, pod_identity
from tests.cluster.platform_kit import NAMESPACE, STACK, Service

CONSUMED = 'events_consumed_total{result="ok"}'
MALFORMED = 'events_consumed_total{result="malformed"}'
_UNREAD = 110  # from 100 on a consumer is behind
_DELIVERIES = 3  # after them the server gives up


pytestmark = pytest.mark.usefixtures("swept")


@pytest.fixture
def bus(
    outputs: dict[str, Any], paths: Paths, kubectl: Kubectl, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    """A forwarded port of its own for each test: kubectl ends one whose pod went, or that the server closed."""
    with door(paths, kubectl, tmp_path_factory.mktemp("bus")) as opened:
        yield opened


def of(message: Msg) -> str:
    """Correlation id of the request that an event tells of."""
    return (message.headers or {})["X-Correlation-ID"]


async def skip_to_end(_client: Client, streams: JetStreamContext) -> None:
    """Acknowledge whatever waits for the auditor: what comes later is not taken for it, but found sooner."""
    subscription = await streams.pull_subscribe_bind(consumer="auditor", stream=STREAM)
    while True:
        try:
            for message in await subscription.fetch(100, timeout=1):
                await message.ack()
        except TimeoutError:
            return


def ops_messages(paths: Paths, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`ops messages` as an operator types it."""
    return subprocess.run(
        [str(paths.venv / "bin" / "ops"), "messages", *arguments, "--stack", STACK],
        env={**os.environ, "OMNIBASE_INSTANCE": paths.instance},
        cwd=paths.root,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def refuse(identity: str) -> Callable[[Client, JetStreamContext], Awaitable[list[int]]]:
    """Refuse a request's event for the auditor as often as it comes; the server gives up when it is asked once more."""

    async def refusing(_client: Client, streams: JetStreamContext) -> list[int]:
        subscription = await streams.pull_subscribe_bind(consumer="auditor", stream=STREAM)
        deliveries: list[int] = []
        while True:
            try:
                (message,) = await subscription.fetch(1, timeout=4)
            except TimeoutError:
                if len(deliveries) >= _DELIVERIES:
                    return deliveries
                continue
            if of(message) == identity:
                deliveries.append(message.metadata.num_delivered)
                await message.nak()
            else:
                await message.ack()

    return refusing


def told_of(paths: Paths, identity: str) -> dict[str, Any]:
    """A dead letter by its correlation id, as an operator sees it; empty while there is none."""
    answer = ops_messages(paths, "--topic", TOPIC, "--letters", "20", "--json")
    (topic,) = json.loads(answer.stdout)["topics"] if answer.returncode == 0 else [{"letters": []}]
    return next((each for each in topic["letters"] if each["correlation_id"] == identity), {})


def test_outputs_say_where_the_bus_is(outputs: dict[str, Any]) -> None:
    assert outputs["messages_url"] == f"tls://messages.{NAMESPACE}.svc.cluster.local:4222"
    assert outputs["messages_credentials"]["reference"] == "messages-client-reference"
    assert outputs["messages_streams"] == {TOPIC: STREAM}


@pytest.mark.req("C7.5", "C6.2")
def test_the_event_of_a_note_arrives_with_its_correlation_id(bus: Door, service: Service, kubectl: Kubectl) -> None:
    bus.run("auditor", skip_to_end)
    before = metrics(kubectl, "reference").get(CONSUMED, 0)
    identity, key = f"test-{uuid.uuid4()}", str(uuid.uuid4())
    status, note = service.call("POST", "/notes", {"body": "event"}, X_Correlation_ID=identity, Idempotency_Key=key)
    assert status == 201

    async def read(_client: Client, streams: JetStreamContext) -> tuple[dict[str, Any], str]:
        subscription = await streams.pull_subscribe_bind(consumer="auditor", stream=STREAM)
        while True:  # an event of before may still be on its way; Door.run ends this
            with suppress(TimeoutError):
                for message in await subscription.fetch(1, timeout=10):
                    await message.ack_sync()
                    if of(message) == identity:
                        return json.loads(message.data), of(message)

    event, header = bus.run("auditor", read)
    assert (event["note_id"], event["key"], event["correlation_id"], header) == (note["id"], key, identity, identity)
    eventually(lambda: metrics(kubectl, "reference").get(CONSUMED, 0) > before, 15, "the service read its own event")

    def logged() -> bool:
        text = kubectl("logs", "-n", NAMESPACE, "deploy/reference", "--tail=200")
        return any('"note event"' in line and identity in line for line in text.splitlines())

    eventually(logged, 15, "the service's line about its own event")


@pytest.mark.req("C7.5", "C6.4")
def test_a_consumer_that_always_fails_leaves_a_dead_letter_that_operators_are_told_of(
    bus: Door, service: Service, kubectl: Kubectl, paths: Paths
) -> None:
    bus.run("auditor", skip_to_end)
    identity = f"test-{uuid.uuid4()}"
    status, note = service.call("POST", "/notes", {"body": "fails"}, X_Correlation_ID=identity)
    assert status == 201

    assert bus.run("auditor", refuse(identity)) == list(range(1, _DELIVERIES + 1))

    def letter() -> dict[str, Any]:
        found = bus.run("stream-controller", lambda _client, streams: letters(streams))
        return next((each for each in found if each["correlation_id"] == identity), {})

    found = eventually(letter, 20, "the dead letter")
    assert found["consumer"] == "auditor"
    assert found["original_topic"] == TOPIC
    assert json.loads(found["original_message"])["note_id"] == note["id"]
    assert (found["error_type"], found["retry_count"]) == ("max_deliveries", 3)
    assert found["failure_reason"] == "not acknowledged after 3 deliveries"
    made = f'messages_dead_letters_made_total{{consumer="auditor",topic="{TOPIC}"}}'
    eventually(lambda: metrics(kubectl, "messages-controller").get(made, 0) >= 1, 30, "the letter is counted")
    noticed(kubectl, "DeadLetters")

    shown = eventually(lambda: told_of(paths, identity), 30, "the letter in `ops messages`")
    assert (shown["consumer"], shown["failure_reason"]) == ("auditor", "not acknowledged after 3 deliveries")
    table = eventually(lambda: (found := ops_messages(paths)).returncode == 0 and found, 30, "the table of topics")
    assert identity in table.stdout
    assert found["original_message"] not in table.stdout, "messages are for their readers"


@pytest.mark.req("C7.5")
def test_a_dead_letter_is_handed_out_again_once_with_its_own_headers(
    bus: Door, service: Service, kubectl: Kubectl, paths: Paths
) -> None:
    bus.run("auditor", skip_to_end)
    identity = f"test-{uuid.uuid4()}"
    status, note = service.call("POST", "/notes", {"body": "comes again"}, X_Correlation_ID=identity)
    assert status == 201
    assert bus.run("auditor", refuse(identity)) == list(range(1, _DELIVERIES + 1))
    number = eventually(lambda: told_of(paths, identity), 30, "the letter in `ops messages`")["sequence"]

    def redeliver(*arguments: str) -> tuple[int, dict[str, Any]]:
        done = ops_messages(paths, "redeliver", TOPIC, "--id", str(number), "--json", *arguments)
        assert done.returncode in (0, 1), done.stderr
        (row,) = json.loads(done.stdout)["letters"]
        return done.returncode, row

    code, row = redeliver("--dry-run")
    assert (code, row["outcome"], row["event"]) == (0, "would be redelivered", 0)
    code, sent = redeliver()
    assert (code, sent["outcome"], sent["consumer"], sent["correlation_id"]) == (0, "redelivered", "auditor", identity)

    async def read(_client: Client, streams: JetStreamContext) -> tuple[int, int, dict[str, str]]:
        subscription = await streams.pull_subscribe_bind(consumer="auditor", stream=STREAM)
        while True:
            with suppress(TimeoutError):
                (message,) = await subscription.fetch(1, timeout=10)
                await message.ack_sync()
                if of(message) == identity:
                    return json.loads(message.data)["note_id"], message.metadata.sequence.stream, message.headers or {}

    identifier, event, headers = bus.run("auditor", read)
    assert (identifier, event) == (note["id"], sent["event"])
    assert headers["X-Correlation-ID"] == identity
    assert headers["Redelivered-From"] == f"onex.dlq.reference.note-created.v1:{number}"

    code, again = redeliver()
    assert (code, again["outcome"], again["event"]) == (1, "already", event)
    assert again["detail"].startswith("by ")

    def logged() -> bool:
        text = kubectl("logs", "-n", NAMESPACE, "deploy/messages-controller", "--tail=200")
        return any('"dead letter redelivered"' in line and identity in line for line in text.splitlines())

    eventually(logged, 30, "the controller logs who did it")


@pytest.mark.req("C7.5")
def test_an_event_that_the_service_cannot_read_is_given_up_at_once_with_a_reason(bus: Door, kubectl: Kubectl) -> None:
    before = metrics(kubectl, "reference").get(MALFORMED, 0)
    marker = f"poison {uuid.uuid4()}"
    bus.run("reference", lambda _client, streams: streams.publish(TOPIC, marker.encode()))

    def letter() -> dict[str, Any]:
        found = bus.run("stream-controller", lambda _client, streams: letters(streams))
        return next((each for each in found if each["original_message"] == marker), {})

    found = eventually(letter, 20, "the dead letter")
    assert (found["consumer"], found["error_type"]) == ("reference", "terminated")
    eventually(lambda: metrics(kubectl, "reference").get(MALFORMED, 0) == before + 1, 30, "it is counted once")


@pytest.mark.req("C7.1", "V12", "P18")
@pytest.mark.parametrize(
    ("client", "subject"),
    [
        ("auditor", TOPIC),
        ("auditor", "onex.dlq.reference.note-created.v1"),
        ("auditor", f"$JS.API.STREAM.PURGE.{STREAM}"),
        ("auditor", f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.reference"),
        ("reference", "onex.evt.orders.order-placed.v1"),
        ("reference", f"$JS.API.STREAM.DELETE.{STREAM}"),
        ("operators", f"$JS.API.STREAM.MSG.GET.{STREAM}"),
        ("operators", f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.auditor"),
        ("operators", "onex.dlq.reference.note-created.v1"),
        ("operators", f"$JS.API.STREAM.PURGE.{STREAM}"),
        ("stream-controller", TOPIC),
        ("stream-controller", f"$JS.API.STREAM.DELETE.{STREAM}"),
    ],
)
def test_a_client_cannot_do_what_its_topics_do_not_need(bus: Door, client: str, subject: str) -> None:
    async def attempt(connection: Client, _streams: JetStreamContext) -> str:
        refused: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def note(error: Exception) -> None:
            if not refused.done():  # one refusal can be told twice
                refused.set_result(str(error))

        connection._error_cb = note
        asking = asyncio.ensure_future(connection.request(subject, b"{}", timeout=180))
        try:
            said = await asyncio.wait_for(refused, 90)
            assert not asking.done(), "the server answered"
            return said
        finally:
            asking.cancel()

    assert "permissions violation" in bus.run(client, attempt).lower()


@pytest.mark.req("C1.4")
def test_without_a_known_key_nobody_gets_in(bus: Door, tmp_path: Path) -> None:
    stranger = Door(port=bus.port, directory=tmp_path)
    (tmp_path / "ca.crt").write_bytes((bus.directory / "ca.crt").read_bytes())
    # a well-formed key that no server knows
    (tmp_path / "stranger").write_text("SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY")
    with pytest.raises(nats.errors.Error, match=r"(?i)authorization"):
        stranger.run("stranger", skip_to_end)


@pytest.mark.req("P1", "C7.5")
def test_a_stream_changed_by_hand_is_mended_and_one_that_nobody_declares_is_shown_and_kept(
    bus: Door, kubectl: Kubectl
) -> None:
    async def change(_client: Client, streams: JetStreamContext) -> float:
        config = (await streams.stream_info(STREAM)).config
        declared = config.max_age or 0.0
        config.max_age = 3600.0
        await streams.update_stream(config)
        # Nobody may delete it again: it goes with the instance.
        stray = StreamConfig(name="stray", subjects=["stray"], max_bytes=1024)
        await streams.add_stream(stray)
        return declared

    async def look(_client: Client, streams: JetStreamContext) -> tuple[float, bool]:
        age = (await streams.stream_info(STREAM)).config.max_age or 0.0
        return age, (await streams.stream_info("stray")).state.messages == 0

    bus.run("stream-controller", change)
    print(f"noticed after {noticed(kubectl, 'TopicsNotAsDeclared'):.0f} s")
    month = 30 * 24 * 3600.0
    eventually(lambda: bus.run("stream-controller", look) == (month, True), 60, "the declared retention is back")
    undeclared = "messages_streams_undeclared"
    eventually(lambda: metrics(kubectl, "messages-controller").get(undeclared) == 1, 60, "the stray stream is counted")


@pytest.mark.req("C3.8", "C7.5")
def test_events_that_nobody_reads_are_noticed_while_they_become_more(
    bus: Door, service: Service, kubectl: Kubectl
) -> None:
    bus.run("auditor", skip_to_end)
    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(lambda number: service.write(f"unread-{number}-{uuid.uuid4()}")[0], range(_UNREAD)))
    assert set(written) == {201}
    print(f"noticed after {holds(kubectl, 'ConsumerBehind', {'10m:1m': '2m:5s'}):.0f} s")
    bus.run("auditor", skip_to_end)


@pytest.mark.req("C2.10", "C7.6", "C7.8", "C3.6")
def test_without_the_bus_the_service_serves_on_and_every_event_comes_later(
    service: Service, kubectl: Kubectl, paths: Paths, tmp_path: Path
) -> None:
    with door(paths, kubectl, tmp_path) as before:
        before.run("auditor", skip_to_end)
    kubectl("scale", "-n", NAMESPACE, "statefulset/messages", "--replicas=0")
    try:
        eventually(
            lambda: service.call("GET", "/readyz") == (200, {"status": "degraded", "messages": "down"}),
            60,
            "the service says that it is degraded",
        )
        assert metrics(kubectl, "reference")["messages_connected"] == 0
        for alert in ("MessageBusDown", "ServiceWithoutBus"):
            noticed(kubectl, alert)
        silent = ops_messages(paths)
        assert (silent.returncode, "no connection to the bus" in silent.stdout) == (1, True), silent.stderr
        notes = []
        for number in range(5):
            status, note = service.write(f"{tmp_path.name}-{number}-{uuid.uuid4()}")
            assert status == 201
            notes.append(note["id"])
    finally:
        kubectl("scale", "-n", NAMESPACE, "statefulset/messages", "--replicas=1")
    kubectl("rollout", "status", "-n", NAMESPACE, "statefulset/messages", "--timeout=90s")
    eventually(lambda: service.call("GET", "/readyz")[1].get("messages") == "ok", 60, "the service has the bus again")

    seen: set[int] = set()

    async def read(_client: Client, streams: JetStreamContext) -> None:
        subscription = await streams.pull_subscribe_bind(consumer="auditor", stream=STREAM)
        while not seen >= set(notes):
            with suppress(TimeoutError):
                for message in await subscription.fetch(20, timeout=10):
                    seen.add(json.loads(message.data)["note_id"])
                    await message.ack()

    with door(paths, kubectl, tmp_path) as after:
        after.run("auditor", read)
    assert seen >= set(notes)


@pytest.mark.req("C2.5", "C3.6")
def test_killing_the_server_loses_no_event_and_publishing_goes_on(
    service: Service, kubectl: Kubectl, paths: Paths, tmp_path: Path
) -> None:
    async def count(_client: Client, streams: JetStreamContext) -> int:
        return (await streams.stream_info(STREAM)).state.messages

    with door(paths, kubectl, tmp_path) as before:
        kept = before.run("stream-controller", count)
    assert kept > 0
    killed = pod_identity(kubectl, NAMESPACE, "messages-0")
    with nothing_scheduled(kubectl):
        kubectl("delete", "pod", "-n", NAMESPACE, "messages-0", "--grace-period=0", "--force")
        status, _ = service.write(f"after-kill-{uuid.uuid4()}")
        assert status == 201
        noticed(kubectl, "CopiesMissing", 40, statefulset="messages")
    # what the StatefulSet says of its pod may still be of the one that was killed
    eventually(lambda: pod_identity(kubectl, NAMESPACE, "messages-0") not in ("", killed), 60, "a new pod")
    kubectl("wait", "-n", NAMESPACE, "--for=condition=Ready", "pod/messages-0", "--timeout=90s")
    with door(paths, kubectl, tmp_path) as after:
        eventually(lambda: after.run("stream-controller", count) == kept + 1, 30, "old events and the new one")
