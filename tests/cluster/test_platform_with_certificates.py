"""Secrets and certificates of the environment, as clients meet them and as an operator rotates and repairs them."""

from __future__ import annotations

import base64
import http.client
import json
import re
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from omnibase_infra.certificates import issue

from local.engine import CHANGES_FOUND
from local.paths import Paths
from tests.cluster.alerts_kit import noticed
from tests.cluster.conftest import Kubectl
from tests.cluster.node_kit import wait_for
from tests.cluster.platform_kit import NAMESPACE, STACK, Service, silent_engine

_EXPORTER = "certificate-exporter"
_HOST = f"{_EXPORTER}.{NAMESPACE}.svc"
_PORT = 9443
_NOT_AFTER = "omnibase_certificate_not_after_timestamp_seconds"
_RENEW_AFTER = "omnibase_certificate_renew_after_timestamp_seconds"


class Answer(str):
    """A reply's text, with the certificate that the server showed."""

    certificate: x509.Certificate


def ask(address: str, trusted: str, path: str = "/metrics") -> Answer:
    """One request on a connection of its own, as a client that trusts these authorities."""
    context = ssl.create_default_context(cadata=trusted)
    connection = http.client.HTTPConnection(_HOST)
    with socket.create_connection((address, _PORT), 10) as plain:
        secured = context.wrap_socket(plain, server_hostname=_HOST)
        connection.sock = secured
        connection.request("GET", path)
        reply = connection.getresponse()
        answer = Answer(reply.read().decode())
        assert reply.status == 200, answer
        content = secured.getpeercert(binary_form=True)
        assert content
        answer.certificate = x509.load_der_x509_certificate(content)
        secured.close()
        return answer


def due(address: str, trusted: str) -> bool:
    """Whether the exporter can be asked and says that the gateway's certificate is to be renewed and has not ended."""
    try:
        text = ask(address, trusted)
    except (OSError, http.client.HTTPException):
        return False
    return metric(text, _RENEW_AFTER, "gateway") < time.time() < metric(text, _NOT_AFTER, "gateway")


def metric(text: str, name: str, certificate: str) -> float:
    found = re.search(rf'^{name}\{{certificate="{certificate}",[^}}]*\}} (\S+)$', text, re.MULTILINE)
    assert found, text
    return float(found[1])


@pytest.fixture(scope="module")
def exporter(service: Service, kubectl: Kubectl) -> str:
    """The exporter's cluster address; `service` has seen that such addresses stay on the node."""
    return kubectl("get", "service", "-n", NAMESPACE, _EXPORTER, "-o", "jsonpath={.spec.clusterIP}")


@pytest.mark.req("C5.6")
def test_metrics_are_served_over_tls_to_clients_of_the_platforms_authority_only(
    exporter: str, outputs: dict[str, Any]
) -> None:
    text = ask(exporter, outputs["certificate_authority"])
    now = time.time()
    assert now + 80 * 86_400 < metric(text, _NOT_AFTER, _EXPORTER) < now + 91 * 86_400
    assert metric(text, _RENEW_AFTER, _EXPORTER) == metric(text, _NOT_AFTER, _EXPORTER) - 30 * 86_400
    assert metric(text, _NOT_AFTER, "platform-ca") > now + 1000 * 86_400
    stranger = issue.authority("stranger", 10, issue.now()).certificate
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(exporter, stranger)
    old = ssl.create_default_context(cadata=outputs["certificate_authority"])
    old.set_ciphers("ALL:@SECLEVEL=0")  # else this side would refuse before the server is asked
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    plain = socket.create_connection((exporter, _PORT), 10)
    with plain, pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        old.wrap_socket(plain, server_hostname=_HOST)


