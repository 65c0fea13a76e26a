"""Secrets and certificates of the environment, as clients meet them and as an operator rotates and repairs them."""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from omnibase_infra.certificates import issue

from local.paths import Paths
from tests.cluster.calls_kit import calling
from tests.cluster.certificates_kit import EXPORTER, HOST, NOT_AFTER, PORT, RENEW_AFTER, ask, metric, private_values
from tests.cluster.conftest import Kubectl
from tests.cluster.platform_kit import NAMESPACE, STACK, Service, silent_engine


@pytest.fixture(scope="module")
def exporter(service: Service, kubectl: Kubectl) -> str:
    """The exporter's cluster address; `service` has seen that such addresses stay on the node."""
    return kubectl("get", "service", "-n", NAMESPACE, EXPORTER, "-o", "jsonpath={.spec.clusterIP}")


@pytest.mark.req("C5.6")
def test_metrics_are_served_over_tls_to_clients_of_the_platforms_authority_only(
    exporter: str, outputs: dict[str, Any]
) -> None:
    text = ask(exporter, outputs["certificate_authority"])
    now = time.time()
    assert now + 80 * 86_400 < metric(text, NOT_AFTER, EXPORTER) < now + 91 * 86_400
    assert metric(text, RENEW_AFTER, EXPORTER) == metric(text, NOT_AFTER, EXPORTER) - 30 * 86_400
    assert metric(text, NOT_AFTER, "platform-ca") > now + 1000 * 86_400
    stranger = issue.authority("stranger", 10, issue.now()).certificate
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(exporter, stranger)
    old = ssl.create_default_context(cadata=outputs["certificate_authority"])
    old.set_ciphers("ALL:@SECLEVEL=0")  # else this side would refuse before the server is asked
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    plain = socket.create_connection((exporter, PORT), 30)
    with plain, pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        old.wrap_socket(plain, server_hostname=HOST)


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
        "log of the exporter": kubectl("logs", "-n", NAMESPACE, f"deploy/{EXPORTER}", "--tail=-1"),
    }
    assert len(values) >= 3
    for name, text in texts.items():
        assert [value[:6] for value in values if value in text or _encoded(value) in text] == [], name


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode().rstrip("=")[:-1]


def asking(address: str, trusted: str) -> str:
    """One call by a client that trusts these authorities; where it cannot connect it tries once more, as clients do."""
    try:
        ask(address, trusted, "/healthz")
    except ConnectionError:
        time.sleep(0.2)
        ask(address, trusted, "/healthz")
    return ""


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

    with calling(lambda: asking(exporter, old_trust), pause=0.05) as calls:
        done = rotate(paths, "--authority")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    for name in (EXPORTER, "gateway"):
        assert re.search(rf"{name}: presented by \d+ pods?, accepted by old and new clients", done.stdout), done.stdout
    assert calls.failed == [], calls.told()
    assert len(calls.made) > 20

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
    assert names.count(f"secret/{EXPORTER}-") == 1, "the old Secret is gone"
    assert "generation: 2" in stack_file.read_text(), "the stack file says what is deployed"
    assert engine.preview("--expect-no-changes") == 0, said()
