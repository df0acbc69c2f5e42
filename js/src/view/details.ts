/** The selected cell at large: its value, and where it stands in its component and in its layer. */
import { type CellFacts, cellFacts, cellOverPages, columnValues, rowValues } from "../cell.ts";
import { cssColor } from "../colormap.ts";
import { button, element, setAttributes, setText, svg, toggle } from "../dom.ts";
import type { Figure } from "../figure.ts";
import { counted, numberFormat, shorten } from "../format.ts";
import { splitLabel } from "../labels.ts";
import { paletteIndex } from "../raster.ts";
import { finiteExtent } from "../statistics.ts";

const PROFILE_HEIGHT = 76;
const BARS_HEIGHT = 76;
const MOST_PROFILES = 5;
const MOST_POINTS = 1200;
const MOST_BARS = 200;

export interface Details {
  readonly root: HTMLElement;
  draw(figure: Figure, width: number): void;
}

/** `open` is asked for the tensor of a cell of the matrix. */
export function createDetails(open: (row: number, column: number) => void): Details {
  const hint = element(
    "p",
    "layergrid-hint",
    {},
    "Click a cell for its value and profiles; drag or shift-click for a rectangle, click a label for its row or column.",
  );
  const place = element("div", "layergrid-details-place");
  const value = element("button", "layergrid-details-value", {
    type: "button",
    "aria-pressed": "false",
    title: "All digits",
    "data-lm-suppress-shortcuts": "true",
  });
  const facts = element("span", "layergrid-details-facts");
  const parameter = element("div", "layergrid-details-parameter");
  const opener = button("layergrid-link", "open", "Open the cell's tensor (o, or double-click)", () => {
    if (last !== null) open(last.row, last.column);
  });
  const profileTitle = element("div", "layergrid-details-title");
  const profile = svg("svg", { class: "layergrid-profile", role: "img" });
  const pagesTitle = element("div", "layergrid-details-title");
  const pagesProfile = svg("svg", { class: "layergrid-profile", role: "img" });
  const overPages = element("div", "layergrid-over-pages", {}, pagesTitle, pagesProfile);
  const barsTitle = element("div", "layergrid-details-title");
  const bars = svg("svg", { class: "layergrid-bars", role: "img" });
  const content = element(
    "div",
    "layergrid-details-content",
    {},
    place,
    element("div", "layergrid-details-line", {}, value, facts, opener),
    parameter,
    overPages,
    profileTitle,
    profile,
    barsTitle,
    bars,
  );
  const root = element(
    "div",
    "layergrid-details",
    { role: "group", "aria-label": "Details of the selection" },
    hint,
    content,
  );
  let exact = false;
  let last: CellFacts | null = null;
  const showValue = () => {
    if (last !== null) setText(value, exact ? last.exact : last.short);
    value.setAttribute("aria-pressed", String(exact));
  };
  value.addEventListener("click", () => {
    exact = !exact;
    showValue();
  });

  return {
    root,
    draw(figure, width) {
      const { selection, matrix } = figure.state;
      const cell = selection[selection.length - 1];
      toggle(hint, cell === undefined);
      toggle(content, cell !== undefined);
      if (cell === undefined) {
        last = null;
        return;
      }
      last = cellFacts(figure, Math.floor(cell / matrix.columns), cell % matrix.columns);
      setText(
        place,
        `${last.rowText}, ${last.columnText}${selection.length > 1 ? ` · last of ${counted(selection.length, "cell")}` : ""}`,
      );
      showValue();
      setText(facts, [last.rank, last.deviation, last.offScale].filter((part) => part !== "").join(", "));
      setText(parameter, last.parameter);
      toggle(opener, figure.state.opens);
      toggle(parameter, last.parameter !== "");
      const columns = selectedColumns(figure);
      setText(
        profileTitle,
        `${columns.map((column) => String(matrix.components.at(column))).join(", ")} over ${matrix.axes[0]}s${matrix.far === null ? "" : " (means of blocks)"}`,
      );
      const marked = matrix.far === null ? figure.state.rows.indexOf(last.row) : -1;
      drawLines(
        profile,
        columns.map((column) => columnValues(figure, column)),
        marked,
        last.value,
        width,
      );
      const series = cellOverPages(figure, last.row, last.column);
      toggle(overPages, series !== null);
      if (series !== null) {
        const { selector, values, shown } = series;
        const { labels, dim } = selector;
        const [first, final] = [labels.at(0), labels.at(labels.length - 1)];
        setText(pagesTitle, `this cell over ${dim}, ${first} to ${final}`);
        drawLines(pagesProfile, [values], shown, last.value, width);
      }
      // The overview's means of a row say little of a cell's neighbours in it.
      toggle(barsTitle, matrix.far === null);
      bars.style.display = matrix.far === null ? "" : "none";
      if (matrix.far !== null) return;
      setText(barsTitle, `${last.rowText} over ${matrix.axes[1]}s`);
      drawBars(bars, figure, last, width);
    },
  };
}

