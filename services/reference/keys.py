"""Login to the bus with an Ed25519 key: the server sends a nonce, we sign it, and the key never leaves the process.

nats-py can do this with the package `nkeys`, which exists as a source distribution only; our images take built wheels.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from nacl.signing import SigningKey
from nats.aio.client import Client
from nats.errors import Error

_SEED_BYTES = slice(2, 34)  # between two prefix bytes and two of a checksum
_USER = 20 << 3


class SeedError(Error, ValueError):
    """The file holds no key. Of nats-py's own kind, as its client tries again after those alone."""


class KeyClient(Client):
    """A client that is given `nkeys_seed=<file>`; the file is read at every connection."""

    def _setup_nkeys_seed_connect(self) -> None:
        self._signature_cb = self._sign

    def _sign(self, nonce: str) -> bytes:
        key = _key(Path(self._nkeys_seed or ""))
        self._public_nkey = public_key(key)  # the client sends it after the signature
        return base64.b64encode(key.sign(nonce.encode()).signature)


def public_key(key: SigningKey) -> str:
    """The public key as the server's configuration has it."""
    body = bytes([_USER]) + bytes(key.verify_key)
    return base64.b32encode(body + _checksum(body)).decode().rstrip("=")


def _key(path: Path) -> SigningKey:
    try:
        text = path.read_text().strip()
        decoded = base64.b32decode(text + "=" * (-len(text) % 8))
    except ValueError as error:
        raise SeedError(f"{path} holds no key of a NATS user: {error}") from None
    if not text.startswith("SU") or decoded[-2:] != _checksum(decoded[:-2]):
        raise SeedError(f"{path} holds no key of a NATS user")
    return SigningKey(decoded[_SEED_BYTES])


def _checksum(body: bytes) -> bytes:
    return binascii.crc_hqx(body, 0).to_bytes(2, "little")
