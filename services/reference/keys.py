"""Login to the bus with an Ed25519 key: the server sends a nonce, we sign it, and the key never leaves the process.

nats-py can do this with the package `nkeys`, which exists as a source distribution only; our images take built wheels.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from nacl.signing import SigningKey
from nats.aio.client import Client

_SEED_BYTES = slice(2, 34)  # between two prefix bytes and two of a checksum
_USER = 20 << 3


class KeyClient(Client):
    """A client that is given `nkeys_seed=<file>`; the file is read at every connection."""

    def _setup_nkeys_seed_connect(self) -> None:
        path = Path(self._nkeys_seed or "")
        self._public_nkey = public_key(_key(path))
        self._signature_cb = lambda nonce: base64.b64encode(_key(path).sign(nonce.encode()).signature)


def public_key(key: SigningKey) -> str:
    """The public key as the server's configuration has it."""
    body = bytes([_USER]) + bytes(key.verify_key)
    return base64.b32encode(body + _checksum(body)).decode().rstrip("=")


def _key(path: Path) -> SigningKey:
    text = path.read_text().strip()
    decoded = base64.b32decode(text + "=" * (-len(text) % 8))
    if not text.startswith("SU") or decoded[-2:] != _checksum(decoded[:-2]):
        raise ValueError(f"{path} holds no key of a NATS user")
    return SigningKey(decoded[_SEED_BYTES])


def _checksum(body: bytes) -> bytes:
    return binascii.crc_hqx(body, 0).to_bytes(2, "little")
