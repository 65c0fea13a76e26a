"""The public interface for other languages: any change of it shows in a golden file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from omnibase_infra.hosted import HOSTED, NAME, VERSION
from omnibase_infra.reference import markdown
from pulumi.provider.experimental.component import ComponentProvider

GOLDEN = Path(__file__).with_name("golden") / "schema.json"
PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "components.md"


def test_the_schema_is_that_of_its_golden_file() -> None:
    schema = json.loads(str(ComponentProvider(HOSTED, NAME, version=VERSION).schema))
    text = json.dumps(schema, indent=1, sort_keys=True) + "\n"
    if os.environ.get("UPDATE_GOLDENS") == "1":
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text)
    message = "the interface changed: say so in CHANGELOG.md, and UPDATE_GOLDENS=1 writes the file anew"
    assert schema == json.loads(GOLDEN.read_text()), message


def test_the_page_of_components_is_fresh_and_explains_every_input() -> None:
    text = markdown(json.loads(GOLDEN.read_text()))
    if os.environ.get("UPDATE_GOLDENS") == "1":
        PAGE.write_text(text)
    assert text == PAGE.read_text(), "components changed; UPDATE_GOLDENS=1 writes the page anew"
    assert [line for line in text.splitlines() if line.endswith("|  |")] == []


def test_settings_can_be_read_without_loading_the_engines_sdk() -> None:
    code = "import sys, omnibase_infra.config; sys.exit('pulumi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
