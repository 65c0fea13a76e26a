"""NATS keys: an Ed25519 key pair in the server's text form. The server knows the public half only.

The form (github.com/nats-io/nkeys): one or two prefix bytes, the 32 bytes of the key, a CRC-16 (XMODEM, little-endian),
all in base32 without padding. A user's seed begins with `SU`, a user's public key with `U`.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SEED_BYTES = 32
_SEED, _USER = 18 << 3, 20 << 3


def user_seed(raw: bytes) -> str:
    """Text form of a user's private key from 32 random bytes.

    Raises:
        ValueError: not 32 bytes.
    """
    if len(raw) != SEED_BYTES:
        raise ValueError(f"a seed has {SEED_BYTES} bytes, not {len(raw)}")
    return _text(bytes([_SEED | _USER >> 5, (_USER & 31) << 3]) + raw)


def public_key(seed: str) -> str:
    """The public key of a user's seed, which may stand in a server's configuration.

    Raises:
        ValueError: no seed of a user.
    """
    public = _private_key(seed).public_key().public_bytes_raw()
    return _text(bytes([_USER]) + public)


def signature(seed: str, nonce: str) -> bytes:
    """What a client answers to a server's nonce, base64: it shows that the client has the seed.

    Raises:
        ValueError: no seed of a user.
    """
    return base64.b64encode(_private_key(seed).sign(nonce.encode()))


def _private_key(seed: str) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 -- slow to import

    decoded = base64.b32decode(seed + "=" * (-len(seed) % 8))
    body, checksum = decoded[:-2], decoded[-2:]
    if _text(body) != seed or checksum != _checksum(body) or len(body) != SEED_BYTES + 2 or not seed.startswith("SU"):
        raise ValueError("this is no seed of a NATS user")
    return Ed25519PrivateKey.from_private_bytes(body[2:])


def _text(body: bytes) -> str:
    return base64.b32encode(body + _checksum(body)).decode().rstrip("=")


def _checksum(body: bytes) -> bytes:
    return binascii.crc_hqx(body, 0).to_bytes(2, "little")
