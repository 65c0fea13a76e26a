"""Policy packs run by our language host: a mandatory violation stops preview and up before anything exists."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from tests.cluster.engine_kit import Checkout, checkout

_PACK = """
    from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy, StackValidationPolicy

    def no_shouting(args, report):
        if args.resource_type == "pulumi:index:Stash" and str(args.props.get("input", "")).isupper():
            report("the stash shouts")

    def few(args, report):
        if len(args.resources) > 10:
            report("too many resources")

    PolicyPack(
        "manners",
        enforcement_level=EnforcementLevel.MANDATORY,
        policies=[
            ResourceValidationPolicy("no-shouting", "Stashes speak quietly.", no_shouting),
            StackValidationPolicy("few", "Small stacks.", few),
        ],
    )
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    directory = tmp_path / "pack"
    directory.mkdir()
    (directory / "PulumiPolicy.yaml").write_text(
        f"runtime: {{name: python, options: {{toolchain: pip, virtualenv: {sys.prefix}}}}}\nversion: 0.1.0\n"
    )
    (directory / "__main__.py").write_text(textwrap.dedent(_PACK))
    return directory


def _stash(directory: Path, text: str) -> Checkout:
    return checkout(directory, f"import pulumi\npulumi.Stash('stash', input={text!r})\n")


def test_a_mandatory_violation_stops_preview_and_up(tmp_path: Path, pack: Path) -> None:
    project = _stash(tmp_path, "LOUD")
    engine = project.engine(policy_packs=(pack,))

    assert engine.preview() == 1
    assert "the stash shouts" in project.text
    assert engine.up() == 1
    assert not [r for r in engine.export()["deployment"].get("resources", []) if r["type"] == "pulumi:index:Stash"]


def test_a_stack_without_violations_goes_up_under_the_pack(tmp_path: Path, pack: Path) -> None:
    project = _stash(tmp_path, "quiet")
    assert project.engine(policy_packs=(pack,)).up() == 0
    assert "manners@v0.1.0" in project.text
