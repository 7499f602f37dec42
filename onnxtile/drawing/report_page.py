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
        add(section, "p", facts.checked.summary + (" in the original" if facts.left is not None else ""))
        made = () if facts.comparison is None else facts.comparison.changes
        add_table(section, PRODUCTS, product_rows(facts.checked, made, facts.left), "no node holds a product")
        if facts.left is not None:
            add(section, "h3", f"Left in {facts.after_title}")
            add_table(section, PRODUCTS, left_rows(facts.left), "every product fits")
    drawn = plots(facts)
    section = _section(main, "Plots")
    for number, (words, _) in enumerate(drawn):
        figure = add(section, "figure", aria_label=words)
        add(figure, "span", id=f"plot-{number}")
    section = _section(main, "Costs")
    add(section, "p", "bytes moved: what nodes read and write, each value once a node, on any engine", class_="dim")
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
    verdicts = []
    if facts.checked is not None:
        judged = facts.left or facts.checked
        verdicts.append((judged.ok, judged.summary if not judged.ok else f"every product fits {judged.limits}"))
    if facts.verdict is not None:
        verdicts.append((facts.verdict.equivalent, facts.verdict.summary))
    for fine, words in verdicts:
        add(section, "p", words, class_="good" if fine else "bad")
    titles = [facts.title] if facts.after is None else [facts.title, facts.after_title]
    add_figures(section, total_figures(facts), titles)
