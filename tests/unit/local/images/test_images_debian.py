"""Which Debian the images come from."""

from __future__ import annotations

import pytest

from local.errors import InputError, MachineError
from local.images.debian import choose_mirrors, sources


def test_the_mirrors_are_those_of_the_machine() -> None:
    known = ["http://mirror.test/other/", "http://mirror.test/debian-security/", "http://mirror.test/debian/"]

    assert choose_mirrors(known) == ("http://mirror.test/debian/", "http://mirror.test/debian-security/")


def test_a_machine_without_a_mirror_of_debian_is_told_what_to_set() -> None:
    with pytest.raises(MachineError, match=r"no mirror of Debian") as caught:
        choose_mirrors(["http://mirror.test/ubuntu/"])
    assert "OMNIBASE_DEBIAN_MIRROR" in caught.value.hint


def test_a_mirror_can_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNIBASE_DEBIAN_MIRROR", "http://mirror.test/debian")

    lines = sources()

    assert [line.split("] ")[1] for line in lines] == [
        "http://mirror.test/debian trixie main",
        "http://mirror.test/debian trixie-updates main",
    ]
    assert all("signed-by=" in line for line in lines)


def test_a_mirror_that_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNIBASE_DEBIAN_MIRROR", "mirror.test/debian")

    with pytest.raises(InputError, match=r"OMNIBASE_DEBIAN_MIRROR='mirror\.test/debian' is no address"):
        sources()
