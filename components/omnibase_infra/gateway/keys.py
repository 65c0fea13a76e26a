"""API keys: what makes one good enough. Names of clients appear in messages, keys never do."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

SHORTEST_KEY = 32
LEAST_BITS = 128
_PLACEHOLDERS = ("changeme", "change_me", "change-me", "password", "secret", "default", "example", "placeholder")


def key_problems(keys: Mapping[str, str]) -> list[str]:
    """What is wrong with a set of API keys: too short, guessable, or used twice.

    Envoy Gateway refuses the whole policy when two clients have one key; found there it would leave the gateway as it
    was before, without a word to whoever deployed.

    Args:
        keys: client -> API key.
    """
    found = [f"clients.{name}: its API key {problem}" for name in sorted(keys) for problem in _weak(keys[name])]
    owners: dict[str, list[str]] = {}
    for name in sorted(keys):
        owners.setdefault(keys[name], []).append(name)
    found += [
        f"clients {', '.join(names)} have the same API key; give each its own"
        for names in owners.values()
        if len(names) > 1
    ]
    return found


def entropy_bits(text: str) -> float:
    """Shannon entropy of the characters times the length: an upper bound of what a guesser has to try."""
    counts = Counter(text)
    return sum(-count * math.log2(count / len(text)) for count in counts.values())


def _weak(key: str) -> list[str]:
    if len(key) < SHORTEST_KEY:
        return [f"has {len(key)} characters, at least {SHORTEST_KEY} are needed; let the platform generate it"]
    if not key.isascii() or not key.isprintable() or " " in key:
        return ["has characters that a header cannot carry; use letters, digits, '-' and '_'"]
    if any(word in key.lower() for word in _PLACEHOLDERS):
        return ["contains a placeholder such as 'changeme'; let the platform generate it"]
    shortest = min((length for length in range(1, len(key)) if (key * 2)[length:].startswith(key)), default=len(key))
    bits = entropy_bits(key) if shortest == len(key) else entropy_bits(key[:shortest])
    if bits < LEAST_BITS:
        return [
            f"is easy to guess (about {bits:.0f} bits, at least {LEAST_BITS} are needed); let the platform generate it"
        ]
    return []
