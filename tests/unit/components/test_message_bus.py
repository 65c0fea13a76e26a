"""The message bus: who may do what, what the servers are told, what is refused."""

from __future__ import annotations

import base64
import json
import re
from typing import Any, cast

import pulumi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey
from omnibase_infra import ArgsError, MessageBus, MessageBusArgs, TopicArgs, nkeys
from omnibase_infra.messaging import BusTopicArgs, permissions, server_hosts
from omnibase_infra.messaging.server_config import server_config
from omnibase_infra.messaging.topic import declaration

from services.reference.keys import public_key
from tests.stacks.support import schemas
from tests.stacks.support.recorder import Recorder, record

IMAGE = "registry.example.test/omnibase/nats:2.10@sha256:" + "a" * 64
TOPIC = "onex.evt.orders.order-placed.v1"
STREAM = "onex_evt_orders_order-placed_v1"
SNAPSHOT = "onex.snapshot.orders.basket.v1"


def args(**changes: Any) -> MessageBusArgs:  # noqa: ANN401 -- any argument
    found = {
        "namespace": "space",
        "environment": "dev",
        "image": IMAGE,
        "controller_image": IMAGE,
        "servers": 1,
        "copies": 1,
        "storage_gib": 1,
        "memory_mib": 128,
        "controller_memory_mib": 48,
        "tls_secret": "messages-tls",
        "ca_secret": "platform-ca",
        "clients": [
            {"name": "orders", "party": {"name": "orders", "namespace": "space", "labels": {"app": "orders"}}},
            {"name": "billing"},
        ],
        "topics": [
            {
                "topic": TOPIC,
                "publishers": ["orders"],
                "consumers": [{"client": "billing", "max_deliveries": 5}],
                "max_mib": 64,
                "dead_letter_mib": 16,
            }
        ],
    }
    return cast(MessageBusArgs, {**found, **changes})


def made(**changes: Any) -> Recorder:  # noqa: ANN401 -- any argument
    return record(lambda: MessageBus("bus", args(**changes)))


def objects(recorder: Recorder) -> dict[str, dict[str, Any]]:
    return {item.name: item.inputs for item in recorder.registrations() if item.type.startswith("kubernetes:")}


def config(recorder: Recorder) -> dict[str, Any]:
    text = objects(recorder)["bus-config"]["data"]["nats.conf"]
    found: dict[str, Any] = json.loads(re.sub(r"\$NKEY_[A-Z_]+", r'"\g<0>"', text))
    return found