@pytest.mark.req("C1.4", "V12")
def test_a_service_has_its_secret_as_a_file_and_signs_with_it(service: Service, kubectl: Kubectl) -> None:
    shown = kubectl("exec", "-n", NAMESPACE, "deploy/reference", "--", "/usr/bin/python3.13", "-c", _FILES)
    assert json.loads(shown) == {"receipt-key": 43}
    request = urllib.request.Request(  # noqa: S310  # always http, see Service
        f"{service.url}/notes", data=b'{"body": "signed"}', headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310  # as above
        receipt, note = reply.headers["X-Note-Receipt"], json.loads(reply.read())
    path = f"/notes/{note['id']}?fresh=true"
    assert service.call("GET", path, X_Note_Receipt=receipt)[0] == 200
    assert service.call("GET", path, X_Note_Receipt=receipt[:-2])[0] == 412


_FILES = """
import json, pathlib
print(json.dumps({f.name: len(f.read_text()) for f in pathlib.Path("/run/secrets/service").iterdir() if f.is_file()}))
"""


def private_values(kubectl: Kubectl) -> dict[str, str]:
    """The service's secret and the exporter's private key, by the names of their Secrets."""
    items = json.loads(kubectl("get", "secrets", "-n", NAMESPACE, "-o", "json"))["items"]
    found = {}
    for item in items:
        for key in ("receipt-key", "tls.key"):
            if item["metadata"]["name"].startswith(("services-reference-", f"{_EXPORTER}-")) and key in item["data"]:
                found[item["metadata"]["name"]] = base64.b64decode(item["data"][key]).decode()
    assert len(found) == 2
    return found


@pytest.mark.req("C1.4", "V11")
def test_generated_values_and_private_keys_are_readable_in_their_secrets_only(
    outputs: dict[str, Any], paths: Paths, kubectl: Kubectl
) -> None:
    texts_of_values = "\n".join(private_values(kubectl).values())
    values = [line for line in texts_of_values.splitlines() if len(line) > 30 and "-----" not in line]
    engine, said = silent_engine(paths)
    assert engine.preview("--diff") == 0
    kinds = "configmaps,pods,deployments,replicasets,services,endpoints,events,networkpolicies,serviceaccounts"
    texts = {
        "previews": said(),
        "state": json.dumps(engine.export()),
        "outputs": json.dumps(outputs),
        "objects": kubectl("get", kinds, "-n", NAMESPACE, "-o", "yaml"),
        "log of the service": kubectl("logs", "-n", NAMESPACE, "deploy/reference", "--tail=-1"),
        "log of the exporter": kubectl("logs", "-n", NAMESPACE, f"deploy/{_EXPORTER}", "--tail=-1"),
    }
    assert len(values) >= 3
    for name, text in texts.items():
        assert [value[:6] for value in values if value in text or _encoded(value) in text] == [], name


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode().rstrip("=")[:-1]


@pytest.mark.req("P1")
def test_an_end_that_is_near_is_noticed_and_what_was_changed_by_hand_comes_back(
    exporter: str, outputs: dict[str, Any], paths: Paths, kubectl: Kubectl, service: Service
) -> None:
    before = private_values(kubectl)
    near = issue.server(issue.authority("any", 10, issue.now()), ["gateway.example.test"], 5, issue.now())
    entries = [{"name": "gateway", "namespace": "edge", "kind": "server", "certificate": near.certificate}]
    patch = {"stringData": {"certificates.json": json.dumps(entries)}}
    kubectl("patch", "secret", "-n", NAMESPACE, f"{_EXPORTER}-input", "-p", json.dumps(patch))
    kubectl("rollout", "restart", "-n", NAMESPACE, f"deploy/{_EXPORTER}")
    kubectl("rollout", "status", "-n", NAMESPACE, f"deploy/{_EXPORTER}", "--timeout=90s")
    # The new pod is reached once the node's rules know it; until then the old one may answer, with the old input.
    wait_for(lambda: due(exporter, outputs["certificate_authority"]), 60, "the metric says that the time has come")
    print(f"noticed after {noticed(kubectl, 'CertificateExpiring'):.0f} s")

    kubectl("delete", "secrets", "-n", NAMESPACE, *before)
    drifted, said = silent_engine(paths)
    assert drifted.refresh("--expect-no-changes") == CHANGES_FOUND, said()
    assert all(name in said() for name in ("services-reference", f"{_EXPORTER}-secret", f"{_EXPORTER}-input")), said()
    assert service.call("GET", "/readyz")[0] == 200, "running pods keep their files"
    repairing, said = silent_engine(paths)
    assert repairing.up() == 0, said()
    assert private_values(kubectl) == before
    assert repairing.preview("--expect-no-changes") == 0, said()


@dataclass
class Seen:
    """What clients met while something went on."""

    asked: int = 0
    failures: list[str] = field(default_factory=list)


@contextmanager
def asking(address: str, trusted: str) -> Iterator[Seen]:
    """Ask again and again, each time on a new connection, until the block ends."""
    seen, stop = Seen(), threading.Event()

    def loop() -> None:
        while not stop.is_set():
            try:
                ask(address, trusted, "/healthz")
            except (OSError, AssertionError, http.client.HTTPException) as error:
                seen.failures.append(f"{time.strftime('%H:%M:%S')} {error!r}")
            seen.asked += 1
            time.sleep(0.05)

    client = threading.Thread(target=loop, daemon=True)
    client.start()
    try:
        yield seen
    finally:
        stop.set()
        client.join(timeout=30)


@pytest.fixture
def stack_file(outputs: dict[str, Any], paths: Paths) -> Iterator[Path]:
    """The stack file, which a rotation changes; afterwards it and the environment are as before."""
    file = paths.root / f"Pulumi.{STACK}.yaml"
    kept = file.read_text()
    yield file
    file.write_text(kept)
    engine, said = silent_engine(paths)
    assert engine.up() == 0, said()


def rotate(paths: Paths, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(paths.venv / "bin" / "ops"), "rotate", "certificates", "--stack", STACK, *arguments]
    return subprocess.run(command, cwd=paths.root, capture_output=True, text=True, check=False, timeout=1200)


@pytest.mark.req("C5.5", "C5.6")
def test_authority_and_certificates_rotate_under_clients_of_the_old_authority_without_a_failed_request(
    exporter: str, outputs: dict[str, Any], paths: Paths, stack_file: Path, kubectl: Kubectl
) -> None:
    kept, old_trust = stack_file.read_text(), outputs["certificate_authority"]
    before = ask(exporter, old_trust).certificate
    rehearsal = rotate(paths, "--authority", "--dry-run")
    assert rehearsal.returncode == 0, rehearsal.stderr
    assert "authority_generation 1 -> 2" in rehearsal.stdout
    assert stack_file.read_text() == kept

    with asking(exporter, old_trust) as seen:
        done = rotate(paths, "--authority")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    for name in (_EXPORTER, "gateway"):
        assert re.search(rf"{name}: presented by \d+ pods?, accepted by old and new clients", done.stdout), done.stdout
    assert seen.failures == []
    assert seen.asked > 20

    engine, said = silent_engine(paths)
    new_trust = engine.outputs()["certificate_authority"]
    after = ask(exporter, old_trust).certificate
    assert after.serial_number != before.serial_number
    assert after.issuer.rfc4514_string() == f"CN=omnibase {STACK} 2"
    assert ask(exporter, new_trust).certificate == after
    assert new_trust.endswith(old_trust), "clients that learn of the new authority still trust the old one"
    bundle = kubectl("get", "secret", "-n", NAMESPACE, "platform-ca", "-o", r"jsonpath={.data.ca\.crt}")
    assert base64.b64decode(bundle).decode() == new_trust
    names = kubectl("get", "secrets", "-n", NAMESPACE, "--field-selector=type=kubernetes.io/tls", "-o", "name")
    assert names.count(f"secret/{_EXPORTER}-") == 1, "the old Secret is gone"
    wait_for(lambda: "generation: 2" in stack_file.read_text(), 1, "the stack file says what is deployed")
    assert engine.preview("--expect-no-changes") == 0, said()
