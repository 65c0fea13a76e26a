"""What servers really present, seen through a TLS handshake with each pod."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from local.errors import LocalError
from local.node.network import NetworkPlan
from local.paths import Paths
from local.stack import Stack
from ops.rotate.state import Deployed
from ops.status.cluster import route_interface

_SECONDS = 20.0
_ANSWER_SECONDS = 60
_GATEWAY = "gateway.envoyproxy.io/owning-gateway-name"
_GATEWAYS = "gateways.gateway.networking.k8s.io"


@dataclass(frozen=True, kw_only=True)
class Kubectl:
    """kubectl on the cluster of a stack."""

    command: tuple[str, ...]

    @classmethod
    def of(cls, paths: Paths, stack: Stack) -> Kubectl:
        """For this machine's node or the context that the stack file names.

        Raises:
            LocalError: the node is not running.
        """
        if not stack.is_local:
            return cls(command=("kubectl", "--context", stack.context))
        api = NetworkPlan.from_environment(paths, {}).api_url
        if not paths.kubeconfig.exists() or route_interface(api) != f"omn-{paths.instance}":
            raise LocalError("the node is not running: `make up` starts it")
        return cls(command=(str(paths.bin / "kubectl"), f"--kubeconfig={paths.kubeconfig}"))

    def json(self, *arguments: str) -> dict[str, Any]:
        """The parsed answer of `get ... -o json`.

        Raises:
            LocalError: there is no kubectl, or the cluster did not answer.
        """
        said = f"`kubectl {' '.join(arguments)}`"
        try:
            ended = subprocess.run(
                [*self.command, *arguments, "-o", "json"],
                capture_output=True, text=True, check=False, timeout=_ANSWER_SECONDS,
            )  # fmt: skip
        except OSError as error:
            raise not_started(self.command[0], error) from error
        except subprocess.TimeoutExpired as error:
            raise LocalError(f"{said}: no answer within {_ANSWER_SECONDS:g} s") from error
        if ended.returncode != 0:
            raise LocalError(f"{said} failed: {ended.stderr.strip()}")
        answer: dict[str, Any] = json.loads(ended.stdout)
        return answer

    @contextmanager
    def forwarded(self, namespace: str, pod: str, port: int) -> Iterator[int]:
        """A port of this machine that leads to a pod's port, through the API server.

        Raises:
            LocalError: there is no kubectl, or the way cannot be opened.
        """
        try:
            process = subprocess.Popen(
                [*self.command, "port-forward", "-n", namespace, f"pod/{pod}", f":{port}"],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
        except OSError as error:
            raise not_started(self.command[0], error) from error
        with process:  # waits for its end, and closes the pipe
            try:
                assert process.stdout is not None  # noqa: S101 -- for the type checker: PIPE was asked for
                line = process.stdout.readline()
                if not line.startswith("Forwarding from 127.0.0.1:"):
                    raise LocalError(f"no way to {namespace}/{pod}:{port}: {line.strip() or 'kubectl ended'}")
                yield int(line.split(":")[1].split(" ")[0])
            finally:
                process.kill()


def not_started(program: str, error: OSError) -> LocalError:
    """What to say of a kubectl that cannot be started: that of the local node is built with it, no other is."""
    hint = "install kubectl and have it on PATH: https://kubernetes.io/docs/tasks/tools/"
    return LocalError(f"{program} cannot be started: {error.strerror}", hint=hint)


@dataclass(frozen=True, kw_only=True)
class Server:
    """One pod that presents a certificate."""

    namespace: str
    pod: str
    port: int

    @classmethod
    def of(cls, pod: dict[str, Any], port: int) -> Server:
        """A port of a pod."""
        return cls(namespace=pod["metadata"]["namespace"], pod=pod["metadata"]["name"], port=port)


def servers(kubectl: Kubectl, certificate: Deployed) -> list[Server]:
    """Running pods that present a certificate: they mount its Secret, or are the proxies of a Gateway that names it.

    Only ports named `https...` can be asked: other protocols (NATS) begin in clear text.
    """
    pods = kubectl.json("get", "pods", "-n", certificate.namespace)["items"]
    own = [pod for pod in pods if _mounts(pod, certificate.secret) and _runs(pod)]
    found = [Server.of(pod, port) for pod in own for port in _declared(pod)[:1]]
    gateways = _gateways(kubectl, certificate)
    return [*found, *_proxies(kubectl, gateways)] if gateways else found


def _proxies(kubectl: Kubectl, gateways: set[str]) -> list[Server]:
    """Pods of Gateways with the port that their Service leads to: Envoy's pods do not declare it."""
    ports = {}
    for service in kubectl.json("get", "services", "-A", "-l", _GATEWAY)["items"]:
        https = [port for port in service["spec"]["ports"] if str(port.get("name", "")).startswith("https")]
        if https:
            ports[service["metadata"]["labels"][_GATEWAY]] = int(https[0]["targetPort"])
    pods = kubectl.json("get", "pods", "-A", "-l", _GATEWAY)["items"]
    named = [(pod, pod["metadata"]["labels"][_GATEWAY]) for pod in pods if _runs(pod)]
    return [Server.of(pod, ports[name]) for pod, name in named if name in gateways and name in ports]


