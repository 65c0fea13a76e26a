"""The node's whole life on the real machine: start, killed parts, reboot, second owner, stop without a trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from local import images
from local.errors import LocalError, MachineError
from local.node import NetworkPlan, Node, control, kernel, netns
from local.paths import Paths
from local.progress import Progress
from tests.cluster.conftest import Kubectl
from tests.cluster.node_kit import SHELL_IMAGE, all_ready, pids, pod, supervised, wait_for

PROGRAMS = (
    "containerd", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy",
    "kube-router", "registry", "dockerd",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _leave_a_running_node(node: Node, paths: Paths) -> None:
    """Whatever an earlier test did, this one begins with a node that serves."""
    if not all_ready(paths):
        node.start(Progress())


def test_the_node_is_ready_and_says_what_runs(node: Node, kubectl: Kubectl) -> None:
    wait_for(lambda: node.status().healthy, 60, lambda: f"the node is healthy, but {node.status().to_dict()}")
    status = node.status().to_dict()
    assert {"guardian", "supervisor", *PROGRAMS} == {entry["name"] for entry in status["processes"]}
    assert status["addresses"]["node"] == str(node.plan.node_address)
    assert status["versions"]["kubernetes"] in kubectl("version")


def test_the_node_alone_needs_less_than_one_gib(node: Node) -> None:
    status = node.status()
    assert 0 < status.proportional_bytes < 1 << 30
    assert status.pods_proportional_bytes < status.proportional_bytes < status.resident_bytes


def test_a_second_start_changes_nothing(node: Node, paths: Paths) -> None:
    before = pids(paths)
    node.start(Progress())
    assert pids(paths) == before


@pytest.mark.req("C3.10")
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_killed_program_comes_back_and_pods_do_not_notice(
    name: str, node: Node, paths: Paths, kubectl: Kubectl
) -> None:
    pods = _pod_starts(kubectl)
    killed, restarts = pids(paths)[name], supervised(paths)[name]["restarts"]
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: pids(paths).get(name) not in (killed, 0) and all_ready(paths), 60, f"{name} serves again")
    kubectl("wait", "--for=condition=Ready", f"node/{node.plan.name}", "--timeout=30s")
    assert supervised(paths)[name]["restarts"] > restarts
    _untouched(kubectl, pods)


@pytest.mark.req("C3.10")
@pytest.mark.parametrize("watcher", ["supervisor", "guardian"])
def test_a_killed_watcher_is_replaced_while_programs_run_on(watcher: str, node: Node, paths: Paths) -> None:
    before, killed = pids(paths), _watchers(paths)[watcher]
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: _watchers(paths).get(watcher, killed) != killed and all_ready(paths), 20, f"a new {watcher}")
    assert pids(paths) == before


def test_a_program_killed_after_its_supervisor_comes_back_too(node: Node, paths: Paths) -> None:
    supervisor = _watchers(paths)["supervisor"]
    os.kill(supervisor, signal.SIGKILL)
    wait_for(
        lambda: _watchers(paths).get("supervisor", supervisor) != supervisor and all_ready(paths),
        20,
        "a new supervisor",
    )
    killed = pids(paths)["kube-scheduler"]
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: pids(paths).get("kube-scheduler") not in (killed, 0) and all_ready(paths), 30, "a new scheduler")


def test_a_pod_whose_shim_is_killed_comes_back(node: Node, kubectl: Kubectl) -> None:
    shims = {pid for pid in kernel.cgroup_pids(node.plan.name) if "containerd-shim" in _command(pid)}
    dns = kubectl("-n", "kube-system", "get", "pods", "-o", "jsonpath={.items[0].metadata.name}")
    before = _pod_starts(kubectl)[dns]
    for pid in shims:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: _pod_starts(kubectl).get(dns, before) != before, 60, "its containers were started again")
    for namespace, name in (("kube-system", "coredns"), ("local-path-storage", "local-path-provisioner")):
        kubectl("-n", namespace, "rollout", "status", f"deployment/{name}", "--timeout=60s")


def test_start_after_both_watchers_died_adopts_the_running_programs(node: Node, paths: Paths, kubectl: Kubectl) -> None:
    before, pods = pids(paths), _pod_starts(kubectl)
    for pid in _watchers(paths).values():
        os.kill(pid, signal.SIGSTOP)
    for pid in _watchers_from_record(paths):
        os.kill(pid, signal.SIGKILL)
    node.start(Progress())
    assert pids(paths) == before
    _untouched(kubectl, pods)


def test_a_changed_setting_restarts_only_the_program_that_it_concerns(node: Node, paths: Paths) -> None:
    before = pids(paths)
    changed = Node(paths, node.plan, images.processes(paths, node.plan))
    changed.specs = [
        replace(spec, env={**spec.env, "GOMAXPROCS": "1"}) if spec.name == "kube-scheduler" else spec
        for spec in changed.specs
    ]
    changed.start(Progress())
    after = pids(paths)
    assert {name for name in before if before[name] != after[name]} == {"kube-scheduler"}
    node.start(Progress())


def test_a_reboot_keeps_data_and_pods_return(
    node: Node, paths: Paths, kubectl: Kubectl, image_references: dict[str, str]
) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}}
    manifest = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "kept"}, "spec": claim}
    kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    script = "echo begin >> /data/starts; sync; touch /www/begun; while true; do sleep 1; done"
    kubectl("apply", "-f", "-", stdin=pod("keeper", image_references[SHELL_IMAGE], script, claim="kept"))

    def in_pod(*words: str) -> str:
        return kubectl("exec", "keeper", "--", "/bin/busybox", *words, check=False)

    wait_for(lambda: in_pod("ls", "/www").strip() == "begun", 60, "the pod has begun, and that is on the disk")

    _reboot(node)
    node.start(Progress())
    wait_for(lambda: in_pod("cat", "/data/starts").count("begin") >= 2, 60, "the pod has begun a second time")
    name = "kubernetes.default.svc.cluster.local"
    wait_for(lambda: str(node.plan.api_service_address) in in_pod("nslookup", name), 60, "the cluster's names resolve")
    kubectl("delete", "pod/keeper", "pvc/kept", "--wait", "--timeout=60s")


def test_a_node_whose_mounts_are_defined_anew_is_restarted_with_its_data(
    node: Node, paths: Paths, kubectl: Kubectl, capsys: pytest.CaptureFixture[str]
) -> None:
    kubectl("create", "configmap", "kept", "--from-literal=key=value")
    before = pids(paths)
    (control.directory(paths) / "mounts").write_text("as another version defined them\n")
    node.start(Progress())
    assert "what its programs see was defined anew since it started; it is restarted" in capsys.readouterr().err
    assert set(before.values()).isdisjoint(pids(paths).values())
    assert kubectl("get", "configmap", "kept", "-o", "jsonpath={.data.key}") == "value"
    kubectl("delete", "configmap", "kept")


def test_a_hung_supervisor_is_replaced_by_start(node: Node, paths: Paths) -> None:
    before = pids(paths)
    for pid in _watchers(paths).values():
        os.kill(pid, signal.SIGSTOP)
    node.start(Progress())
    assert pids(paths) == before
    assert len(control.watchers(paths, node.plan.name)) == 2


def test_a_namespace_that_lost_its_name_is_made_again(node: Node, paths: Paths, kubectl: Kubectl) -> None:
    netns.remove(node.plan)
    node.start(Progress())
    kubectl("wait", "--for=condition=Ready", f"node/{node.plan.name}", "--timeout=30s")


def test_another_state_directory_is_told_who_runs_the_instance(node: Node, paths: Paths, tmp_path: Path) -> None:
    other = Node(replace(paths, state=tmp_path), node.plan)
    with pytest.raises(MachineError, match="already runs from") as refused:
        other.start(Progress())
    assert str(paths.state) in str(refused.value)
    with pytest.raises(MachineError, match="runs from"):
        other.destroy(Progress())
    assert not any(tmp_path.iterdir())
    assert all_ready(paths)


def test_a_range_in_use_is_refused_before_anything_changes(node: Node, paths: Paths, tmp_path: Path) -> None:
    elsewhere = replace(paths, state=tmp_path, instance="other")
    plan = NetworkPlan(instance="other", network=node.plan.network)
    with pytest.raises(MachineError, match=r"set cluster\.network to another") as refused:
        Node(elsewhere, plan).start(Progress())
    assert f"route {node.plan.network} through {node.plan.interface}" in str(refused.value)
    assert not any(tmp_path.iterdir())
    assert not netns.namespace_file(plan).exists()


def test_another_network_than_that_of_its_data_is_refused_and_the_node_runs_on(node: Node, paths: Paths) -> None:
    kept = paths.kubeconfig.read_text()
    with pytest.raises(MachineError, match=rf"made in network {node.plan.network}.*`make clean`"):
        Node(paths, replace(node.plan, network=IPv4Network("172.28.0.0/16"))).start(Progress())
    assert paths.kubeconfig.read_text() == kept
    assert all_ready(paths)


def test_a_port_that_a_stranger_holds_in_the_namespace_is_named(node: Node) -> None:
    node.stop(Progress())
    netns.ensure(node.plan)
    serve = "s = socket.create_server(('127.0.0.1', 2379)); print('listening', flush=True); time.sleep(600)"
    command = netns.enter(node.plan, [sys.executable, "-c", f"import socket, time; {serve}"])
    with subprocess.Popen(command, stdout=subprocess.PIPE) as stranger:
        assert stranger.stdout
        stranger.stdout.readline()
        with pytest.raises(MachineError, match=r"port 2379 .* is taken"):
            node.start(Progress())
        stranger.kill()
    node.start(Progress())


def test_a_program_that_cannot_start_is_named_with_its_log(node: Node, paths: Paths) -> None:
    broken = Node(paths, node.plan, images.processes(paths, node.plan))
    broken.specs = [
        replace(spec, argv=(*spec.argv, "--no-such-flag")) if spec.name == "kube-scheduler" else spec
        for spec in broken.specs
    ]
    broken.start_seconds = 20.0  # until then it must have said why it ends
    with pytest.raises(LocalError, match="unknown flag: --no-such-flag"):
        broken.start(Progress())
    node.start(Progress())


def test_stop_leaves_no_process_interface_rule_mount_or_group_and_keeps_data(
    node: Node, paths: Paths, kubectl: Kubectl
) -> None:
    kubectl("create", "configmap", "survivor", "--from-literal=key=value")
    node.stop(Progress())
    assert _traces(node, paths) == []
    node.stop(Progress())  # a second stop has nothing to do and does not mind
    node.start(Progress())
    assert "value" in kubectl("get", "configmap", "survivor", "-o", "jsonpath={.data.key}")
    kubectl("delete", "configmap", "survivor")


def _watchers(paths: Paths) -> dict[str, int]:
    answer = control.ask(paths, "status") or {}
    return {role: answer[role] for role in ("supervisor", "guardian") if role in answer}


def _watchers_from_record(paths: Paths) -> list[int]:
    record = json.loads((control.directory(paths) / "supervisor.json").read_text())
    return [record["supervisor"], record["guardian"]]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def _pod_starts(kubectl: Kubectl) -> dict[str, str]:
    """When each container of the add-ons began: it changes with every restart of the container or its pod."""
    template = "{range .items[*]}{.metadata.name} {.status.containerStatuses[0].state.running.startedAt}{'\\n'}{end}"
    text = "".join(
        kubectl("-n", namespace, "get", "pods", "-o", f"jsonpath={template}")
        for namespace in ("kube-system", "local-path-storage")
    )
    return dict(line.split(" ", 1) for line in text.splitlines())


def _untouched(kubectl: Kubectl, before: dict[str, str]) -> None:
    """Assert that no container began anew; while the kubelet does, it says of some that they do not run."""
    wait_for(lambda: _pod_starts(kubectl) == before, 30, lambda: f"{before} run on, but {_pod_starts(kubectl)}")


def _reboot(node: Node) -> None:
    """What a power cut leaves: no process, no namespace, no group; every file as it was."""
    while running := kernel.cgroup_pids(node.plan.name):
        for pid in running:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
    netns.remove(node.plan)
    netns.namespace_file(node.plan).touch()  # where /run is on the disk, the name stays as an empty file
    wait_for(lambda: not kernel.remove_cgroup(node.plan.name), 30, "control groups are gone")


def _traces(node: Node, paths: Paths) -> list[str]:
    """Everything outside the state directory that still speaks of the node."""
    found = [f"process {pid}" for pid in kernel.cgroup_pids(node.plan.name)]
    for line in Path("/proc/self/mounts").read_text().splitlines():
        if str(paths.state) in line or node.plan.name in line:
            found.append(f"mount {line}")
    for command in (["ip", "-br", "link"], ["ip", "route"], ["ip", "netns"], ["nft", "list", "ruleset"]):
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        ours = (node.plan.name, node.plan.interface)
        found += [f"{command}: {line}" for line in output.splitlines() if any(name in line for name in ours)]
    for hierarchy in kernel.cgroup_hierarchies():
        if (hierarchy / node.plan.name).exists():
            found.append(f"group {hierarchy / node.plan.name}")
    for command_line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = command_line.read_bytes()
        except OSError:
            continue
        if f"{paths.state}/".encode() in text:
            found.append(f"process {command_line.parent.name}: {text!r}")
    return found
