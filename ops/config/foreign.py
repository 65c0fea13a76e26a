"""Services as compose files and catalogue manifests describe them, in our words; what has no home is noted."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

_CREDENTIAL = re.compile(r"(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_KEY|CREDENTIAL|ENCRYPTION_KEY)S?$")
_SPOKEN = re.compile(r"(password|passwd|secret|token|api-?key)[=:].|://[^/\s:@]*:[^/\s@]+@", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::?([-?])(.*))?\}|\$([A-Za-z_][A-Za-z0-9_]*)")
_URL = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\]|0\.0\.0\.0)(?::(\d+))?(/[^\s\"'|;&]*)?")
_SECONDS = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
_MIB = {"b": 1 / (1 << 20), "k": 1 / 1024, "m": 1, "g": 1024, "": 1 / (1 << 20)}
_CONDITIONS = {
    "service_started": "started",
    "service_healthy": "healthy",
    "service_completed_successfully": "completed",
}
_HOMELESS = {
    "build": "an image is built from images/<name>/Dockerfile",
    "container_name": "names of objects follow from the stack and the service",
    "hostname": "services are reached by their own names",
    "networks": "who may connect to whom is said by calls, egress and segment",
    "extra_networks": "who may connect to whom is said by calls, egress and segment",
    "extra_hosts": "addresses outside are named in egress",
    "dns": "pods use the cluster's DNS",
    "labels": "labels follow from the stack and the service",
    "logging": "logs of all pods go to one store, see the section logging",
    "env_file": "name the variables in env, and credentials in secrets",
    "ulimits": "limits of open files are the node's",
    "profiles": "what is deployed together is a bundle",
    "expose": "name the port in ports",
    "platform": "the nodes decide it",
    "pull_policy": "an image is named by its digest, so it need not be asked for again",
    "sysctls": "kernel settings are the node's",
    "init": "the runtime of the pod reaps processes",
    "security_opt": "hardening is not optional: seccomp is on and privileges cannot grow",
    "cap_drop": "all capabilities are dropped anyway",
    "working_dir": "set it in the image",
    "tty": "nobody sits at a pod",
    "stdin_open": "nobody sits at a pod",
    "external_port": "what is reached from outside has a route of the gateway",
}
_REFUSED = {
    "privileged": "a container with all rights is the node's root",
    "cap_add": "capabilities are dropped, and no setting gives one back",
    "network_mode": "the node's network is not for workloads",
    "pid": "the node's processes are not for workloads",
    "ipc": "the node's memory is not for workloads",
    "devices": "the node's devices are not for workloads",
    "userns_mode": "the user is `user`",
}


@dataclass(frozen=True, kw_only=True)
class Note:
    """Something of a foreign file that was not carried over as it is."""

    kind: str
    """`refused`: it must not be; `no home`: it has no place here; `look`: it was carried over, and may not be meant."""
    service: str
    field: str
    what: str
    """Never a value that may be a secret."""


@dataclass
class Translation:
    """One service on its way into our shape."""

    name: str
    values: dict[str, Any] = field(default_factory=dict)
    entries: dict[str, Any] = field(default_factory=dict)
    """Secrets that it needs, for `secrets.entries`."""
    references: dict[str, str] = field(default_factory=dict)
    """Image name -> reference with digest."""
    notes: list[Note] = field(default_factory=list)

    def note(self, kind: str, path: str, what: str) -> None:
        """Remember what was not carried over."""
        self.notes.append(Note(kind=kind, service=self.name, field=path, what=what))

    def read(self, service: Mapping[str, Any]) -> None:
        """Take every field of a foreign service."""
        for key, value in service.items():
            if key in _FIELDS:
                _FIELDS[key](self, value)
            elif key in _REFUSED:
                if value not in (False, None, "", []):
                    self.note("refused", key, _REFUSED[key])
            elif key not in ("name", "description"):
                self.note("no home", key, _HOMELESS.get(key, "nothing here means this"))

    # -- each takes the value of one field --------------------------

    def image(self, value: object) -> None:
        if isinstance(value, Mapping):
            digest = f"@{value['digest']}" if value.get("digest") else ""
            value = f"{value.get('repository', '')}:{value.get('tag', 'latest')}{digest}"
        text = str(value)
        path, _, digest = text.partition("@")
        repository = re.sub(r"(:[^/]*|\$\{.*)$", "", path)
        self.values["image"] = re.sub(r"[^a-z0-9.-]", "-", repository.rpartition("/")[2]) or self.name
        if digest and "/" in path:
            self.references[self.values["image"]] = text
        else:
            self.note(
                "refused", "image", f"{path} has no digest: add images.references.{self.values['image']} with one"
            )

    def environment(self, value: object) -> None:
        pairs = (
            value.items() if isinstance(value, Mapping) else (str(each).partition("=")[::2] for each in _list(value))
        )
        for key, given in pairs:
            self._variable(
                str(key), "" if given is None else str(given).lower() if isinstance(given, bool) else str(given)
            )

    def required(self, value: object) -> None:
        for key in _list(value):
            self._variable(str(key), f"${{{key}}}")

    def _variable(self, key: str, given: str) -> None:
        found = _VARIABLE.fullmatch(given)
        if _CREDENTIAL.search(key):
            self._secret(key, plain=bool(given) and not found)
        elif found and found[2] == "-":
            self.values.setdefault("env", {})[key] = found[3]
            self.note("look", f"environment.{key}", "has the default of the file; the shell's variable counts no more")
        elif found or not given:
            self.values.setdefault("requires", []).append(key)
            self.note("look", f"environment.{key}", f"must be provided: by services.{self.name}.env or a bundle")
        else:
            self.values.setdefault("env", {})[key] = given

    def _secret(self, key: str, *, plain: bool) -> None:
        entry = key.lower().replace("_", "-").strip("-")[:40].strip("-")
        self.entries[entry] = {"source": "imported"}
        self.values.setdefault("secrets", []).append(entry)
        how = f"`ops config set omnibase-infra-secrets:{entry} --secret`"
        why = "its plain value was not read; replace it, everybody has seen it" if plain else "import its value"
        self.note("refused" if plain else "look", f"environment.{key}", f"is the secret {entry} now: {why}: {how}")

    def secrets(self, value: object) -> None:
        for each in _list(value):
            self._secret(str(each.get("source", "") if isinstance(each, Mapping) else each), plain=False)

    def ports(self, value: object) -> None:
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, Mapping):
                inside, outside = each.get("target", each.get("internal")), each.get("published", each.get("external"))
            else:
                *before, inside = str(each).partition("/")[0].split(":")
                outside = before[-1] if before else None
            if not str(inside).isdigit():
                self.note("refused", "ports", f"{each} names no port of the container")
                continue
            ports = self.values.setdefault("ports", {})
            ports[f"port-{inside}" if ports else "http"] = int(str(inside))
            if outside:
                self.note(
                    "no home", "ports", f"{outside} outside: what is reached from outside has a route of the gateway"
                )

    def health(self, value: Mapping[str, Any]) -> None:
        test = value.get("test")
        words = [str(each) for each in _list(test)]
        line = " ".join(words[1:] if words[:1] in (["CMD"], ["CMD-SHELL"]) else words)
        if value.get("disable") or words[:1] == ["NONE"] or not line:
            self.note("refused", "healthcheck", "a service shows its health; only jobs have no check")
            return
        seconds = {name: _seconds(value.get(name, value.get(f"{name}_s"))) for name in ("interval", "timeout")}
        start = _seconds(value.get("start_period", value.get("start_period_s")))
        found = {f"{name}_seconds": amount for name, amount in seconds.items() if amount}
        found |= {"start_seconds": start} if start else {}
        found |= {"retries": int(value["retries"])} if "retries" in value else {}
        url = _URL.search(line)
        shell = words[:1] == ["CMD-SHELL"] or isinstance(test, str)
        check = {"path": url[2] or "/"} if url else {"command": ["sh", "-c", line] if shell else words[1:]}
        self.values["health"] = {**check, **found}

    def depends_on(self, value: object) -> None:
        if isinstance(value, Mapping):
            pairs = [(name, (each or {}).get("condition")) for name, each in value.items()]
        else:
            pairs = [
                (each.get("service"), each.get("condition")) if isinstance(each, Mapping) else (each, None)
                for each in _list(value)
            ]
        self.values["depends_on"] = {str(name): _CONDITIONS.get(str(how), "started") for name, how in pairs}
        self.values["calls"] = [str(name) for name, how in pairs if how != "service_completed_successfully"]
        self.note("look", "depends_on", "is also taken for calls: take out those that it does not connect to")

    def restart(self, value: object) -> None:
        if value in ("no", False, "never"):
            self.values["kind"] = "job"

    def resources(self, value: Mapping[str, Any]) -> None:
        limits, requests = value.get("limits", value), value.get("reservations", {})
        self._amounts("limit", limits.get("cpus"), limits.get("memory"))
        self._amounts(
            "request",
            requests.get("cpus", value.get("cpus_reservation")),
            requests.get("memory", value.get("memory_reservation")),
        )

    def _amounts(self, side: str, cpus: object, memory: object) -> None:
        if cpus is not None:
            self.values[f"cpu_{side}_millis"] = ceil(float(str(cpus)) * 1000)
        if memory is not None:
            self.values["memory_mib" if side == "limit" else "memory_request_mib"] = _mib(memory)

    def deploy(self, value: Mapping[str, Any]) -> None:
        if "replicas" in value:
            self.values["replicas"] = value["replicas"]
        if "resources" in value:
            self.resources(value["resources"])
        for key in sorted(set(value) - {"replicas", "resources"}):
            self.note("no home", f"deploy.{key}", "how a new version comes in is said by rollout")

    def volumes(self, value: object) -> None:
        for each in _list(value):
            source, target = (
                (each.get("source", ""), each.get("target", ""))
                if isinstance(each, Mapping)
                else (*str(each).split(":"), "")[:2]
            )
            if "docker.sock" in source or "containerd.sock" in source:
                self.note("refused", "volumes", "the engine's socket gives whoever has it the node (V1)")
            elif source.startswith(("/", ".", "~", "$")) or not target:
                self.note("refused", "volumes", f"{source} is a path of the host: use an image, settings or a volume")
            else:
                name = re.sub(r"[^a-z0-9-]", "-", source.lower())
                self.values["kind"] = "stateful"
                self.values.setdefault("volumes", {})[name] = {"path": target, "size_gib": 1}
                self.note("look", "volumes", f"{name} has 1 GiB: the file says no size")

    def tmpfs(self, value: object) -> None:
        for each in _list(value):
            path, _, options = str(each).partition(":")
            size = re.search(r"size=(\w+)", options)
            self.values.setdefault("writable_paths", {})[path] = f"{max(1, _mib(size[1])) if size else 64}Mi"

    def stop_grace(self, value: object) -> None:
        wanted = _seconds(value) or 30
        self.values["stop_grace_seconds"] = min(90, max(30, wanted))
        if not 30 <= wanted <= 90:  # noqa: PLR2004 -- bounds of the field
            self.note("look", "stop_grace_period", f"{wanted} s is {self.values['stop_grace_seconds']} s here")

    def user(self, value: object) -> None:
        first = str(value).partition(":")[0]
        if first.isdigit():
            self.values["user"] = int(first)
        else:
            self.note("refused", "user", "a process runs as a number that is not 0, which is root; default 10001")

    def read_only(self, value: object) -> None:
        if value is False:
            self.note(
                "refused", "read_only", "the root file system is read-only: name what it writes in writable_paths"
            )

    def words(self, key: str, value: object) -> None:
        words = shlex.split(value) if isinstance(value, str) else [str(each) for each in _list(value)]
        if any(_SPOKEN.search(word) for word in words):
            self.note("refused", key, "holds a credential, which everybody who may list pods could read: use secrets")
        else:
            self.values[key] = words


_FIELDS: dict[str, Callable[[Translation, Any], None]] = {
    "image": Translation.image,
    "environment": Translation.environment,
    "hardcoded_env": Translation.environment,
    "operational_defaults": Translation.environment,
    "catalog_env": Translation.environment,
    "required_env": Translation.required,
    "secrets": Translation.secrets,
    "ports": Translation.ports,
    "healthcheck": Translation.health,
    "depends_on": Translation.depends_on,
    "restart": Translation.restart,
    "resources": Translation.resources,
    "deploy": Translation.deploy,
    "mem_limit": lambda self, value: self._amounts("limit", None, value),
    "mem_reservation": lambda self, value: self._amounts("request", None, value),
    "cpus": lambda self, value: self._amounts("limit", value, None),
    "volumes": Translation.volumes,
    "tmpfs": Translation.tmpfs,
    "stop_grace_period": Translation.stop_grace,
    "user": Translation.user,
    "read_only": Translation.read_only,
    "layer": lambda self, value: self.values.update(layer=value),
    "entrypoint": lambda self, value: self.words("command", value),
    "command": lambda self, value: self.words("args", value),
}


def _list(value: object) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _seconds(value: object) -> int:
    if value is None or isinstance(value, int | float):
        return ceil(value or 0)
    parts = re.findall(r"([0-9.]+)(h|ms|m|s)", str(value))
    return ceil(sum(float(amount) * _SECONDS[unit] for amount, unit in parts))


def _mib(value: object) -> int:
    found = re.fullmatch(r"([0-9.]+)\s*([bkmg]?)i?b?", str(value).strip().lower())
    return ceil(float(found[1]) * _MIB[found[2]]) if found else 0
