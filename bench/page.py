"""docs/benchmarks.md, as far as the benches write it: each between two marks of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"


@dataclass(frozen=True)
class Place:
    """Where the figures of one bench stand."""

    bench: str
    """Its name in the marks, such as bench-restore."""
    heading: str

    def with_figures(self, page: str, text: str) -> str:
        """The page with a text between the marks; where they are missing they come at the end, under the heading."""
        begin, end = f"<!-- {self.bench} -->", f"<!-- /{self.bench} -->"
        before, found, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        if not found:
            before, after = f"{page.rstrip()}\n\n## {self.heading}\n\n", "\n"
        return f"{before}{begin}\n{text}\n{end}{after}"

    def write(self, text: str) -> None:
        """Put the text into the page of this checkout."""
        PAGE.write_text(self.with_figures(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
