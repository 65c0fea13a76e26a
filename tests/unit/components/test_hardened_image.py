"""HardenedImage: what is refused and what is asked of the engine."""

from __future__ import annotations

from typing import Any, cast

import pytest
from omnibase_infra import HardenedImage, HardenedImageArgs
from omnibase_infra.docker_objects import IMAGE
from omnibase_infra.images.checks import problems

from tests.stacks.support.recorder import HIDDEN, record

BASE = f"registry.example.test/base@sha256:{'1' * 64}"
ARGS: HardenedImageArgs = {
    "repository": "registry.example.test/team/web",
    "tag": "1.4.2",
    "context": "images/web",
    "bases": {"BASE": BASE},
}


def changed(**changes: Any) -> HardenedImageArgs:  # noqa: ANN401 -- any argument
    return cast(HardenedImageArgs, {**ARGS, **changes})


def test_good_arguments_are_not_complained_about() -> None:
    assert problems(ARGS) == []
    assert problems(changed(repository="127.0.0.1:5000/web")) == []
    assert problems(changed(repository="localhost/web")) == []


@pytest.mark.req("V4")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"repository": "team/web"}, "must name its registry"),
        ({"repository": "registry.example.test/web:1"}, "must name its registry and have no tag"),
        ({"tag": "latest"}, "'latest' says nothing"),
        ({"tag": "a b"}, "must be a version"),
        ({"context": "."}, "would send the whole project"),
        ({"bases": {"BASE": "debian:trixie"}}, "bases BASE='debian:trixie' has no digest"),
        ({"build_args": {"NPM_TOKEN": "x"}}, "NPM_TOKEN looks like a credential"),
        ({"build_args": {"a-b": "x"}}, "build argument 'a-b' is not a name"),
        ({"password": "x"}, "password needs username"),
    ],
)
def test_what_is_wrong_is_refused_with_a_reason(changes: dict[str, Any], message: str) -> None:
    found = problems(changed(**changes))
    assert any(message in problem for problem in found), found


def test_it_is_built_with_the_classic_builder_and_known_by_its_digest() -> None:
    recorder = record(lambda: HardenedImage("web", changed(username="ci", password="hunter2", target="run")))
    found = {item.type: item for item in recorder.registrations()}
    wanted = found[IMAGE].inputs
    assert wanted["imageName"] == "registry.example.test/team/web:1.4.2"
    assert wanted["build"] == {
        "context": "images/web",
        "dockerfile": "images/web/Dockerfile",
        "builderVersion": "BuilderV1",
        "platform": "linux/amd64",
        "target": "run",
        "args": {"BASE": BASE},
    }
    assert (wanted["skipPush"], wanted["buildOnPreview"]) == (False, False)
    assert wanted["registry"]["password"] == HIDDEN
    component = found["omnibase-infra:index:HardenedImage"]
    assert recorder.outputs[component.urn] == {"reference": f"registry.example.test/team/web@sha256:{'0' * 64}"}
    assert "hunter2" not in str(recorder.registrations())
