"""What to do about an error of the server or of the connection to it, with the field that has to do with it.

libpq gives no codes for what fails while it connects, only words; these are told apart here, once.
"""

from __future__ import annotations

import socket
import ssl

from local.plugins.postgresql.settings import Settings

_TLS_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
"""SSLRequest of PostgreSQL's protocol: the server answers S, and the handshake of TLS follows."""
_PROBE_SECONDS = 5
_EXPIRED = 10
"""X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL."""
_CONNECTION = {
    "password authentication failed": (
        "password: it is not that of `username`; set the right one, for example with "
        "`pulumi config set --secret administratorPassword`"
    ),
    "Connection refused": "host, port: no server listens there; look whether it runs, and at the port",
    "timeout expired": "host, port: no answer; a firewall, or an address that leads nowhere",
    "Name or service not known": "host: there is no such name",
    "could not translate host name": "host: there is no such name",
    "server does not support SSL": (
        "sslmode: the server offers no TLS; turn it on there (`ssl = on` with a certificate), do not lower sslmode"
    ),
    "does not match host name": "host: use a name that is in the server's certificate, or give it one with this name",
    "no pg_hba.conf entry": "the server's pg_hba.conf has no line for this role, database, address and use of TLS",
    "pg_hba.conf rejects": "the server's pg_hba.conf refuses this role, this address, or a connection without TLS",
    "root certificate file": "sslrootcert: it names no file with certificates",
    "could not read root certificate": "sslrootcert: it names no file with certificates",
    "too many connections": "maxConnections of the provider, or max_connections of the server: too few are free",
    "remaining connection slots": "maxConnections of the provider, or max_connections of the server: too few are free",
}
"""Words of libpq -> field and what to do."""
NO_RIGHT = "42501"
_IMPORT = (
    "it was there before this stack: take it over with `pulumi import` (docs/runbooks/external-database.md), or give "
    "this one another name"
)
_STATES = {
    "42710": _IMPORT,
    "42P04": _IMPORT,
    "42P06": _IMPORT,
    "0A000": "extensions: the server has no such package; have it installed there, or take the extension out",
    "58P01": "extensions: the server has no such package; have it installed there, or take the extension out",
    NO_RIGHT: (
        "username: the administrator needs CREATEROLE and CREATEDB, WITH ADMIN OPTION of roles that it hands on, and "
        "membership of an owner whose objects it changes (`administrator` of ManagedPostgres)"
    ),
    "55006": "somebody is connected to it; end those connections and run again",
    "55P03": "another session holds the lock for more than a minute; run again when it has ended",
}
"""SQLSTATE of a failed statement -> what to do."""


def on_connection(reason: str, settings: Settings) -> str:
    """What to do where no connection was made; empty where the reason says it all."""
    found = next((each for words, each in _CONNECTION.items() if words in reason), "")
    if not found and "SSL error" in reason:
        return f"sslrootcert: {_certificate_problem(settings)}"
    return found


def on_statement(state: str) -> str:
    """What to do where a statement failed with this SQLSTATE; empty where the server's message says it all."""
    return _STATES.get(state, "")


def _certificate_problem(settings: Settings) -> str:
    """libpq says only that a certificate was refused; a handshake of our own, without a password, says why."""
    trusted = ssl.create_default_context(cafile=settings.root_certificate or None)
    trusted.check_hostname = settings.sslmode == "verify-full"
    try:
        with socket.create_connection((settings.host, settings.port), timeout=_PROBE_SECONDS) as plain:
            plain.sendall(_TLS_REQUEST)
            plain.recv(1)
            with trusted.wrap_socket(plain, server_hostname=settings.host):
                return "the server's certificate was refused"
    except ssl.SSLCertVerificationError as problem:
        if problem.verify_code == _EXPIRED:
            return "the server's certificate has expired; have it renewed there, do not lower sslmode"
        return (
            f"{problem.verify_message}; give the certificates (PEM) of the authority that signs the server's, as the "
            "service offers them for download, in `ca`"
        )
    except OSError as problem:
        return f"the server's certificate was refused ({problem})"
