"""The engine's variables: of the instance, with the operator's passphrase where there is one."""

from __future__ import annotations

import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from local.engine.environment import environment
from local.errors import InputError
from local.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return replace(Paths.from_environment({}), root=tmp_path, cache=tmp_path / "cache", state=tmp_path / "state")


def test_the_passphrase_is_made_once_and_only_its_owner_can_read_it(paths: Paths) -> None:
    first = environment(paths, {})
    file = Path(first["PULUMI_CONFIG_PASSPHRASE_FILE"])
    text = file.read_text()
    assert len(text) >= 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert environment(paths, {}) == first
    assert file.read_text() == text


@pytest.mark.parametrize("given", ["right", ""])
def test_a_passphrase_in_the_environment_wins_even_when_it_is_empty(paths: Paths, given: str) -> None:
    result = environment(paths, {"PULUMI_CONFIG_PASSPHRASE": given})
    assert result["PULUMI_CONFIG_PASSPHRASE"] == given
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in result
    assert not paths.passphrase_file.exists()


def test_a_passphrase_file_in_the_environment_wins(paths: Paths, tmp_path: Path) -> None:
    file = tmp_path / "phrase"
    file.write_text("right")
    assert environment(paths, {"PULUMI_CONFIG_PASSPHRASE_FILE": str(file)})["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(
        file
    )


def test_a_passphrase_file_that_cannot_be_read_is_refused(paths: Paths) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        environment(paths, {"PULUMI_CONFIG_PASSPHRASE_FILE": "/nowhere/phrase"})


def test_our_programs_come_first_and_nothing_is_downloaded(paths: Paths) -> None:
    result = environment(paths, {"PATH": "/usr/bin", "HOME": "/home/me"})
    assert result["PATH"].split(":") == [str(paths.bin), "/usr/bin"]
    assert result["HOME"] == "/home/me"
    assert result["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"
    assert result["PULUMI_SKIP_UPDATE_CHECK"] == "true"


def test_home_and_backend_exist_and_belong_to_the_instance(paths: Paths) -> None:
    result = environment(paths, {"PULUMI_HOME": "/home/me/.pulumi", "PULUMI_BACKEND_URL": "https://elsewhere"})
    assert result["PULUMI_HOME"] == str(paths.pulumi_home)
    assert result["PULUMI_BACKEND_URL"] == f"file://{paths.pulumi_backend}?metadata=skip"
    assert paths.pulumi_home.is_dir()
    assert paths.pulumi_backend.is_dir()


def test_where_python_may_write_nothing_beside_sources_compiled_modules_are_kept_in_the_cache(
    paths: Paths, tmp_path: Path
) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "module.py").write_text("")
    env = environment(paths, {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(sources)})

    subprocess.run([sys.executable, "-c", "import module"], env=env, check=True)

    assert [file.name for file in sources.iterdir()] == ["module.py"]
    assert list(paths.cache.rglob("module.*.pyc"))


def test_a_caller_who_keeps_compiled_modules_somewhere_or_lets_python_do_so_is_left_alone(paths: Paths) -> None:
    given = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": "/elsewhere"}
    assert environment(paths, given).items() >= given.items()
    assert "PYTHONPYCACHEPREFIX" not in environment(paths, {})


def test_the_engine_finds_no_place_for_a_log_of_every_request(paths: Paths) -> None:
    earlier = paths.pulumi_home / "logs"
    earlier.mkdir(parents=True)
    (earlier / "pulumi-20261125.log").write_text("megabytes")
    for _ in range(2):
        environment(paths)
    assert earlier.is_file()
    assert earlier.read_text() == ""
