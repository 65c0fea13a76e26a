"""Kubeconfig files: which server to ask, as whom."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.errors import InputError

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_FILE_KEYS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


@dataclass(frozen=True, kw_only=True)
class Connection:
    """What a kubeconfig's chosen context says."""

    context: str
    namespace: str
    """The context's namespace, `default` where it has none."""
    cluster: Mapping[str, Any]
    user: Mapping[str, Any]


def load(text_or_path: str, env: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """A kubeconfig given as text, as a path, or (empty) found where kubectl looks: $KUBECONFIG, ~/.kube/config.

    Raises:
        InputError: no such file, or text that is not a kubeconfig.
    """
    if text_or_path:
        path = Path(text_or_path).expanduser() if len(text_or_path) < os.pathconf("/", "PC_PATH_MAX") else None
        if path is not None and "\n" not in text_or_path and path.is_file():
            return _read(path)
        return _parse(text_or_path, "the provider's `kubeconfig`")
    listed = env.get("KUBECONFIG", "")
    paths = [Path(item) for item in listed.split(os.pathsep) if item] or [Path.home() / ".kube" / "config"]
    found = [_read(path) for path in paths if path.is_file()]
    if found:
        return _merge(found)
    if env.get("KUBERNETES_SERVICE_HOST") and _SERVICE_ACCOUNT.is_dir():
        return _in_cluster(env)
    raise InputError(
        f"no kubeconfig found at {', '.join(map(str, paths))}",
        hint="set KUBECONFIG, or give the provider its `kubeconfig`",
    )


def select(config: Mapping[str, Any], *, context: str = "", cluster: str = "", namespace: str = "") -> Connection:
    """The connection of one context; arguments win over what the file says.

    Raises:
        InputError: a context, cluster or user that the file does not hold.
    """
    chosen = context or str(config.get("current-context") or "")
    if not chosen:
        raise InputError("the kubeconfig names no current-context", hint="set the provider's `context`")
    entry = _named(config, "contexts", chosen).get("context") or {}
    server = _named(config, "clusters", cluster or str(entry.get("cluster") or "")).get("cluster") or {}
    user = _named(config, "users", str(entry["user"])).get("user") or {} if entry.get("user") else {}
    if not server.get("server"):
        raise InputError(f"cluster of context {chosen!r} has no `server` address", hint="correct the kubeconfig")
    return Connection(
        context=chosen, namespace=namespace or str(entry.get("namespace") or "default"), cluster=server, user=user
    )


def _parse(text: str, where: str) -> dict[str, Any]:
    import yaml  # noqa: PLC0415  # not needed before a provider is configured

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        config = yaml.load(text, Loader=loader)  # noqa: S506  # a safe loader, in C where there is one
    except yaml.YAMLError as problem:
        raise InputError(f"{where} is not valid YAML: {problem}", hint="give a kubeconfig's text or path") from problem
    if not isinstance(config, dict):
        raise InputError(
            f"{where} is neither an existing file nor a kubeconfig's text", hint="give a kubeconfig's text or path"
        )
    return config


def _read(path: Path) -> dict[str, Any]:
    try:
        config = _parse(path.read_text(), f"kubeconfig {path}")
    except OSError as problem:
        raise InputError(f"kubeconfig {path} cannot be read: {problem}") from problem
    for listing, key in (("clusters", "cluster"), ("users", "user")):
        for entry in config.get(listing) or []:
            body = entry.get(key) or {}
            for file_key in _FILE_KEYS:
                if body.get(file_key):  # relative to the file that says it
                    body[file_key] = str(path.parent / Path(body[file_key]).expanduser())
    return config


def _merge(configs: list[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {"clusters": [], "contexts": [], "users": []}
    for config in configs:
        merged.setdefault("current-context", config.get("current-context") or None)
        if not merged["current-context"]:
            merged["current-context"] = config.get("current-context")
        for listing in ("clusters", "contexts", "users"):
            known = {entry["name"] for entry in merged[listing]}
            merged[listing] += [entry for entry in config.get(listing) or [] if entry["name"] not in known]
    return merged


def _named(config: Mapping[str, Any], listing: str, name: str) -> Mapping[str, Any]:
    entries = config.get(listing) or []
    for entry in entries:
        if entry.get("name") == name:
            found: Mapping[str, Any] = entry
            return found
    known = ", ".join(sorted(str(entry.get("name")) for entry in entries)) or "none"
    raise InputError(f"kubeconfig has no {listing[:-1]} {name!r}", hint=f"it has: {known}")


def _in_cluster(env: Mapping[str, str]) -> dict[str, Any]:
    host, port = env["KUBERNETES_SERVICE_HOST"], env.get("KUBERNETES_SERVICE_PORT", "443")
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    cluster = {"server": server, "certificate-authority": str(_SERVICE_ACCOUNT / "ca.crt")}
    context = {"cluster": "in", "user": "in", "namespace": (_SERVICE_ACCOUNT / "namespace").read_text().strip()}
    return {
        "current-context": "in",
        "clusters": [{"name": "in", "cluster": cluster}],
        "contexts": [{"name": "in", "context": context}],
        "users": [{"name": "in", "user": {"tokenFile": str(_SERVICE_ACCOUNT / "token")}}],
    }
