"""Why a server's certificate is refused: libpq says only that it is."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

_TLS_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
"""SSLRequest of PostgreSQL's protocol: the server answers S, and the handshake of TLS follows."""
_SECONDS = 5
_EXPIRED = 10
"""X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL."""


def certificate_problem(host: str, port: int, authority: Path | None) -> str:
    """What to do, by a handshake of our own that sends no password."""
    trusted = ssl.create_default_context(cafile=authority)
    trusted.check_hostname = False  # libpq says that itself
    try:
        with socket.create_connection((host, port), timeout=_SECONDS) as plain:
            plain.sendall(_TLS_REQUEST)
            plain.recv(1)
            with trusted.wrap_socket(plain):
                return "the server's certificate was refused, and is good now: run it again"
    except ssl.SSLCertVerificationError as error:
        if error.verify_code == _EXPIRED:
            return "the server's certificate has expired; have it renewed there, do not lower sslmode"
        return f"{error.verify_message}; connection.ca_file must be the authority that signs the server's"
    except OSError as error:
        return f"the server's certificate was refused ({error})"
