"""The graph of each example that needs no cluster: its golden file."""

from __future__ import annotations

import json
import os

import pytest

from tests.stacks.support import examples, stacks


@pytest.mark.parametrize("example", sorted(examples.EXAMPLES))
def test_the_registrations_of_an_example_are_those_of_its_golden_file(example: str) -> None:
    found = [stacks.golden_entry(registration) for registration in examples.recorded(example).registrations()]
    file = stacks.GOLDEN / "examples" / f"{example}.json"
    if os.environ.get("UPDATE_GOLDENS") == "1":
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    assert found == json.loads(file.read_text()), "`make goldens` writes the file anew, read its diff"
