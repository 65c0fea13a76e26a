"""The committed pictures are those of the stack and of the examples as their programs make them now, and legible."""

from __future__ import annotations

import os
import re
from functools import cache

import pytest

from ops.graph import PARTS, Resource, build_scene
from ops.graph.svg import Picture, compose, render_picture
from tests.stacks.support import examples, stacks
from tests.stacks.support.pictures import faults

PICTURES = stacks.ROOT / "docs" / "images"
NAMES = ["dev", *PARTS, "docker-host", "managed-postgres"]
WIDEST, HIGHEST = 1600, 1200  # what a page shows without scaling its text until nobody can read it


@cache
def picture(name: str) -> Picture:
    is_example = name in ("docker-host", "managed-postgres")
    found = examples.recorded(name).registrations() if is_example else stacks.registrations("dev")
    resources = [
        Resource(key=each.urn, type=each.type, name=each.name, parent=each.parent, inputs=each.inputs) for each in found
    ]
    return compose(build_scene(name if is_example else "dev", resources, PARTS.get(name)))


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_picture_is_the_one_that_the_graph_gives(name: str) -> None:
    text, target = render_picture(picture(name)), PICTURES / f"{name}.svg"
    if os.environ.get("UPDATE_GOLDENS") == "1":
        target.write_text(text, encoding="utf-8")
    assert target.read_text(encoding="utf-8") == text, "`make goldens` draws it anew; look at it"


@pytest.mark.parametrize("name", NAMES)
def test_no_line_of_a_committed_picture_goes_through_a_box_and_nothing_overlaps(name: str) -> None:
    assert faults(picture(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_committed_picture_fits_a_page(name: str) -> None:
    width, height = map(int, re.findall(r'viewBox="0 0 (\d+) (\d+)"', render_picture(picture(name)))[0])
    assert (width <= WIDEST, height <= HIGHEST) == (True, True), f"{width}x{height}"


@pytest.mark.parametrize("part", PARTS)
def test_a_part_has_its_own_components_and_is_shown_on_its_page(part: str) -> None:
    styles = {box.style for box in picture(part).layout.scene.boxes}
    assert "namespace" in styles
    page = (stacks.ROOT / "docs" / "architecture" / f"{part}.md").read_text(encoding="utf-8")
    assert f"(../images/{part}.svg)" in page
