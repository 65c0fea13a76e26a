"""Whether a role's password is still the recorded one."""

from __future__ import annotations

import base64
import hashlib
import hmac

_SCRAM = "SCRAM-SHA-256$"


def matches(verifier: str, role: str, password: str) -> bool:
    """Whether what the server keeps (`pg_authid.rolpassword`) was made from a password, or is that text itself."""
    if verifier == password:
        return True
    if verifier.startswith("md5"):
        return verifier == "md5" + hashlib.md5(f"{password}{role}".encode()).hexdigest()  # noqa: S324  # the server's
    if not verifier.startswith(_SCRAM):
        return False
    if not password.isascii():
        return True  # the server normalised it before hashing (SASLprep), so our hash would prove nothing
    iterations, _, rest = verifier.removeprefix(_SCRAM).partition(":")
    salt, _, keys = rest.partition("$")
    stored = base64.b64decode(keys.partition(":")[0])
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    client = hmac.new(salted, b"Client Key", hashlib.sha256).digest()
    return hmac.compare_digest(hashlib.sha256(client).digest(), stored)
