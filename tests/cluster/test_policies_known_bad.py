"""Known-bad programs under the real engine: the preview is stopped by the rules of each and by no other.

They are previewed side by side, as an engine, a program and a pack for each would take minutes; some are alone as well.
One process stands in for the official providers.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.engine_kit import Checkout, checkout
from tests.policies.known_bad_kit import Program, few, mended_few, number_of, own, programs, side_by_side

ROOT = Path(__file__).resolve().parents[2]
PACK = ROOT / "policies"
PROGRAMS, MENDED = few(), mended_few()
_FINDING = re.compile(r"\[mandatory\] \[severity: \w+\]  (\S+)  \(.*: (.+)\)")
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
            secret = {name: pulumi.Output.secret(each["inputs"][name]) for name in each.get("secret", ())}
            pulumi.CustomResource(each["type"], each["name"], {**each["inputs"], **secret}, options)
"""


class Previews:
    """One project, whose program is changed from preview to preview."""

    def __init__(self, made: Checkout) -> None:
        self._made = made
        self._engine = made.engine(policy_packs=(PACK,), policy_configs=(PACK / "environments" / "prod.json",))

    def run(self, resources: Sequence[dict[str, Any]], pack: Path | None = None) -> tuple[int, list[str]]:
        """Exit code, and the mandatory rules that the engine names; with our pack, or another at its own levels."""
        engine = self._engine if pack is None else self._made.engine(policy_packs=(pack,))
        (self._made.root / "registers.json").write_text(json.dumps(resources), encoding="utf-8")
        self._made.output.clear()
        code = engine.preview()
        return code, sorted({rule for rule, _ in self.findings()})

    def findings(self) -> list[tuple[str, str]]:
        """Mandatory rules that the engine named, each with the resource."""
        return _FINDING.findall(self.text)

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


@pytest.fixture(scope="module")
def stopped(previews: Previews) -> dict[int, set[str]]:
    """Rules that stop the preview of all programs, by the program's number."""
    code, _ = previews.run(side_by_side([each.resources() for each in PROGRAMS]))
    assert code == 1, previews.text
    assert previews.recorded() == []
    found: dict[int, set[str]] = {}
    for rule, resource in previews.findings():
        found.setdefault(number_of(resource), set()).add(rule)
    return found


def test_programs_of_every_kind_are_previewed() -> None:
    assert len(PROGRAMS) >= 45
    assert {each.of for each in PROGRAMS} == {each.of for each in programs()}
    assert {id for each in PROGRAMS for id in each.shows} == {id for each in programs() for id in each.shows}
    assert len(MENDED) >= 3


@pytest.mark.parametrize(
    ("number", "program"),
    [
        pytest.param(number, each, marks=pytest.mark.req("C1.11", "C5.9", "R26", *each.shows), id=each.name)
        for number, each in enumerate(PROGRAMS)
    ],
)
def test_the_preview_of_a_known_bad_program_is_stopped_by_its_rules_and_no_other(
    number: int, program: Program, stopped: dict[int, set[str]]
) -> None:
    assert own(program, stopped.get(number, set())) == set(program.stopped_by)


@pytest.mark.parametrize("program", PROGRAMS[:: len(PROGRAMS) // 3], ids=lambda program: program.name)
def test_a_known_bad_program_alone_is_stopped_as_beside_others(program: Program, previews: Previews) -> None:
    assert previews.run(program.resources()) == (1, sorted(program.stopped_by)), previews.text
    assert previews.recorded() == []


def test_the_preview_of_mended_programs_goes_through(previews: Previews) -> None:
    assert previews.run(side_by_side([each.mended() for each in MENDED])) == (0, []), previews.text


_SERVER: dict[str, Any] = {
    "type": "pulumi:providers:postgresql",
    "name": "server",
    "inputs": {"host": "db.example.test", "sslmode": "verify-full", "superuser": "false"},
}


def _role(**more: object) -> dict[str, Any]:
    return {
        "type": "postgresql:index/role:Role",
        "name": "orders",
        "inputs": {
            "name": "orders_app", "login": True, "connectionLimit": 5, "statementTimeout": 1000,
            "idleInTransactionSessionTimeout": 1000, "password": "hunter2-and-more",
        },
        "protect": True,
        **more,
    }  # fmt: skip


@pytest.mark.req("C1.11", "V11")
def test_a_password_goes_through_if_the_program_marks_it_and_is_stopped_if_not(previews: Previews) -> None:
    assert previews.run([_SERVER, _role()]) == (1, ["sensitive-input-is-pulumi-secret"]), previews.text
    assert previews.run([_SERVER, _role(secret=["password"])]) == (0, []), previews.text
    assert "hunter2" not in previews.text


def test_a_copy_of_the_pack_stops_programs_of_others_with_nothing_else_of_this_project(
    previews: Previews, tmp_path: Path
) -> None:
    copied = shutil.copytree(PACK, tmp_path / "pack", ignore=shutil.ignore_patterns("__pycache__", "environments"))
    settings = copied / "PulumiPolicy.yaml"
    settings.write_text(settings.read_text(encoding="utf-8").replace("../.venv", sys.prefix), encoding="utf-8")
    assert previews.run(PROGRAMS[0].resources(), copied) == (1, sorted(PROGRAMS[0].stopped_by)), previews.text
    assert previews.run(PROGRAMS[0].mended(), copied) == (0, []), previews.text
