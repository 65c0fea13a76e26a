"""Containers of a Docker host in the picture."""

from __future__ import annotations

from typing import Any

from ops.graph import Resource, build_scene

_CONTAINER = "docker:index/container:Container"
_NETWORK = "docker:index/network:Network"


def resource(kind: str, name: str, **inputs: Any) -> Resource:  # noqa: ANN401 -- any input
    return Resource(key=f"urn:{kind}:{name}", type=kind, name=name, inputs={"name": name, **inputs})


def container(name: str, **inputs: Any) -> Resource:  # noqa: ANN401 -- any input
    return resource(
        _CONTAINER, name, **{"user": "10001:10001", "memory": 16, "cpus": "0.5", "networkMode": name, **inputs}
    )


WEB = container(
    "web",
    ports=[{"internal": 8080, "external": 18080, "ip": "127.0.0.1"}],
    networksAdvanced=[{"name": "web-edge"}],
    volumes=[{"fromContainer": "web-secrets:ro"}, {"volumeName": "web-data", "containerPath": "/data"}],
)
HOLDER = container("web-secrets", start=False, networkMode="none", uploads=[{"file": "/run/secrets/token"}])
CLIENT = container("client", networksAdvanced=[{"name": "web"}])
NETWORKS = [resource(_NETWORK, name, internal=name != "web-edge") for name in ("web", "web-edge", "client")]


def test_running_containers_are_boxes_of_the_host_with_what_matters() -> None:
    found = build_scene("dev", [WEB, HOLDER, CLIENT, *NETWORKS])
    (host,) = [box for box in found.boxes if box.title == "Docker host"]
    assert sorted(box.title for box in host.children) == ["client", "web"]
    (web,) = [box for box in host.children if box.title == "web"]
    assert web.lines == [
        "user 10001:10001, 16 MiB, 0.5 cores", "network web, no way out", "port 127.0.0.1:18080 of the host",
        "secrets token", "volume web-data",
    ]  # fmt: skip


def test_arrows_lead_from_callers_to_ports_and_from_joiners_to_owners() -> None:
    found = build_scene("dev", [WEB, HOLDER, CLIENT, *NETWORKS])
    ends = {(arrow.source.rpartition(":")[2], arrow.target.rpartition(":")[2], arrow.ports) for arrow in found.arrows}
    assert ends == {("docker-callers", "web", (18080,)), ("client", "web", (8080,))}


def test_an_export_whose_uploads_are_hidden_is_drawn_too() -> None:
    hidden = container("web-secrets", start=False, networkMode="none", uploads={"ciphertext": "x"})
    found = build_scene("dev", [WEB, hidden, *NETWORKS])
    assert any("secrets" in line for box in found.boxes for child in box.children for line in child.lines)


def test_a_stack_without_containers_has_no_docker_host() -> None:
    assert build_scene("dev", NETWORKS).boxes == ()
