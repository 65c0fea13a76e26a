"""Known-bad programs under the real engine: the preview of each is stopped by its rules and by no other.

One process stands in for the official providers, for all programs, so that each costs an engine, a program and a pack.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.engine_kit import Checkout, checkout
from tests.policies.known_bad_kit import Program, programs

ROOT = Path(__file__).resolve().parents[2]
PACK = ROOT / "policies"
_FIRST = {key: each for each in reversed(programs()) for key in (*each.shows, each.of)}
PROGRAMS = [each for each in programs() if each in _FIRST.values()]
"""The first one for each requirement and for each kind of object; tests/policies judges all of them."""
MENDED = [*{each.of: each for each in programs() if each.good}.values()]
"""For each kind of object the last one that does the same rightly, and not just leaves it."""
_PROVIDERS = ("kubernetes", "docker", "docker-build", "postgresql", "aws", "gcp")
_PROGRAM = """
    import json
    import pathlib
    import pulumi

    providers = {}
    for each in json.loads(pathlib.Path("registers.json").read_text(encoding="utf-8")):
        if each["type"].startswith("pulumi:providers:"):
            package = each["type"].rpartition(":")[2]
            providers[package] = pulumi.ProviderResource(package, each["name"], each["inputs"])
        else:
            provider = providers.get(each["type"].partition(":")[0])
            options = pulumi.ResourceOptions(provider=provider, protect=each["protect"])
            pulumi.CustomResource(each["type"], each["name"], each["inputs"], options)
"""


class Previews:
    """One project, whose program is changed from preview to preview."""

    def __init__(self, made: Checkout) -> None:
        self._made = made
        self._engine = made.engine(policy_packs=(PACK,), policy_configs=(PACK / "environments" / "prod.json",))

    def run(self, resources: Sequence[dict[str, Any]]) -> tuple[int, list[str]]:
        """Exit code, and the mandatory rules that the engine names."""
        (self._made.root / "registers.json").write_text(json.dumps(resources), encoding="utf-8")
        self._made.output.clear()
        code = self._engine.preview()
        return code, sorted(set(re.findall(r"\[mandatory\] \[severity: \w+\]  (\S+)", self.text)))

    @property
    def text(self) -> str:
        """What the engine said."""
        return self._made.text

    def recorded(self) -> list[Any]:
        """Resources in the state, read without another start of the engine."""
        backend = self._made.paths.pulumi_backend / ".pulumi" / "stacks" / "tiny" / "dev.json"
        checkpoint = json.loads(backend.read_text(encoding="utf-8"))["checkpoint"]
        return list((checkpoint.get("latest") or {}).get("resources") or [])


@pytest.fixture(scope="module")
def previews(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Previews]:
    made = checkout(tmp_path_factory.mktemp("known-bad"), _PROGRAM)
    made.serve_kubernetes_from_files()
    made.env["FILE_PROVIDER_OBJECTS"] = str(made.objects)
    provider = ROOT / "tests" / "cluster" / "file_provider.py"
    process = subprocess.Popen([sys.executable, str(provider)], env=made.env, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        with process.stdout:
            port = process.stdout.readline().strip()
            made.env["PULUMI_DEBUG_PROVIDERS"] = ",".join(f"{name}:{port}" for name in _PROVIDERS)
            yield Previews(made)
    finally:
        process.kill()
        process.wait()


def test_programs_of_every_kind_are_previewed() -> None:
    assert len(PROGRAMS) >= 45
    assert {each.of for each in PROGRAMS} == {each.of for each in programs()}
    assert {id for each in PROGRAMS for id in each.shows} == {id for each in programs() for id in each.shows}
    assert len(MENDED) >= 3


@pytest.mark.parametrize(
    "program",
    [pytest.param(each, marks=pytest.mark.req("C1.11", "C5.9", "R26", *each.shows), id=each.name) for each in PROGRAMS],
)
def test_the_preview_of_a_known_bad_program_is_stopped_by_its_rules_and_no_other(
    program: Program, previews: Previews
) -> None:
    assert previews.run(program.resources()) == (1, sorted(program.stopped_by)), previews.text
    assert previews.recorded() == []


@pytest.mark.parametrize("program", MENDED, ids=lambda program: f"no longer {program.name}")
def test_the_preview_of_the_mended_program_goes_through(program: Program, previews: Previews) -> None:
    assert previews.run(program.mended()) == (0, []), previews.text
