"""Digests of images: from the stack file, from this machine's lock, or a clear refusal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from omnibase_infra.config import ImagesConfig, ImagesError, resolve_images, unbuilt_images

PINNED = "registry.example.test/omnibase/reference:1@sha256:" + "b" * 64


def lock(path: Path, text: str) -> dict[str, str]:
    path.write_text(text)
    return {"OMNIBASE_IMAGES_LOCK": str(path)}


def test_listed_references_are_taken_as_they_are() -> None:
    assert resolve_images(ImagesConfig(references={"reference": PINNED}), ["reference"], {}) == {"reference": PINNED}


def test_the_lock_of_this_machine_is_read(tmp_path: Path) -> None:
    environ = lock(tmp_path / "lock.json", json.dumps({"images": {"reference": PINNED, "other": PINNED}}))
    assert resolve_images(ImagesConfig(lock="local"), ["reference"], environ) == {"reference": PINNED}


OLDER = "registry.example.test/omnibase/reference:0@sha256:" + "c" * 64


@pytest.mark.req("R5")
@pytest.mark.parametrize("source", ["lock", "references"])
def test_a_pin_wins_over_the_lock_and_over_references(tmp_path: Path, source: str) -> None:
    environ = lock(tmp_path / "lock.json", json.dumps({"images": {"reference": PINNED, "other": PINNED}}))
    pins = {"reference": OLDER}
    images = (
        ImagesConfig(lock="local", pins=pins)
        if source == "lock"
        else ImagesConfig(references={"reference": PINNED, "other": PINNED}, pins=pins)
    )
    assert resolve_images(images, ["reference", "other"], environ) == {"reference": OLDER, "other": PINNED}


def test_a_pin_of_another_repository_than_the_locks_is_refused(tmp_path: Path) -> None:
    environ = lock(tmp_path / "lock.json", json.dumps({"images": {"reference": PINNED}}))
    images = ImagesConfig(lock="local", pins={"reference": OLDER.replace("omnibase", "elsewhere")})
    with pytest.raises(ImagesError, match="is not of registry"):
        resolve_images(images, ["reference"], environ)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ('{"images": {}}', "no digest is known for the images reference"),
        ('{"images": {"reference": "registry.example.test/a:latest"}}', "no digest is known"),
    ],
)
def test_a_lock_that_cannot_be_used_says_what_to_do(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ImagesError, match=complaint) as caught:
        resolve_images(ImagesConfig(lock="local"), ["reference"], lock(tmp_path / "lock.json", text))
    assert "make up" in str(caught.value)


def test_a_missing_lock_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ImagesError, match="does not exist yet; run `make up`"):
        resolve_images(ImagesConfig(lock="local"), ["reference"], {"OMNIBASE_IMAGES_LOCK": str(tmp_path / "none")})
    with pytest.raises(ImagesError, match="OMNIBASE_IMAGES_LOCK is not set"):
        resolve_images(ImagesConfig(lock="local"), ["reference"], {})


def test_placeholders_can_never_be_pulled_and_carry_the_major_version() -> None:
    found = unbuilt_images({"postgres", "reference"}, 17)
    assert found["postgres"].startswith("127.0.0.1:5000/omnibase/postgres:17.")
    assert all(reference.endswith("@sha256:" + "0" * 64) for reference in found.values())
