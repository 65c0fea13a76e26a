"""Paths: what the environment may say, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.errors import InputError
from local.paths import Paths


def test_defaults_put_state_and_cache_apart() -> None:
    paths = Paths.from_environment({})
    assert paths.state == Path("/var/lib/omnibase-infra/local")
    assert paths.cache.name == "omnibase-infra"
    assert paths.root.joinpath("Makefile").is_file()


def test_two_instances_share_the_cache_and_nothing_else() -> None:
    one, two = Paths.from_environment({}), Paths.from_environment({"OMNIBASE_INSTANCE": "test"})
    assert one.cache == two.cache
    assert one.state != two.state


@pytest.mark.parametrize("name", ["", "Upper", "much-too-long", "9lives", "a/b", "ninechars"])
def test_an_instance_name_that_cannot_name_an_interface_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="OMNIBASE_INSTANCE"):
        Paths.from_environment({"OMNIBASE_INSTANCE": name})


@pytest.mark.parametrize("variable", ["OMNIBASE_CACHE", "OMNIBASE_STATE"])
def test_relative_directories_are_refused(variable: str) -> None:
    with pytest.raises(InputError, match=variable):
        Paths.from_environment({variable: "some/where"})
