"""What is refused, all of it together, before any resource exists."""

import re

import pulumi

from omnibase_infra.config.errors import nearest
from omnibase_infra.naming import dns_label
from omnibase_infra.secrets.args import (
    ALPHABETS,
    DEFAULT_ALPHABET,
    DEFAULT_LENGTH,
    LEAST_BITS,
    LONGEST,
    PREVIOUS,
    SOURCES,
    SecretEntry,
    SecretSetArgs,
)

_KEY = re.compile(r"^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?$")
_FIELDS = {
    "generated": {"length", "alphabet", "generation", "overlap"},
    "imported": {"value"},
    "external": {"remote_key", "remote_property"},
}
_PLACEHOLDERS = frozenset(
    {"changeme", "change_me", "change-me", "default", "test", "password", "secret", "todo", "xxx"}
)
STORE_KINDS = ("ClusterSecretStore", "SecretStore")


def problems(name: str, args: SecretSetArgs) -> list[str]:
    """Every reason why these arguments cannot be used."""
    found = _name_problem(name)
    for key, entry in args["entries"].items():
        found += [f"entry {key!r}: {problem}" for problem in _entry(key, entry, "store" in args)]
    found += _consumers(args)
    kind = args.get("store", {"name": ""}).get("kind", STORE_KINDS[0])
    if kind not in STORE_KINDS:
        found.append(f"store kind={kind!r} must be {' or '.join(STORE_KINDS)}")
    return found


def value_problem(value: str) -> str:
    """Why an imported value is refused, without the value; empty if it may be used."""
    if not value.strip():
        return "is empty"
    if value.strip().lower() in _PLACEHOLDERS:
        return "is a placeholder that anybody would guess"
    return ""


def _name_problem(name: str) -> list[str]:
    try:
        return [] if dns_label(name, limit=40) == name else [f"name {name!r} is longer than 40 characters"]
    except ValueError as error:
        return [str(error)]


def _entry(key: str, entry: SecretEntry, has_store: bool) -> list[str]:
    source = entry["source"]
    found = [] if _KEY.match(key) else ["the key must be letters, digits, '.', '_' and '-' inside, at most 63"]
    if key.endswith(PREVIOUS):
        found.append(f"the ending {PREVIOUS!r} is kept for the generation before")
    if source not in SOURCES:
        return [*found, f"source={source!r} must be one of {', '.join(SOURCES)}"]
    strangers = sorted(set(entry) - {"source"} - _FIELDS[source])
    found += [f"{field} has no meaning for source {source!r}; remove it" for field in strangers]
    if source == "generated":
        return [*found, *_generated(entry)]
    if source == "imported":
        return [*found, *_imported(entry)]
    if not entry.get("remote_key", "").strip():
        found.append("remote_key is required: the value's name in the store")
    if not has_store:
        found.append("is external, but the set has no `store`; name the operator's store object")
    return found


def _generated(entry: SecretEntry) -> list[str]:
    alphabet, length = entry.get("alphabet", DEFAULT_ALPHABET), int(entry.get("length", DEFAULT_LENGTH))
    generation = entry.get("generation", 1)
    found = [] if generation >= 1 else [f"generation={generation} must be at least 1"]
    if alphabet not in ALPHABETS:
        return [*found, f"alphabet={alphabet!r} must be one of {', '.join(ALPHABETS)}"]
    if length > LONGEST:
        found.append(f"length={length} is above {LONGEST}")
    bits = length * ALPHABETS[alphabet]
    if bits < LEAST_BITS:
        least = -int(-LEAST_BITS // ALPHABETS[alphabet])
        found.append(f"length={length} in {alphabet} is {bits:.0f} bits of {LEAST_BITS:.0f}; use at least {least}")
    return found


def _imported(entry: SecretEntry) -> list[str]:
    if "value" not in entry:
        return ["value is required for source 'imported'; pass a secret setting or another resource's output"]
    if not isinstance(entry["value"], pulumi.Output):
        return ["value is plain text; pass an Output, for example `pulumi.Config().require_secret(...)`"]
    return []


def _consumers(args: SecretSetArgs) -> list[str]:
    found: list[str] = []
    used: set[str] = set()
    for consumer, wanted in args["consumers"].items():
        try:
            dns_label(consumer)
        except ValueError as error:
            found.append(f"consumer {error}")
        if not wanted["keys"]:
            found.append(f"consumer {consumer!r} names no key; remove it")
        for key in wanted["keys"]:
            if key not in args["entries"]:
                found.append(f"consumer {consumer!r}: key {key!r} is not an entry; {nearest(key, args['entries'])}")
        used |= set(wanted["keys"])
    orphans = sorted(set(args["entries"]) - used)
    return [*found, *(f"entry {key!r} is given to nobody; name a consumer or remove it" for key in orphans)]
