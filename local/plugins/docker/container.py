"""Containers: create, read, update and delete on the engine."""

from __future__ import annotations

from local.plugins.common.bridged import recorded_inputs
from local.plugins.common.errors import PartialFailureError, ResourceError
from local.plugins.common.values import Object, Secret, contains_secret, mark_secrets, plain
from local.plugins.docker import container_spec, container_state
from local.plugins.docker.daemon import AbsentError, CancelledError, Daemon
from local.plugins.docker.shapes import CONTAINER

_REMOVE_SECONDS = 30.0
_UPDATED = ("restart", "maxRetryCount", "cpuShares", "memory", "memoryReservation", "cpuSet", "memorySwap")
_MIB = 1024 * 1024


def create(daemon: Daemon, urn: str, inputs: Object, seconds: float) -> tuple[str, Object]:
    """Create the container, connect it, put files into it, start it and wait for its health, as far as asked.

    Args:
        seconds: the program's own timeout of the operation; 0 for none.

    Raises:
        ResourceError: nothing was created.
        PartialFailureError: it exists and is not what was asked for.
    """
    wanted = plain(inputs)
    name = wanted["name"]
    if wanted.get("attach") or wanted.get("logs"):
        raise ResourceError(f"container {name}: attach and logs need the official docker provider")
    body = container_spec.body(wanted)  # wrong inputs fail before anything exists
    archive = container_spec.upload_archive(wanted["uploads"]) if wanted.get("uploads") else b""
    _have_image(daemon, urn, wanted["image"])
    made = daemon.ask(f"create container {name}", lambda api: api.create_container_from_config(body, name))
    identity = str(made["Id"])
    try:
        _connect(daemon, identity, wanted)
        if archive:
            daemon.ask(f"upload into container {name}", lambda api: api.put_archive(identity, "/", archive))
        if wanted.get("start", True):
            daemon.ask(f"start container {name}", lambda api: api.start(identity))
            _wait_healthy(daemon, identity, wanted, seconds)
    except ResourceError as problem:
        raise _partial(daemon, identity, inputs, problem) from problem
    return identity, _state(daemon, identity, inputs)


def read(daemon: Daemon, identity: str, recorded: Object) -> tuple[str, Object, Object] | None:
    """The container's full id, outputs and inputs, with what was changed by hand; None if it is gone.

    Args:
        recorded: the inputs in the engine's state; empty for an import.

    Raises:
        PartialFailureError: it runs, should be healthy and is not. The engine records that, and the next update waits.
    """
    try:
        live = daemon.ask(f"read container {identity}", lambda api: api.inspect_container(identity))
    except AbsentError:
        return None
    state = container_state.state(live, plain(recorded))
    mark_secrets(state, recorded)
    inputs = recorded_inputs(CONTAINER, state, recorded)
    health = (live["State"].get("Health") or {}).get("Status", "healthy")
    if plain(recorded).get("wait") and live["State"]["Running"] and health != "healthy":
        reason = f"container {state['name']}: is {health}. {_last_words(daemon, live)}"
        raise PartialFailureError(reason, identity=str(live["Id"]), state=state, reasons=[reason], inputs=inputs)
    return str(live["Id"]), state, inputs


def update(daemon: Daemon, identity: str, old_state: Object, inputs: Object, seconds: float) -> Object:
    """Change limits and restart policy, start a container that was stopped, and wait for its health.

    The official provider waits for health at creation only; here a container that is still ill stays an error.

    Raises:
        PartialFailureError: it is changed and not healthy.
    """
    wanted, before = plain(inputs), plain(old_state)
    name = wanted["name"]
    if any(wanted.get(key) != before.get(key) for key in _UPDATED):
        _change(daemon, identity, wanted, before)
    try:
        if wanted.get("mustRun", True) and wanted.get("start", True):
            daemon.ask(f"start container {name}", lambda api: api.start(identity))  # no change where it runs
        if wanted.get("start", True):
            _wait_healthy(daemon, identity, wanted, seconds)
    except ResourceError as problem:
        raise _partial(daemon, identity, inputs, problem) from problem
    return _state(daemon, identity, inputs)


def delete(daemon: Daemon, identity: str, state: Object) -> None:
    """Stop the container in its grace time, then remove it with its nameless volumes; gone already is fine."""
    wanted = plain(state)
    grace = int(wanted.get("destroyGraceSeconds") or 0)
    what = f"container {wanted.get('name', identity)}"
    try:
        daemon.ask(f"stop {what}", lambda api: api.stop(identity, timeout=grace))
        volumes = bool(wanted.get("removeVolumes", True))
        daemon.ask(f"remove {what}", lambda api: api.remove_container(identity, v=volumes, force=True))
    except AbsentError:
        return
    except CancelledError:
        raise
    except ResourceError as problem:
        if "is already in progress" not in str(problem):
            raise
    if not daemon.until(lambda: _gone(daemon, identity), _REMOVE_SECONDS, f"remove {what}"):
        raise ResourceError(f"remove {what}: it is still there after {_REMOVE_SECONDS:.0f} s")


