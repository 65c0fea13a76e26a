"""Receipts: a keyed digest of a note, by which its writer can later show that the service acknowledged it.

The key is a secret of the platform. After a rotation the key before still checks receipts, and no longer makes them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

from services.reference.notes import Note

HEADER = "X-Note-Receipt"
_VERSION = "v1."


class Receipts:
    """Makes and checks receipts; without a key file it makes none and refuses all."""

    def __init__(self, key_file: Path | None) -> None:
        """Read the key, and the one before from `<file>.previous` where there is one.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is empty.
        """
        previous = key_file.with_name(f"{key_file.name}.previous") if key_file else None
        files = [file for file in (key_file, previous) if file is not None and (file == key_file or file.exists())]
        self._keys = [file.read_bytes().strip() for file in files]
        if not all(self._keys):
            raise ValueError(f"{key_file} holds no key")

    def of(self, note: Note) -> str | None:
        """The receipt of a note; None without a key."""
        return _digest(self._keys[0], note) if self._keys else None

    def fits(self, note: Note, receipt: str) -> bool:
        """Whether this service, now or before the last rotation, gave this receipt for this note."""
        return any(hmac.compare_digest(_digest(key, note).encode(), receipt.encode()) for key in self._keys)


def _digest(key: bytes, note: Note) -> str:
    text = "\n".join((str(note.id), note.key, note.body))
    digest = hmac.new(key, text.encode(), hashlib.sha256).digest()
    return _VERSION + base64.urlsafe_b64encode(digest).decode().rstrip("=")
