"""A report on a model as a page: summary, products, costs, plots and proof, in one file."""

from __future__ import annotations

from onnxtile.drawing.facts import Facts
from onnxtile.drawing.page import finish, page
from onnxtile.drawing.report_plots import plots
from onnxtile.drawing.report_rows import (
    PRODUCTS,
    engine_rows,
    layer_rows,
    left_rows,
    product_rows,
    region_rows,
    total_figures,
)
from onnxtile.drawing.svg import Element, add, to_html
from onnxtile.drawing.tables import add_figures, add_table

SCRIPT, STYLES = "report.js", ("page.css", "report.css")
_SIZES = "A product multiplies M x K by K x N numbers, as often as its batch says: M * K * N * batch MACs."
_MOVED = "bytes moved: what nodes read and write, each value once a node, on any engine"
_COSTS = (
    f"Amounts are sums over the nodes that a layer became. {_MOVED}; lowered: after lowering; beyond: more then.",
    f"{_MOVED}; bytes alive: what is in memory while the node runs.",
)
"""Explain columns of costs: before and after, and of one model."""


def report_page(facts: Facts) -> str:
    """Return the page; UsageError where matplotlib isn't installed."""
    names = facts.title if facts.after is None else f"{facts.title} and {facts.after_title}"
    root, body = page(f"Report on {names}", STYLES, SCRIPT)
    header = add(body, "header")
    add(header, "h1", f"Report on {names}")
    main = add(body, "main")
    _add_summary(main, facts)
    if facts.checked is not None:
        section = _section(main, "Products")
        add(section, "p", f"{_SIZES} What needs action comes first; a click on a heading sorts.", class_="dim")
        made = () if facts.comparison is None else facts.comparison.changes
        add_table(section, PRODUCTS, product_rows(facts.checked, made, facts.left), "no node holds a product")
        if facts.left is not None:
            add(section, "h3", f"Left in {facts.after_title}")
            add_table(section, PRODUCTS, left_rows(facts.left), "every product fits")
    drawn = plots(facts)
    section = add(_section(main, "Plots"), "div", class_="plots")
    if not drawn:
        add(section, "p", "no amount is a number; bind the free dimensions, and there will be plots", class_="dim")
    for number, (words, _) in enumerate(drawn):
        figure = add(section, "figure", aria_label=words)
        add(figure, "span", id=f"plot-{number}")
    section = _section(main, "Costs")
    add(section, "p", _COSTS[facts.comparison is None], class_="dim")
    add_table(section, *layer_rows(facts), empty="nothing was changed")
    if facts.before.engine is not None:
        section = _section(main, f"On {facts.before.engine.engine}")
        words = "bytes moved: between memory and local memory, by products, in whole bursts, and again each time"
        add(section, "p", words, class_="dim")
        add_table(section, *engine_rows(facts), empty="no product")
    if facts.verdict is not None:
        section = _section(main, "Proof")
        add(section, "p", facts.verdict.summary, class_="good" if facts.verdict.equivalent else "bad")
        for words in facts.verdict.warnings:
            add(section, "p", words, class_="warn")
        add_table(section, *region_rows(facts.verdict), empty="no region was rewritten")
    finish(body, SCRIPT, {})
    text = to_html(root)
    for number, (_, picture) in enumerate(drawn):  # no name can look like this: its brackets are escaped
        text = text.replace(f'<span id="plot-{number}"></span>', picture.strip(), 1)
    return text


def _section(main: Element, title: str) -> Element:
    section = add(main, "section")
    add(section, "h2", title)
    return section


def _add_summary(main: Element, facts: Facts) -> None:
    section = _section(main, "Summary")
    verdicts: list[tuple[bool | None, str]] = []
    if facts.checked is not None:
        judged = facts.left or facts.checked
        if facts.left is not None:
            verdicts.append((None, f"{facts.title}: {facts.checked.summary}"))
        verdicts.append((judged.ok, judged.summary if not judged.ok else f"every product fits {judged.limits}"))
        verdicts.append((None, judged.engine_summary))
    if facts.verdict is not None:
        verdicts.append((facts.verdict.equivalent, facts.verdict.summary))
    for fine, words in verdicts:
        add(section, "p", words, class_="dim" if fine is None else "good" if fine else "bad")
    titles = [facts.title] if facts.after is None else [facts.title, facts.after_title]
    add_figures(section, total_figures(facts), titles)
