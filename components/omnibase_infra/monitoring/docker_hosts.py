"""Docker hosts outside of the cluster: how their engines' figures are read, and the alerts on them; pure.

An engine tells how many containers run and how often it started one, but neither names nor health: those need its
socket, which is root on the host. Thresholds: docs/architecture/monitoring.md.
"""

import ipaddress
from collections import Counter
from collections.abc import Iterator, Sequence

from omnibase_infra.alert import Alert
from omnibase_infra.monitoring.args import DockerHost, MonitoringStackArgs
from omnibase_infra.naming import dns_label, labels
from omnibase_infra.network import Party
from omnibase_infra.objects import Manifest

DOCKER_JOB = "docker"
"""Job of the series of all hosts; the label `docker_host` tells them apart."""
_PORTS = range(1, 65536)
_RUNBOOK = "docker-host"


def host_problems(hosts: Sequence[DockerHost]) -> Iterator[str]:
    """What is wrong with the hosts of one stack."""
    for name, count in Counter(host["name"] for host in hosts).items():
        if count > 1:
            yield f"docker_hosts: the name {name!r} is used {count} times, but it is the label that tells hosts apart"
    for host in hosts:
        yield from (f"Docker host {host['name']!r}: {problem}" for problem in _problems(host))


def _problems(host: DockerHost) -> Iterator[str]:
    try:
        dns_label(host["name"])
    except ValueError as error:
        yield str(error)
    try:
        ipaddress.IPv4Address(host["address"])
    except ValueError:
        yield f"address={host['address']!r} must be an IPv4 address, as it becomes part of a network policy"
    if int(host["port"]) not in _PORTS:
        yield f"port={host['port']} is outside 1..65535"
    if int(host["containers"]) < 0:
        yield f"containers={host['containers']} must be 0 or more"


def docker_party(host: DockerHost) -> Party:
    """The host as one end of an arrow."""
    return {"name": f"Docker host {host['name']}", "cidrs": [f"{host['address']}/32"]}


def docker_probe(args: MonitoringStackArgs, host: DockerHost) -> Manifest:
    """The `Probe` of a host: of the operator's kinds the one that reads a fixed address without a Service before it.

    The "prober" is the engine itself; it takes no notice of the parameters that a real prober would.
    """
    name = dns_label(DOCKER_JOB, host["name"])
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "Probe",
        "metadata": {
            "name": name,
            "namespace": args["namespace"],
            "labels": labels(name, "monitoring", args["environment"]),
        },
        "spec": {
            "jobName": DOCKER_JOB,
            "prober": {"url": f"{host['address']}:{int(host['port'])}", "path": "/metrics"},
            "targets": {"staticConfig": {"static": [host["name"]], "labels": {"docker_host": host["name"]}}},
        },
    }


def docker_alerts(hosts: Sequence[DockerHost]) -> list[Alert]:
    """Alerts on hosts and their containers; none where there is no host."""
    counted = [_missing(host) for host in hosts if host["containers"]]
    return [*map(_down, hosts), *counted, *([_restarting()] if hosts else [])]


def _down(host: DockerHost) -> Alert:
    return {
        "name": "DockerHostDown",
        "expr": f'absent(up{{job="{DOCKER_JOB}",docker_host="{host["name"]}"}} == 1)',
        "for_seconds": 60,
        "severity": "critical",
        "summary": f"The Docker engine of {host['name']} does not answer.",
        "runbook": _RUNBOOK,
        "labels": {"docker_host": host["name"]},
    }


def _missing(host: DockerHost) -> Alert:
    running = f'job="{DOCKER_JOB}",docker_host="{host["name"]}",state="running"'
    return {
        "name": "DockerContainersMissing",
        "expr": f"sum(engine_daemon_container_states_containers{{{running}}}) < {int(host['containers'])}",
        "for_seconds": 60,
        "severity": "critical",
        "summary": f"{{{{ $value }}}} of {int(host['containers'])} containers run on {host['name']}.",
        "runbook": _RUNBOOK,
        "labels": {"docker_host": host["name"]},
    }


def _restarting() -> Alert:
    """A deployment makes what it starts, so only starts beyond that are told of; a new engine starts all anew."""
    started, made = (
        f'sum by (docker_host) (increase(engine_daemon_container_actions_seconds_count{{job="{DOCKER_JOB}",'
        f'action="{action}"}}[10m]))'
        for action in ("start", "create")
    )
    same_engine = f'max by (docker_host) (changes(process_start_time_seconds{{job="{DOCKER_JOB}"}}[10m])) == 0'
    return {
        "name": "DockerContainerRestarting",
        "expr": f"{started} - {made} >= 3 and {same_engine}",
        "for_seconds": 30,
        "severity": "warning",
        "summary": "Containers of {{ $labels.docker_host }} restart again and again.",
        "runbook": _RUNBOOK,
    }
