"""Modules of others with changes of ours: a patch fits or stops the build, and Go builds from the copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.build import ENVIRONMENT, module_directory
from local.build.patched import apply_patch
from local.engine.build import patched
from local.errors import LocalError
from local.paths import Paths

_PATCH = """Why.

--- a/one.go
+++ b/one.go
@@ -1,3 +1,3 @@
 package one
-// old
+// new
 // end
@@ -9,1 +9,2 @@
 // last
+// after it
"""


@pytest.fixture
def patch(tmp_path: Path) -> Path:
    file = tmp_path / "some.patch"
    file.write_text(_PATCH)
    return file


def test_a_patch_changes_the_lines_that_it_names(patch: Path, tmp_path: Path) -> None:
    (tmp_path / "one.go").write_text("package one\n// old\n// end\n\n// last\n")
    apply_patch(patch, tmp_path)
    assert (tmp_path / "one.go").read_text() == "package one\n// new\n// end\n\n// last\n// after it\n"


@pytest.mark.parametrize(
    ("text", "times"),
    [("package one\n// other\n// end\n// last\n", 0), ("package one\n// old\n// end\n// last\n// last\n", 2)],
)
def test_a_patch_that_does_not_fit_stops_the_build_and_changes_nothing(
    patch: Path, tmp_path: Path, text: str, times: int
) -> None:
    (tmp_path / "one.go").write_text(text)
    with pytest.raises(LocalError, match=rf"some.patch does not fit one.go: .* {times} times"):
        apply_patch(patch, tmp_path)
    assert (tmp_path / "one.go").read_text() == text


def test_our_patches_of_the_engine_fit_its_pinned_version_and_say_in_the_source_who_changed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    paths = Paths.from_environment()
    module = paths.root / "local" / "engine"
    engine = patched(module)
    source = module_directory(paths, module, engine.dependency)
    assert engine.patches
    for each in engine.patches:
        names = [line.removeprefix("+++ b/") for line in each.read_text().splitlines() if line.startswith("+++ b/")]
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text((source / name).read_text())
        apply_patch(each, tmp_path)
        assert all("Changed by omnibase-infra" in (tmp_path / name).read_text() for name in names)
