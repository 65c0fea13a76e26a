"""From the settings of one service to a workload, pure: its kind, sizes, ports, probes and arrows."""

from __future__ import annotations

from omnibase_infra.config import ServiceConfig
from omnibase_infra.config.services import HTTP, HealthConfig
from omnibase_infra.config.services import prefix as variables
from omnibase_infra.platform.room import Room
from omnibase_infra.workload import Call, HardenedWorkloadArgs, Probe

_KINDS = {"service": "Deployment", "stateful": "StatefulSet", "job": "Job"}
_WAIVABLE = ("writable-root",)
"""Exceptions that the workload itself must be shown; the others are about replicas and arrows."""


def service_args(room: Room, name: str, settings: ServiceConfig) -> HardenedWorkloadArgs:
    """What the service is by itself; what it is given (documents, secrets, database, bus) comes on top."""
    args: HardenedWorkloadArgs = {
        "namespace": room.namespace,
        "environment": room.tier,
        "layer": settings.layer,
        "kind": _KINDS[settings.kind],
        "image": room.args.images[settings.image],
        "uid": settings.user,
        "scratch_mib": {str(path): size.mib for path, size in settings.writable_paths.items()},
        "stop_seconds": settings.stop_grace_seconds,
        "priority_class": room.environment.service_priority_class,
        "env": {**_variables(room, name, settings), **settings.env},
        **_sizes(settings),
        **_ports(settings),
    }
    calls = [*_calls(room, settings), *_egress(settings)]
    if calls:
        args["calls"] = calls
    if settings.health:
        args.update(_probes(settings, settings.health))
    if settings.command:
        args["command"] = list(settings.command)
    if settings.args:
        args["arguments"] = list(settings.args)
    if settings.kind == "stateful":
        args["volumes"] = {
            key: {"path": str(each.path), "size_gib": each.size_gib} for key, each in settings.volumes.items()
        }
        args["protect"] = room.config.protect
    if settings.writable_root:
        args["writable_root"] = True
    if settings.ports and room.config.cluster.operators:
        args["accepts_from"] = [{"name": "operators", "cidrs": room.config.cluster.operators}]
    waivers = [each.permission for each in settings.exceptions if each.setting in _WAIVABLE]
    if waivers:
        args["waivers"] = waivers
    return args


def _sizes(settings: ServiceConfig) -> HardenedWorkloadArgs:
    found = {
        "memory_mib": settings.memory_mib,
        "memory_request_mib": settings.memory_request_mib,
        "cpu_request_millis": settings.cpu_request_millis,
        "cpu_limit_millis": settings.cpu_limit_millis,
        "replicas": settings.replicas,
    }
    return {key: value for key, value in found.items() if value is not None}  # type: ignore[return-value]  # its keys


def _ports(settings: ServiceConfig) -> HardenedWorkloadArgs:
    others = {str(key): int(port) for key, port in settings.ports.items() if key != HTTP}
    found = {"port": settings.ports.get(HTTP), "more_ports": others or None}
    return {key: value for key, value in found.items() if value is not None}  # type: ignore[return-value]  # its keys


def _variables(room: Room, name: str, settings: ServiceConfig) -> dict[str, str]:
    """What every service is told, and where those are whom it calls."""
    own = variables(name)
    faults = {"ERROR_PERCENT": settings.faults.error_percent, "LATENCY_MS": settings.faults.latency_ms}
    return {
        f"{own}_ENVIRONMENT": room.tier,
        f"{own}_LOG_LEVEL": settings.log_level,
        **{f"{own}_FAULTS_{key}": str(value) for key, value in faults.items() if value},
        **{
            f"{own}_{variables(other)}_{'URL' if HTTP in room.services[other].ports else 'ADDRESS'}": address
            for other, address in room.addresses(settings.calls).items()
        },
    }


def _calls(room: Room, settings: ServiceConfig) -> list[Call]:
    return [
        {"party": room.service(other), "ports": [int(port) for port in room.services[other].ports.values()]}
        for other in settings.calls
    ]


def _egress(settings: ServiceConfig) -> list[Call]:
    return [
        {
            "party": {"name": f"egress-{key}", "cidrs": [str(cidr) for cidr in flow.cidrs]},
            "ports": [int(port) for port in flow.ports],
        }
        for key, flow in settings.egress.items()
    ]


def _probes(settings: ServiceConfig, health: HealthConfig) -> HardenedWorkloadArgs:
    """The check decides over readiness and the end of the start. Only what depends on nobody decides over life."""
    place: Probe = {}
    port = settings.port_of(health.port)
    if port is not None and port != settings.ports.get(HTTP):
        place["port"] = port
    patience: Probe = {
        "interval_seconds": health.interval_seconds,
        "timeout_seconds": health.timeout_seconds,
        "retries": health.retries,
    }
    check: Probe = {"tcp": True, **place}
    if health.command:
        check = {"command": list(health.command)}
    elif health.path:
        check = {"path": str(health.path), **place}
    live: Probe = {**check, **patience} if health.command else {"tcp": True, **place}
    start: Probe = {**check, "timeout_seconds": health.timeout_seconds}
    if health.live_path:
        live = start = {"path": str(health.live_path), **place}
    return {"ready": {**check, **patience}, "live": live, "start": start, "start_seconds": health.start_seconds}  # type: ignore[typeddict-item]  # the rest is not about probes