def _gone(daemon: Daemon, identity: str) -> bool:
    try:
        daemon.ask("look for container", lambda api: api.inspect_container(identity))
    except AbsentError:
        return True
    return False


def _state(daemon: Daemon, identity: str, inputs: Object) -> Object:
    live = daemon.ask(f"read container {identity}", lambda api: api.inspect_container(identity))
    state = container_state.state(live, plain(inputs))
    mark_secrets(state, inputs)
    for key in ("envs", "uploads"):
        if contains_secret(inputs.get(key)) and not isinstance(state[key], Secret):
            state[key] = Secret(plain(state[key]))
    return state


def _partial(daemon: Daemon, identity: str, inputs: Object, problem: ResourceError) -> PartialFailureError:
    try:
        state = _state(daemon, identity, inputs)
    except ResourceError:
        state = dict(inputs)
    return PartialFailureError(str(problem), identity=identity, state=state, reasons=[str(problem)], inputs=inputs)


def _have_image(daemon: Daemon, urn: str, image: str) -> None:
    """Pull the image unless the engine has it."""
    try:
        daemon.ask(f"look for image {image}", lambda api: api.inspect_image(image))
    except AbsentError:
        login = daemon.settings.login(image)
        what = f"pull image {image}"
        daemon.ask(
            what,
            lambda api: daemon.follow(what, urn, api.pull(image, stream=True, decode=True, auth_config=login)),
        )


def _connect(daemon: Daemon, identity: str, wanted: Object) -> None:
    """Networks beside the first one. The default network is left, as in the official provider."""
    networks = wanted.get("networksAdvanced") or []
    if networks and wanted.get("networkMode") in (None, "", "default", "bridge"):
        try:
            daemon.ask("leave network bridge", lambda api: api.disconnect_container_from_network(identity, "bridge"))
        except ResourceError as problem:
            if "is not connected to" not in str(problem) and not isinstance(problem, AbsentError):
                raise
    for network in networks:
        daemon.ask(
            f"connect to network {network['name']}",
            lambda api, network=network: api.connect_container_to_network(  # type: ignore[misc]  # bound at once
                identity, network["name"], **container_spec.endpoint(network)
            ),
        )


def _wait_healthy(daemon: Daemon, identity: str, wanted: Object, seconds: float) -> None:
    """Wait until the health check succeeds; a container that ended is not waited for.

    Raises:
        ResourceError: it has no health check, ended, or is not healthy in time; with its last words.
    """
    if not wanted.get("wait"):
        return
    name = wanted["name"]
    bound = min(float(wanted.get("waitTimeout") or 60), seconds or float("inf"))
    last: Object = {}

    def healthy() -> bool:
        last.update(daemon.ask(f"watch container {name}", lambda api: api.inspect_container(identity)))
        health = last["State"].get("Health")
        if health is None:
            raise ResourceError(
                f"container {name}: `wait` needs a health check, and neither the container nor its image has one"
            )
        return bool(health["Status"] == "healthy") or not _alive(last)

    ready = daemon.until(healthy, bound, f"wait for container {name}")
    if ready and _alive(last):
        return
    status = last["State"]
    what = (
        f"is {status['Health']['Status']} after {bound:.0f} s"
        if _alive(last)
        else f"ended with code {status['ExitCode']}"
    )
    raise ResourceError(f"container {name}: failed to be in healthy state: it {what}. {_last_words(daemon, last)}")


def _alive(live: Object) -> bool:
    return bool(live["State"]["Running"] or live["State"].get("Restarting"))


def _last_words(daemon: Daemon, live: Object) -> str:
    """The last health check's output and the end of the log."""
    checks = (live["State"].get("Health") or {}).get("Log") or []
    said = checks[-1]["Output"].strip() if checks else ""
    try:
        log = daemon.ask("read log", lambda api: api.logs(live["Id"], tail=5)).decode(errors="replace").strip()
    except ResourceError:
        log = ""
    return f"Last check: {said or '(none)'}. Log: {log or '(empty)'}"


def _change(daemon: Daemon, identity: str, wanted: Object, before: Object) -> None:
    memory = int(wanted.get("memory") or 0) * _MIB
    arguments: Object = {
        "cpu_shares": wanted.get("cpuShares") or None,
        "cpuset_cpus": wanted.get("cpuSet") or None,
        "mem_limit": memory or None,
        "mem_reservation": int(wanted.get("memoryReservation") or 0) * _MIB or None,
        "restart_policy": container_spec.restart_policy(wanted),
    }
    swap = wanted.get("memorySwap")
    if swap:
        arguments["memswap_limit"] = int(swap) * _MIB if swap > 0 else int(swap)
    elif memory and wanted.get("memory") != before.get("memory"):
        arguments["memswap_limit"] = 2 * memory  # the daemon's own default; else a higher memory would be refused
    given = {key: value for key, value in arguments.items() if value is not None}
    daemon.ask(f"update container {wanted['name']}", lambda api: api.update_container(identity, **given))
