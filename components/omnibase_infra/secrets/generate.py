"""Random texts: the only randomness of secrets, kept in a Stash by whoever calls it."""

import secrets
import string

_CHARACTERS = {
    "hex": "0123456789abcdef",
    "alphanumeric": string.ascii_letters + string.digits,
    "base64url": string.ascii_letters + string.digits + "-_",
}


def random_text(length: int, alphabet: str) -> str:
    """Independent characters from the system's source of randomness."""
    characters = _CHARACTERS[alphabet]
    return "".join(secrets.choice(characters) for _ in range(length))