def presented(port: int, host: str, trusted: str) -> x509.Certificate:
    """The certificate behind a port of this machine, after it was verified for a host.

    Raises:
        LocalError: no handshake, or the chain does not lead to what is trusted.
    """
    context = ssl.create_default_context(cadata=trusted)
    try:
        with (
            socket.create_connection(("127.0.0.1", port), _SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host.replace("*", "any", 1)) as secured,
        ):
            content = secured.getpeercert(binary_form=True)
    except (OSError, ssl.SSLError) as error:
        raise LocalError(f"{host}: {error}") from error
    return x509.load_der_x509_certificate(content or b"")


def problems(kubectl: Kubectl, certificate: Deployed, trusting: Sequence[str]) -> tuple[int, list[str]]:
    """How many pods present a certificate, and what is wrong with any of them.

    Args:
        kubectl: of the stack's cluster.
        certificate: what each pod shall present.
        trusting: what clients trust, PEM: every one of these clients must accept every pod.
    """
    found = []
    pods = servers(kubectl, certificate)
    for pod in pods:
        try:
            with kubectl.forwarded(pod.namespace, pod.pod, pod.port) as port:
                shown = [presented(port, certificate.hosts[0], trusted) for trusted in trusting]
        except LocalError as error:
            found.append(f"{certificate.name}: pod {pod.namespace}/{pod.pod}: {error}")
            continue
        wanted = certificate.certificate.fingerprint(hashes.SHA256())
        if any(one.fingerprint(hashes.SHA256()) != wanted for one in shown):
            found.append(f"{certificate.name}: pod {pod.namespace}/{pod.pod} still presents another certificate")
    return len(pods), found


def _mounts(pod: dict[str, Any], secret: str) -> bool:
    volumes = pod["spec"].get("volumes", [])
    return any(volume.get("secret", {}).get("secretName") == secret for volume in volumes)


def _runs(pod: dict[str, Any]) -> bool:
    return pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]


def _declared(pod: dict[str, Any]) -> list[int]:
    """Ports that a pod declares as HTTPS."""
    ports = [port for container in pod["spec"]["containers"] for port in container.get("ports", [])]
    return [int(port["containerPort"]) for port in ports if str(port.get("name", "")).startswith("https")]


def _gateways(kubectl: Kubectl, certificate: Deployed) -> set[str]:
    """Names of the Gateways in the certificate's namespace that present it; none where there is no such kind."""
    try:
        items = kubectl.json("get", _GATEWAYS, "-n", certificate.namespace)["items"]
    except LocalError:
        return set()
    return {
        item["metadata"]["name"]
        for item in items
        for listener in item["spec"].get("listeners", [])
        for reference in listener.get("tls", {}).get("certificateRefs", [])
        if reference["name"] == certificate.secret
    }
