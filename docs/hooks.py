"""Build the site with mkdocs, which calls these functions: pages and drawings made from the code, and links.

Pages that lie outside docs/ are in the site too; links to other files of the checkout become plain text there.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from drawings import DRAWINGS
from references import PAGES

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/results.md": "benchmarks.md",
}
"""Documents outside docs/, and what they are called in the site."""
GENERATED = {*PAGES, *(f"drawings/{name}" for name in DRAWINGS)}
"""Files of the site, beside those in docs/, that the code makes."""
_CODE = re.compile(r"(^```.*?^```|`[^`\n]+`)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s#:]+)(#[^)\s]*)?\)")
_BRACKET = re.compile(r"\[(?![^\]]*\]\()")
"""A bracket that begins no link, as in formulas: Markdown takes two pairs of them for a reference."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what isn't in docs/."""
    from mkdocs.structure.files import File

    for source, target in OUTSIDE.items():
        files.append(File.generated(config, target, content=(ROOT / source).read_text()))
    for name, write in PAGES.items():
        files.append(File.generated(config, name, content=write()))
    for name, draw in DRAWINGS.items():
        files.append(File.generated(config, f"drawings/{name}", content=draw()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links of a page to where their targets are in the site."""
    del config, files
    return in_site(markdown, page.file.src_uri)


def in_site(markdown: str, uri: str) -> str:
    """Return a page's text with links for the site; `uri`: the page's place there."""
    parts = _CODE.split(markdown)  # odd ones are code, but a link's text may hold some
    text, codes = "", []
    for at, part in enumerate(parts):
        text += f"\0{len(codes)}\0" if at % 2 else part
        codes += [part] if at % 2 else []
    text = _LINK.sub(lambda link: _link(uri, *link.groups(default="")), text)
    text = _BRACKET.sub("&#91;", text)
    return re.sub("\0(\\d+)\0", lambda found: codes[int(found[1])], text)


def _link(uri: str, words: str, target: str, anchor: str) -> str:
    sources = {name: source for source, name in OUTSIDE.items()}
    source = sources.get(uri, f"docs/{uri}")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    if path in OUTSIDE:
        there = OUTSIDE[path]
    elif path == "docs/decisions":
        there = "decisions/README.md"
    elif path.startswith("docs/"):
        there = path.removeprefix("docs/")
    elif (ROOT / path).exists():
        return words
    else:
        there = target  # mkdocs warns of it
    return f"[{words}]({posixpath.relpath(there, posixpath.dirname(uri) or '.')}{anchor})"
