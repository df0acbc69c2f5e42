/** Labels of layers on the left, of components and their groups below. */
import { element } from "../dom.ts";
import type { Figure } from "../figure.ts";
import { shorten } from "../format.ts";
import { columnHeader } from "../header.ts";
import { rowLabelStep, spanOfCell } from "../layout.ts";
import type { Spans } from "../raster.ts";
import { LONGEST_ROW_LABEL } from "../room.ts";

export interface Axes {
  readonly rows: HTMLElement;
  readonly columns: HTMLElement;
  draw(figure: Figure): void;
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
  const height = layout.height / layout.ratio;
  const step = rowLabelStep(rows.length, height);
  axis.style.height = `${height}px`;
  const fromBottom = state.origin === "lower";
  const labels: Node[] = [
    element("span", "layergrid-axis-name", {}, shorten(state.matrix.axes[0], LONGEST_ROW_LABEL)),
  ];
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
    made.style.top = `${middle(layout.rows, spanOfCell(layout.rows, at)) / layout.ratio}px`;
    labels.push(made);
  }
  axis.replaceChildren(...labels);
}

function drawColumns(axis: HTMLElement, figure: Figure): void {
  const { layout, columns, runs, state } = figure;
  const { columns: spans, ratio } = layout;
  const { components } = state.matrix;
  const names = { length: columns.length, at: (place: number) => String(components.at(columns[place]!)) };
  const header = columnHeader(names, runs, { spans, ratio });
  const { labelHeight } = header;
  const labels = header.labels.map(({ at, text, full, middle, turned }) => {
    const name = turned ? "layergrid-column-label layergrid-turned" : "layergrid-column-label";
    const made = element("span", name, { "data-column": at, title: full }, text);
    made.style.left = `${middle}px`;
    return made;
  });
  const headings = header.headings.map(({ group, text, left, width }) => {
    const made = element("span", "layergrid-group", { title: group }, text);
    Object.assign(made.style, { left: `${left}px`, width: `${width}px`, top: `${labelHeight}px` });
    return made;
  });
  axis.style.width = `${layout.width / ratio}px`;
  axis.style.height = `${labelHeight + (headings.length > 0 ? 24 : 0)}px`;
  axis.replaceChildren(...labels, ...headings);
}

function middle(spans: Spans, at: number): number {
  return (spans.starts[at]! + spans.ends[at]!) / 2;
}
