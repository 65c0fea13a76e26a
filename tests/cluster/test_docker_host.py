"""examples/docker-host on the node's Docker engine: every hardening seen from inside, drift, faults, removal."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.images.registry import connect
from local.node import Node, control
from local.paths import Paths
from tests.cluster.docker_host_kit import PACK, PORT, Host, deploy
from tests.cluster.docker_watch_kit import Watch, watching
from tests.cluster.images_kit import ask
from tests.cluster.node_kit import all_ready, wait_for

WEB, CLIENT = "dev-web", "dev-client"
SECRET = "only for this example"
SCRATCH = "/tmp"  # noqa: S108 - a directory in the container
_SOCKETS = "/bin/busybox cat /proc/net/tcp /proc/net/tcp6"
_LISTENS = re.compile(r":2328 0+:0000 0A ")  # on port 9000, of either family
_FEWEST_DEATHS, _MOST_DEATHS = 3, 16  # containers that the tests before made and never started hide some
_FORKS = f"for i in {' '.join(map(str, range(18)))}; do /bin/busybox sleep 5 & done"


@pytest.fixture(scope="module")
def host(
    node: Node, paths: Paths, image_references: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Host]:
    """The example, deployed once under the policy pack at prod's levels; destroyed afterwards."""
    made = deploy(paths, tmp_path_factory.mktemp("docker-host"), image_references["local-path-provisioner"])
    assert made.left() == []
    said = made.run("up", packs=(PACK,))
    assert "[mandatory]" not in said
    advised = set(re.findall(r"\[advisory\] \[severity: \w+\]  (\S+)", said))
    assert advised == {"docker-restart-limit"}, "a few tries only would leave it down after a restart of the host"
    yield made
    made.run("destroy")


