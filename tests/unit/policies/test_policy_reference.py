"""The page of rules is that of the rules."""

from __future__ import annotations

import os
from pathlib import Path

from omnibase_policies.reference import page

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "policies.md"


def test_the_reference_page_is_fresh() -> None:
    if os.environ.get("UPDATE_GOLDENS") == "1":
        PAGE.write_text(page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page(), "`make goldens` writes the page anew"
