"""Settings of the message bus: what cannot work is found before anything is made."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from omnibase_infra.config import ConfigError, load, load_stack_file, topics

ROOT = Path(__file__).resolve().parents[3]
NAME = "onex.evt.reference.note-created.v1"


def settings(stack: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- values of a stack file
    """The settings of a real stack with some of the bus changed."""
    found = copy.deepcopy(load_stack_file(ROOT, stack, {}).config.model_dump(exclude_none=True))
    found["messaging"].update(changes)
    if found["cluster"]["target"] == "local":
        found["cluster"].pop("api_server_cidrs", None)
    return {**found, "environment": stack}


def complaint(stack: str, path: str, **changes: Any) -> str:  # noqa: ANN401 -- values of a stack file
    with pytest.raises(ConfigError) as caught:
        load(stack, settings(stack, **changes), {})
    found = {problem.path: str(problem) for problem in caught.value.problems}
    assert path in found, found
    return found[path]


def topic(name: str = NAME, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- values of a stack file
    return {name: {"publishers": ["reference"], "consumers": {"reference": {}}, **changes}}


@pytest.mark.req("P11", "C3.5")
def test_topics_that_may_outgrow_the_volumes_are_refused() -> None:
    # 819 MiB usable: 783 + 16 of dead letters + 20 of the bus itself fit exactly
    load("dev", settings("dev", topics=topic(max_mib=783)), {})
    text = complaint("dev", "messaging.storage_gib", topics=topic(max_mib=784))
    assert "may grow to 820 MiB with 1 copies, of which 1 servers hold 819 MiB" in text
    assert "raise storage_gib" in text


@pytest.mark.req("V15")
def test_no_event_can_have_more_copies_than_there_are_servers() -> None:
    text = complaint("dev", "messaging.copies", copies=3)
    assert "needs 3 servers, there are 1" in text
    assert "raise messaging.servers" in text


@pytest.mark.parametrize("servers", [2, 4])
def test_an_even_number_of_servers_is_refused(servers: int) -> None:
    assert f"no more losses than {servers - 1}" in complaint("dev", "messaging.servers", servers=servers)


@pytest.mark.req("V15", "C7.5")
@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_staging_and_prod_keep_three_copies_on_three_servers(stack: str) -> None:
    assert "at least 3" in complaint(stack, "messaging.servers", servers=1)
    assert "at least 3" in complaint(stack, "messaging.copies", copies=1)
    assert "must be true" in complaint(stack, "messaging.enabled", enabled=False)


def test_dev_may_do_without_a_bus() -> None:
    assert load("dev", settings("dev", enabled=False), {}).config.messaging.enabled is False


@pytest.mark.req("P4", "V23")
def test_a_topic_has_dead_letters_of_its_own() -> None:
    command = topic("onex.cmd.reference.note-created.v1")
    shared = complaint("dev", "messaging.topics", topics={**topic(), **command})
    assert "has the same dead letters as onex.evt.reference.note-created.v1" in shared


@pytest.mark.parametrize(
    "name",
    [
        "notes",
        "onex.evt.reference.note_created.v1",
        "onex.evt.reference.note-created",
        "onex.dlq.reference.note-created.v1",
        "dev.onex.evt.reference.note-created.v1",
        "onex.evt.reference." + "a" * 120 + ".v1",
    ],
)
def test_a_topics_name_follows_the_pattern(name: str) -> None:
    complaint("dev", f"messaging.topics.{name}", topics=topic(name))


@pytest.mark.req("C1.3", "V24")
def test_publishers_and_consumers_exist() -> None:
    text = complaint("dev", f"messaging.topics.{NAME}.publishers", topics=topic(publishers=["referense"]))
    assert "did you mean 'reference'?" in text
    text = complaint("dev", f"messaging.topics.{NAME}.consumers", topics=topic(consumers={"orders": {}}))
    assert "neither a service nor one of messaging.clients" in text
    load("dev", settings("dev", topics=topic(consumers={"orders": {}}), clients=["orders"]), {})
    assert "has keys already" in complaint("dev", "messaging.clients", clients=["reference"])
    assert "is the name of the client of `ops`" in complaint("dev", "messaging.clients", clients=["operators"])
    assert "the bus's own controller" in complaint("dev", "messaging.clients", clients=["stream-controller"])


def test_the_bus_needs_the_platforms_certificates() -> None:
    with pytest.raises(ConfigError, match="the bus speaks TLS only"):
        load("dev", {**settings("dev"), "certificates": {"enabled": False}}, {})


@pytest.mark.req("C4.11")
def test_the_quota_has_room_for_the_bus() -> None:
    loaded = load("dev", settings("dev"), {}).config
    bus = loaded.messaging.memory_mib + 2 * loaded.messaging.controller.memory_mib
    with pytest.raises(ConfigError) as caught:
        load("dev", {**settings("dev"), "quota": {**loaded.quota.model_dump(), "memory_mib": 1024}}, {})
    (without,) = [problem for problem in caught.value.problems if problem.path == "quota.memory_mib"]
    off = settings("dev", enabled=False)
    with pytest.raises(ConfigError) as smaller:
        load("dev", {**off, "quota": {**loaded.quota.model_dump(), "memory_mib": 1024}}, {})
    (needed,) = [problem for problem in smaller.value.problems if problem.path == "quota.memory_mib"]
    numbers = [int(problem.allowed.split("at least ")[1].split(",")[0]) for problem in (without, needed)]
    assert numbers[0] - numbers[1] == bus


@pytest.mark.req("C7.5")
@pytest.mark.parametrize(
    ("kind", "hours", "subject"), [("evt", 720, ""), ("cmd", 168, ""), ("intent", 24, ""), ("snapshot", 168, ".*")]
)
def test_the_kind_of_a_topic_decides_how_long_and_how_it_is_kept(kind: str, hours: int, subject: str) -> None:
    name = f"onex.{kind}.orders.order-placed.v2"
    assert topics.RETENTION_HOURS[topics.kind(name)] == hours
    assert topics.subjects(name) == [name + subject]
    assert topics.dead_letters(name) == "onex.dlq.orders.order-placed.v2"


def kept(classes: dict[str, str] | None = None, **changes: Any) -> tuple[str, str]:  # noqa: ANN401 -- as above
    """How long the events of the topic, and their dead letters, are kept."""
    given = settings("dev", topics=topic(**changes))
    given["messaging"]["retention"].update(classes or {})
    found = load("dev", given, {}).config.messaging
    events, letters = found.kept(NAME, found.topics[NAME])
    return str(events), str(letters)


@pytest.mark.req("C7.5")
def test_a_class_says_how_long_events_and_letters_are_kept_and_a_topic_may_name_another() -> None:
    assert kept() == ("30d", "7d")
    assert kept(classes={"evt": "14d", "dlq": "10d"}) == ("14d", "10d")
    assert kept(retention="cmd", dead_letters="quarantine") == ("7d", "90d")
    assert kept(classes={"audit": "365d"}, retention="audit") == ("365d", "7d")


@pytest.mark.req("C7.5", "C1.3")
def test_a_class_that_nobody_declares_is_refused_with_the_nearest() -> None:
    path = f"messaging.topics.{NAME}"
    assert "did you mean 'intent'?" in complaint("dev", f"{path}.retention", topics=topic(retention="intents"))
    text = complaint("dev", f"{path}.dead_letters", topics=topic(dead_letters="quarantin"))
    assert "is not among messaging.retention; did you mean 'quarantine'?" in text
    for age, why in (("30m", "must be from 1h to 365d"), ("forever", "a time span such as")):
        given = settings("dev")
        given["messaging"]["retention"]["evt"] = age
        with pytest.raises(ConfigError, match=why):
            load("dev", given, {})


@pytest.mark.req("C7.5")
def test_letters_in_quarantine_outlive_the_events_of_their_topic() -> None:
    chosen = topic(retention="long", dead_letters="quarantine")
    for age, fits in (("89d", True), ("90d", False)):
        given = settings("dev", topics=chosen)
        given["messaging"]["retention"]["long"] = age
        if fits:
            load("dev", given, {})
            continue
        with pytest.raises(ConfigError, match=r"keeps letters for 90d, and must be longer than the events' 90d"):
            load("dev", given, {})


@hypothesis.settings(max_examples=50, deadline=None)
@given(st.from_regex(topics.TOPIC, fullmatch=True))
def test_a_stream_can_be_named_after_any_topic(name: str) -> None:
    name = name.strip()
    assert not set(topics.stream(name)) & set(". *>/\\")
    assert topics.stream(topics.dead_letters(name)) != topics.stream(name)
