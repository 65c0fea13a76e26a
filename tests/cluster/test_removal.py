"""`make down` and `make clean` leave nothing of ours; the file runs late because it takes the environment away."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

from local.node import Node, kernel
from local.node.network import NetworkPlan
from local.paths import Paths
from tests.cluster.failure_report import told
from tests.cluster.platform_kit import STACK, local


def _mounts() -> str:
    return Path("/proc/mounts").read_text()


def _processes(paths: Paths) -> list[str]:
    """Command lines of every program that names the instance's state directory: node, shims, registry, engines."""
    lines = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it ended while we looked
            lines.append(entry.read_text(errors="replace").replace("\0", " "))
    return [line for line in lines if str(paths.state) in line]


def test_down_destroys_the_stack_and_clean_leaves_no_process_mount_interface_or_rule(node: Node, paths: Paths) -> None:
    assert len(_processes(paths)) > 10, "the look for processes finds none even while the node runs"
    down = local("down", "--stack", STACK)
    assert down.code == 0, told(down.text)
    assert not node.status().running
    clean = local("clean", "--stack", STACK)
    assert clean.code == 0, told(clean.text)

    plan = NetworkPlan.from_environment(paths, {})
    assert not paths.state.exists()
    assert _processes(paths) == []
    assert not kernel.cgroup_pids(plan.name)
    assert plan.name not in _mounts()
    assert str(paths.state) not in _mounts()
    links = subprocess.run(["ip", "-brief", "link"], capture_output=True, text=True, check=True).stdout
    routes = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
    assert plan.interface not in links
    assert str(plan.network) not in routes
    spaces = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert plan.name not in spaces.split()
    rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    assert str(plan.network) not in rules
