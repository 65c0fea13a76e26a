"""The node's network namespace, its link to the machine, and the machine's route to pods and services."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from local.errors import LocalError
from local.node.network import NetworkPlan

_SYSCTLS = (
    "net.ipv4.ip_forward=1",
    "net.bridge.bridge-nf-call-iptables=1",  # pods share a bridge: without it policies would not see their traffic
)
BRIDGE = "cni0"
"""Of the pods."""
_UPLINK = "eth0"
"""Of the namespace, to the machine."""
_SERVICES_TABLE = "250"


def namespace_file(plan: NetworkPlan) -> Path:
    """The file that names the namespace, as `ip netns` makes it."""
    return Path("/run/netns") / plan.name


def enter(plan: NetworkPlan, argv: Sequence[str | Path]) -> list[str]:
    """The command that runs `argv` inside the node's network namespace."""
    return ["nsenter", f"--net={namespace_file(plan)}", "--", *map(str, argv)]


def ensure(plan: NetworkPlan) -> None:
    """Make namespace, link, addresses and route, as far as they are missing."""
    if not _is_namespace(plan):
        ip("netns", "add", plan.name)
    if not _exists(plan.interface):
        ip("link", "add", plan.interface, "type", "veth", "peer", "name", _UPLINK, "netns", plan.name)
    ip("addr", "replace", f"{plan.host_address}/{plan.link.prefixlen}", "dev", plan.interface)
    ip("link", "set", plan.interface, "up")
    inside = ["-n", plan.name]
    ip(*inside, "link", "set", "lo", "up")
    ip(*inside, "addr", "replace", f"{plan.node_address}/{plan.link.prefixlen}", "dev", _UPLINK)
    ip(*inside, "link", "set", _UPLINK, "up")
    # Without a route the kernel answers "network is unreachable" before kube-proxy's rules see the packet: the API
    # server, which runs in this namespace without a default route, could not call webhooks behind a Service.
    ip(*inside, "route", "replace", str(plan.services), "dev", _UPLINK, "scope", "link", "src", str(plan.node_address))
    _refuse_services_without_pods(inside, plan)
    ip("route", "replace", str(plan.network), "via", str(plan.node_address), "dev", plan.interface)
    run(enter(plan, ["sysctl", "-q", "-w", *_SYSCTLS]))


def _refuse_services_without_pods(inside: Sequence[str], plan: NetworkPlan) -> None:
    """What is sent to a Service goes on to one of its pods; what still has a Service's address has none to go to.

    From a pod, kube-router accepts such packets before kube-proxy's rules refuse them, and the sender would wait for an
    answer to ARP (3 s) or send again after 1, 3 and 7 s: standbys and poolers did, whenever a primary moved. From the
    machine, kube-proxy's refusal comes while `connect` still holds the socket, so that the kernel ignores it, and hears
    the next one a second later. So these packets come to the node itself, which resets the connection: a caller notices
    that at once, and no limit of rate holds it.
    """
    services = str(plan.services)
    for source in (BRIDGE, _UPLINK):
        if _SERVICES_TABLE not in run(["ip", *inside, "rule", "show", "iif", source]).split():
            ip(*inside, "rule", "add", "iif", source, "lookup", _SERVICES_TABLE)
    ip(*inside, "route", "replace", "local", services, "dev", "lo", "table", _SERVICES_TABLE)
    reset = f"-A INPUT -d {services} -p tcp -j REJECT --reject-with tcp-reset"
    if reset not in run(enter(plan, ["iptables", "-S", "INPUT"])).splitlines():
        run(enter(plan, ["iptables", *reset.split()]))


def remove(plan: NetworkPlan) -> None:
    """Remove link and namespace, and with them the route and every address, rule and set inside."""
    if _exists(plan.interface):
        ip("link", "del", plan.interface)
    deadline = time.monotonic() + 10
    while namespace_file(plan).exists():
        try:
            ip("netns", "del", plan.name)
        except LocalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def ip(*arguments: str) -> None:
    """Run `ip`."""
    run(["ip", *arguments])


def run(argv: Sequence[str | Path]) -> str:
    """Run a program and return its output.

    Raises:
        LocalError: it failed; the message carries its last words.
    """
    words = [str(word) for word in argv]
    done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise LocalError(f"`{' '.join(words)}` failed: {(done.stderr or done.stdout).strip()[-400:]}")
    return done.stdout


def _exists(interface: str) -> bool:
    return (Path("/sys/class/net") / interface).exists()


def _is_namespace(plan: NetworkPlan) -> bool:
    """After a reboot the name may be left as an empty file, which `ip netns add` refuses to overwrite."""
    file = namespace_file(plan)
    if not file.exists():
        return False
    mounted = f" {file} " in Path("/proc/self/mounts").read_text()
    if not mounted:
        file.unlink()
    return mounted
