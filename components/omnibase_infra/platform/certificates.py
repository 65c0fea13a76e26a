"""The environment's own certificates: one authority, certificates for whoever serves, trust for whoever calls."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pulumi

from omnibase_infra.certificates import CertificateAuthority, ServerCertificate, TrustBundle
from omnibase_infra.config.certificates import EXPORTER_IMAGE
from omnibase_infra.naming import labels, service_host, service_hosts
from omnibase_infra.network import Party
from omnibase_infra.objects import child, encoded
from omnibase_infra.platform.room import Room
from omnibase_infra.scrape import ScrapeTarget
from omnibase_infra.workload import HardenedWorkload

AUTHORITY = "platform-ca"
"""Name of the authority, and of the Secret with its certificates in every namespace that trusts it."""
EXPORTER = "certificate-exporter"
EXPORTER_PORT = 9443
_INPUT = f"{EXPORTER}-input"
_FILE = "certificates.json"


@dataclass(frozen=True, kw_only=True)
class _Issued:
    """What the exporter has to know of one certificate."""

    name: str
    namespace: str
    kind: str
    certificate: pulumi.Output[str]


class Certificates:
    """Hands out certificates and trust to the other parts of the environment, and remembers what it handed out."""

    def __init__(self, room: Room) -> None:
        self._room, self._settings = room, room.config.certificates
        self._issued: list[_Issued] = []
        self._trusting: dict[str, TrustBundle] = {}

    @cached_property
    def authority(self) -> CertificateAuthority:
        """The authority; made when something first needs it."""
        settings = self._settings
        made = CertificateAuthority(
            AUTHORITY,
            {
                "common_name": f"omnibase {self._room.args.stack}"[:50],
                "validity_days": settings.authority_validity_days,
                "generation": settings.authority_generation,
            },
            self._room.below(),
        )
        self._issued.append(_Issued(name=AUTHORITY, namespace="", kind="authority", certificate=made.certificate))
        return made

    @property
    def bundle(self) -> pulumi.Output[str]:
        """What clients outside trust, PEM, public."""
        return self.authority.bundle

    def server(
        self,
        name: str,
        *,
        namespace: str,
        hosts: Sequence[str],
        depends_on: Sequence[pulumi.Resource] = (),
        also_client: bool = False,
    ) -> ServerCertificate:
        """A certificate for one server.

        Args:
            name: unique in the stack; the Secret's name begins with it.
            namespace: where the Secret is.
            hosts: DNS names and addresses under which clients know the server.
            depends_on: what makes the namespace; the stack's own is waited for anyway.
            also_client: it is shown to other servers as a client's certificate too (mutual TLS).
        """
        made = ServerCertificate(
            name,
            {
                "authority": self.authority.signer,
                "authority_generation": self._settings.authority_generation,
                "namespace": namespace,
                "environment": self._room.tier,
                "hosts": list(hosts),
                "validity_days": self._settings.validity_days,
                "generation": self._settings.generation,
                "also_client": also_client,
            },
            self._room.below(self._room.environment, *depends_on),
        )
        self._issued.append(_Issued(name=name, namespace=namespace, kind="server", certificate=made.certificate))
        return made

    def trust(self, namespace: str, depends_on: Sequence[pulumi.Resource] = ()) -> pulumi.Output[str]:
        """Name of the Secret with `ca.crt` in a namespace, for clients; made once."""
        if namespace not in self._trusting:
            self._trusting[namespace] = TrustBundle(
                f"{AUTHORITY}-{namespace}",
                {
                    "namespace": namespace,
                    "environment": self._room.tier,
                    "secret": AUTHORITY,
                    "bundle": self.bundle,
                },
                self._room.below(self._room.environment, *depends_on),
            )
        return self._trusting[namespace].secret

    def document(self) -> pulumi.Output[str]:
        """All that was handed out so far, as the exporter reads it."""

        def write(texts: list[str]) -> str:
            return json.dumps([
                {"name": one.name, "namespace": one.namespace, "kind": one.kind, "certificate": text}
                for one, text in zip(self._issued, texts, strict=True)
            ])  # fmt: skip

        return pulumi.Output.all(*(one.certificate for one in self._issued)).apply(write)


def make_certificates(room: Room) -> Certificates:
    """The authority and its book; the services' namespace trusts it."""
    made = Certificates(room)
    if room.config.certificates.enabled:
        made.trust(room.namespace)
    return made


def make_certificate_exporter(room: Room, certificates: Certificates) -> list[ScrapeTarget]:
    """The exporter of expiry metrics over TLS, for everything that was handed out; called after all other parts.

    Returns:
        Where its metrics are; empty where certificates are switched off.
    """
    settings = room.config.certificates
    if not settings.enabled:
        return []
    own = certificates.server(EXPORTER, namespace=room.namespace, hosts=service_hosts(EXPORTER, room.namespace))
    watched = child(
        room.parent,
        _INPUT,
        {
            "apiVersion": "v1",
            "kind": "Secret",  # workloads mount nothing else; its content is public
            "metadata": {
                "name": _INPUT,
                "namespace": room.namespace,
                "labels": labels(EXPORTER, "certificates", room.tier),
            },
            "type": "Opaque",
            "data": {_FILE: certificates.document().apply(encoded)},
        },
        depends_on=[room.environment],
    )
    operators: list[Party] = [{"name": "operators", "cidrs": room.config.cluster.operators}]
    HardenedWorkload(
        EXPORTER,
        {
            "namespace": room.namespace,
            "environment": room.tier,
            "image": room.args.images[EXPORTER_IMAGE],
            "memory_mib": settings.exporter_memory_mib,
            "cpu_request_millis": settings.exporter_cpu_request_millis,
            "port": EXPORTER_PORT,
            "priority_class": room.environment.service_priority_class,
            "env": {
                "CERTIFICATES_FILE": f"/run/certificates/{_FILE}",
                "RENEW_BEFORE_DAYS": str(settings.renew_before_days),
            },
            "secret_mounts": [
                {"secret": watched.urn.apply(lambda _: _INPUT), "keys": [_FILE], "path": "/run/certificates"}
            ],
            "tls_secret": own.secret,
            "accepts_from": operators if room.config.cluster.operators else [],
        },
        room.below(room.environment),
    )
    return [
        {
            "name": EXPORTER,
            "namespace": room.namespace,
            "labels": {"app.kubernetes.io/name": EXPORTER},
            "port": EXPORTER_PORT,
            "server_name": service_host(EXPORTER, room.namespace),
        }
    ]
