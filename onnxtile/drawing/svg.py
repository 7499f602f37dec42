"""Elements of SVG and HTML: every text is escaped by the library that writes them, and steers no terminal."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from onnxtile.ir.printable import printable
from onnxtile.plots.drawing import BLUE, GREEN, GREY, ORANGE, short

__all__ = ["Element", "add", "label", "number", "picture", "rectangle", "short", "to_html", "to_svg"]
INK, PAPER, PANEL, LINE = "#1f2328", "#fefefe", "#f4f6f8", "#c4cbd3"
DARK_INK, DARK_PAPER, DARK_PANEL, DARK_LINE = "#d6dbe1", "#15181c", "#20252b", "#474f59"
STYLE = f"""
text {{ font: 12px system-ui, 'DejaVu Sans', Helvetica, Arial, sans-serif; fill: {INK} }}
.paper {{ fill: {PAPER} }} .panel {{ fill: {PANEL}; stroke: {LINE} }}
.name {{ font-weight: 600 }} .small {{ font-size: 10.5px }} .dim {{ fill: #66707b }} .head {{ font-size: 15px }}
.code {{ font-family: 'DejaVu Sans Mono', monospace }}
.edge {{ fill: none; stroke: #8b949e; stroke-width: 1.3 }} .tip {{ fill: #8b949e }}
.a {{ fill: {BLUE}; fill-opacity: .22; stroke: {BLUE} }} .b {{ fill: {ORANGE}; fill-opacity: .22; stroke: {ORANGE} }}
.c {{ fill: {GREEN}; fill-opacity: .22; stroke: {GREEN} }} .many {{ fill-opacity: .5 }}
.cut {{ fill: none; stroke-width: .8 }} .open {{ stroke-dasharray: 3 2 }}
.over {{ fill: #c93c37 }} .io {{ fill: none; stroke: {GREY}; stroke-dasharray: 2 2 }}
@media (prefers-color-scheme: dark) {{
text {{ fill: {DARK_INK} }} .paper {{ fill: {DARK_PAPER} }} .panel {{ fill: {DARK_PANEL}; stroke: {DARK_LINE} }}
.dim {{ fill: #98a2ad }} .over {{ fill: #ff7b72 }}
}}
"""


def number(value: float) -> str:
    """Return pixels as text, to a tenth.

    >>> number(3.0), number(2.25)
    ('3', '2.2')
    """
    return f"{round(value, 1):g}" if abs(value) < 1e5 else f"{value:.0f}"


def add(parent: Element, tag: str, words: str = "", **attributes: str | float) -> Element:
    """Add an element with text; underlines at the end of an attribute's name are left out, others are hyphens."""
    given = {
        name.rstrip("_").replace("_", "-"): number(value)
        if not isinstance(value, str)
        else value
        if name == "d"
        else printable(value)  # a path is ours, and long
        for name, value in attributes.items()
    }
    element = SubElement(parent, tag, given)
    if words:
        element.text = printable(words)
    return element


def label(parent: Element, x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> Element:
    """Add a line of text; y is its base line."""
    more = {} if anchor == "start" else {"text_anchor": anchor}
    return add(parent, "text", words, x=x, y=y, **({"class_": kind} if kind else {}), **more)


def rectangle(parent: Element, x: float, y: float, width: float, height: float, kind: str, title: str = "") -> Element:
    """Add a rectangle; viewers show `title` under the pointer."""
    made = add(parent, "rect", x=x, y=y, width=width, height=height, class_=kind)
    if title:
        add(made, "title", title)
    return made


def picture(width: float, height: float, title: str) -> Element:
    """Return an empty picture of so many pixels."""
    root = Element("svg", {
        "xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {number(width)} {number(height)}", "role": "img",
        "width": number(width), "height": number(height), "aria-label": printable(title),
    })  # fmt: skip
    SubElement(root, "style").text = STYLE
    rectangle(root, 0, 0, width, height, "paper")
    return root


def to_svg(root: Element) -> str:
    """Return a picture as the text of a file."""
    indent(root, "")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(root, encoding="unicode")}\n'


def to_html(root: Element) -> str:
    """Return a page as the text of a file; what is in its scripts and styles stands there as it is."""
    return f"<!doctype html>\n{tostring(root, encoding='unicode', method='html')}\n"
