"use strict";
// The picture: the wheel and buttons zoom, dragging moves, a click on a product shows its tiles.
const data = JSON.parse(document.getElementById("data").textContent);
const svg = document.querySelector("main > svg");
const [, , fullWidth, fullHeight] = svg.getAttribute("viewBox").split(" ").map(Number);
const view = { x: 0, y: 0, scale: 1 };
svg.removeAttribute("width");
svg.removeAttribute("height");

function show() {
  const box = svg.getBoundingClientRect();
  svg.setAttribute("viewBox", [view.x, view.y, box.width / view.scale, box.height / view.scale].join(" "));
}
function zoom(factor, x, y) {
  const scale = Math.min(8, Math.max(0.02, view.scale * factor));
  view.x += x / view.scale - x / scale;
  view.y += y / view.scale - y / scale;
  view.scale = scale;
  show();
}
function whole(fits) {
  const box = svg.getBoundingClientRect();
  const across = box.width / fullWidth;
  view.scale = fits ? Math.min(across, box.height / fullHeight) : Math.min(1.25, Math.max(across, 0.75));
  view.x = (fullWidth - box.width / view.scale) / 2;
  if (!fits) view.x = Math.min(view.x, 0);
  view.y = 0;
  show();
}
svg.addEventListener("wheel", (event) => {
  event.preventDefault();
  const box = svg.getBoundingClientRect();
  if (event.ctrlKey || !event.shiftKey) zoom(Math.exp(-event.deltaY / 400), event.clientX - box.left, event.clientY - box.top);
  else { view.y += event.deltaY / view.scale; show(); }
}, { passive: false });
let drag = null, moved = false;
svg.addEventListener("pointerdown", (event) => { drag = [event.clientX, event.clientY]; moved = false; });
window.addEventListener("pointermove", (event) => {
  if (!drag) return;
  const [dx, dy] = [event.clientX - drag[0], event.clientY - drag[1]];
  if (!moved && Math.hypot(dx, dy) < 4) return;
  moved = true;
  svg.classList.add("moving");
  view.x -= dx / view.scale;
  view.y -= dy / view.scale;
  drag = [event.clientX, event.clientY];
  show();
});
window.addEventListener("pointerup", () => { drag = null; svg.classList.remove("moving"); });
window.addEventListener("resize", show);
for (const [name, act] of Object.entries({
  nearer: () => zoom(1.3, svg.clientWidth / 2, svg.clientHeight / 2),
  farther: () => zoom(1 / 1.3, svg.clientWidth / 2, svg.clientHeight / 2),
  whole: () => whole(true), wide: () => whole(false),
})) document.getElementById(name).addEventListener("click", act);

// A product: its tiles, and one of them.
function choose(block, center) {
  for (const old of document.querySelectorAll(".chosen, .shown")) old.classList.remove("chosen", "shown");
  const section = document.getElementById("block-" + block);
  (section || document.getElementById("hint")).classList.add("shown");
  const groups = [...svg.querySelectorAll(`g.product[data-block="${block}"]`)];
  for (const group of groups) group.classList.add("chosen");
  if (center && groups.length) {
    const whole = svg.getBoundingClientRect();
    const places = groups.map((group) => group.getBoundingClientRect());
    const [left, right] = [Math.min(...places.map((place) => place.left)), Math.max(...places.map((place) => place.right))];
    const top = places[0].top + places[0].height / 2;
    if (whole.width / view.scale < fullWidth) view.x += ((left + right) / 2 - whole.left - whole.width / 2) / view.scale;
    view.y = Math.max(0, view.y + (top - whole.top - whole.height / 2) / view.scale);
    show();
  }
}
for (const group of svg.querySelectorAll("g.product")) {
  group.setAttribute("tabindex", "0");
  group.addEventListener("click", () => { if (!moved) choose(group.dataset.block, false); });
  group.addEventListener("keydown", (event) => { if (event.key === "Enter") choose(group.dataset.block, false); });
}
document.getElementById("find").addEventListener("change", (event) => {
  const found = data.blocks.find(([, name]) => name === event.target.value)
    || data.blocks.find(([, name]) => name.includes(event.target.value));
  if (found && event.target.value) choose(found[0], true);
});

