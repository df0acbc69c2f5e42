/** Outlines over the picture: the selection, cells of a finding, a rectangle being dragged, the cell under the pointer. */
import { element, sizeCanvas } from "../dom.ts";
import type { Figure } from "../figure.ts";
import type { Box } from "../findings.ts";
import { spanOfCell } from "../layout.ts";
import type { Spans } from "../raster.ts";
import type { CellId } from "../selection.ts";
import type { Spot } from "./aim.ts";
import { createDivisions } from "./divisions.ts";

export interface Outlined {
  readonly hover: Spot | null;
  readonly drag: { readonly from: Spot; readonly to: Spot } | null;
  /** Cells of the matrix that a finding or a claim is about; dashed. */
  readonly finding: readonly Box[];
}

export interface Outlines {
  readonly canvas: HTMLCanvasElement;
  draw(figure: Figure, outlined: Outlined): void;
}

/** The box of a cell in device pixels; that of its block where several share one. */
export function cellBox(figure: Figure, { row, column }: Spot): DOMRect {
  const { rows, columns } = figure.layout;
  const r = spanOfCell(rows, row);
  const c = spanOfCell(columns, column);
  const x = columns.starts[c]!;
  const y = rows.starts[r]!;
  return new DOMRect(x, y, columns.ends[c]! - x, rows.ends[r]! - y);
}

export function createOutlines(): Outlines {
  const canvas = element("canvas", "layergrid-marks", { "aria-hidden": "true" });
  const context = canvas.getContext("2d")!;
  const drawDivisions = createDivisions();
  let drawn = false;

  return {
    canvas,
    draw(figure, { hover, drag, finding }) {
      const { layout, state } = figure;
      const { width, height, ratio } = layout;
      sizeCanvas(canvas, width, height, ratio);
      const divided = (state.tensor?.divisions ?? []).length > 0;
      const wanted =
        divided || hover !== null || drag !== null || finding.length > 0 || state.selection.length > 0;
      if (!wanted && !drawn) return;
      context.clearRect(0, 0, width, height);
      drawn = wanted;
      drawDivisions(context, figure);
      if (state.selection.length > 0) strokeTwice(context, selectionPath(figure, state.selection), ratio, 2);
      if (finding.length > 0) strokeDashed(context, boxesPath(figure, finding), ratio);
      if (hover !== null) {
        const path = new Path2D();
        const box = cellBox(figure, hover);
        path.rect(box.x + ratio / 2, box.y + ratio / 2, box.width - ratio, box.height - ratio);
        strokeTwice(context, path, ratio, 1);
      }
      if (drag !== null) {
        const from = cellBox(figure, drag.from);
        const to = cellBox(figure, drag.to);
        const path = new Path2D();
        const x = Math.min(from.x, to.x);
        const y = Math.min(from.y, to.y);
        path.rect(x, y, Math.max(from.right, to.right) - x, Math.max(from.bottom, to.bottom) - y);
        strokeTwice(context, path, ratio, 1.5);
      }
    },
  };
}

/** A dark line with a light one inside: it reads on any color. */
function strokeTwice(context: CanvasRenderingContext2D, path: Path2D, ratio: number, width: number): void {
  context.lineJoin = "miter";
  context.strokeStyle = "rgba(255,255,255,0.95)";
  context.lineWidth = (width + 2) * ratio;
  context.stroke(path);
  context.strokeStyle = "rgba(15,15,20,0.95)";
  context.lineWidth = width * ratio;
  context.stroke(path);
}

/** Dark dashes upon a light line. */
function strokeDashed(context: CanvasRenderingContext2D, path: Path2D, ratio: number): void {
  context.strokeStyle = "rgba(255,255,255,0.9)";
  context.lineWidth = 3 * ratio;
  context.stroke(path);
  context.strokeStyle = "rgba(15,15,20,0.95)";
  context.lineWidth = 1.5 * ratio;
  context.setLineDash([5 * ratio, 3.5 * ratio]);
  context.stroke(path);
  context.setLineDash([]);
}

