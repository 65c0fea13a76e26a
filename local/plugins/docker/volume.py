"""Volumes: create, read and delete; every change needs a new one."""

from __future__ import annotations

from local.plugins.common.bridged import recorded_inputs
from local.plugins.common.errors import ResourceError
from local.plugins.common.values import Object, plain
from local.plugins.docker.container_spec import labels
from local.plugins.docker.daemon import AbsentError, Daemon
from local.plugins.docker.shapes import VOLUME


def create(daemon: Daemon, inputs: Object) -> tuple[str, Object]:
    """Create the volume and return its name, which is its id, and outputs.

    Raises:
        ResourceError: nothing was created.
    """
    wanted = plain(inputs)
    daemon.ask(
        f"create volume {wanted['name']}",
        lambda api: api.create_volume(
            name=wanted["name"],
            driver=wanted.get("driver"),
            driver_opts=wanted.get("driverOpts"),
            labels=labels(wanted.get("labels")) or None,
        ),
    )
    found = read(daemon, wanted["name"], inputs)
    if found is None:
        raise ResourceError(f"create volume {wanted['name']}: it is gone at once")
    return found[0], found[1]


def read(daemon: Daemon, identity: str, recorded: Object) -> tuple[str, Object, Object] | None:
    """The volume's name, outputs and inputs; None if it is gone."""
    try:
        live = daemon.ask(f"read volume {identity}", lambda api: api.inspect_volume(identity))
    except AbsentError:
        return None
    state: Object = {
        "name": live["Name"],
        "labels": [{"label": key, "value": value} for key, value in sorted((live.get("Labels") or {}).items())],
        "driver": live["Driver"],
        "driverOpts": live.get("Options") or {},
        "mountpoint": live.get("Mountpoint") or "",
    }
    return str(live["Name"]), state, recorded_inputs(VOLUME, state, recorded)


def delete(daemon: Daemon, identity: str, _state: Object) -> None:
    """Remove the volume and what is in it, waiting for containers that are just ending; gone already is fine.

    Raises:
        ResourceError: a container still uses it.
    """
    what = f"remove volume {identity}"
    daemon.remove(what, lambda api: api.remove_volume(identity, force=True), while_used="in use")
