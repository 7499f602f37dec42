"use strict";
// A click on a heading sorts by its column: numbers the greatest first, then the other way round.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  table.parentElement.tabIndex = 0; // keys scroll it
  headings.forEach((heading, at) => heading.addEventListener("click", () => {
    const numbers = heading.classList.contains("number");
    const before = heading.getAttribute("aria-sort");
    const down = before ? before === "ascending" : numbers;
    for (const other of headings) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows].map((row) => [row.cells[at], row]);
    const compare = ([one], [other]) => {
      const [left, right] = [one.dataset.sort, other.dataset.sort];
      if (left !== undefined && right !== undefined) return left === right ? 0 : Number(left) - Number(right);
      return one.textContent.localeCompare(other.textContent, "en", { numeric: true });
    };
    rows.sort((one, other) => (down ? compare(other, one) : compare(one, other)));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  }));
}
