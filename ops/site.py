"""Hooks of the documentation site: pages of the checkout's root join it, and links into the sources become names.

MkDocs knows only what is below docs/. README and CHANGELOG stand above it, and pages name tests and sources beside it.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT_PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md"}
"""Page above docs/ -> its name in the site."""
SECTIONS = {
    "Start": ("index.md", "documents.md", "changelog.md", "benchmarks.md"),
    "Architecture": ("architecture/",),
    "Reference": ("reference/",),
    "Runbooks": ("runbooks/",),
    "Decisions": ("decisions/",),
}
"""Tabs of the site, and the pages or folders below each."""
FIRST = ("README", "platform", "environment", "workload", "network", "postgres", "secrets", "certificates", "gateway")
"""Pages of a folder that are read before the others, in this order; the rest follows by name."""
_LINK = re.compile(r"\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")
_DOCS = "docs/"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The navigation follows the folders, so that a new page needs no second entry."""
    docs = Path(config.docs_dir)
    config.nav = [
        {title: [page for place in places for page in _pages(docs, place)]} for title, places in SECTIONS.items()
    ]
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add README and CHANGELOG."""
    root = Path(config.docs_dir).parent
    for name, target in ROOT_PAGES.items():
        files.append(File.generated(config, target, content=(root / name).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links that leave docs/ lead to the page that was added for them, or become plain text.

    Raises:
        PluginError: a link leads to nothing; MkDocs itself would see that only below docs/.
    """
    known = {file.src_uri for file in files}
    root = Path(config.docs_dir).parent
    here = page.file.src_uri
    source = next((name for name, target in ROOT_PAGES.items() if target == here), f"{_DOCS}{here}")

    def mended(found: re.Match[str]) -> str:
        text, link, anchor = found[1], found[2], found[3] or ""
        if "://" in link:
            return found[0]
        target = posixpath.normpath(posixpath.join(str(PurePosixPath(source).parent), link))
        if not (root / target).exists():
            raise PluginError(f"{source}: the link {link!r} leads to nothing")
        in_site = ROOT_PAGES.get(target, target.removeprefix(_DOCS))
        if in_site not in known:
            return text
        return f"[{text}]({posixpath.relpath(in_site, str(PurePosixPath(here).parent))}{anchor})"

    return _LINK.sub(mended, markdown)


def _pages(docs: Path, place: str) -> list[str]:
    """A page, or all pages of a folder in the order in which they are best read."""
    if not place.endswith("/"):
        return [place]
    pages = sorted(path.relative_to(docs) for path in (docs / place).glob("*.md"))
    order = {name: number for number, name in enumerate(FIRST)}
    return [page.as_posix() for page in sorted(pages, key=lambda page: order.get(page.stem, len(FIRST)))]
