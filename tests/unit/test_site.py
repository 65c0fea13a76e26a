"""The documentation site: it builds without a warning, its links lead somewhere, nothing comes from elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from mkdocs.config.defaults import MkDocsConfig

from ops.site import on_config

ROOT = Path(__file__).resolve().parents[2]


def build(root: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """`mkdocs build` of a checkout into a directory."""
    arguments = ["--quiet", "--config-file", str(root / "mkdocs.yml"), "--site-dir", str(site)]
    command = [sys.executable, "-m", "mkdocs", "build", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(root), "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("site")
    done = build(ROOT, made)
    assert done.returncode == 0, done.stdout + done.stderr
    return made


class Page(HTMLParser):
    """Links, sources and anchors of a page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.anchors: set[str] = {""}
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors.add(given.get("id", ""))
        if tag == "a" and given.get("href"):
            self.links.add(given["href"])
        if tag in ("img", "script") and given.get("src"):
            self.loaded.add(given["src"])
        if tag == "link" and given.get("rel") in ("stylesheet", "icon"):
            self.loaded.add(given["href"])


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {file: Page(file) for file in sorted(site.rglob("*.html"))}


def test_every_link_and_anchor_of_the_site_leads_somewhere(site: Path, pages: dict[Path, Page]) -> None:
    assert len(pages) >= 30
    broken = []
    for file, page in pages.items():
        if file.name == "404.html":  # served at any depth
            continue
        for link in page.links | page.loaded:
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = unquote(link).partition("#")
            target = (file.parent / path).resolve() if path else file
            target = target / "index.html" if target.is_dir() else target
            if not target.exists() or (target in pages and anchor not in pages[target].anchors):
                broken.append(f"{file.relative_to(site)}: {link}")
    assert broken == []


def test_no_page_loads_anything_from_another_place(pages: dict[Path, Page]) -> None:
    for file, page in pages.items():
        assert [source for source in page.loaded if "//" in source] == [], file.name


def test_the_readme_is_the_first_page_and_shows_the_picture(site: Path) -> None:
    text = (site / "index.html").read_text(encoding="utf-8")
    assert "<h1" in text
    assert 'src="images/dev.svg"' in text


def test_a_link_to_nothing_stops_the_build(tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    (root / "docs").mkdir(parents=True)
    (root / "ops").mkdir()
    shutil.copy(ROOT / "mkdocs.yml", root)
    shutil.copy(ROOT / "ops" / "site.py", root / "ops")
    for name in ("README.md", "CHANGELOG.md", "docs/documents.md", "docs/benchmarks.md"):
        (root / name).write_text("# Page\n")
    assert build(root, tmp_path / "good").returncode == 0
    (root / "docs" / "benchmarks.md").write_text("# Page\n\n[a](../nothing.md)\n")
    done = build(root, tmp_path / "bad")
    assert done.returncode != 0
    assert "docs/benchmarks.md: the link '../nothing.md' leads to nothing" in done.stdout + done.stderr


def test_the_architecture_is_read_from_the_platform_on_and_no_page_is_left_out() -> None:
    config = MkDocsConfig()
    config.docs_dir = str(ROOT / "docs")
    nav = on_config(config).nav
    assert nav is not None
    pages = next(section["Architecture"] for section in nav if "Architecture" in section)
    assert pages[:2] == ["architecture/README.md", "architecture/platform.md"]
    assert len(pages) == len(set(pages)) == len(list((ROOT / "docs" / "architecture").glob("*.md")))


def test_every_runbook_says_how_it_looks_what_to_do_and_how_one_sees_that_it_is_good() -> None:
    parts = ["## How it looks", "## What to do", "## How you see that it is good"]
    for page in sorted((ROOT / "docs" / "runbooks").glob("*.md")):
        if page.name != "README.md":
            lines = page.read_text(encoding="utf-8").splitlines()
            assert [line for line in lines if line.startswith("## ")] == parts, page.name


def test_a_decision_begins_with_its_number() -> None:
    for page in sorted((ROOT / "docs" / "decisions").glob("*.md")):
        number = int(page.name.partition("-")[0])
        assert re.match(rf"# 0*{number}\.? \S", page.read_text(encoding="utf-8")), page.name
