from __future__ import annotations

import re
from pathlib import Path

from onnxtile.drawing.facts import facts_of
from onnxtile.drawing.report_page import report_page
from onnxtile.drawing.report_rows import PRODUCTS
from onnxtile.tiling.limits import Limits
from onnxtile.verification.verify import verify
from tests.drawing.browser import Browser, needs_browser
from tests.drawing.models import HOSTILE, lowered, network


def test_a_page_has_all_that_was_asked_for() -> None:
    verdict = verify(network(), lowered(), seed=1)
    facts = facts_of(network(), lowered(), limits=Limits(4, 4, 4), verdict=verdict)
    page = report_page(facts)
    assert re.findall("<h2>(.*?)</h2>", page) == ["Summary", "Products", "Plots", "Costs", "Proof"]
    assert "every product fits 4,4,4" in page and "3 proven" in page and page.count("<svg") == 3
    assert page == report_page(facts)
    assert not re.search(r"(src|href)=\"http", page) and "default-src 'none'" in page


def test_names_stay_text() -> None:
    page = report_page(facts_of(network(HOSTILE), lowered(name=HOSTILE), limits=Limits(4, 4, 4)))
    assert "alert(1)" in page and "<script>alert" not in page and "\x1b" not in page and "\u202e" not in page
    assert page.count("<script") == 2


@needs_browser
def test_a_browser_runs_our_script_and_no_other(browser: Browser, tmp_path: Path) -> None:
    page = report_page(facts_of(network(), lowered()))
    other = "<script>document.title = 'run'</script>"
    (tmp_path / "a.html").write_text(page.replace("</body>", f"{other}</body>"))
    browser.open(tmp_path / "a.html")
    shown = browser.text
    assert 'tabindex="0"' in shown
    assert other in shown and "<title>Report on model and lowered</title>" in shown


@needs_browser
def test_a_click_on_a_heading_sorts(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(report_page(facts_of(network(), lowered(), limits=Limits(4, 4, 4))))
    browser.open(tmp_path / "a.html")

    def column(heading: str) -> list[str]:
        """Return the cells of a column of the products, as they stand."""
        rows = "[...document.querySelector('table.sortable').tBodies[0].rows]"
        return list(browser.ask(f"{rows}.map(row => row.cells[{PRODUCTS.index(heading)}].textContent)"))

    def click(heading: str) -> None:
        browser.click(f"table.sortable th:nth-child({PRODUCTS.index(heading) + 1}) button")

    numbers = sorted(int(text) for text in column("MACs"))
    assert len(set(numbers)) > 1
    click("MACs")
    assert [int(text) for text in column("MACs")] == numbers[::-1]
    click("MACs")
    assert [int(text) for text in column("MACs")] == numbers
    click("product")
    assert column("product") == sorted(column("product"))
