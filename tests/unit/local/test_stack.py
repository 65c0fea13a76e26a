"""Stack files as the local machine reads them: what is wrong is said with file, place and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from local import stack
from local.errors import InputError, LocalError

_LOCAL = "config:\n  omnibase-infra:cluster:\n    target: local\n"


def _write(root: Path, name: str, content: str | bytes) -> None:
    path = root / f"Pulumi.{name}.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def test_a_local_stack_asks_for_this_machines_node(tmp_path: Path) -> None:
    _write(tmp_path, "dev", _LOCAL)
    assert stack.load(tmp_path, "dev").is_local


def test_an_existing_cluster_is_named_by_its_context(tmp_path: Path) -> None:
    _write(tmp_path, "prod", "config:\n  omnibase-infra:cluster: {target: existing, context: onex-prod}\n")
    loaded = stack.load(tmp_path, "prod")
    assert (loaded.is_local, loaded.context) == (False, "onex-prod")


def test_its_version_of_postgresql_decides_which_server_is_built(tmp_path: Path) -> None:
    _write(tmp_path, "dev", _LOCAL)
    _write(tmp_path, "test", f"{_LOCAL}  omnibase-infra:postgres: {{version: 18}}\n")
    _write(tmp_path, "staging", f"{_LOCAL}  omnibase-infra:postgres: {{version: new}}\n")
    assert [stack.load(tmp_path, name).postgres for name in ("dev", "test", "staging")] == [17, 18, 17]


def test_an_unknown_stack_names_the_nearest_and_all_known_ones(tmp_path: Path) -> None:
    _write(tmp_path, "staging", _LOCAL)
    _write(tmp_path, "dev", _LOCAL)
    with pytest.raises(InputError) as caught:
        stack.load(tmp_path, "stagin")
    assert "'stagin'" in caught.value.message
    assert caught.value.hint == "did you mean STACK=staging? known stacks: dev, staging"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("config:\n\tx: 1\n", "line 2, column 1"),
        ("config: [1, 2", "line 1"),
        ("- a\n- b\n", "holds a list"),
        ("config: 5\n", "config is a int"),
        (b"config: \xff\n", "is not UTF-8"),
        ("config:\n  omnibase-infra:cluster: {target: moon}\n", "target is 'moon'; allowed are local and existing"),
        ("config: {}\n", "target is None"),
    ],
    ids=["tab", "unclosed list", "not a mapping", "config not a mapping", "encoding", "unknown target", "no target"],
)
def test_a_broken_stack_file_is_refused_with_its_place(tmp_path: Path, content: str | bytes, expected: str) -> None:
    _write(tmp_path, "dev", content)
    with pytest.raises(InputError) as caught:
        stack.load(tmp_path, "dev")
    assert "Pulumi.dev.yaml" in caught.value.message
    assert expected in caught.value.message
    assert caught.value.hint


def test_a_stack_lives_on_the_instance_that_its_file_names(tmp_path: Path) -> None:
    _write(tmp_path, "dev", _LOCAL)
    _write(tmp_path, "test", "config:\n  omnibase-infra:cluster: {target: local, instance: test}\n")
    assert stack.paths_of(tmp_path, "dev", {}).instance == "local"
    assert stack.paths_of(tmp_path, "test", {}).instance == "test"
    assert stack.paths_of(tmp_path, "test", {"OMNIBASE_INSTANCE": "test"}).instance == "test"


def test_an_instance_from_the_environment_that_contradicts_the_stack_file_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, "dev", _LOCAL)
    with pytest.raises(InputError, match="OMNIBASE_INSTANCE='test'"):
        stack.paths_of(tmp_path, "dev", {"OMNIBASE_INSTANCE": "test"})


def test_the_stack_files_network_is_the_instances_and_must_not_be_contradicted(tmp_path: Path) -> None:
    _write(tmp_path, "dev", "config:\n  omnibase-infra:cluster: {target: local, network: 10.99.0.0/16}\n")
    assert stack.paths_of(tmp_path, "dev", {}).network == "10.99.0.0/16"
    with pytest.raises(InputError, match=r"OMNIBASE_NETWORK='10\.98\.0\.0/16'.*cluster\.network '10\.99\.0\.0/16'"):
        stack.paths_of(tmp_path, "dev", {"OMNIBASE_NETWORK": "10.98.0.0/16"})


@pytest.mark.req("C1.2", "C1.3")
def test_the_check_of_settings_counts_variables_and_says_all_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).resolve().parents[3]
    stack.check(root, "prod")
    monkeypatch.setenv("OMNIBASE__POSTGRES__STORAGE_GIB", "101")
    monkeypatch.setenv("OMNIBASE__QUOTA__PODS", "none")
    with pytest.raises(InputError, match="have 3 problems") as refused:
        stack.check(root, "prod")
    assert "postgres.storage_gib = an override: prod accepts only" in refused.value.message


def test_a_check_that_cannot_be_made_is_no_fault_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "_SETTINGS", "omnibase_infra.nothing")
    with pytest.raises(LocalError, match=r"could not be checked: .*No module named omnibase_infra\.nothing"):
        stack.check(tmp_path, "dev")
