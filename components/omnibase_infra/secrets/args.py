"""What may be asked of a set of secrets."""

from typing import NotRequired, TypedDict

import pulumi

SOURCES = ("generated", "imported", "external")
ALPHABETS = {"hex": 4.0, "alphanumeric": 5.954, "base64url": 6.0}
"""Name -> bits of one character: 16, 62 and 64 different ones."""
DEFAULT_ALPHABET = "base64url"
DEFAULT_LENGTH = 43
"""Characters; 258 bits in base64url, 256 in alphanumeric."""
LEAST_BITS = 128.0
"""What no generated secret may have less of: NIST SP 800-131A allows nothing below 112, 128 is the next usual step."""
LONGEST = 4096
PREVIOUS = ".previous"
"""Ending of the key under which a consumer finds the value of the generation before."""


class SecretEntry(TypedDict):
    """One secret value. Which fields belong to it is decided by `source`."""

    source: str
    """generated: random, made once per generation; imported: given by the caller; external: in a store outside."""
    length: NotRequired[int]
    """generated: characters, default 43."""
    alphabet: NotRequired[str]
    """generated: base64url (default), alphanumeric or hex."""
    generation: NotRequired[int]
    """generated: from 1, default 1; raised by one it makes a new value."""
    overlap: NotRequired[bool]
    """generated: consumers also get the value of the generation before, as `<key>.previous`; default False."""
    value: NotRequired[pulumi.Input[str]]
    """imported: an Output, never a plain text: it would stand readable in the state."""
    remote_key: NotRequired[str]
    """external: name in the store."""
    remote_property: NotRequired[str]
    """external: field of the stored document; default the whole."""


class SecretConsumer(TypedDict):
    """Who gets which keys. Nobody gets more than is named here."""

    keys: list[str]
    """Names of entries."""
    namespace: NotRequired[str]
    """Where its Secret is; default the namespace of the set."""


class SecretStore(TypedDict):
    """The External Secrets Operator's store that external entries are read from."""

    name: str
    """Name of the store object."""
    kind: NotRequired[str]
    """ClusterSecretStore (default) or SecretStore."""


class SecretSetArgs(TypedDict):
    """Names and structure are plain; only the values of imported entries are not."""

    namespace: str
    """Namespace of the consumers' Secrets, unless a consumer names another."""
    environment: str
    """dev, test, staging or prod; a label."""
    entries: dict[str, SecretEntry]
    """Key, which is also the file's name -> where its value comes from."""
    consumers: dict[str, SecretConsumer]
    """Name of a workload -> what it gets."""
    store: NotRequired[SecretStore]
    """Required by external entries."""