function span(product, axis, at) {
  const pieces = product.pieces[axis];
  if (pieces) return pieces[at];
  return [at * product.tile[axis], Math.min((at + 1) * product.tile[axis], product.size[axis])];
}
function named(names, place) {
  return names && names.texts.reduce((text, part, at) => text + (at ? place[names.axes[at - 1]] : "") + part, "");
}
for (const product of data.products) {
  const figure = document.getElementById(product.id);
  const panel = document.createElement("div");
  panel.className = "tile";
  const inputs = ["m", "k", "n"].map((letter, axis) => {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"),
      { type: "number", min: 0, max: product.counts[axis] - 1, value: 0, disabled: product.counts[axis] < 2 });
    label.append(letter + " ", input);
    panel.append(label);
    input.addEventListener("input", tell);
    return input;
  });
  const words = document.createElement("code");
  panel.append(words);
  figure.after(panel);
  const marks = ["a", "b", "c"].map(() => {
    const mark = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    mark.setAttribute("class", "mark");
    figure.append(mark);
    return mark;
  });
  function tell() {
    const place = inputs.map((input, axis) => Math.min(product.counts[axis] - 1, Math.max(0, Math.floor(+input.value || 0))));
    const spans = place.map((at, axis) => span(product, axis, at));
    const part = (axis, length) => spans[axis].map((end) => (end ?? product.size[axis]) / product.size[axis] * length);
    [["a", 1, 0], ["b", 2, 1], ["c", 2, 0]].forEach(([kind, across, down], at) => {
      const [x, y, width, height] = product.corner[kind];
      const [[left, right], [top, bottom]] = [part(across, width), part(down, height)];
      const set = { x: x + left, y: y + top, width: Math.max(1.5, right - left), height: Math.max(1.5, bottom - top) };
      for (const [name, value] of Object.entries(set)) marks[at].setAttribute(name, value);
    });
    const [m, k, n] = spans.map(([start, stop]) => `${start}:${stop}`);
    const sizes = spans.map(([start, stop]) => stop - start);
    const lines = [`C[${m}, ${n}] ${product.counts[1] > 1 ? "+=" : "="} A[${m}, ${k}] @ B[${k}, ${n}]`,
      `${sizes[0]} x ${sizes[1]} x ${sizes[2]}: ${(sizes[0] * sizes[1] * sizes[2]).toLocaleString("en")} MACs`];
    if (product.counts[1] > 1) lines.push(`product ${place[1] + 1} of the ${product.counts[1]} that are added up for this tile of C`);
    const node = named(product.names.nodes, place);
    if (node !== null) {
      const operands = ["a", "b"].map((side) => named(product.names[side], place) ?? "?");
      lines.push(`node ${node} = ${product.operator}(${operands.join(", ")})`);
    } else if (product.note) lines.push(product.note);
    words.replaceChildren(...lines.flatMap((line) => [line, document.createElement("br")]));
  }
  figure.addEventListener("click", (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(figure.getScreenCTM().inverse());
    for (const [kind, across, down] of [["a", 1, 0], ["b", 2, 1], ["c", 2, 0]]) {
      const [x, y, width, height] = product.corner[kind];
      const parts = [(at.x - x) / width, (at.y - y) / height];
      if (parts.some((part) => part < 0 || part >= 1)) continue;
      [across, down].forEach((axis, which) => {
        const place = parts[which] * product.size[axis];
        let low = 0;
        while (low + 1 < product.counts[axis] && span(product, axis, low + 1)[0] <= place) low += 1;
        inputs[axis].value = low;
      });
      tell();
    }
  });
  tell();
}
whole(false);
if (data.chosen !== null) choose(data.chosen, true);
