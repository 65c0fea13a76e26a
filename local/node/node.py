"""The node as one thing: start, add-ons, status, stop, destroy."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from local.build.debian import unpacked
from local.errors import LocalError
from local.node import addons, control, ground, kernel, netns, pki, preflight, settings, specs, status
from local.node.network import NetworkPlan
from local.node.process import ProcessSpec
from local.node.records import spawn
from local.paths import Paths
from local.progress import Progress
from local.steps import write_atomically

_DRAIN_SECONDS = 8.0
_REPLACEMENT_SECONDS = 8.0
_PODS_SECONDS = 60.0


class Node:
    """One Kubernetes node in namespaces of its own on this machine."""

    def __init__(self, paths: Paths, plan: NetworkPlan, extra_processes: Sequence[ProcessSpec] = ()) -> None:
        """`extra_processes` (registry, Docker engine) run in the node's namespaces under its supervisor."""
        self.paths, self.plan = paths, plan
        self.start_seconds = 120.0
        """How long `start` waits for all programs together."""
        self.specs = [*specs.processes(paths, plan), *extra_processes]

    def preflight(self, *, built: bool = False) -> None:
        """Look for everything that would keep the node from starting, and change nothing.

        Args:
            built: the build steps are over, so that missing programs and Debian packages count too.

        Raises:
            MachineError: with all problems found.
        """
        preflight.check(self.paths, self.plan, built=built)

    def start(self, progress: Progress) -> None:
        """Bring the node up; what already runs stays as it is, unless its settings or its program changed.

        If the directories that its programs see are no longer those that it was started with, all of it is restarted,
        with its data.

        Raises:
            MachineError: see `preflight`.
            LocalError: a program does not become ready; the message has the end of its log.
        """
        self.preflight(built=True)
        if control.survivors(self.paths) and ground.outdated(self.paths):
            progress.say(
                f"node {self.plan.name}: what its programs see was defined anew since it started; it is restarted, "
                "its data stays"
            )
            self.stop(progress)
        with progress.step("start node", 20):
            self._write_configuration()
            kernel.make_cgroup(self.plan.name)
            netns.ensure(self.plan)
            self._end_lost_programs()
            fresh = not control.survivors(self.paths)
            began = datetime.now(UTC)
            changed = self._write_supervisor_config()
            if not self._supervisor_answers():
                self._launch()
            elif changed:
                control.ask(self.paths, "reload", seconds=60)
            self._wait_ready(["kube-apiserver"])
            addons.apply_base(self.paths)
            self._wait_ready([spec.name for spec in self.specs])
            self._wait_node()
        if fresh:
            self._wait_pods(began, progress)

    def install_addons(self, images: Mapping[str, str], progress: Progress) -> None:
        """Cluster DNS, the volume provisioner with the default StorageClass, and their rights; waits until they serve.

        Args:
            images: references of `coredns`, `local-path-provisioner` (whose shell also sets volumes up) and `pause`.

        Raises:
            InputError: one of them is missing.
            LocalError: an add-on does not become ready; the message carries its pods' state.
        """
        with progress.step("node add-ons", 15):
            addons.check(images)
            self._keep_pause_image(images["pause"])
            addons.install(self.paths, self.plan, images)

    def stop(self, progress: Progress) -> None:
        """End pods and programs and remove interfaces, mounts, rules and control groups. Data stays.

        Raises:
            MachineError: the instance runs from another state directory.
        """
        preflight.check_owner(self.paths, self.plan)
        with progress.step("stop node", 10):
            control.ask(self.paths, "stop-process", "kubelet", seconds=15)  # or it would restart the pods that we end
            self._drain()
            control.ask(self.paths, "stop", seconds=60)
            self._kill_all()
            netns.remove(self.plan)
            self._remove_cgroup()
            for name in ("supervisor.sock", "supervisor.json", "processes.json", "mounts", "stop"):
                (control.directory(self.paths) / name).unlink(missing_ok=True)

    def destroy(self, progress: Progress) -> None:
        """Stop, and delete the node's data, keys and logs."""
        self.stop(progress)
        if self.paths.node.exists():
            shutil.rmtree(self.paths.node)
        self.paths.kubeconfig.unlink(missing_ok=True)

    def status(self) -> status.NodeStatus:
        """What runs, in which version, with which memory and at which addresses."""
        return status.collect(self.paths, self.plan)

    def run(self, argv: Sequence[str | Path], *, input: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command inside the node's network namespace and return its result with output captured as text."""
        command = netns.enter(self.plan, argv)
        return subprocess.run(command, input=input, capture_output=True, text=True, check=False)

    def _keep_pause_image(self, reference: str) -> None:
        """Have the sandbox image of containerd's settings on the node, whether or not the registry serves its tag."""
        ctr = runtime_command(self.paths)
        hosts = settings.registry_hosts(self.paths)
        netns.run(netns.enter(self.plan, [*ctr, "images", "pull", "--hosts-dir", hosts, reference]))
        netns.run([*ctr, "images", "tag", "--force", reference, settings.PAUSE_IMAGE])

    # -- start ---------------------------------------------------------------------------------------------------

    def _write_configuration(self) -> None:
        # The log collector is not root: it reads what containers log as a member of root's group.
        modes = dict.fromkeys(("etcd", "containerd", "kubelet", "volumes"), 0o700) | {"pod-logs": 0o750, "host": 0o755}
        for name, mode in modes.items():
            (self.paths.node / name).mkdir(parents=True, exist_ok=True)
            (self.paths.node / name).chmod(mode)
        self.paths.node.chmod(0o711)
        pki.ensure(self.paths.node / "pki", self.plan)
        settings.write_all(self.paths, self.plan)

    def _write_supervisor_config(self) -> bool:
        """Tell the supervisor what to run; True if that differs from what it was told before."""
        directory = control.directory(self.paths)
        (directory / "logs").mkdir(parents=True, exist_ok=True)
        (directory / "stop").unlink(missing_ok=True)
        survivors = control.survivors(self.paths)
        config = {
            "directory": str(directory),
            "cgroup": self.plan.name,
            "netns": str(netns.namespace_file(self.plan)),
            "mount_namespace_of": survivors[0] if survivors else 0,
            "keep": [str(path) for path in ground.visible(self.paths)],
            "links": {name: str(directory) for name, directory in ground.host_directories(self.paths).items()},
            "processes": [_described(spec, self._settings_roots()) for spec in self.specs],
        }
        file = control.config_file(self.paths)
        old = json.loads(file.read_text())["processes"] if file.exists() else None
        write_atomically(file, json.dumps(config, indent=1), 0o600)
        return bool(old != config["processes"])

    def _settings_roots(self) -> list[Path]:
        return [settings.etc_directory(self.paths), self.paths.node / "pki", self.paths.root]

    def _end_lost_programs(self) -> None:
        """End programs whose network namespace has lost its name: nobody can reach them any more."""
        ours = netns.namespace_file(self.plan).stat().st_ino
        for pid in control.survivors(self.paths)[:1]:
            if Path(f"/proc/{pid}/ns/net").stat().st_ino != ours:
                self._kill_all()

    def _supervisor_answers(self) -> bool:
        """Whether there is a supervisor, given a moment to a guardian that is just replacing it."""
        deadline = time.monotonic() + _REPLACEMENT_SECONDS
        while control.ask(self.paths, "status") is None:
            if not control.watchers(self.paths, self.plan.name):
                return False
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True

    def _launch(self) -> None:
        """Start guardian and supervisor, beside programs that survived them or else on a clean ground."""
        if control.survivors(self.paths):
            for pid in control.watchers(self.paths, self.plan.name):  # they hang; two pairs would start all twice
                _signal(pid, signal.SIGKILL)
        else:
            self._kill_all()
            ground.record(self.paths)
        directory = control.directory(self.paths)
        env = {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), "PYTHONPATH": str(self.paths.root)}
        argv = [sys.executable, "-S", "-m", "local.node.supervisor", "launch", str(control.config_file(self.paths))]
        spawn(argv, env, str(directory / "logs" / "supervisor.log"))
        self._wait(
            lambda: control.ask(self.paths, "status") is not None, 15, "the supervisor does not answer", "supervisor"
        )

    def _wait_ready(self, names: list[str]) -> None:
        deadline = time.monotonic() + self.start_seconds
        while True:
            answer = control.ask(self.paths, "status") or {"processes": {}}
            waiting = [name for name in names if not answer["processes"].get(name, {}).get("ready")]
            if not waiting:
                return
            if time.monotonic() > deadline:
                raise self._not_ready(
                    waiting[0], f"{', '.join(waiting)} did not become ready in {self.start_seconds:.0f} s"
                )
            time.sleep(0.2)

    def _wait_node(self) -> None:
        query = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"

        def ready() -> bool:
            return addons.kubectl(self.paths, "get", "node", self.plan.name, "-o", query, check=False) == "True"

        self._wait(ready, 60, "the node does not become Ready", "kubelet")

    def _wait_pods(self, began: datetime, progress: Progress) -> None:
        """After a cold start the API server still holds what pods were before: wait until that is true again.

        Not an error if it takes too long: a pod may be broken for reasons of its own.
        """
        if not addons.late_pods(self.paths, began):
            return
        with progress.step("pods of before start again", 20):
            deadline = time.monotonic() + _PODS_SECONDS
            while late := addons.late_pods(self.paths, began):
                if time.monotonic() > deadline:
                    progress.say(f"not ready after {_PODS_SECONDS:.0f} s: {', '.join(late)}")
                    return
                time.sleep(0.5)

    def _wait(self, condition: object, seconds: float, problem: str, process: str) -> None:
        assert callable(condition)  # noqa: S101
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise self._not_ready(process, f"{problem} (waited {seconds:.0f} s)")
            time.sleep(0.2)

    def _not_ready(self, process: str, problem: str) -> LocalError:
        log = control.directory(self.paths) / "logs" / f"{process}.log"
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-8:]) if log.exists() else "(no log)"
        return LocalError(f"node {self.plan.name}: {problem}. The end of {log}:\n{tail}", hint="run `make up` again")

    # -- stop ----------------------------------------------------------------------------------------------------

    def _drain(self) -> None:
        """Ask every container's first process to end, so that databases write what they hold; insist after 8 s."""
        first = {pid for pid in kernel.cgroup_pids(f"{self.plan.name}/kubepods") if _is_first(pid)}
        for pid in first:
            _signal(pid, signal.SIGTERM)
        deadline = time.monotonic() + _DRAIN_SECONDS
        while time.monotonic() < deadline and any(map(_is_first, first)):
            time.sleep(0.1)

    def _kill_all(self) -> None:
        deadline = time.monotonic() + 15
        while pids := kernel.cgroup_pids(self.plan.name) - {os.getpid()}:
            for pid in pids:
                _signal(pid, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise LocalError(f"node {self.plan.name}: processes {sorted(pids)} do not end")
            time.sleep(0.05)

    def _remove_cgroup(self) -> None:
        deadline = time.monotonic() + 5
        while left := kernel.remove_cgroup(self.plan.name):
            if time.monotonic() > deadline:
                raise LocalError(f"control groups are still in use: {', '.join(map(str, left[:3]))}")
            time.sleep(0.1)


def _described(spec: ProcessSpec, roots: Sequence[Path]) -> dict[str, object]:
    """A specification for the supervisor, with a fingerprint of all that should restart the program when it changes.

    Of the files named in its arguments and variables only those below `roots` count: others (a pid file) are its own to
    write.
    """
    described = {
        "name": spec.name,
        "argv": list(spec.argv),
        "env": dict(spec.env),
        "after": list(spec.after),
        "ready": asdict(spec.ready) if spec.ready else None,
    }
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    program = Path(spec.argv[0])
    if program.exists():
        digest.update(f"{program.stat().st_size} {program.stat().st_mtime_ns}".encode())
    for word in (*spec.argv[1:], *spec.env.values()):
        file = Path(word.rpartition("=")[2])
        if any(file.is_relative_to(root) for root in roots) and file.is_file():
            digest.update(file.read_bytes())
    return {**described, "revision": digest.hexdigest()[:16]}


def _is_first(pid: int) -> bool:
    """Whether it is a living container's process 1; pause containers do not count, as they have nothing to save."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return False
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return fields["NSpid"].split()[-1] == "1" and fields["Name"].strip() != "pause" and "Z" not in fields["State"]


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def runtime_command(paths: Paths) -> list[str]:
    """`ctr` on the node's images and containers, for tests and repairs."""
    ctr = unpacked("containerd", paths) / "usr/bin/ctr"
    return [str(ctr), "--address", str(settings.containerd_socket(paths)), "--namespace", "k8s.io"]
