"""What is encrypted on the way, and for how long: certificates that end, and addresses without TLS."""

from __future__ import annotations

import base64
import datetime
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from omnibase_policies.hosts import is_outside
from omnibase_policies.model import Problem, Severity, object_rule, pod_rule, undecided, violated
from omnibase_policies.objects import Object, Pod
from omnibase_policies.parameters import Parameters
from omnibase_policies.values import View

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_ENDED = """-----BEGIN CERTIFICATE-----
MIIBHzCBxaADAgECAgEBMAoGCCqGSM49BAMCMBkxFzAVBgNVBAMMDm9yZGVycy5l
eGFtcGxlMB4XDTIwMDEwMTAwMDAwMFoXDTIwMDQwMTAwMDAwMFowGTEXMBUGA1UE
AwwOb3JkZXJzLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARw1aKT
u96DoIiDTkTO14s27uT2fF5L1xrZwk2PC2/kn6cQrhnLfXv3ubJHxZdfH+oYKD1A
CjsTNKIIwtiS+97PMAoGCCqGSM49BAMCA0kAMEYCIQDSLC38IlskIPfHfMyAzENU
NUDqmwlF82qSozNAJS4TwQIhAKYFgg5XBE7LOSTq0Opbt56HlE1Rf8q0O52ecHEJ
YZTY
-----END CERTIFICATE-----
"""
_VALID = """-----BEGIN CERTIFICATE-----
MIIBIDCBx6ADAgECAgEBMAoGCCqGSM49BAMCMBkxFzAVBgNVBAMMDm9yZGVycy5l
eGFtcGxlMCAXDTIwMDEwMTAwMDAwMFoYDzI5OTkwMTAxMDAwMDAwWjAZMRcwFQYD
VQQDDA5vcmRlcnMuZXhhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABN2J
ue4X1dHrLUoMApPzuv/BpqBAFwi0EBpEKdlERYnD4kgIyhHsG5RETeto5cWZA/h4
LOglZmj0ZOxxTESumjgwCgYIKoZIzj0EAwIDSAAwRQIhAKYxLx3I87OQLor2Yn/Q
VmfF16cSSCyIhRkXHz3c5NCVAiBu2OcslTw39r4CRuwIF7Wa3gwoVwr903yrO4LL
lYqUTA==
-----END CERTIFICATE-----
"""
_PEM, _IN_BASE64 = "-----BEGIN CERTIFICATE-----", "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS"
_SERVED = "tls.crt"


@object_rule(
    "certificate-not-ending",
    "Certificates that are deployed last for a while",
    kinds=("Secret", "ConfigMap"),
    severity=Severity.HIGH,
    frameworks=("users V17", "NIST SP 1800-16"),
    rationale="On the day after its last one every client refuses the server, and nothing that was tested has changed.",
    remedy="Renew it, and deploy the new one; minimum_certificate_days says how early.",
    bad={"kind": "ConfigMap", "data.ca.crt": _ENDED},
    good={"kind": "ConfigMap", "data.ca.crt": f"{_ENDED}{_VALID}"},
)
def certificate_not_ending(found: Object, parameters: Parameters) -> Iterator[Problem]:
    """No certificate of `tls.crt` has ended or ends soon, nor have all that another entry holds.

    One that the update makes is new, so that it is not waited for.
    """
    entries = [*found.view["data"].fields(), *found.view["stringData"].fields()]
    for name, value in entries:
        ends = [_ends_soon(each, parameters) for each in _certificates(value.text())]
        if any(ends) if name == _SERVED else ends and all(ends):
            yield violated(value, "must be renewed: the certificate has ended, or will soon")


def _certificates(text: str) -> list[Certificate]:
    """Certificates in PEM, also within base64 as in `data` of a Secret; none where it is not of that form."""
    if text.startswith(_IN_BASE64):
        try:
            text = base64.b64decode(text, validate=True).decode()
        except ValueError:
            return []
    if _PEM not in text:
        return []
    from cryptography.x509 import InvalidVersion, load_pem_x509_certificates  # noqa: PLC0415 - few objects need it

    try:
        return load_pem_x509_certificates(text.encode())
    except (ValueError, InvalidVersion):
        return []


def _ends_soon(certificate: Certificate, parameters: Parameters) -> bool:
    """Whether the days that are left are too few; of a short life the half is enough."""
    now = datetime.datetime.now(tz=datetime.UTC)
    if parameters.today is not None:
        now = datetime.datetime.combine(parameters.today, datetime.time(), tzinfo=datetime.UTC)
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    needed = min(datetime.timedelta(days=parameters.minimum_certificate_days), life / 2)
    return certificate.not_valid_after_utc - now < needed


_ENV = "spec.containers.0.env"
_PLAIN = re.compile(r"\b(?:http|ws)://(?:[^/\s@]{0,200}@)?([A-Za-z0-9.-]+)", re.IGNORECASE)


@pod_rule(
    "no-plain-http",
    "Programs call hosts outside over TLS",
    severity=Severity.HIGH,
    only_in_prod=True,
    frameworks=("users V17", "CWE-319", "OWASP A02"),
    rationale="Keys and rows in such a request are read by everybody on the way, and the answer may be anybody's.",
    remedy="Write https:// or wss://.",
    bad={_ENV: [{"name": "PARTNER_URL", "value": "http://api.partner.example/v1"}]},
    good={_ENV: [{"name": "PARTNER_URL", "value": "https://api.partner.example/v1"}]},
)
def no_plain_http(pod: Pod, parameters: Parameters) -> Iterator[Problem]:
    """No variable and no word of a command has http:// or ws:// and a host outside, but that of a proxy."""
    message = "must be https:// or wss://"
    for container in pod.containers:
        for name, value in [(each["name"], each["value"]) for each in container["env"].items()]:
            if value.is_unknown and (name.is_unknown or name.text().lower().endswith(("_url", "_uri"))):
                yield undecided(value, message)
            elif _leads_outside(value) and not name.text().lower().endswith("proxy"):
                yield violated(value, message)
        for word in [word for part in ("command", "args") for word in container[part].items()]:
            if _leads_outside(word):
                yield violated(word, message)


def _leads_outside(value: View) -> bool:
    return "://" in value.text() and any(map(is_outside, _PLAIN.findall(value.text())))
