"""What looks like a credential: by its name, by its form, or because everybody knows it."""

from __future__ import annotations

import math
import re

_NAME = re.compile(
    r"passw(or)?d|passphrase|(^|[_.-])pwd|secret|token|bearer|credential|jwt|private_?key|(api|access|account|master|signing"
    r"|encryption|storage|batch|auth|ssh|service)[_.-]?key(?!s?[_.-]?(id|name|ref|file|path))|^aws_(secret_)?access_key"
    r"|^azure_.+key$|_key_content$",
    re.IGNORECASE,
)
_ONLY_ABOUT = re.compile(
    r"(_|-|\.|^)(file|files|path|dir|directory|name|names|ref|url|uri|endpoint|issuer|audience|ttl|expir\w*|lifetime|length"
    r"|type|algorithm|header|field|enabled|count|limit|max\w*|min\w*|policy|provider|store|class|namespace|version"
    r"|rotation|interval|timeout|scope|mode|format|prefix|suffix|seconds|id|host|port|bytes|size)$",
    re.IGNORECASE,
)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
"""Where a word begins in a name such as `tokenFile`."""
_FORMS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bASIA[0-9A-Z]{16}\b|\bgh[pousr]_[0-9A-Za-z]{36}|"
    r"\bgithub_pat_[0-9A-Za-z_]{40,}|\bglpat-[0-9A-Za-z_-]{20}|\bAIza[0-9A-Za-z_-]{35}|\bxox[abprs]-[0-9A-Za-z-]{10,}|"
    r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.|\bsk_live_[0-9A-Za-z]{16,}|\bsk-(?:proj-|ant-)?[0-9A-Za-z_-]{32,}|"
    r"\bhvs\.[0-9A-Za-z_-]{24,}|\b[Bb]earer\s+[0-9A-Za-z._~+/-]{8,}|\b[a-z][a-z0-9+.-]{0,19}://[^\s/:@]+:[^\s/@$]{3,}@"
)
_MARKS = re.compile(r"PRIVATE KEY-----|A[KS]IA|gh[pousr]_|github_pat_|glpat-|AIza|xox|eyJ|sk_live_|sk-|hvs\.|earer|://")
"""One of them is in every form above. Most texts have none, and these are quick to look for."""
_PLACEHOLDER = re.compile(
    r"^(change[_-]?me(_.*)?|default|password\d*|passw0rd|secret|test|admin|root|rootpasswd|postgres|guest|example|dummy|todo"
    r"|replace[_-]?me|insert.*here|xxx+|1234+|qwerty|letmein|minioadmin|.*-dev-password)$",
    re.IGNORECASE,
)
_LITERAL = re.compile(r"^[A-Za-z0-9+/=_-]{24,512}$")
_OPTION = re.compile(r"^--?(?P<name>[A-Za-z][\w.-]*)(?:[=\s](?P<value>.+))?$", re.DOTALL)
_PATH = re.compile(r"^(/|\./|[A-Za-z]:\\|file:)[^\s]*$")
_ENOUGH_BITS = 4.0


def names_credential(name: str) -> bool:
    """Whether something of this name holds a credential, and not only the path, the age or the name of one."""
    if _NAME.search(name) is None:
        return False
    return _ONLY_ABOUT.search(_HUMP.sub("_", name)) is None


def is_credential(value: str) -> bool:
    """Whether a text has the form of a credential, whatever it is called."""
    return _MARKS.search(value) is not None and _FORMS.search(value) is not None


def is_literal(value: str) -> bool:
    """Whether a text under a credential's name is one: not empty, no path, no reference to something else."""
    return value.strip() not in ("", "true", "false", "none", "null") and not (
        _PATH.match(value) or value.startswith(("$(", "${", "{{"))
    )


def is_placeholder(value: str) -> bool:
    """Whether it is one of the passwords that everybody tries first."""
    return _PLACEHOLDER.match(value.strip()) is not None


def is_random(value: str) -> bool:
    """Whether a text is as random as keys are."""
    if not _LITERAL.match(value):
        return False
    shares = (value.count(sign) / len(value) for sign in set(value))
    return -sum(share * math.log2(share) for share in shares) > _ENOUGH_BITS


def option(word: str) -> tuple[str, str]:
    """Name and value of a command's option, the value empty where it is the next word's; two empty texts for none."""
    match = _OPTION.match(word)
    return (match["name"], match["value"] or "") if match else ("", "")