/** Components of the selection, the last chosen first, at most a handful. */
function selectedColumns({ state }: Figure): number[] {
  const chosen = new Set<number>();
  for (let i = state.selection.length - 1; i >= 0 && chosen.size < MOST_PROFILES; i--)
    chosen.add(state.selection[i]! % state.matrix.columns);
  return [...chosen];
}

/** A line for each series, evenly spaced from the left; gaps where a value is not finite; a dot on the first one. */
function drawLines(
  box: SVGSVGElement,
  series: readonly Float64Array[],
  marked: number,
  markedValue: number,
  width: number,
): void {
  const extents = series.map(finiteExtent);
  const low = Math.min(...extents.map((extent) => extent.low));
  const high = Math.max(...extents.map((extent) => extent.high));
  const margin = 7;
  const plotHeight = PROFILE_HEIGHT - 2 * margin;
  const count = series[0]!.length;
  const x = (at: number) => margin + (count < 2 ? 0.5 : at / (count - 1)) * (width - 2 * margin);
  const y = (value: number) => margin + (high > low ? 1 - (value - low) / (high - low) : 0.5) * plotHeight;
  const parts: SVGElement[] = series.map((values, order) =>
    svg("path", { d: linePath(values, x, y), class: "layergrid-line", "data-order": order }),
  );
  if (marked >= 0 && Number.isFinite(markedValue))
    parts.push(svg("circle", { cx: x(marked), cy: y(markedValue), r: 4, class: "layergrid-dot" }));
  setAttributes(box, {
    width,
    height: PROFILE_HEIGHT,
    viewBox: `0 0 ${width} ${PROFILE_HEIGHT}`,
    "aria-label":
      high >= low
        ? `from ${numberFormat(low, high)(low)} to ${numberFormat(low, high)(high)}`
        : "no finite value",
  });
  box.replaceChildren(...parts);
}

function linePath(values: Float64Array, x: (at: number) => number, y: (value: number) => number): string {
  const step = Math.max(1, Math.floor(values.length / MOST_POINTS));
  let path = "";
  let pen = false;
  for (let at = 0; at < values.length; at += step) {
    const value = values[at]!;
    const drawable = Number.isFinite(value);
    if (drawable) path += `${pen ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = drawable;
  }
  return path;
}

/** One bar a shown component, in the cell's own color, from the lowest shown value (or zero) upwards. */
function drawBars(box: SVGSVGElement, figure: Figure, facts: CellFacts, width: number): void {
  const { state, scale, shown } = figure;
  const all = rowValues(figure, facts.row);
  const at = Math.max(0, state.columns.indexOf(facts.column));
  const start = Math.max(0, Math.min(at - MOST_BARS / 2, all.length - MOST_BARS));
  const values = all.slice(start, start + MOST_BARS);
  const extent = shown.extent();
  const crossesZero = extent.low < 0 && extent.high > 0;
  const base = crossesZero ? 0 : extent.low - 0.08 * (extent.high - extent.low || 1);
  const low = crossesZero ? extent.low : base;
  const labelRoom = 18;
  const plotHeight = BARS_HEIGHT - labelRoom - 2;
  const y = (value: number) => 1 + (1 - (value - low) / (extent.high - low || 1)) * plotHeight;
  const room = width / values.length;
  const gap = room > 12 ? 4 : room > 4 ? 1 : 0;
  const longest = Math.max(...Array.from(values, (_, i) => part(figure, start + i).length));
  const step = Math.max(1, Math.ceil((Math.min(longest, 8) * 6.6) / room));
  const parts: SVGElement[] = [];
  values.forEach((value, i) => {
    const left = i * room + gap / 2;
    if (Number.isFinite(value)) {
      const top = Math.min(y(value), y(base));
      parts.push(
        svg("rect", {
          x: left,
          y: top,
          width: Math.max(0.5, room - gap),
          height: Math.max(1, Math.abs(y(value) - y(base))),
          fill: cssColor(state.palette.colors[paletteIndex(scale, value)]!),
          class: start + i === at ? "layergrid-bar-marked" : "layergrid-bar-plain",
        }),
      );
    }
    if (i % step === 0) {
      const text = svg("text", {
        x: left + (room - gap) / 2,
        y: BARS_HEIGHT - 5,
        class: "layergrid-bar-label",
      });
      text.textContent = shorten(part(figure, start + i), Math.max(2, Math.floor((room * step) / 6.6)));
      parts.push(text);
    }
  });
  setAttributes(box, {
    width,
    height: BARS_HEIGHT,
    viewBox: `0 0 ${width} ${BARS_HEIGHT}`,
    "aria-label": `values of ${facts.rowText} over ${counted(all.length, state.matrix.axes[1])}`,
  });
  box.replaceChildren(...parts);
}

function part({ state }: Figure, at: number): string {
  return splitLabel(String(state.matrix.components.at(state.columns[at]!))).part;
}