def topic(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 -- any argument
    return {**args()["topics"][0], **changes}


@pytest.mark.req("C7.1", "V12")
def test_a_client_may_do_exactly_what_its_topics_need() -> None:
    writer = permissions.client_permissions("orders", args()["topics"])
    assert writer["publish"]["allow"] == [f"$JS.API.STREAM.MSG.GET.{STREAM}", TOPIC]
    reader = permissions.client_permissions("billing", args()["topics"])
    assert reader["publish"]["allow"] == [
        f"$JS.ACK.{STREAM}.billing.>",
        f"$JS.API.CONSUMER.INFO.{STREAM}.billing",
        f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.billing",
    ]
    assert [each["subscribe"]["allow"] for each in (writer, reader)] == [["_INBOX.orders.>"], ["_INBOX.billing.>"]]


def test_a_client_of_no_topic_may_publish_nothing() -> None:
    """An empty list of allowed subjects would allow all of them."""
    assert permissions.client_permissions("stranger", args()["topics"])["publish"]["deny"] == [">"]


@pytest.mark.req("P18")
def test_nobody_may_delete_events_not_even_the_controller() -> None:
    allowed = permissions.controller_permissions(args()["topics"])["publish"]
    assert not [subject for subject in allowed["allow"] if "DELETE" in subject or "PURGE" in subject]
    assert "$JS.API.STREAM.DELETE.>" in allowed["deny"]
    assert "$JS.API.>" not in allowed["allow"]
    assert TOPIC not in allowed["allow"]


@pytest.mark.req("C7.1", "P18")
def test_operators_may_hand_out_again_what_failed_and_read_no_other_event() -> None:
    snapshot = {**args()["topics"][0], "topic": SNAPSHOT}
    letters = "onex_dlq_orders_order-placed_v1"
    allowed = permissions.operator_permissions([*args()["topics"], cast(BusTopicArgs, snapshot)])
    assert allowed["publish"]["allow"] == sorted([
        TOPIC,
        f"omnibase.redeliveries.{letters}.*",
        f"$JS.API.STREAM.INFO.{letters}",
        f"$JS.API.STREAM.MSG.GET.{letters}",
        "$JS.API.STREAM.MSG.GET.omnibase_redeliveries",
    ])  # fmt: skip
    assert allowed["subscribe"]["allow"] == ["_INBOX.operators.>"]


def test_every_user_of_the_servers_has_a_key_and_no_password() -> None:
    (account,) = [value for name, value in config(made())["accounts"].items() if name != "SYS"]
    assert [user["nkey"] for user in account["users"]] == [
        "$NKEY_BILLING", "$NKEY_OPERATORS", "$NKEY_ORDERS", "$NKEY_STREAM_CONTROLLER",
    ]  # fmt: skip
    assert all(set(user) == {"nkey", "permissions"} for user in account["users"])


@pytest.mark.req("C1.4", "V11")
def test_private_keys_are_secrets_and_stay_out_of_everything_else() -> None:
    recorder = made()
    stashes = [item for item in recorder.registrations() if item.type == "pulumi:index:Stash"]
    assert [stash.inputs for stash in stashes] == [{"input": "[secret]"}] * 4
    assert all(stash.ignore_changes == ("input",) for stash in stashes)
    rest = json.dumps([item.inputs for item in recorder.registrations()])
    assert "SU" not in [word[:2] for word in rest.split('"') if len(word) == 58]
    secrets = [item for item in objects(recorder).values() if item["kind"] == "Secret"]
    assert [item["data"] for item in secrets] == ["[secret]"] * 4


@pytest.mark.req("C5.6", "V15")
def test_clients_need_tls_and_servers_show_each_other_certificates() -> None:
    found = config(made(servers=3, copies=3))
    assert found["tls"]["min_version"] == "1.2"
    assert found["cluster"]["tls"]["verify"] is True
    assert found["cluster"]["routes"] == [
        f"nats-route://bus-{number}.bus-peers.space.svc.cluster.local:6222" for number in range(3)
    ]
    assert "cluster" not in config(made())


def test_a_certificate_names_the_service_and_each_server() -> None:
    hosts = server_hosts("bus", "space", 3)
    assert "bus.space.svc.cluster.local" in hosts
    assert "bus-2.bus-peers.space.svc.cluster.local" in hosts


def test_what_is_acknowledged_is_on_disk_and_memory_streams_are_off() -> None:
    jetstream = config(made())["jetstream"]
    assert jetstream["sync_interval"] == "always"
    assert jetstream["max_memory_store"] == 0
    assert jetstream["max_file_store"] == 1024**3 * 80 // 100


@pytest.mark.req("V22")
def test_a_cluster_does_not_find_the_streams_of_a_server_alone_which_it_would_delete() -> None:
    alone, cluster = config(made()), config(made(servers=3, copies=3))
    assert (alone["jetstream"]["store_dir"], cluster["jetstream"]["store_dir"]) == ("/data/single", "/data/cluster")


@pytest.mark.req("C7.5")
def test_a_topics_declaration_leaves_nothing_to_the_servers_defaults() -> None:
    recorder = made()
    (found,) = [item for item in recorder.registrations() if item.type.endswith(":Topic")]
    (text,) = objects(recorder)[f"{found.name}-declaration"]["data"].values()
    assert json.loads(text) == {
        "topic": TOPIC,
        "stream": STREAM,
        "subjects": [TOPIC],
        "max_age_seconds": 720 * 3600,
        "max_bytes": 64 * 1024 * 1024,
        "max_events_per_key": -1,
        "copies": 1,
        "duplicates_seconds": 120,
        "dead_letters": {
            "topic": "onex.dlq.orders.order-placed.v1",
            "stream": "onex_dlq_orders_order-placed_v1",
            "subjects": ["onex.dlq.orders.order-placed.v1"],
            "max_age_seconds": 168 * 3600,
            "max_bytes": 16 * 1024 * 1024,
            "max_events_per_key": -1,
            "copies": 1,
            "duplicates_seconds": 120,
        },
        "consumers": [{"name": "billing", "max_deliveries": 5, "ack_wait_seconds": 30, "start": "new"}],
    }


def test_a_snapshot_keeps_the_newest_event_of_each_key() -> None:
    asked: TopicArgs = {
        "bus": "bus", "namespace": "space", "environment": "dev", "topic": SNAPSHOT, "max_mib": 1, "dead_letter_mib": 1,
        "copies": 1,
    }  # fmt: skip
    snapshot = declaration(asked)
    assert snapshot["subjects"] == [f"{SNAPSHOT}.*"]
    assert snapshot["max_events_per_key"] == 1
    assert snapshot["dead_letters"]["max_events_per_key"] == -1
    asked |= {"retention_hours": 2, "dead_letter_hours": 2160}
    kept = declaration(asked)
    assert (kept["max_age_seconds"], kept["dead_letters"]["max_age_seconds"]) == (2 * 3600, 90 * 24 * 3600)


@pytest.mark.req("C4.5")
def test_three_servers_have_a_budget_are_spread_and_hand_over_before_they_go() -> None:
    found = objects(made(servers=3, copies=3, environment="prod"))
    assert found["bus-budget"]["spec"]["maxUnavailable"] == 1
    spec = found["bus-servers"]["spec"]
    spread = {
        item["topologyKey"]: item["whenUnsatisfiable"] for item in spec["template"]["spec"]["topologySpreadConstraints"]
    }
    assert spread["kubernetes.io/hostname"] == "DoNotSchedule"
    (container,) = spec["template"]["spec"]["containers"]
    assert "--signal=ldm=/tmp/nats.pid" in container["lifecycle"]["preStop"]["exec"]["command"]
    alone = objects(made())
    assert "bus-budget" not in alone
    assert "lifecycle" not in alone["bus-servers"]["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.req("C4.1", "C4.9")
def test_the_servers_are_hardened() -> None:
    pod = objects(made())["bus-servers"]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    (container,) = pod["containers"]
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"]


def test_a_new_key_or_topic_restarts_who_reads_it() -> None:
    def annotations(**changes: Any) -> tuple[Any, Any]:  # noqa: ANN401 -- any argument
        found = objects(made(**changes))
        return tuple(
            found[name]["spec"]["template"]["metadata"]["annotations"]
            for name in ("bus-servers", "bus-controller-workload")
        )

    first, second = annotations(), annotations(topics=[topic(max_mib=65)])
    assert first[1] != second[1]
    assert annotations(credential_generation=2)[1] != first[1]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"copies": 3}, "copies=3 needs 3 servers, there are 1"),
        ({"servers": 2}, "servers=2 must be odd"),
        ({"topics": [topic(max_mib=900)]}, "topics may grow to 936 MiB, but 1 servers hold 819 MiB"),
        ({"topics": [topic(), topic()]}, f"topic {TOPIC} is declared 2 times"),
        (
            {"topics": [topic(), topic(topic="onex.cmd.orders.order-placed.v1")]},
            "2 topics share the dead letters onex.dlq.orders.order-placed.v1",
        ),
        ({"topics": [topic(topic="orders")]}, "topic='orders' must match"),
        ({"topics": [topic(publishers=[])]}, "has no publisher"),
        ({"topics": [topic(publishers=["shop"])]}, "'shop' is no client of the bus"),
        ({"topics": [topic(consumers=[{"client": "billing", "max_deliveries": 11}])]}, "billing.max_deliveries=11"),
        ({"topics": [topic(consumers=[{"client": "billing"}] * 2)]}, "billing consumes"),
        ({"topics": [topic(consumers=[{"client": "billing", "start": "last"}])]}, "must be new or all"),
        ({"clients": [{"name": "orders"}, {"name": "orders"}, {"name": "billing"}]}, "'orders' is named twice"),
        ({"clients": [{"name": "stream-controller"}], "topics": []}, "is the bus's own"),
        ({"clients": [{"name": "Orders!"}], "topics": []}, "only lower-case letters"),
        ({"image": "nats:latest"}, "has no digest"),
        ({"memory_mib": 32}, "memory_mib=32 is outside 64.."),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ArgsError, match=r"MessageBus 'bus'") as caught:
        made(**changes)
    assert complaint in str(caught.value)


