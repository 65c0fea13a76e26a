"""Images of the docker plugin: built, pushed, known by digest."""

from __future__ import annotations

from pathlib import Path

import pytest
from pulumi.runtime.proto import provider_pb2

from local.plugins.common.values import Object, Secret, plain
from local.plugins.docker.image import TOKEN as IMAGE
from tests.unit.local.plugins.docker.fake_engine import PUSHED, FakeEngine
from tests.unit.local.plugins.docker.service_kit import AbortedError, Service


@pytest.fixture
def context_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    directory = Path("image")
    directory.mkdir()
    (directory / "Dockerfile").write_text("FROM scratch\n")
    (directory / "page").write_text("hello")
    return directory


def image_inputs(**build: object) -> Object:
    return {"imageName": "registry.test/web:1", "build": {"context": "image", "builderVersion": "BuilderV1", **build}}


# -- images ------------------------------------------------------------------------------------------------------------


def test_an_image_is_built_pushed_and_known_by_its_digest(
    service: Service, engine: FakeEngine, context_directory: Path
) -> None:
    (context_directory / ".dockerignore").write_text("# no notes\nnotes\n")
    (context_directory / "notes").write_text("private")
    wanted = {**image_inputs(args={"BASE": "b"}), "registry": {"username": "ci", "password": Secret("p")}}
    identity, state, _ = service.create(IMAGE, wanted)
    assert (identity, plain(state["repoDigest"])) == ("registry.test/web:1", f"registry.test/web@{PUSHED}")
    assert engine.calls == [
        "build registry.test/web:1 of .dockerignore Dockerfile page with Dockerfile {'BASE': 'b'}",
        "push registry.test/web:1 {'username': 'ci', 'password': 'p'}",
    ]
    assert isinstance(state["__inputs"], Secret), "as in the official provider"


def test_only_a_change_of_what_goes_in_builds_again(service: Service, context_directory: Path) -> None:
    wanted = {**image_inputs(), "registry": {"server": "registry.test", "password": Secret("one")}}
    _, state, inputs = service.create(IMAGE, wanted)
    again = {**wanted, "registry": {"server": "registry.test", "password": Secret("two")}}
    assert service.diff(IMAGE, state, inputs, again).changes == provider_pb2.DiffResponse.DIFF_NONE
    (context_directory / "page").write_text("changed")
    answer = service.diff(IMAGE, state, inputs, wanted)
    assert (list(answer.detailedDiff), list(answer.replaces)) == (["build"], [])


def test_a_preview_builds_nothing_and_knows_no_digest(
    service: Service, engine: FakeEngine, context_directory: Path
) -> None:
    assert context_directory.exists()
    _, state, _ = service.create(IMAGE, image_inputs(), preview=True)
    assert "repoDigest" not in state
    assert engine.calls == []


@pytest.mark.parametrize(
    ("inputs", "where", "reason"),
    [
        (image_inputs(builderVersion=None), "build.builderVersion", "BuildKit, the default, needs the official"),
        ({**image_inputs(), "imageName": "team/web:1"}, "imageName", "must be fully qualified"),
        ({**image_inputs(), "tags": []}, "tags", "invalid or unknown"),
        (image_inputs(secrets=[]), "build.secrets", "invalid or unknown"),
    ],
)
def test_image_inputs_that_cannot_be_served_are_failures(
    service: Service, context_directory: Path, inputs: Object, where: str, reason: str
) -> None:
    assert context_directory.exists()
    _, failures = service.check(IMAGE, inputs)
    assert reason in failures[where]


def test_a_missing_context_or_dockerfile_says_what_was_probably_meant(
    service: Service, context_directory: Path
) -> None:
    with pytest.raises(AbortedError, match="build context 'imgae' is no directory"):
        service.check(IMAGE, image_inputs(context="imgae"))
    with pytest.raises(AbortedError, match=f"try setting `dockerfile` to '{context_directory}/Dockerfile'"):
        service.check(IMAGE, image_inputs(dockerfile="Dockerfile"))


def test_a_failed_build_has_the_engines_words(service: Service, engine: FakeEngine, context_directory: Path) -> None:
    assert context_directory.exists()
    engine.build_lines = [{"stream": "Step 1"}, {"error": "COPY failed: no source files\n"}]
    with pytest.raises(AbortedError, match=r"build image registry.test/web:1: COPY failed: no source files"):
        service.create(IMAGE, image_inputs())
