/** Labels of layers on the left, of components and their groups below. */
import { element } from "../dom.ts";
import type { Figure } from "../figure.ts";
import { shorten } from "../format.ts";
import { type GroupRun, splitLabel } from "../labels.ts";
import { labelStep } from "../layout.ts";
import type { Spans } from "../raster.ts";

const ROW_LABEL_ROOM = 40;
const TURNED_LABEL_ROOM = 15;
const CHARACTER_WIDTH = 7.2; // of the label font, on the wide side
const LONGEST_TURNED = 22;
const LONGEST_ROW_LABEL = 18;

export interface Axes {
  readonly rows: HTMLElement;
  readonly columns: HTMLElement;
  draw(figure: Figure): void;
}

/** CSS width that the layer labels need. */
export function rowAxisWidth(figure: Pick<Figure, "rows" | "state">): number {
  const { layers } = figure.state.matrix;
  const step = Math.max(1, Math.floor(figure.rows.length / 200));
  let longest = "layer".length;
  for (let at = 0; at < figure.rows.length; at += step)
    longest = Math.max(longest, Math.min(LONGEST_ROW_LABEL, String(layers.at(figure.rows[at]!)).length));
  return Math.ceil(longest * CHARACTER_WIDTH) + 12;
}

export function createAxes(): Axes {
  const rows = element("div", "layergrid-rows", { "aria-hidden": "true" });
  const columns = element("div", "layergrid-columns", { "aria-hidden": "true" });
  let drawnLayout: unknown = null;
  let drawnRows: unknown = null;
  let drawnColumns: unknown = null;

  return {
    rows,
    columns,
    draw(figure) {
      if (figure.layout === drawnLayout && figure.rows === drawnRows && figure.columns === drawnColumns)
        return;
      drawnLayout = figure.layout;
      drawnRows = figure.rows;
      drawnColumns = figure.columns;
      drawRows(rows, figure);
      drawColumns(columns, figure);
    },
  };
}

function drawRows(axis: HTMLElement, figure: Figure): void {
  const { layout, rows, state } = figure;
  axis.style.height = `${layout.height / layout.ratio}px`;
  const step = labelStep(rows.length, layout.height / layout.ratio, ROW_LABEL_ROOM);
  const fromBottom = state.origin === "lower";
  const labels: Node[] = [element("span", "layergrid-axis-name", {}, "layer")];
  for (let place = 0; place < rows.length; place += step) {
    const at = fromBottom ? rows.length - 1 - place : place;
    const label = String(state.matrix.layers.at(rows[at]!));
    const made = element(
      "span",
      "layergrid-row-label",
      { "data-row": at },
      shorten(label, LONGEST_ROW_LABEL),
    );
    if (label.length > LONGEST_ROW_LABEL) made.title = label;
    made.style.top = `${middle(layout.rows, Math.floor(at / layout.rowBlock)) / layout.ratio}px`;
    labels.push(made);
  }
  axis.replaceChildren(...labels);
}

function drawColumns(axis: HTMLElement, figure: Figure): void {
  const { layout, columns, runs, state } = figure;
  const ratio = layout.ratio;
  const width = layout.width / ratio;
  axis.style.width = `${width}px`;
  const grouped =
    layout.columnBlock === 1 &&
    runs.some((run) => run.group !== "") &&
    headingsFit(runs, layout.columns, ratio);
  const full = Array.from(columns, (column) => String(state.matrix.components.at(column)));
  const texts = grouped ? full.map((label) => splitLabel(label).part) : full;
  const room = width / Math.max(1, columns.length);
  const longest = texts.reduce((most, text) => Math.max(most, text.length), 0);
  const upright = longest * CHARACTER_WIDTH + 4 <= room;
  const step = upright ? 1 : labelStep(columns.length, width, TURNED_LABEL_ROOM);
  const turnedLength = Math.min(longest, LONGEST_TURNED);
  const labelHeight = upright ? 20 : Math.ceil(turnedLength * CHARACTER_WIDTH) + 10;

  const labels: Node[] = [];
  for (let at = 0; at < columns.length; at += step) {
    const text = texts[at]!;
    const made = element(
      "span",
      upright ? "layergrid-column-label" : "layergrid-column-label layergrid-turned",
      { "data-column": at, title: full[at]! },
      shorten(text, upright ? text.length : LONGEST_TURNED),
    );
    made.style.left = `${middle(layout.columns, Math.floor(at / layout.columnBlock)) / ratio}px`;
    labels.push(made);
  }
  if (grouped)
    for (const run of runs)
      if (run.group !== "") labels.push(heading(run, layout.columns, ratio, labelHeight));
  axis.style.height = `${labelHeight + (grouped ? 24 : 0)}px`;
  axis.replaceChildren(...labels);
}

/** Headings are drawn where most groups have room for their name. */
function headingsFit(runs: readonly GroupRun[], columns: Spans, ratio: number): boolean {
  const fitting = runs.filter((run) => runWidth(run, columns, ratio) >= run.group.length * CHARACTER_WIDTH);
  return fitting.length * 2 >= runs.length;
}

function heading(run: GroupRun, columns: Spans, ratio: number, top: number): HTMLElement {
  const width = runWidth(run, columns, ratio);
  const fitting = Math.floor(width / CHARACTER_WIDTH);
  const made = element(
    "span",
    "layergrid-group",
    { title: run.group },
    fitting >= 2 ? shorten(run.group, fitting) : "",
  );
  made.style.left = `${columns.starts[run.start]! / ratio}px`;
  made.style.width = `${width}px`;
  made.style.top = `${top}px`;
  return made;
}

function runWidth(run: GroupRun, columns: Spans, ratio: number): number {
  return (columns.ends[run.end - 1]! - columns.starts[run.start]!) / ratio;
}

function middle(spans: Spans, at: number): number {
  return (spans.starts[at]! + spans.ends[at]!) / 2;
}
