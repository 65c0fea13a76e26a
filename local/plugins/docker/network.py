"""Networks: create, read and delete; every change needs a new one."""

from __future__ import annotations

from local.plugins.common.bridged import recorded_inputs
from local.plugins.common.errors import ResourceError
from local.plugins.common.values import Object, plain
from local.plugins.docker.container_spec import labels
from local.plugins.docker.daemon import AbsentError, Daemon
from local.plugins.docker.shapes import NETWORK


def create(daemon: Daemon, inputs: Object) -> tuple[str, Object]:
    """Create the network and return its id and outputs.

    Raises:
        ResourceError: nothing was created.
    """
    wanted = plain(inputs)
    pools = [
        {
            key: value
            for key, value in (
                ("Subnet", entry.get("subnet")),
                ("IPRange", entry.get("ipRange")),
                ("Gateway", entry.get("gateway")),
                ("AuxiliaryAddresses", entry.get("auxAddress")),
            )
            if value
        }
        for entry in wanted.get("ipamConfigs") or []
    ]
    ipam = {"Driver": wanted.get("ipamDriver") or "default", "Config": pools, "Options": wanted.get("ipamOptions")}
    made = daemon.ask(
        f"create network {wanted['name']}",
        lambda api: api.create_network(
            wanted["name"],
            driver=wanted.get("driver"),
            options=wanted.get("options"),
            ipam=ipam,
            check_duplicate=True,
            internal=bool(wanted.get("internal")),
            labels=labels(wanted.get("labels")) or None,
            enable_ipv6=bool(wanted.get("ipv6")),
            attachable=wanted.get("attachable"),
            ingress=wanted.get("ingress"),
        ),
    )
    identity = str(made["Id"])
    found = read(daemon, identity, inputs)
    if found is None:
        raise ResourceError(f"create network {wanted['name']}: it is gone at once")
    return identity, found[1]


def read(daemon: Daemon, identity: str, recorded: Object) -> tuple[str, Object, Object] | None:
    """The network's id, outputs and inputs; None if it is gone."""
    try:
        live = daemon.ask(f"read network {identity}", lambda api: api.inspect_network(identity))
    except AbsentError:
        return None
    ipam = live.get("IPAM") or {}
    state: Object = {
        "name": live["Name"],
        "labels": [{"label": key, "value": value} for key, value in sorted((live.get("Labels") or {}).items())],
        "driver": live["Driver"],
        "internal": bool(live.get("Internal")),
        "attachable": bool(live.get("Attachable")),
        "ingress": bool(live.get("Ingress")),
        "ipv6": bool(live.get("EnableIPv6")),
        "ipamDriver": ipam.get("Driver") or "default",
        "ipamOptions": ipam.get("Options") or {},
        "options": live.get("Options") or {},
        "scope": live.get("Scope") or "",
        "ipamConfigs": [
            {
                "subnet": pool.get("Subnet") or "",
                "ipRange": pool.get("IPRange") or "",
                "gateway": pool.get("Gateway") or "",
                "auxAddress": pool.get("AuxiliaryAddresses") or {},
            }
            for pool in ipam.get("Config") or []
        ],
    }
    return str(live["Id"]), state, recorded_inputs(NETWORK, state, recorded)


def delete(daemon: Daemon, identity: str, state: Object) -> None:
    """Remove the network, waiting for containers that are just leaving; gone already is fine.

    Raises:
        ResourceError: somebody still uses it.
    """
    what = f"remove network {plain(state).get('name', identity)}"
    daemon.remove(what, lambda api: api.remove_network(identity), while_used="has active endpoints")