@pytest.fixture(scope="module")
def watch(host: Host, node: Node, paths: Paths, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    """A Prometheus with our rules, which reads the engine."""
    with watching(node, paths, tmp_path_factory.mktemp("watch"), containers=2) as made:
        yield made


@pytest.fixture
def namespace(node: Node) -> Path:
    """The network that the Docker engine and its ports are in."""
    return Path("/run/netns") / node.plan.name


def healthy(host: Host, container: str = WEB) -> bool:
    return bool(host.inspect(container)["State"].get("Health", {}).get("Status") == "healthy")


@pytest.mark.req("C4.1")
def test_the_process_is_nobody_has_no_rights_and_gains_none(host: Host) -> None:
    for container, uid in ((WEB, "10011"), (CLIENT, "10012")):
        status = host.status_inside(container)
        assert status["Uid"].split() == [uid] * 4
        assert status["Gid"].split() == [uid] * 4
        assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2", "the engine's filter is on"
        assert status["NSpid"].split() == ["1"], "its own processes only"


@pytest.mark.req("C4.1")
def test_nothing_can_be_written_but_scratch_space_in_memory_which_runs_nothing(host: Host) -> None:
    for path in ("/x", "/bin/x", "/etc/x", "/run/secrets/x"):
        assert "Read-only file system" in host.inside(WEB, f"echo x > {path}", check=False)
    host.inside(WEB, f"/bin/busybox cp /bin/busybox {SCRATCH}/busybox")
    assert "Permission denied" in host.inside(WEB, f"{SCRATCH}/busybox true", check=False)
    assert "No space left" in host.inside(
        WEB, f"/bin/busybox dd if=/dev/zero of={SCRATCH}/big bs=1M count=6", check=False
    )
    host.inside(WEB, f"/bin/busybox rm -f {SCRATCH}/big {SCRATCH}/busybox")
    mounts = [line.split() for line in host.inside(WEB, "/bin/busybox cat /proc/mounts").splitlines()]
    (scratch,) = [options.split(",") for _, place, _, options, *_ in mounts if place == SCRATCH]
    assert {"noexec", "nosuid", "nodev", "size=4096k"} <= set(scratch)


@pytest.mark.req("C4.3")
def test_memory_processes_and_processors_are_limited(host: Host) -> None:
    limits = host.inside(
        WEB,
        "/bin/busybox cat /sys/fs/cgroup/memory/memory.limit_in_bytes "
        "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us",
    ).split()
    assert limits == [str(16 << 20), str(16 << 20), "50000"], "memory, memory and swap, half a core"
    killed = host.inside(WEB, "/bin/busybox dd if=/dev/zero of=/dev/null bs=64M count=1; echo code $?", check=False)
    assert "code 137" in killed, "more memory than the limit is not to be had"
    forks = host.inside(WEB, _FORKS, check=False)
    assert "Resource temporarily unavailable" in forks
    wait_for(lambda: "room" in host.inside(WEB, "echo room", check=False), 20, "there is room for a process again")
    wait_for(lambda: healthy(host), 20, "the container goes on")


def test_secrets_are_files_that_only_this_container_sees(host: Host) -> None:
    assert host.inside(WEB, "/bin/busybox cat /run/secrets/token") == SECRET
    assert "No such file" in host.inside(CLIENT, "/bin/busybox cat /run/secrets/token", check=False)
    for container in (WEB, f"{WEB}-secrets"):
        assert SECRET not in str(host.inspect(container)), "neither environment nor labels"
    assert host.inspect(f"{WEB}-secrets")["State"]["Status"] == "created", "what holds them never runs"
    assert SECRET not in host.state_text()


def test_the_port_is_open_on_the_one_address_only(host: Host, node: Node, namespace: Path) -> None:
    assert ask(namespace, PORT, "GET", "/").body == b"hello from a hardened container\n"
    with pytest.raises(ConnectionRefusedError):
        connect(namespace, str(node.plan.node_address), PORT)
    assert host.outputs()["web"] == f"127.0.0.1:{PORT}"


def test_containers_reach_each_other_in_a_joined_network_and_nowhere_else(host: Host, node: Node) -> None:
    fetch = "/bin/busybox wget -q -T 20 -O - http://{}:8080/"
    assert host.inside(CLIENT, fetch.format(WEB)) == "hello from a hardened container"
    for place in (f"{node.plan.node_address}:10250", "127.0.0.1:5000"):  # the kubelet, the registry
        assert host.inside(CLIENT, f"/bin/busybox nc -w 2 {place.replace(':', ' ')} </dev/null; echo $?")[-1] == "1", (
            place
        )
    networks = host.inspect(CLIENT)["NetworkSettings"]["Networks"]
    for network, code in ((WEB, "code 0"), (CLIENT, "code 1")):
        host.docker(
            "exec", "--detach", CLIENT, "/bin/busybox", "timeout", "120", "/bin/busybox", "nc", "-l", "-p", "9000"
        )
        wait_for(lambda: bool(_LISTENS.search(host.inside(CLIENT, _SOCKETS))), 20, "it listens")
        call = f"/bin/busybox nc -w 5 {networks[network]['IPAddress']} 9000 </dev/null; echo code $?"
        assert code in host.inside(WEB, call, check=False), network


def test_the_host_keeps_short_logs_and_starts_it_again(host: Host) -> None:
    settings = host.inspect(WEB)["HostConfig"]
    assert settings["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}}
    assert settings["RestartPolicy"]["Name"] == "unless-stopped"
    assert settings["Binds"] is None
    assert "@sha256:" in host.inspect(WEB)["Config"]["Image"]


def test_a_second_up_changes_nothing_and_a_refresh_finds_no_drift(host: Host) -> None:
    assert "12 unchanged" in host.run("up", "--expect-no-changes")
    host.run("refresh", "--expect-no-changes")


def test_what_was_changed_by_hand_is_shown_and_repaired_without_a_new_container(host: Host, watch: Watch) -> None:
    assert watch.alerts() == set()
    before = host.inspect(WEB)["Id"]
    host.docker("update", "--memory=32m", "--memory-swap=32m", "--restart=no", WEB)
    host.docker("stop", "--time=1", CLIENT)
    watch.notices("DockerContainersMissing")

    shown = host.run("preview", "--refresh", "--diff")
    host.run("up", "--refresh")

    assert "memory" in shown
    assert "mustRun" in shown
    live = host.inspect(WEB)
    assert (live["Id"], live["HostConfig"]["Memory"]) == (before, 16 << 20)
    assert live["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert host.inspect(CLIENT)["State"]["Running"]
    watch.forgets("DockerContainersMissing")
    host.run("preview", "--refresh", "--expect-no-changes")


def test_a_container_that_was_removed_by_hand_is_made_again(host: Host) -> None:
    host.docker("rm", "--force", CLIENT)
    host.run("up", "--refresh")
    assert healthy(host, CLIENT)


@pytest.mark.req("C4.2", "C4.6", "V4")
def test_a_changed_file_makes_a_new_image_and_a_new_container(host: Host, namespace: Path) -> None:
    before, old = host.outputs()["image"], host.inspect(WEB)["Id"]
    page = host.paths.root / "image" / "www" / "index.html"
    page.write_text("second edition\n")

    shown = host.run("preview")
    host.run("up")

    assert "replace" in shown
    after = host.outputs()["image"]
    assert after != before
    assert host.inspect(WEB)["Id"] != old
    assert host.inspect(WEB)["Config"]["Image"] == after
    assert ask(namespace, PORT, "GET", "/").body == b"second edition\n"


@pytest.mark.req("C5.2")
def test_a_new_secret_reaches_the_container_and_is_never_shown(host: Host) -> None:
    host.set(token="a secret for the second day")
    said = host.run("up", "--diff")
    assert host.inside(WEB, "/bin/busybox cat /run/secrets/token") == "a secret for the second day"
    assert SECRET not in said
    assert SECRET not in host.state_text()


def test_a_container_that_does_not_become_healthy_fails_the_deployment_in_time_and_is_repaired(host: Host) -> None:
    host.set(health_path="/missing")
    began = time.monotonic()
    said = host.run("up", code=None)
    assert time.monotonic() - began < 240, "15 s of health checks, and the engine"
    assert "failed to be in healthy state: it is starting after 15 s. Last check: wget:" in said
    assert "404" in said
    host.set(health_path=None)
    host.run("up")
    assert healthy(host)


@pytest.mark.req("C3.6")
def test_a_process_that_dies_is_started_each_time_and_before_long_somebody_is_told(host: Host, watch: Watch) -> None:
    deaths = 0
    while deaths < _MOST_DEATHS and "DockerContainerRestarting" not in watch.alerts():
        before = host.inspect(WEB)["State"]["Pid"]
        os.kill(before, signal.SIGKILL)
        wait_for(lambda old=before: host.inspect(WEB)["State"]["Pid"] not in (0, old), 20, "the engine starts it again")  # type: ignore[misc]
        deaths += 1
    watch.notices("DockerContainerRestarting")
    print(f"{deaths} deaths until then")
    assert deaths >= _FEWEST_DEATHS, "nobody is told of a single one"
    wait_for(lambda: healthy(host) and healthy(host, CLIENT), 60, "it is healthy again, and who calls it")
    host.run("preview", "--refresh", "--expect-no-changes")


@pytest.mark.req("C3.6")
def test_containers_come_back_with_the_engine_and_an_up_without_it_says_so(
    host: Host, paths: Paths, namespace: Path, watch: Watch
) -> None:
    control.ask(paths, "stop-process", "dockerd", seconds=120)
    watch.notices("DockerHostDown")
    try:
        host.set(greeting="good morning")
        began = time.monotonic()
        said = host.run("up", code=None)
        assert time.monotonic() - began < 180, "it does not wait for an engine that is not there"
        assert "does not answer" in said
    finally:
        control.ask(paths, "start-process", "dockerd", seconds=120)
    wait_for(lambda: all_ready(paths), 60, "dockerd")
    wait_for(lambda: healthy(host) and healthy(host, CLIENT), 60, "both containers")
    for name in ("DockerHostDown", "DockerContainersMissing", "DockerContainerRestarting"):
        watch.forgets(name)
    assert ask(namespace, PORT, "GET", "/").status == 200

    host.run("up")

    assert "GREETING=good morning" in host.inside(WEB, "/bin/busybox env").splitlines()
    host.run("preview", "--refresh", "--expect-no-changes")


def test_wrong_settings_end_the_preview_with_all_reasons(host: Host) -> None:
    before = host.docker("ps", "--quiet")
    host.set(port=80, memory_mib=2, environment="producton")
    said = host.run("preview", code=None)
    host.set(port=None, memory_mib=None, environment="dev")
    assert "publish.host_port=80 is outside 1024..65535" in said
    assert "memory_mib=2 is outside" in said
    assert "environment='producton' must be one of" in said
    assert host.docker("ps", "--quiet") == before


def test_destroy_leaves_nothing_on_the_host(host: Host) -> None:
    host.run("destroy")
    assert host.left() == []
