"""What never reaches the store: patterns of values, and names of fields. All of them RE2."""

from __future__ import annotations

KEYS = [
    r"(?i)(^|[._-])(pass(word|wd|phrase)?|secret|token|api[._-]?key|private[._-]?key|credentials?|authorization|(set-)?cookie)$"
]
"""Fields of these names lose their whole value."""

VALUES = [
    # name=value and "name": "value" inside a text
    r"""(?i)\b(password|passwd|passphrase|secret|token|api[_-]?key|private[_-]?key)["']?\s*[=:]\s*["']?[^\s"',;&]+""",
    r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}",
    # user and password of a URL
    r"[a-z][a-z0-9+.-]*://[^\s/:@]+:[^\s/@]+@",
    # JSON web tokens
    r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*",
    r"-----BEGIN [A-Z ]*PRIVATE[ ]KEY-----[^-]*(-----END [A-Z ]*PRIVATE[ ]KEY-----)?",
    # access keys of common clouds
    r"\b(AKIA|ASIA)[A-Z0-9]{16}\b",
]
"""The matching part of any field, and of the line itself."""
