"""A resource in the engine's state: the live object, beside it the program's inputs and two notes of this provider.

The shape is the official provider's, so that a stack moves between the two without changes.
"""

from __future__ import annotations

from local.plugins.common.values import Json, Object, Secret, clone, dig
from local.plugins.kubernetes.values import mark_secrets, plain, underscored

INPUTS = "__inputs"
INITIAL_API_VERSION = "__initialApiVersion"
FIELD_MANAGER = "__fieldManager"


def build(inputs: Object, live: Object, given: Object, api_version: str, field_manager: str) -> Object:
    """The state to record. `given` is the inputs with their secret marks, which are carried over to both sides."""
    state: Object = underscored(clone(live))
    recorded: Object = underscored(clone(inputs))
    mark_secrets(state, given)
    mark_secrets(recorded, given)
    for key in (FIELD_MANAGER, INITIAL_API_VERSION):
        recorded.pop(key, None)
    return {**state, INPUTS: recorded, INITIAL_API_VERSION: api_version, FIELD_MANAGER: field_manager}


def parse(state: Object) -> tuple[Object, Object]:
    """Recorded inputs and live object, without secret marks."""
    everything: Object = plain(state)
    if "inputs" in everything and "live" in everything:  # written before version 0.16
        return everything["inputs"], everything["live"]
    inputs = everything.pop(INPUTS, {})
    for key in (INITIAL_API_VERSION, FIELD_MANAGER):
        everything.pop(key, None)
    return inputs, everything


def note(state: Object, key: str) -> str:
    """One of the two notes of a recorded state, or the empty string."""
    value: Json = dig(state, key)
    if isinstance(value, Secret):
        value = value.value
    return value if isinstance(value, str) else ""
