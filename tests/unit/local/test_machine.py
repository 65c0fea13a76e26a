"""What the verbs refuse before they change anything."""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from omnibase_infra.config.model import LOCAL_NETWORKS
from rich.console import Console

from local import machine
from local.errors import InputError, MachineError
from local.node.network import DEFAULTS
from local.paths import Paths
from local.progress import Progress


@pytest.fixture
def paths() -> Iterator[Paths]:
    with tempfile.TemporaryDirectory(prefix="omn-") as short:  # a unix socket's path must be, with one worker or more
        place = Path(short)
        yield Paths(instance="unit", root=Path.cwd(), cache=place / "cache", state=place / "state")


def test_clean_deletes_nothing_from_a_directory_that_is_not_ours(paths: Paths) -> None:
    paths.state.mkdir()
    (paths.state / "node").mkdir()
    (paths.state / "payroll.db").write_text("precious")
    with pytest.raises(InputError, match=r"payroll\.db.*nothing was removed"):
        machine.clean(paths, Progress())
    assert (paths.state / "node").is_dir()


def test_distclean_deletes_nothing_from_a_cache_that_is_not_ours(paths: Paths) -> None:
    paths.cache.mkdir()
    (paths.cache / "apt").mkdir()
    with pytest.raises(InputError, match="apt"):
        machine.clean(paths, Progress(), cache=True)


def test_a_local_stack_needs_root_and_leaves_no_directory_without_it(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(MachineError, match="needs root"):
        machine.up(paths, "dev", Progress())
    assert not paths.state.exists()


def test_the_first_build_needs_room_and_later_runs_do_not_ask_for_it(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=1 << 30))
    with pytest.raises(MachineError, match="1024 MiB free and a first build needs 12288"):
        machine.up(paths, "dev", Progress())
    assert not paths.state.exists()
    paths.bin.mkdir(parents=True)
    (paths.bin / "kube").touch()
    with pytest.raises(MachineError, match=r"1\.0 GiB free and the node needs 3 GiB.*nothing was changed"):
        machine.up(paths, "dev", Progress())
    assert not paths.state.exists()
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=4 << 30))
    with pytest.raises(InputError, match="no default network"):  # the next check: this instance's name is not known
        machine.up(paths, "dev", Progress())


def test_a_stack_without_policy_levels_goes_nowhere(paths: Paths, tmp_path: Path) -> None:
    unguarded = replace(paths, root=tmp_path)
    (tmp_path / "Pulumi.judge.yaml").write_text("config:\n  omnibase-infra:cluster: {target: local}\n")
    for verb in (machine.up, machine.preview):
        with pytest.raises(InputError, match=r"policies/environments/judge\.json does not exist"):
            verb(unguarded, "judge", Progress())
    assert not paths.state.exists()


@pytest.mark.req("C1.3")
def test_settings_that_the_program_would_refuse_stop_up_and_preview_before_anything_is_built_or_started(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_check_machine", lambda _paths: None)
    levels = tmp_path / "policies" / "environments"
    levels.mkdir(parents=True)
    (levels / "dev.json").write_text("{}")
    text = (paths.root / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    twice = "  omnibase-infra:protect: no\n  omnibase-infra:cluster: {target: local}\n"
    (tmp_path / "Pulumi.dev.yaml").write_text(text + twice, encoding="utf-8")
    for verb in (machine.up, machine.preview):
        with pytest.raises(InputError, match=r"must occur once") as refused:
            verb(replace(paths, root=tmp_path), "dev", Progress())
        assert re.search(r"Pulumi\.dev\.yaml:[0-9]+:27: protect = no: is true or false", refused.value.message)
        assert refused.value.hint.startswith("nothing was changed")
    assert not paths.state.exists()
    assert not paths.cache.exists()


@pytest.mark.parametrize("name", ["dev", "test", "staging", "prod"])
def test_preview_and_up_obey_the_policy_pack_at_the_levels_of_the_stack(
    paths: Paths, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, object] = {}
    monkeypatch.setattr("local.engine.Engine", lambda _paths, stack, **given: made.update(given, stack=stack))
    machine._guarded(paths, name, Progress(Console(file=io.StringIO())))
    root = paths.root / "policies"
    assert made == {"stack": name, "policy_packs": [root], "policy_configs": [root / "environments" / f"{name}.json"]}


def test_program_and_node_take_the_same_private_range_for_an_instance() -> None:
    assert dict(LOCAL_NETWORKS) == DEFAULTS


def test_a_node_that_is_not_there_or_not_ours_is_not_restarted(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(InputError, match="instance unit has no node yet") as refused:
        machine.restart(paths, "dev", Progress())
    assert refused.value.hint == "`make up STACK=dev` makes it"
    with pytest.raises(InputError, match="stack prod runs on a cluster of its own"):
        machine.restart(paths, "prod", Progress())
