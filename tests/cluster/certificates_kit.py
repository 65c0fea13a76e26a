"""The certificate exporter as a client meets it, and the private values that the cluster keeps."""

from __future__ import annotations

import base64
import http.client
import json
import re
import socket
import ssl

from cryptography import x509

from tests.cluster.node_kit import Kubectl
from tests.cluster.platform_kit import NAMESPACE

EXPORTER = "certificate-exporter"
HOST = f"{EXPORTER}.{NAMESPACE}.svc"
PORT = 9443
NOT_AFTER = "omnibase_certificate_not_after_timestamp_seconds"
RENEW_AFTER = "omnibase_certificate_renew_after_timestamp_seconds"
_SECONDS = 30


class Answer(str):
    """A reply's text, with the certificate that the server showed."""

    certificate: x509.Certificate


def ask(address: str, trusted: str, path: str = "/metrics") -> Answer:
    """One request on a connection of its own, as a client that trusts these authorities."""
    context = ssl.create_default_context(cadata=trusted)
    connection = http.client.HTTPConnection(HOST)
    with (
        socket.create_connection((address, PORT), _SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as secured,
    ):
        connection.sock = secured
        connection.request("GET", path)
        reply = connection.getresponse()
        answer = Answer(reply.read().decode())
        assert reply.status == 200, answer
        content = secured.getpeercert(binary_form=True)
        assert content
        answer.certificate = x509.load_der_x509_certificate(content)
        return answer


def metric(text: str, name: str, certificate: str) -> float:
    """Value of a metric for a certificate."""
    found = re.search(rf'^{name}\{{certificate="{certificate}",[^}}]*\}} (\S+)$', text, re.MULTILINE)
    assert found, text
    return float(found[1])


def private_values(kubectl: Kubectl) -> dict[str, str]:
    """The service's secret and the exporter's private key, by the names of their Secrets."""
    items = json.loads(kubectl("get", "secrets", "-n", NAMESPACE, "-o", "json"))["items"]
    found = {}
    for item in items:
        for key in ("receipt-key", "tls.key"):
            if item["metadata"]["name"].startswith(("services-reference-", f"{EXPORTER}-")) and key in item["data"]:
                found[item["metadata"]["name"]] = base64.b64decode(item["data"][key]).decode()
    assert len(found) == 2
    return found
