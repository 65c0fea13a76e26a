"""A preview loads what it needs, not the whole machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

from local import images, lazy


def test_a_name_is_loaded_from_its_module_when_it_is_asked_for() -> None:
    get = lazy.names("local", {"InputError": "errors"})
    assert get("InputError").__module__ == "local.errors"
    with pytest.raises(AttributeError, match="module 'local' has no attribute 'Nothing'"):
        get("Nothing")


def test_every_promised_name_is_there() -> None:
    assert all(callable(getattr(images, name)) for name in images.__all__)


def test_the_commands_start_without_what_only_a_node_needs() -> None:
    code = "import sys, local.cli; print('cryptography' in sys.modules, 'local.images.build' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "False"]
