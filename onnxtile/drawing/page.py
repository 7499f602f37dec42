"""Pages of HTML in one file: nothing is loaded from elsewhere, and no script runs but ours."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from onnxtile.drawing.svg import add
from onnxtile.ir.printable import printable


def asset(name: str) -> str:
    """Return the text of a style sheet or script of ours."""
    return (files("onnxtile.drawing") / "assets" / name).read_text(encoding="utf-8")


def page(title: str, styles: tuple[str, ...], script: str) -> tuple[Element, Element]:
    """Return a page and its body, to be filled; `finish` puts the data and the script behind what's in it.

    A browser runs the script by its hash alone, and opens no connection.
    """
    root = Element("html", {"lang": "en"})
    head = SubElement(root, "head")
    digest = base64.b64encode(hashlib.sha256(asset(script).encode()).digest()).decode()
    SubElement(head, "meta", {"charset": "utf-8"})
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'"
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": f"{policy}; form-action 'none'"})
    SubElement(head, "meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"})
    SubElement(head, "title").text = printable(title)
    SubElement(head, "style").text = "".join(map(asset, styles))
    return root, add(root, "body")


def finish(body: Element, script: str, data: Any) -> None:
    """Put the data, and the script that reads it, at the end of a page."""
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    SubElement(body, "script", {"type": "application/json", "id": "data"}).text = text
    SubElement(body, "script").text = asset(script)