const SMALLEST_OUTLINE = 7; // CSS px: a box of one tiny cell must be seen

/** The boxes as they lie in view: cut where a gap, or a hidden or moved row or column, parts them. */
function boxesPath(figure: Figure, boxes: readonly Box[]): Path2D {
  const { layout } = figure;
  const { ratio } = layout;
  const path = new Path2D();
  for (const { top, bottom, left, right } of boxes)
    for (const [up, down] of stretches(figure.rows, top, bottom, layout.rows))
      for (const [start, end] of stretches(figure.columns, left, right, layout.columns)) {
        // Just inside the cells, as the outline of a selection; but never too small to be seen.
        const spare = Math.max(-ratio, (SMALLEST_OUTLINE * ratio - (end - start)) / 2);
        const lift = Math.max(-ratio, (SMALLEST_OUTLINE * ratio - (down - up)) / 2);
        path.rect(start - spare, up - lift, end - start + 2 * spare, down - up + 2 * lift);
      }
  return path;
}

/** Device pixels, from and to, of the unbroken stretches that the indices from `first` to `last` are painted in. */
function stretches(indices: Int32Array, first: number, last: number, spans: Spans): [number, number][] {
  const found: [number, number][] = [];
  let open: [number, number] | null = null;
  indices.forEach((index, at) => {
    const painted = spanOfCell(spans, at);
    const start = spans.starts[painted]!;
    if (index < first || index > last) open = null;
    else if (open !== null && start <= open[1]) open[1] = spans.ends[painted]!;
    else {
      open = [start, spans.ends[painted]!];
      found.push(open);
    }
  });
  return found;
}

/** The edges that part selected cells from others, drawn just inside the selected ones. */
function selectionPath(figure: Figure, selection: readonly CellId[]): Path2D {
  const { layout, state } = figure;
  const stride = state.matrix.columns;
  const rowAt = positions(figure.rows, layout.rows);
  const columnAt = positions(figure.columns, layout.columns);
  const wide = layout.columns.length;
  const chosen = new Set<number>();
  for (const cell of selection) {
    const row = rowAt.get(Math.floor(cell / stride));
    const column = columnAt.get(cell % stride);
    if (row !== undefined && column !== undefined) chosen.add(row * wide + column);
  }
  const path = new Path2D();
  const inset = 1.5 * layout.ratio;
  for (const spot of chosen) {
    const row = Math.floor(spot / wide);
    const column = spot % wide;
    const { starts: lefts, ends: rights } = layout.columns;
    const { starts: tops, ends: bottoms } = layout.rows;
    const above = chosen.has(spot - wide);
    const below = chosen.has(spot + wide);
    const before = column > 0 && chosen.has(spot - 1) && rights[column - 1] === lefts[column];
    const after = column < wide - 1 && chosen.has(spot + 1) && rights[column] === lefts[column + 1];
    const left = lefts[column]! + (before ? 0 : inset);
    const right = rights[column]! - (after ? 0 : inset);
    const top = tops[row]! + (above ? 0 : inset);
    const bottom = bottoms[row]! - (below ? 0 : inset);
    const line = (x0: number, y0: number, x1: number, y1: number) => {
      path.moveTo(x0, y0);
      path.lineTo(x1, y1);
    };
    if (!(above || below || before || after)) {
      path.rect(left, top, right - left, bottom - top);
      continue;
    }
    if (!above) line(left, top, right, top);
    if (!below) line(left, bottom, right, bottom);
    if (!before) line(left, top, left, bottom);
    if (!after) line(right, top, right, bottom);
  }
  return path;
}

/** Index into the matrix -> painted position. */
function positions(indices: Int32Array, spans: Spans): Map<number, number> {
  return new Map(Array.from(indices, (index, at) => [index, spanOfCell(spans, at)]));
}
