"""Everything that would keep the node from starting, found before anything is changed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from local.build.debian import unpacked
from local.errors import MachineError
from local.node import control, kernel, limits, netns, settings
from local.node.build import PACKAGES, PARTS
from local.node.network import NetworkPlan
from local.paths import Paths

_FREE_BYTES = 3 << 30
_SOCKET_PATH_BYTES = 107  # the kernel's limit for a unix socket's address, without the closing zero
_TOOLS = {
    "ip": "iproute2",
    "iptables": "iptables",
    "iptables-restore": "iptables",
    "iptables-save": "iptables",
    "ipset": "ipset",
    "conntrack": "conntrack",
    "nsenter": "util-linux",
    "mount": "mount",
    "sysctl": "procps",
}
_CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "pids", "devices", "freezer", "blkio")
# What kube-proxy, the bridge plugin and the policy controller need; tried in a namespace that vanishes with the try.
_TRIALS = (
    ("bridge interfaces", "ip link add omntry0 type bridge"),
    ("veth interfaces", "ip link add omntry1 type veth peer name omntry2"),
    ("iptables filter rules", "iptables -A FORWARD -m comment --comment x -m conntrack --ctstate NEW -j ACCEPT"),
    ("iptables marks", "iptables -A FORWARD -m mark --mark 0x1/0x1 -j MARK --set-xmark 0x2/0x2"),
    ("iptables address translation", "iptables -t nat -A POSTROUTING -j MASQUERADE"),
    ("iptables random choice", "iptables -A FORWARD -m statistic --mode random --probability 0.5 -j REJECT"),
    ("iptables log groups", "iptables -A FORWARD -j NFLOG --nflog-group 100"),
    ("address sets", "ipset create omntry hash:ip timeout 0"),
    ("iptables address sets", "iptables -A FORWARD -m set --match-set omntry src -j ACCEPT"),
    ("policies between pods (br_netfilter)", "sysctl -q -w net.bridge.bridge-nf-call-iptables=1"),
)


def check(paths: Paths, plan: NetworkPlan, *, built: bool) -> None:
    """Raise one MachineError that lists all problems, each with what to do; return if there is none.

    Args:
        built: the build steps are over, so that programs and Debian packages count too.
    """
    if os.geteuid() != 0:
        raise MachineError(
            f"node {plan.name}: this user (uid {os.geteuid()}) is not root, who alone may make namespaces and mounts",
            hint="run the command as root, for example with sudo",
        )
    problems = [
        *(_tools(paths) if built else []),
        *_place(paths),
        *_kernel(),
        *limits.problems(plan.name),
        *_addresses(plan),
        *_owner(paths, plan),
        *_data(paths, plan),
        *_ports(paths, plan),
    ]
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise MachineError(
            f"node {plan.name} cannot start on this machine; nothing was changed:\n{listed}",
            hint="mend the points above, then give the same command again",
        )


def check_place(paths: Paths) -> None:
    """Raise a MachineError if the state directory is not one that a node can live in; part of `check`, without root."""
    if problems := _place(paths):
        raise MachineError(
            f"{'; '.join(problems)}; nothing was changed", hint="mend it, then give the same command again"
        )


def _tools(paths: Paths) -> list[str]:
    missing = sorted({package for tool, package in _TOOLS.items() if shutil.which(tool, path=_PATH) is None})
    problems = [f"Debian packages {' '.join(missing)} are not installed; apt-get install them"] if missing else []
    programs = [paths.bin / name for name in (*PARTS, "kube-router")]
    unbuilt = [path for path in (*programs, *(unpacked(name, paths) for name in PACKAGES)) if not path.exists()]
    if unbuilt:
        problems.append(f"{', '.join(path.name for path in unbuilt)}: not built yet; `make up` builds it")
    return problems


_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _place(paths: Paths) -> list[str]:
    longest = paths.node / "supervisor" / "supervisor.sock"
    problems = []
    if len(os.fsencode(longest)) > _SOCKET_PATH_BYTES:
        problems.append(f"OMNIBASE_STATE={paths.state} is too long for the sockets below it; take a shorter directory")
    place = next(parent for parent in (paths.state, *paths.state.parents) if parent.exists())
    free = shutil.disk_usage(place).free
    if free < _FREE_BYTES:
        problems.append(
            f"{place} has {free / 2**30:.1f} GiB free and the node needs 3 GiB; make room or move OMNIBASE_STATE"
        )
    return problems


def _kernel() -> list[str]:
    problems = []
    if "overlay" not in Path("/proc/filesystems").read_text():
        problems.append("the kernel has no overlay file system; load or build it (CONFIG_OVERLAY_FS)")
    names = {path.name for path in kernel.cgroup_hierarchies()}
    whole = Path("/sys/fs/cgroup/cgroup.controllers")
    if whole.exists():  # one v2 hierarchy
        have = whole.read_text().split()
        lacking = [name for name in ("cpu", "cpuset", "memory", "pids") if name not in have]
    else:
        have = [part for name in names for part in name.split(",")]
        lacking = [name for name in _CONTROLLERS if name not in have]
    if lacking:
        problems.append(f"control groups lack {', '.join(lacking)}; mount them below /sys/fs/cgroup")
    return problems + _in_namespace(None, _trials)


def _trials() -> list[str]:
    failed = []
    for what, command in _TRIALS:
        if shutil.which(command.split()[0], path=_PATH) is None:
            continue  # reported by name where it matters
        done = subprocess.run(command.split(), capture_output=True, text=True, check=False, env={"PATH": _PATH})
        if done.returncode != 0:
            failed.append(f"the kernel does not offer {what}: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")
    return failed


def _addresses(plan: NetworkPlan) -> list[str]:
    """Other users of our range: addresses and routes that are not on our own link."""
    problems = []
    for interface in _ip_json("addr"):
        for entry in interface.get("addr_info", []):
            if entry.get("family") != "inet" or interface["ifname"] == plan.interface:
                continue
            other = IPv4Network(f"{entry['local']}/{entry['prefixlen']}", strict=False)
            if other.overlaps(plan.network):
                problems.append(_clash(plan, f"address {entry['local']}/{entry['prefixlen']} of {interface['ifname']}"))
    for route in _ip_json("route", "show", "table", "all"):
        target = str(route.get("dst", "default"))
        if target == "default" or route.get("dev") == plan.interface or ":" in target:
            continue
        if route.get("type") in ("local", "broadcast"):
            continue  # these repeat the addresses above
        if IPv4Network(target, strict=False).overlaps(plan.network):
            problems.append(_clash(plan, f"route {target} through {route.get('dev', 'no interface')}"))
    return problems


def _clash(plan: NetworkPlan, what: str) -> str:
    return f"{plan.network} overlaps the machine's {what}; set cluster.network to another private /16"


def check_owner(paths: Paths, plan: NetworkPlan) -> None:
    """Refuse to touch an instance that runs from another state directory."""
    others = control.others(paths, plan.name)
    if others:
        raise MachineError(
            f"instance {plan.instance} runs from {', '.join(others)}, not from {paths.state}; nothing was changed",
            hint="give the command with OMNIBASE_STATE set to that directory",
        )


def _owner(paths: Paths, plan: NetworkPlan) -> list[str]:
    others = control.others(paths, plan.name)
    if others:
        return [
            f"instance {plan.instance} already runs from {', '.join(others)}; stop it there or set OMNIBASE_INSTANCE"
        ]
    if control.config_file(paths).exists():
        return []  # whatever is left is ours
    problems = []
    if (Path("/sys/class/net") / plan.interface).exists():
        problems.append(
            f"network interface {plan.interface} exists and is not ours; remove it or set OMNIBASE_INSTANCE"
        )
    file = netns.namespace_file(plan)
    if file.exists() and f" {file} " in Path("/proc/self/mounts").read_text():
        problems.append(f"network namespace {plan.name} exists and is not ours; remove it or set OMNIBASE_INSTANCE")
    if kernel.cgroup_pids(plan.name):
        problems.append(f"control group {plan.name} has processes that are not ours; end them or set OMNIBASE_INSTANCE")
    return problems


def _data(paths: Paths, plan: NetworkPlan) -> list[str]:
    """What etcd holds has addresses of the network that it was made in: services, certificates."""
    etcd, before = paths.node / "etcd", settings.node_address(paths)
    if before is None or before in plan.link or not etcd.is_dir() or not any(etcd.iterdir()):
        return []
    made = IPv4Network(f"{before}/16", strict=False)
    return [
        f"the node has data that was made in network {made}, and cluster.network is now {plan.network}; set it (or "
        f"OMNIBASE_NETWORK) back to {made}, or give the data up with `make clean` before `make up`"
    ]


def _ports(paths: Paths, plan: NetworkPlan) -> list[str]:
    """Listeners in the node's namespace while none of its programs runs."""
    file = netns.namespace_file(plan)
    if not file.exists() or control.survivors(paths) or control.ask(paths, "status") is not None:
        return []
    if f" {file} " not in Path("/proc/self/mounts").read_text():
        return []
    ports = _in_namespace(file, _listening)
    return [f"port {port} in the node's network namespace is taken; end what listens there" for port in ports]


def _listening() -> list[str]:
    wanted = {"6443", "10250", "2379", "2380", "5000"}
    lines = Path("/proc/self/net/tcp").read_text().splitlines()[1:]
    found = {str(int(line.split()[1].rpartition(":")[2], 16)) for line in lines if line.split()[3] == "0A"}
    return sorted(wanted & found)


def _in_namespace(file: Path | None, question: Callable[[], list[str]]) -> list[str]:
    """Answer a question in a child that joined a network namespace, or made one that ends with it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(30)
            if file is None:
                kernel.new_network_namespace()
            else:
                kernel.join_namespace(file, kernel.CLONE_NEWNET)
            answer = question()
        except OSError as error:
            answer = [f"the kernel refuses a network namespace: {error}"]
        os.write(writer, json.dumps(answer).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        text = stream.read()
    os.waitpid(child, 0)
    content = json.loads(text or '["the check of the kernel did not finish"]')
    return [str(line) for line in content]


def _ip_json(*arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(["ip", "-j", *arguments], capture_output=True, text=True, check=False)
    content = json.loads(done.stdout or "[]")
    return content if isinstance(content, list) else []
