"""The services' secrets: one set, and to each service a Secret with what its settings name."""

from __future__ import annotations

from omnibase_infra.config.secrets import SecretEntryConfig
from omnibase_infra.platform.room import Room
from omnibase_infra.secrets import SecretEntry, SecretSet, SecretSetArgs
from omnibase_infra.workload import HardenedWorkloadArgs

NAME = "services"
_DIRECTORY = "/run/secrets/service"
_EXTERNAL_DIRECTORY = "/run/secrets/external"


def make_secrets(room: Room) -> SecretSet | None:
    """The set, or nothing where no service names a secret."""
    settings = room.config.secrets
    given = {key for service in room.services.values() for key in service.secrets}
    if not settings.enabled or not given:
        return None
    args: SecretSetArgs = {
        "namespace": room.namespace,
        "environment": room.tier,
        "entries": {key: entry(room, key, each) for key, each in settings.entries.items() if key in given},
        "consumers": {
            name: {"keys": list(service.secrets)} for name, service in room.services.items() if service.secrets
        },
    }
    if settings.store:
        args["store"] = {"name": settings.store.name, "kind": settings.store.kind}
    return SecretSet(NAME, args, room.below(room.environment))


def give_secrets(room: Room, args: HardenedWorkloadArgs, service: str, prefix: str, made: SecretSet | None) -> None:
    """Mount what a service's settings name, with a variable `<PREFIX>_<KEY>_FILE` for each file."""
    settings = room.config.secrets
    wanted = room.services[service].secrets
    external = [key for key in wanted if settings.entries[key].source == "external"]
    own = [key for key in wanted if key not in external]
    if made is None or not wanted:
        return
    environment, mounts = args.setdefault("env", {}), args.setdefault("secret_mounts", [])
    if own:
        previous = [f"{key}.previous" for key in own if _has_previous(settings.entries[key])]
        mounts.append({"secret": made.secret(service), "keys": [*own, *previous], "path": _DIRECTORY})
    if external:
        kept = made.external_secrets.apply(lambda names: names[service])
        mounts.append({"secret": kept, "keys": external, "path": _EXTERNAL_DIRECTORY})
    for key in wanted:
        directory = _EXTERNAL_DIRECTORY if key in external else _DIRECTORY
        environment[f"{prefix}_{key.upper().replace('-', '_')}_FILE"] = f"{directory}/{key}"


def _has_previous(entry: SecretEntryConfig) -> bool:
    return entry.source == "generated" and entry.overlap and entry.generation > 1


def entry(room: Room, key: str, settings: SecretEntryConfig) -> SecretEntry:
    """One entry as a SecretSet is given it."""
    if settings.source == "generated":
        return {
            "source": "generated",
            "length": settings.length,
            "alphabet": settings.alphabet,
            "generation": settings.generation,
            "overlap": settings.overlap,
        }
    if settings.source == "imported":
        return {"source": "imported", "value": room.args.imported[key]}
    found: SecretEntry = {"source": "external", "remote_key": settings.remote_key or ""}
    if settings.remote_property:
        found["remote_property"] = settings.remote_property
    return found
