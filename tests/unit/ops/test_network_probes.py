"""Connections are told apart: accepted, refused, silent; what differs from the declared policies is named."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from local.errors import LocalError
from local.paths import Paths
from local.stack import Stack
from ops.network import Party
from ops.network.live import find_members
from ops.network.matrix import Matrix
from ops.network.probes import Address, listeners, reached
from ops.network.verify import compare_policies, verify_stack


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made.getsockname()[1]


def _unused() -> int:
    with socket.create_server(("127.0.0.1", 0)) as made:
        port: int = made.getsockname()[1]
    return port


def test_what_accepts_is_reached_and_what_refuses_is_not(listener: int) -> None:
    accepts, refuses = Address("127.0.0.1", listener), Address("127.0.0.1", _unused())
    assert reached(None, [accepts, refuses], 20) == {accepts}


def test_hundreds_are_tried_at_once_and_none_is_left_open() -> None:
    with ExitStack() as open_:
        servers = [open_.enter_context(socket.create_server(("127.0.0.1", 0), backlog=8)) for _ in range(150)]
        addresses = [Address("127.0.0.1", server.getsockname()[1]) for server in servers]
        started = time.monotonic()
        assert reached(None, addresses, 60) == set(addresses)
        assert time.monotonic() - started < 60
        for server in servers:
            accepted, _ = server.accept()
            accepted.settimeout(60)
            assert accepted.recv(1) == b"", "the client has closed"
            accepted.close()


def test_a_silent_address_costs_the_time_that_was_given_and_no_more() -> None:
    with socket.socket() as full:  # a queue that is full takes no more connections, and says nothing
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = Address("127.0.0.1", full.getsockname()[1])
        with ExitStack() as held:
            for _ in range(4):
                made = held.enter_context(socket.socket())
                made.setblocking(False)
                made.connect_ex((address.ip, address.port))
            started = time.monotonic()
            assert reached(None, [address], 0.5) == set()
            assert 0.4 < time.monotonic() - started < 30


def test_dns_is_asked_a_question_and_only_an_answer_counts() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as mute:
        for each in (server, mute):
            each.bind(("127.0.0.1", 0))
            each.settimeout(60)

        def answer() -> None:
            question, client = server.recvfrom(512)
            server.sendto(question[:2] + b"\x81\x80" + question[4:] + b"\x00" * 16, client)

        thread = threading.Thread(target=answer)
        thread.start()
        answers, says_nothing = (Address("127.0.0.1", each.getsockname()[1], "UDP") for each in (server, mute))
        assert reached(None, [answers, says_nothing, Address("127.0.0.1", _unused(), "UDP")], 3) == {answers}
        thread.join()


def test_a_namespace_that_is_gone_is_an_error_and_not_a_refusal(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="gone"):
        reached(tmp_path / "gone", [Address("127.0.0.1", 1)], 1)


def test_listeners_are_read_as_the_kernel_writes_them(listener: int) -> None:
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    assert listener in listeners(lines, "127.0.0.1")
    assert listener not in listeners(lines, "192.0.2.1")
    anywhere = "0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0"
    established = "1: 0100007F:1F91 0100007F:9999 01 0"
    assert listeners([anywhere, established], "127.0.0.1") == [8080]


def _policy(name: str, **spec: object) -> dict[str, Any]:
    return {"metadata": {"namespace": "orders", "name": name, "resourceVersion": "7"}, "spec": spec}


def test_policies_added_removed_or_changed_by_hand_are_named() -> None:
    declared = [_policy("kept", a=1), _policy("changed", a=1), _policy("removed", a=1)]
    live = [_policy("kept", a=1), _policy("changed", a=2), _policy("added", a=1)]
    assert compare_policies(declared, live) == [
        "policy orders/added is in the cluster and not declared",
        "policy orders/changed says something else than what is declared",
        "policy orders/removed is declared and not in the cluster",
    ]
    assert compare_policies(declared, declared) == []


MATRIX = Matrix(
    stack="dev",
    parties=(
        Party(name="web", namespace="orders", labels={"app": "web"}),
        Party(name="jobs", namespace="orders", present=("job",)),
        Party(name="cluster DNS", namespace="kube-system", labels={"k8s-app": "kube-dns"}, is_managed=False),
    ),
    arrows=(),
    policies=(_policy("kept"),),
    problems=(),
)


def _pod(name: str, labels: dict[str, str], namespace: str = "orders", **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    status = {"phase": "Running", "podIP": "10.0.0.1", **changes.pop("status", {})}
    ports = [{"containerPort": 8080}, {"containerPort": 53, "protocol": "UDP"}]
    metadata = {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-{name}",
        "labels": labels,
        **changes.pop("metadata", {}),
    }
    return {"metadata": metadata, "spec": {"containers": [{"ports": ports}], **changes}, "status": status}


def test_pods_find_their_party_and_those_that_policies_do_not_bind_are_left_out() -> None:
    pods = [
        _pod("web-1", {"app": "web", "hash": "1"}),
        _pod("grows", {"job": "join"}),
        _pod("stray", {"app.kubernetes.io/name": "stray"}),
        _pod("dns", {"k8s-app": "kube-dns"}, "kube-system"),
        _pod("other", {"app": "other"}, "kube-system"),
        _pod("on-the-node", {"app": "web"}, hostNetwork=True),
        _pod("ended", {"app": "web"}, status={"phase": "Succeeded"}),
        _pod("ending", {"app": "web"}, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}),
    ]
    processes = {f"uid-{pod['metadata']['name']}": 7 for pod in pods}
    found = find_members(MATRIX, pods, processes)
    assert [(member.party.id, member.pod) for member in found] == [
        ("kube-system/cluster DNS", "dns"),
        ("orders/jobs", "grows"),
        ("orders/stray", "stray"),
        ("orders/web", "web-1"),
    ]
    assert found[-1].ports == (("TCP", 8080), ("UDP", 53))
    assert found[-1].labels == {"app": "web", "hash": "1"}, "policies are held against what the pod really carries"
    assert found[-1].namespace_file == Path("/proc/7/ns/net")


def test_an_existing_cluster_and_a_user_without_root_are_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = Paths(instance="local", root=tmp_path, cache=tmp_path, state=tmp_path)
    existing = Stack(name="prod", path=tmp_path, target="existing", context="prod", instance="local")
    with pytest.raises(LocalError, match="stack prod is on an existing cluster"):
        verify_stack(MATRIX, paths, existing)
    local = Stack(name="dev", path=tmp_path, target="local", context="", instance="local")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(LocalError, match="needs root"):
        verify_stack(MATRIX, paths, local)
