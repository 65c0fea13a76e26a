from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from local.errors import MachineError
from local.node import NetworkPlan, limits, preflight, settings
from local.paths import Paths

PLAN = NetworkPlan(instance="none", network=IPv4Network("10.216.0.0/16"))


@pytest.fixture
def paths() -> Iterator[Paths]:
    with tempfile.TemporaryDirectory(prefix="omn-") as short:  # a unix socket's path must be, with one worker or more
        place = Path(short)
        yield Paths(instance="none", root=place, cache=place / "cache", state=place / "state")


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Root on a machine with nothing to complain about; each test adds one complaint."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    for name in ("_kernel", "_addresses", "_owner", "_ports"):
        monkeypatch.setattr(preflight, name, lambda *_: [])
    monkeypatch.setattr(limits, "problems", lambda *_: [])
    return monkeypatch


def test_without_root_nothing_else_is_asked(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(MachineError, match=r"uid 1000.* is not root") as refused:
        preflight.check(paths, PLAN, built=True)
    assert "sudo" in refused.value.hint
    assert refused.value.exit_code == 4


def test_all_problems_are_listed_together(paths: Paths, quiet: pytest.MonkeyPatch) -> None:
    quiet.setattr(preflight, "_kernel", lambda *_: ["no bridges"])
    quiet.setattr(preflight, "_ports", lambda *_: ["port 6443 is taken"])
    with pytest.raises(MachineError) as refused:
        preflight.check(paths, PLAN, built=False)
    assert "no bridges" in str(refused.value)
    assert "port 6443 is taken" in str(refused.value)
    assert "nothing was changed" in str(refused.value)


def test_a_machine_whose_limits_are_used_up_is_refused(paths: Paths, quiet: pytest.MonkeyPatch) -> None:
    quiet.setattr(limits, "problems", lambda name: [f"no inotify instances are left for {name}"])
    with pytest.raises(MachineError, match=r"no inotify instances are left for omnibase-none"):
        preflight.check(paths, PLAN, built=False)


def test_programs_count_only_after_the_build(paths: Paths, quiet: pytest.MonkeyPatch) -> None:
    preflight.check(paths, PLAN, built=False)
    with pytest.raises(MachineError, match=r"etcd.*kubelet.*not built yet"):
        preflight.check(paths, PLAN, built=True)


def test_too_little_disk_is_refused_with_the_place(paths: Paths, quiet: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1 << 30})()
    quiet.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(MachineError, match=r"1\.0 GiB free and the node needs 3 GiB"):
        preflight.check(paths, PLAN, built=False)


def test_a_state_directory_too_long_for_sockets_is_refused(paths: Paths, quiet: pytest.MonkeyPatch) -> None:
    deep = Paths(instance="none", root=paths.root, cache=paths.cache, state=Path("/" + "d" * 90))
    with pytest.raises(MachineError, match="too long for the sockets"):
        preflight.check(deep, PLAN, built=False)


def configured(paths: Paths, plan: NetworkPlan, *, with_data: bool) -> None:
    """What a start leaves below the node's directory."""
    (paths.node / "etc").mkdir(parents=True)
    (paths.node / "etc" / "kubelet.yaml").write_text(json.dumps(settings.kubelet(paths, plan)))
    (paths.node / "etcd").mkdir()
    if with_data:
        (paths.node / "etcd" / "member").mkdir()


@pytest.mark.req("C1.3")
def test_another_network_than_that_of_the_nodes_data_is_refused_with_both_ways_out(
    paths: Paths, quiet: pytest.MonkeyPatch
) -> None:
    configured(paths, replace(PLAN, network=IPv4Network("10.215.0.0/16")), with_data=True)
    with pytest.raises(MachineError) as refused:
        preflight.check(paths, PLAN, built=False)
    assert "data that was made in network 10.215.0.0/16, and cluster.network is now 10.216.0.0/16" in str(refused.value)
    assert "back to 10.215.0.0/16, or give the data up with `make clean`" in str(refused.value)


def test_the_network_may_change_as_long_as_there_is_no_data(paths: Paths, quiet: pytest.MonkeyPatch) -> None:
    preflight.check(paths, PLAN, built=False)
    configured(paths, replace(PLAN, network=IPv4Network("10.215.0.0/16")), with_data=False)
    preflight.check(paths, PLAN, built=False)


def test_data_of_the_same_network_is_no_problem(paths: Paths, quiet: pytest.MonkeyPatch) -> None:
    configured(paths, PLAN, with_data=True)
    preflight.check(paths, PLAN, built=False)


@pytest.mark.parametrize(
    ("routes", "complaint"),
    [
        ([{"dst": "10.216.5.0/24", "dev": "tun0"}], "route 10.216.5.0/24 through tun0"),
        ([{"dst": "10.0.0.0/8", "dev": "tun0"}], "route 10.0.0.0/8 through tun0"),
        ([{"dst": "10.217.0.0/16", "dev": "tun0"}], ""),
        ([{"dst": "10.216.0.0/16", "dev": "omn-none"}], ""),
        ([{"dst": "default", "dev": "eth0"}, {"dst": "fe80::/64", "dev": "eth0"}], ""),
    ],
)
def test_a_foreign_route_into_our_range_is_a_clash(
    routes: list[dict[str, Any]], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "_ip_json", lambda *words: routes if words[0] == "route" else [])
    found = preflight._addresses(PLAN)
    assert [complaint in line for line in found] == ([True] if complaint else [])


def test_a_foreign_address_in_our_range_is_a_clash_and_our_own_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"family": "inet", "local": "10.216.0.1", "prefixlen": 30}
    interfaces = [{"ifname": name, "addr_info": [entry]} for name in ("docker0", "omn-none")]
    monkeypatch.setattr(preflight, "_ip_json", lambda *words: interfaces if words[0] == "addr" else [])
    (found,) = preflight._addresses(PLAN)
    assert "address 10.216.0.1/30 of docker0" in found
    assert "cluster.network" in found
