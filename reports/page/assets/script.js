// SPDX-License-Identifier: MIT
"use strict";

// Tables sort by a click on a column's head.
for (const button of document.querySelectorAll("thead button")) {
  button.addEventListener("click", () => {
    const head = button.parentElement;
    const column = head.cellIndex;
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => {
      const cell = row.cells[column];
      return cell.dataset.order !== undefined ? Number(cell.dataset.order) : cell.textContent;
    };
    const compare = (a, b) => {
      if (typeof a === "number" && typeof b === "number") return a - b;
      if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;  // what has no number comes last
      return a.localeCompare(b, "en", {numeric: true});
    };
    const body = head.closest("table").tBodies[0];
    const rows = [...body.rows].sort((a, b) => compare(key(a), key(b)) * (down ? -1 : 1));
    body.append(...rows);
  });
}

// Charts take the colours of the page and the width of their column.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const narrow = window.matchMedia("(max-width: 40rem)");

// A chart's text with the colours of dark mode: what is drawn for white paper is too dark there.
const onDark = {"#111827": "#e5e7eb", "#5C6470": "#8f99a8", "#9AA1AB": "#c6ccd5", "#0072B2": "#3a9bd9"};

function read(id) {
  let text = document.getElementById(id).textContent;
  if (dark.matches) for (const [from, to] of Object.entries(onDark)) text = text.replaceAll(from, to);
  return JSON.parse(text);
}

function theme(spec) {
  const [ink, soft, line] = dark.matches ? ["#e5e7eb", "#9ca3af", "#374151"] : ["#374151", "#6b7280", "#e5e7eb"];
  delete spec.background;
  spec.config.background = null;
  spec.config.font = getComputedStyle(document.body).fontFamily;
  Object.assign(spec.config.axis, {labelColor: ink, titleColor: ink, gridColor: line, domainColor: soft, tickColor: soft});
  Object.assign(spec.config.legend, {labelColor: ink, titleColor: ink});
}

// As many columns as the longest label leaves room for.
function fitLegend(spec, width) {
  const longest = Math.max(1, ...(spec.data.values || []).map((row) => (row.label || "").length));
  const columns = Math.max(1, Math.floor((width - 60) / (7 * longest + 34)));
  for (const layer of spec.layer || []) {
    for (const channel of Object.values(layer.encoding)) {
      if (channel.legend) channel.legend.columns = columns;
    }
  }
}

async function draw(box) {
  const spec = read(box.dataset.spec);
  theme(spec);
  if (spec.width > 400) spec.width = "container";
  spec.autosize = {type: "fit-x", contains: "padding"};
  fitLegend(spec, box.clientWidth);
  try {
    const shown = await vegaEmbed(box, spec, {
      renderer: "svg", tooltip: {theme: dark.matches ? "dark" : "light"},
      actions: {export: true, source: false, compiled: false, editor: false}, downloadFileName: box.dataset.spec,
    });
    box.dataset.drawn = shown.view ? "yes" : "no";
  } catch (error) {
    box.textContent = "This chart could not be drawn: " + error;
    box.dataset.drawn = "no";
  }
}

async function drawAll() {
  if (typeof vegaEmbed === "undefined") return;
  for (const box of document.querySelectorAll(".chart[data-spec]")) await draw(box);
  document.documentElement.dataset.ready = "yes";
}

drawAll();
dark.addEventListener("change", drawAll);
narrow.addEventListener("change", drawAll);