def test_all_problems_come_together() -> None:
    with pytest.raises(ArgsError) as caught:
        made(image="a", servers=2, copies=3)
    assert len(caught.value.problems) == 3


@settings(max_examples=20, deadline=None)
@given(
    servers=st.sampled_from([1, 3, 5]),
    storage=st.integers(min_value=1, max_value=1000),
    memory=st.integers(min_value=64, max_value=100_000),
    topics=st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,30}", fullmatch=True), max_size=4, unique=True),
)
def test_whatever_is_accepted_is_valid(servers: int, storage: int, memory: int, topics: list[str]) -> None:
    declared = [topic(topic=f"onex.evt.orders.{name}.v1", max_mib=1, dead_letter_mib=1) for name in topics]
    recorder = made(servers=servers, storage_gib=storage, memory_mib=memory, topics=declared)
    for name, manifest in objects(recorder).items():
        assert schemas.problems(manifest) == [], name
        assert len(manifest["metadata"]["name"]) <= 63
    assert len({item.urn for item in recorder.registrations()}) == len(recorder.registrations())


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_a_seed_gives_the_public_key_that_an_independent_implementation_gives(raw: bytes) -> None:
    seed = nkeys.user_seed(raw)
    assert seed.startswith("SU")
    assert nkeys.public_key(seed) == public_key(SigningKey(raw))


