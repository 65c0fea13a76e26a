"""Ranges of addresses: everybody is nearly all public addresses, in whatever pieces they are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from omnibase_policies import State, evaluate
from omnibase_policies.examples import example

LATER = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]
HALVES, SIXTEENTHS = ["0.0.0.0/1", "128.0.0.0/1"], ["96.0.0.0/4", "112.0.0.0/4"]
IMDS = ["169.254.169.254/32"]


def peer(cidr: object, *exceptions: object) -> dict[str, Any]:
    return {"ipBlock": {"cidr": cidr, "except": list(exceptions)} if exceptions else {"cidr": cidr}}


def said(rule: str, changes: dict[str, Any]) -> list[tuple[str, State]]:
    found = evaluate([example(changes)], tier="prod", together=False)
    return [(each.path, each.state) for each in found if each.rule == rule]


def of_policy(*rules: dict[str, Any], side: str = "egress") -> list[tuple[str, State]]:
    return said("netpol-no-allow-all", {"kind": "NetworkPolicy", f"spec.{side}": list(rules)})


EVERYBODY: Sequence[Sequence[dict[str, Any]]] = (
    [peer("0.0.0.0/0")],
    [peer("::/0")],
    [peer("0.0.0.0/0", "192.0.2.0/24")],
    [peer("0.0.0.0/0", *IMDS)],
    [peer("0.0.0.0/0", *PRIVATE, *IMDS)],
    [peer("0.0.0.0/0", "0.0.0.0/1")],
    [peer("0.0.0.0/0", "010.0.0.0/8")],
    [peer("000.0.0.0/00")],
    [peer("8.8.8.8/0")],
    [peer("everything")],
    [peer(each) for each in HALVES],
    [peer(each, "192.0.2.0/24") for each in HALVES],
    [peer(f"{first}.0.0.0/8") for first in range(1, 224) if first not in (10, 127)],
    [peer("::/1"), peer("8000::/1")],
    [peer("2000::/4"), peer("3000::/4")],
    [peer("2000::/3", "2001:db8::/32")],
)
NAMED: Sequence[Sequence[dict[str, Any]]] = (
    [peer("203.0.113.0/24")],
    [peer(each) for each in PRIVATE],
    [peer("10.0.0.0/8", "10.1.0.0/16")],
    [peer("0.0.0.0/0", *HALVES)],
    [peer("100.64.0.0/10"), peer("224.0.0.0/3")],
    [peer("fc00::/7"), peer("2001:db8::/32")],
    [peer(f"{first}.0.0.0/8") for first in (3, 13, 15, 18, 52, 54)],
)


@pytest.mark.req("V10")
@pytest.mark.parametrize("side", ["ingress", "egress"])
@pytest.mark.parametrize("peers", EVERYBODY, ids=lambda peers: f"{peers[0]['ipBlock']} and {len(peers) - 1} more")
def test_a_policy_that_reaches_nearly_all_public_addresses_names_nobody(peers: list[dict[str, Any]], side: str) -> None:
    found = of_policy({"from" if side == "ingress" else "to": peers}, side=side)
    assert {state for _, state in found} == {State.VIOLATED}


@pytest.mark.req("V10")
@pytest.mark.parametrize("peers", NAMED, ids=lambda peers: f"{peers[0]['ipBlock']} and {len(peers) - 1} more")
def test_ranges_of_named_networks_are_not_everybody(peers: list[dict[str, Any]]) -> None:
    assert of_policy({"to": peers}) == []


def test_one_range_is_complained_of_itself_and_several_where_they_stand_together() -> None:
    assert of_policy({"to": [peer("203.0.113.0/24"), peer("0.0.0.0/0")]}) == [("spec.egress[0].to[1]", State.VIOLATED)]
    assert of_policy({"to": [peer(each) for each in SIXTEENTHS]}) == [("spec.egress[0].to", State.VIOLATED)]


def test_rules_for_the_same_ports_count_together_and_those_for_other_ports_do_not() -> None:
    https, dns = [{"port": 443, "protocol": "TCP"}], [{"port": 53, "protocol": "UDP"}]
    first, second = ({"to": [peer(each)], "ports": https} for each in SIXTEENTHS)
    both = [("spec.egress[0].to", State.VIOLATED), ("spec.egress[1].to", State.VIOLATED)]
    assert of_policy(first, second) == both
    assert of_policy(first, {**second, "ports": [{"port": 443}]}) == both
    assert of_policy(first, {**second, "ports": dns}) == []
    assert of_policy(first, {"to": second["to"]}) == [("spec.egress[0].to", State.VIOLATED)]


@pytest.mark.parametrize(
    "block",
    [
        LATER,
        {"cidr": LATER},
        {"cidr": "0.0.0.0/0", "except": LATER},
        {"cidr": "0.0.0.0/0", "except": [LATER]},
        {"cidr": "::/0", "except": [LATER]},
    ],
)
def test_a_range_that_is_not_known_yet_is_decided_by_the_update(block: object) -> None:
    assert of_policy({"to": [{"ipBlock": block}]}) == [("spec.egress[0].to[0]", State.UNKNOWN)]


def test_a_rule_that_is_known_is_not_spoken_of_for_another_one_that_is_not() -> None:
    rules = {"to": [peer("203.0.113.0/24")]}, {"to": [peer(LATER)]}
    assert of_policy(*rules) == [("spec.egress[1].to[0]", State.UNKNOWN)]
    first, second = ({"to": [peer("96.0.0.0/4")]}, {"to": [peer("112.0.0.0/4", LATER)]})
    assert of_policy(first, second) == [("spec.egress[1].to", State.UNKNOWN)]


def test_a_range_is_everybody_whatever_another_one_turns_out_to_be() -> None:
    assert of_policy({"to": [peer(LATER), peer("0.0.0.0/0", *PRIVATE)]}) == [
        ("spec.egress[0].to[0]", State.UNKNOWN),
        ("spec.egress[0].to[1]", State.VIOLATED),
    ]


def test_ten_thousand_ranges_and_exceptions_are_judged_at_once() -> None:
    holes = [f"{high}.{low}.0.0/16" for high in range(1, 40) for low in range(256)]
    assert of_policy({"to": [peer("0.0.0.0/0", *holes), *map(peer, holes)]}) == [
        ("spec.egress[0].to[0]", State.VIOLATED)
    ]


@pytest.mark.parametrize(
    ("rule", "changes", "place", "key"),
    [
        (
            "loadbalancer-needs-approval",
            {"kind": "Service", "spec.type": "LoadBalancer"},
            "spec.loadBalancerSourceRanges",
            "",
        ),
        ("cloud-firewall-closed", {"kind": "AwsSecurityGroup"}, "ingress.0.cidrBlocks", ""),
        (
            "cloud-db-no-open-network",
            {"kind": "GcpSqlInstance"},
            "settings.ipConfiguration.authorizedNetworks",
            "value",
        ),
    ],
)
def test_all_addresses_in_pieces_are_everybody_for_load_balancers_and_clouds_too(
    rule: str, changes: dict[str, Any], place: str, key: str
) -> None:
    def states(ranges: list[str]) -> set[State]:
        return {state for _, state in said(rule, {**changes, place: [{key: each} if key else each for each in ranges]})}

    assert states(HALVES) == states(SIXTEENTHS) == {State.VIOLATED}
    assert states(PRIVATE) == set()


def test_a_sandbox_does_not_reach_everybody_in_two_halves() -> None:
    changes = {"kind": "SandboxTemplate", "spec.networkPolicy": {"egress": [{"to": [peer(each) for each in HALVES]}]}}
    assert said("sandbox-egress-bounded", changes) == [("spec.networkPolicy.egress[0]", State.VIOLATED)]
