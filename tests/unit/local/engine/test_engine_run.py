"""What the engine is called with, seen without calling it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from local.engine.run import Engine
from local.errors import InputError, MachineError
from local.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    (tmp_path / "Pulumi.yaml").write_text("name: tiny\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  omnibase-infra:cluster:\n    target: local\n")
    (tmp_path / "Pulumi.prod.yaml").write_text(
        "config:\n  omnibase-infra:cluster:\n    target: existing\n    context: production\n"
    )
    return replace(Paths.from_environment({}), root=tmp_path, cache=tmp_path / "cache", state=tmp_path / "state")


def test_a_local_stack_gets_the_nodes_kubeconfig_whatever_the_operator_has(paths: Paths) -> None:
    engine = Engine(paths, "dev", env={"KUBECONFIG": "/home/me/kubeconfig"})
    assert engine.env["KUBECONFIG"] == str(paths.kubeconfig)


@pytest.mark.parametrize("given", [{"KUBECONFIG": "/home/me/kubeconfig"}, {}])
def test_a_stack_in_an_existing_cluster_gets_the_operators_kubeconfig(paths: Paths, given: dict[str, str]) -> None:
    assert Engine(paths, "prod", env=given).env.get("KUBECONFIG") == given.get("KUBECONFIG")


def test_an_unknown_stack_is_refused_before_anything_is_made(paths: Paths) -> None:
    with pytest.raises(InputError, match="stack 'stage' is unknown"):
        Engine(paths, "stage")
    assert not paths.state.exists()


def test_without_a_built_engine_the_machine_is_to_blame(paths: Paths) -> None:
    with pytest.raises(MachineError, match="No such file or directory") as caught:
        Engine(paths, "dev", env={"PATH": "/usr/bin"}).preview()
    assert "make up" in caught.value.hint


def test_a_stack_that_was_never_made_has_nothing_to_destroy_and_no_outputs(paths: Paths) -> None:
    engine = Engine(paths, "dev", env={"PATH": "/usr/bin"})
    assert not engine.exists()
    assert engine.destroy() == 0
    assert engine.outputs() == {}


def test_the_state_is_found_compressed_too(paths: Paths) -> None:
    engine = Engine(paths, "dev", env={})
    stacks = paths.pulumi_backend / ".pulumi" / "stacks" / "tiny"
    stacks.mkdir(parents=True)
    (stacks / "dev.json.gz").touch()
    assert engine.exists()
