"""Names of objects that the program leaves unnamed."""

from __future__ import annotations

import re

import pytest

from local.plugins.common.values import UNKNOWN, Object
from local.plugins.kubernetes import naming

_URN = "urn:pulumi:dev::p::kubernetes:core/v1:Pod::web"
_MARK = {"pulumi.com/autonamed": "true"}


def test_a_name_is_the_programs_and_eight_hexadecimal_digits() -> None:
    pod: Object = {}
    naming.assign(pod, _URN, b"")
    assert re.fullmatch(r"web-[0-9a-f]{8}", pod["metadata"]["name"])
    assert pod["metadata"]["annotations"] == _MARK


def test_one_seed_gives_one_name_and_another_another() -> None:
    assert naming.unique("x-", b"a") == naming.unique("x-", b"a") != naming.unique("x-", b"b")


def test_the_engines_proposal_wins_and_disabled_autonaming_refuses() -> None:
    pod: Object = {}
    naming.assign(pod, _URN, b"", proposed="mine")
    assert pod["metadata"]["name"] == "mine"
    with pytest.raises(ValueError, match="autonaming is disabled"):
        naming.assign({}, _URN, b"", disabled=True)


@pytest.mark.parametrize("metadata", [{"name": "given"}, {"name": UNKNOWN}, {"generateName": "x-"}, UNKNOWN])
def test_a_name_that_the_program_gives_or_leaves_to_the_server_is_not_touched(metadata: object) -> None:
    pod: Object = {"metadata": metadata}
    naming.assign(pod, _URN, b"")
    assert pod == {"metadata": metadata}


def test_a_name_chosen_earlier_is_kept_but_one_of_the_program_is_not() -> None:
    new: Object = {}
    naming.adopt(new, {"metadata": {"name": "web-12345678", "annotations": _MARK}})
    assert new["metadata"] == {"name": "web-12345678", "annotations": _MARK}
    other: Object = {}
    naming.adopt(other, {"metadata": {"name": "fixed"}})
    assert other == {}
