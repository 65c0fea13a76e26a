"""What pods present is seen through real handshakes; a wrong, old or untrusted certificate is a problem."""

from __future__ import annotations

import gc
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from omnibase_infra.certificates import issue

from local.errors import LocalError
from ops.rotate import served
from ops.rotate.served import Kubectl, Server
from ops.rotate.state import Deployed, load

NOW = datetime.now(UTC)
HOST = "api.example.test"
OLD, NEW = (issue.authority(name, 100, NOW) for name in ("old", "new"))
CROSS = issue.cross_sign(NEW, OLD, NOW)
LEAF = issue.server(NEW, [HOST], 50, NOW)
OTHER = issue.server(NEW, [HOST], 50, NOW)


def deployed(pair: issue.Pair) -> Deployed:
    return Deployed(name="api", namespace="apps", hosts=(HOST,), secret="api-1", certificate=load(pair.certificate))


@contextmanager
def serving(directory: Path, pair: issue.Pair, chain: str = CROSS) -> Iterator[int]:
    """A TLS server on loopback until the block ends; gives its port."""
    (directory / "tls.crt").write_text(pair.certificate + chain)
    (directory / "tls.key").write_text(pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "tls.crt", directory / "tls.key")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    plain, _ = listening.accept()
                    with plain, context.wrap_socket(plain, server_side=True) as secured:
                        secured.recv(1)
                except OSError:
                    continue

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        yield listening.getsockname()[1]
        stop.set()
        server.join(timeout=5)


def pod(
    name: str, *, secret: str = "", port: str = "https", namespace: str = "apps", **metadata: object
) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "status": {"phase": "Running"},
        "spec": {
            "containers": [{"ports": [{"name": port, "containerPort": 9443}]}],
            "volumes": [{"secret": {"secretName": secret}}] if secret else [],
        },
    }


LABEL = "gateway.envoyproxy.io/owning-gateway-name"


def service(gateway: str) -> dict[str, Any]:
    ports = [{"name": "https-443", "port": 443, "targetPort": 10443}]
    return {"metadata": {"labels": {LABEL: gateway}}, "spec": {"ports": ports}}


class Cluster(Kubectl):
    """kubectl on a list of pods; every pod's port is the one given."""

    def answering(
        self, pods: list[dict[str, Any]], port: int = 0, gateways: list[dict[str, Any]] | None = None
    ) -> Cluster:
        object.__setattr__(self, "known", (pods, port, gateways or []))
        return self

    def json(self, *arguments: str) -> dict[str, Any]:
        pods, _, gateways = self.known  # type: ignore[attr-defined]  # see answering
        if "services" in arguments:
            return {"items": [service(gateway["metadata"]["name"]) for gateway in gateways]}
        if "pods" not in arguments:
            return {"items": gateways}
        labelled = "-l" in arguments
        return {"items": [one for one in pods if bool(one["metadata"].get("labels")) == labelled]}

    @contextmanager
    def forwarded(self, namespace: str, pod: str, port: int) -> Iterator[int]:
        yield self.known[1]  # type: ignore[attr-defined]  # see answering


def cluster(*pods: dict[str, Any], port: int = 0, gateways: list[dict[str, Any]] | None = None) -> Cluster:
    return Cluster(command=()).answering(list(pods), port, gateways)


@pytest.mark.req("C5.5")
def test_a_new_certificate_that_old_and_new_clients_accept_is_no_problem(tmp_path: Path) -> None:
    with serving(tmp_path, LEAF) as port:
        trusting = [OLD.certificate, NEW.certificate + OLD.certificate]
        assert served.problems(cluster(pod("a", secret="api-1"), port=port), deployed(LEAF), trusting) == (1, [])


def test_a_server_that_left_out_the_chain_is_seen_by_old_clients(tmp_path: Path) -> None:
    with serving(tmp_path, LEAF, chain="") as port:
        seen = cluster(pod("a", secret="api-1"), port=port)
        assert served.problems(seen, deployed(LEAF), [NEW.certificate]) == (1, [])
        _, (problem,) = served.problems(seen, deployed(LEAF), [OLD.certificate])
    assert problem.startswith(f"api: pod apps/a: {HOST}: ")
    assert "unable to get local issuer certificate" in problem


def test_a_pod_that_presents_another_certificate_is_named(tmp_path: Path) -> None:
    with serving(tmp_path, OTHER) as port:
        found = served.problems(cluster(pod("a", secret="api-1"), port=port), deployed(LEAF), [NEW.certificate])
    assert found == (1, ["api: pod apps/a still presents another certificate"])


def test_a_pod_that_does_not_answer_is_a_problem() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
    _, (problem,) = served.problems(cluster(pod("a", secret="api-1"), port=port), deployed(LEAF), [NEW.certificate])
    assert "refused" in problem


def test_only_running_pods_with_the_secret_and_an_https_port_are_asked() -> None:
    ending = pod("ending", secret="api-1", deletionTimestamp="now")
    pods = [pod("a", secret="api-1"), pod("b", secret="api-0"), pod("c"), pod("d", secret="api-1", port="nats"), ending]
    assert served.servers(cluster(*pods), deployed(LEAF)) == [Server(namespace="apps", pod="a", port=9443)]


def test_the_proxies_of_a_gateway_that_names_the_secret_are_asked() -> None:
    def gateway(name: str, secret: str) -> dict[str, Any]:
        return {"metadata": {"name": name}, "spec": {"listeners": [{"tls": {"certificateRefs": [{"name": secret}]}}]}}

    proxies = [pod(name, namespace="edge", port="metrics", labels={LABEL: name}) for name in ("public", "inner")]
    gateways = [gateway("public", "api-1"), gateway("inner", "other-1")]
    found = served.servers(cluster(*proxies, gateways=gateways), deployed(LEAF))
    assert found == [Server(namespace="edge", pod="public", port=10443)]


def test_a_kubectl_that_is_not_there_is_said_with_what_to_install() -> None:
    missing = Kubectl(command=("no-such-kubectl", "--context", "prod"))
    said = "no-such-kubectl cannot be started: No such file"
    with pytest.raises(LocalError, match=said) as unopened, missing.forwarded("apps", "a", 5432):
        pass
    with pytest.raises(LocalError, match=said) as unasked:
        missing.json("get", "pods")
    for failed in (unopened, unasked):
        assert "install kubectl and have it on PATH" in failed.value.hint


def test_a_kubectl_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "_ANSWER_SECONDS", 0.1)
    with pytest.raises(LocalError, match=r"`kubectl get pods`: no answer within 0\.1 s"):
        Kubectl(command=("sh", "-c", "exec sleep 5")).json("get", "pods")


def test_a_way_that_was_opened_leaves_neither_a_process_nor_a_pipe_behind() -> None:
    standing = "echo 'Forwarding from 127.0.0.1:4711 -> 5432'; exec sleep 60"
    with warnings.catch_warnings(record=True) as left:
        warnings.simplefilter("always")
        with Kubectl(command=("sh", "-c", standing)).forwarded("apps", "a", 5432) as port:
            assert port == 4711
        refusing = Kubectl(command=("sh", "-c", "echo refused"))
        with pytest.raises(LocalError, match="no way to apps/a:5432: refused"), refusing.forwarded("apps", "a", 5432):
            pass
        gc.collect()
    assert [str(each.message) for each in left] == []
