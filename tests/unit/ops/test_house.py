"""The architecture's arrows: what may import what, in the checkout and in small houses with one fault each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops.cli import app
from ops.house import Import, draw_house, faults, read_imports, read_parts

ROOT = Path(__file__).resolve().parents[3]
PICTURE = ROOT / "docs" / "architecture" / "house.svg"


@pytest.fixture(scope="module")
def imports() -> list[Import]:
    return read_imports(ROOT)


def house(root: Path, files: dict[str, str]) -> Path:
    """A checkout with these sources."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_no_import_of_the_checkout_goes_against_the_architecture(imports: list[Import]) -> None:
    assert faults(imports) == []


def test_the_picture_is_the_one_of_the_imports(imports: list[Import]) -> None:
    text = draw_house(read_parts(ROOT), imports)
    if os.environ.get("UPDATE_GOLDENS") == "1":
        PICTURE.write_text(text)
    assert PICTURE.read_text() == text, "imports changed; `ops house -o docs/architecture/house.svg` draws it anew"


@pytest.mark.parametrize(
    ("file", "text", "why"),
    [
        ("policies/omnibase_policies/a.py", "import omnibase_infra.config", "knows nothing of the components"),
        ("local/a.py", "from omnibase_infra.naming import labels", "knows nothing of the components"),
        ("local/a.py", "import ops.cli", "does not depend on the day-2 commands"),
        ("policies/omnibase_policies/a.py", "import local.paths", "stands alone"),
        ("ops/a.py", "from omnibase_infra.postgres import PostgresCluster", "from outside"),
        ("ops/a.py", "from omnibase_infra.migrations.runner import up", "from outside"),
        ("components/omnibase_infra/postgres/a.py", "import local.paths", "installed without them"),
        ("components/omnibase_infra/config/a.py", "from omnibase_infra.network import Party", "nothing of resources"),
        ("components/omnibase_infra/naming.py", "from omnibase_infra.network import Party", "does not rest on"),
        ("components/omnibase_infra/postgres/a.py", "from omnibase_infra.network.party import Party", "internals"),
        ("components/omnibase_infra/postgres/a.py", "from omnibase_infra.platform import Platform", "only the program"),
        ("components/omnibase_infra/postgres/a.py", "from omnibase_infra.program import main", "imports the program"),
    ],
)
def test_an_import_against_the_architecture_is_named(tmp_path: Path, file: str, text: str, why: str) -> None:
    (line,) = faults(read_imports(house(tmp_path, {file: text + "\n"})))
    assert line.startswith(f"{file}:1 imports ")
    assert why in line


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("ops/a.py", "from omnibase_infra.config import load\nimport local.paths"),
        ("ops/a.py", "from omnibase_infra.migrations import read_files"),
        ("components/omnibase_infra/postgres/a.py", "from omnibase_infra.network import Party"),
        ("components/omnibase_infra/postgres/a.py", "from omnibase_infra.postgres.names import X"),
        ("components/omnibase_infra/platform/a.py", "from omnibase_infra.postgres import PostgresCluster"),
        ("components/omnibase_infra/__init__.py", "from omnibase_infra.platform import Platform"),
        ("__main__.py", "from omnibase_infra.program import main"),
    ],
)
def test_an_import_that_the_architecture_allows_is_no_fault(tmp_path: Path, file: str, text: str) -> None:
    assert faults(read_imports(house(tmp_path, {file: text + "\n"}))) == []


def test_capabilities_that_import_each_other_are_a_circle_and_the_picture_still_ends(tmp_path: Path) -> None:
    files = {
        "components/omnibase_infra/gateway/a.py": "from omnibase_infra.delivery import B\n",
        "components/omnibase_infra/delivery/a.py": "from omnibase_infra.gateway import A\n",
    }
    root = house(tmp_path, files)
    assert faults(read_imports(root)) == ["delivery -> gateway -> delivery import each other in a circle"]
    assert "gateway" in draw_house(read_parts(root), read_imports(root))


def test_a_fault_is_red_in_the_picture_and_counted(tmp_path: Path) -> None:
    root = house(tmp_path, {"local/a.py": "import ops.cli\n", "ops/cli.py": ""})
    picture = draw_house(read_parts(root), read_imports(root))
    assert "1 imports go against it." in picture
    assert 'stroke="#c0392b"' in picture


def test_the_command_says_so_and_draws(tmp_path: Path) -> None:
    target = tmp_path / "house.svg"
    answer = CliRunner().invoke(app, ["house", "-o", str(target)])
    assert answer.exit_code == 0, answer.output
    assert "no import goes against the architecture" in answer.output
    assert target.read_text() == PICTURE.read_text()
