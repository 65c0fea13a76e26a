"""One arrow makes the policies of both sides, or of the one side that is ours."""

from __future__ import annotations

from typing import Any, cast

import pytest
from omnibase_infra import ArgsError, NetworkFlow, NetworkFlowArgs, Party

from tests.stacks.support.recorder import Recorder, record

APP: Party = {"name": "app", "namespace": "apps", "labels": {"app": "a"}}
DATABASE: Party = {"name": "database", "namespace": "data", "labels": {"app": "d"}}


def flow(**changes: Any) -> Recorder:  # noqa: ANN401 -- any argument
    args = {"source": APP, "destination": DATABASE, "ports": [5432], **changes}

    def program() -> None:
        NetworkFlow("app-to-database", cast(NetworkFlowArgs, args))

    return record(program)


def manifests(recorder: Recorder) -> dict[str, dict[str, Any]]:
    found = [item for item in recorder.registrations() if item.type.endswith(":NetworkPolicy")]
    return {item.name.rpartition("-")[2]: item.inputs for item in found}


@pytest.mark.req("C7.1")
def test_both_sides_come_from_one_arrow() -> None:
    found = manifests(flow())
    assert found["egress"]["metadata"]["namespace"] == "apps"
    assert found["egress"]["spec"]["podSelector"] == {"matchLabels": {"app": "a"}}
    (rule,) = found["egress"]["spec"]["egress"]
    assert rule["ports"] == [{"port": 5432, "protocol": "TCP"}]
    assert rule["to"][0]["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "data"}}
    assert found["ingress"]["metadata"]["namespace"] == "data"
    assert found["ingress"]["spec"]["ingress"][0]["from"][0]["podSelector"] == {"matchLabels": {"app": "a"}}


def test_flows_of_several_stacks_to_a_namespace_that_they_share_do_not_collide() -> None:
    names = {
        manifests(flow(source={**APP, "namespace": stack}))["ingress"]["metadata"]["name"] for stack in ("one", "two")
    }
    assert names == {"one-app-to-database-ingress", "two-app-to-database-ingress"}
    inside = manifests(flow(source={**APP, "namespace": "data"}))
    assert inside["ingress"]["metadata"]["name"] == "app-to-database-ingress"


def test_addresses_outside_get_no_policy_of_their_own() -> None:
    outside: Party = {"name": "API server", "cidrs": ["192.0.2.1/32"]}
    found = manifests(flow(destination=outside))
    assert list(found) == ["egress"]
    assert found["egress"]["spec"]["egress"][0]["to"] == [{"ipBlock": {"cidr": "192.0.2.1/32"}}]


def test_a_namespace_that_is_not_ours_is_left_alone() -> None:
    assert list(manifests(flow(destination={**DATABASE, "unmanaged": True}))) == ["egress"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"ports": []}, "ports is empty"),
        ({"ports": [0, 65536]}, "port 0 is outside 1..65535; port 65536"),
        ({"protocol": "ICMP"}, "must be TCP, UDP or SCTP"),
        ({"source": {"name": "x"}}, "source must have either namespace or cidrs"),
        ({"source": {"name": "x", "cidrs": []}}, "would allow everything"),
        ({"source": {"name": "x", "cidrs": ["192.0.2.1/32"], "labels": {"a": "b"}}}, "labels cannot apply"),
        (
            {"source": {**APP, "unmanaged": True}, "destination": {**DATABASE, "unmanaged": True}},
            "no policy can express it",
        ),
    ],
)
def test_an_arrow_that_means_nothing_or_everything_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ArgsError, match="NetworkFlow 'app-to-database'") as caught:
        flow(**changes)
    assert complaint in str(caught.value)