def test_a_known_seed_has_the_known_public_key() -> None:
    """Of nats-io/nkeys' own documentation, so that both implementations of ours are not wrong alike."""
    seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
    assert nkeys.public_key(seed) == "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"


@pytest.mark.parametrize("wrong", ["SU", "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VZ", "A" * 58])
def test_a_damaged_seed_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"seed|padding|length"):
        nkeys.public_key(wrong)
    with pytest.raises(ValueError, match="32 bytes"):
        nkeys.user_seed(base64.b32decode("AAAA===="))


def test_the_configuration_is_the_same_text_for_the_same_bus() -> None:
    users = {name: permissions.client_permissions(name, []) for name in ("b", "a")}
    assert server_config("bus", args(), users) == server_config("bus", args(), dict(reversed(users.items())))


def test_outputs_say_where_the_bus_is_and_who_has_which_key() -> None:
    found: dict[str, Any] = {}

    def program() -> None:
        bus = MessageBus("bus", args())
        pulumi.Output.all(url=bus.url, credentials=bus.credentials, streams=bus.streams).apply(found.update)

    record(program)
    assert found == {
        "url": "tls://bus.space.svc.cluster.local:4222",
        "credentials": {"orders": "bus-client-orders", "billing": "bus-client-billing"},
        "streams": {TOPIC: STREAM},
    }
