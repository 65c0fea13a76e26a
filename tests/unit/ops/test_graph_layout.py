"""Whatever a stack holds, its picture stays legible: no line through a box, nothing on top of something else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.graph import Scene, render_svg
from ops.graph.boxes import FLOW, SCRAPE, Arrow, Box
from ops.graph.layout import Gaps, text_width
from ops.graph.svg import compose
from tests.stacks.support.pictures import faults


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Rooms with boxes and frames in them, boxes outside, and arrows between any two."""
    ids: list[str] = []

    def leaf() -> Box:
        ids.append(f"b{len(ids)}")
        words = draw(st.lists(st.sampled_from(["1 pod", "Service reference:8080", "a line of words"]), max_size=2))
        return Box(id=ids[-1], title=draw(st.sampled_from(["a", "certificate-exporter"])), lines=words)

    def frame(depth: int, key: str) -> Box:
        style = "namespace" if depth == 0 else "component"
        children = [
            frame(depth + 1, f"{key}.{number}") if depth == 0 and draw(st.integers(0, 3)) == 0 else leaf()
            for number in range(draw(st.integers(1, 3)))
        ]
        return Box(id=key, title=key, style=style, children=children)

    boxes = [frame(0, f"room{number}") for number in range(draw(st.integers(1, 3)))]
    outside = [leaf() for _ in range(draw(st.integers(0, 2)))]
    for box in outside:
        box.style = "outside"
    pairs = draw(st.lists(st.tuples(st.sampled_from(ids), st.sampled_from(ids)), max_size=10, unique=True))
    arrows = [
        Arrow(
            source=a,
            target=b,
            ports=draw(st.sampled_from([(80,), (5432, 8000)])),
            kind=draw(st.sampled_from([FLOW, SCRAPE])),
        )
        for a, b in pairs
        if a != b
    ]
    return Scene(title="stack any", boxes=(*outside, *boxes), arrows=tuple(arrows))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(scene=scenes())
def test_no_line_goes_through_a_foreign_box_and_nothing_overlaps_or_is_cut_off(scene: Scene) -> None:
    assert faults(compose(scene)) == []


def test_what_stands_under_a_narrow_picture_is_broken_into_lines_instead_of_cut_off() -> None:
    remark = "Every namespace, where it says no other: Pod Security restricted, network default-deny, quota, limits."
    text = render_svg(Scene(title="narrow", boxes=(Box(id="one", title="one"),), arrows=(), remarks=(remark,)))
    width = int(re.findall(r'viewBox="0 0 (\d+) ', text)[0])
    lines = [(int(x), words) for x, words in re.findall(r'class="line" x="(\d+)"[^>]*>([^<]*)<', text)]
    assert " ".join(words for _, words in lines).endswith(remark)
    assert max(x + text_width(words) for x, words in lines) <= width


@settings(max_examples=5, deadline=None, derandomize=True)
@given(scene=scenes())
def test_the_same_scene_gives_the_same_bytes(scene: Scene) -> None:
    assert render_svg(scene) == render_svg(scene)


def pair(count: int) -> Scene:
    """Boxes around one that all of them reach on a port of its own."""
    boxes = [Box(id=f"b{number}", title=f"b{number}") for number in range(count)]
    room = Box(id="room", title="room", style="namespace", children=[*boxes, Box(id="hub", title="hub")])
    arrows = [Arrow(source=box.id, target="hub", ports=(number + 1,)) for number, box in enumerate(boxes)]
    return Scene(title="hub", boxes=(room,), arrows=tuple(arrows))


def test_gaps_become_wider_until_every_arrow_has_a_way() -> None:
    picture = compose(pair(14))
    assert faults(picture) == []
    assert len(picture.routes) == 14


def test_wider_gaps_are_wider_everywhere() -> None:
    narrow, wide = Gaps(), Gaps().wider
    assert (wide.inside > narrow.inside, wide.rows > narrow.rows, wide.rooms > narrow.rooms) == (True, True, True)


def test_arrows_to_the_same_ports_share_a_tab_and_the_last_stretch() -> None:
    boxes = tuple(Box(id=key, title=key) for key in ("a", "b", "target"))
    arrows = tuple(Arrow(source=key, target="target", ports=(80,)) for key in ("a", "b"))
    picture = compose(Scene(title="two", boxes=boxes, arrows=arrows))
    assert len(picture.layout.tabs) == 1
    assert sorted(route.fork is None for route in picture.routes) == [False, True]
    assert sorted(route.has_tip for route in picture.routes) == [False, True]


@pytest.mark.parametrize("kind", [FLOW, SCRAPE])
def test_a_line_ends_at_the_tab_that_names_its_ports(kind: str) -> None:
    boxes = (Box(id="a", title="a"), Box(id="b", title="b"))
    picture = compose(Scene(title="one", boxes=boxes, arrows=(Arrow(source="a", target="b", ports=(80,), kind=kind),)))
    ((_, tab),) = picture.layout.tabs.items()
    (route,) = picture.routes
    assert route.points[-1] == (tab.x, tab.y + tab.height / 2)
    assert route.points[0][0] == picture.layout.places["a"].right
