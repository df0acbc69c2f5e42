/** Cell <-> pixel. All edges are whole device pixels, so that no cell is smeared and no seam shows. */
import type { GroupRun } from "./labels.ts";
import type { Spans } from "./raster.ts";
import { levelFactor } from "./windows.ts";

/** CSS pixels of a row, at least, while all are in view. */
export const SMALLEST_ROW = 3;
const LARGEST_CELL_WIDTH = 132;
const LARGEST_ROW = 26;
const USUAL_HEIGHT = 480;
const LARGEST_HEIGHT = 640;
const GROUP_GAP = 12;
const LARGEST_GAP_SHARE = 0.12;
const LABELLED_ROW = 20;
const ROW_LABEL_ROOM = 40;

export interface GridLayout {
  /** Size of the picture in device pixels, and device pixels to a CSS pixel. */
  readonly width: number;
  readonly height: number;
  readonly ratio: number;
  /** Cells to a painted row and column, powers of two: more than one where there are more cells than room. */
  readonly rowBlock: number;
  readonly columnBlock: number;
  /** Device pixels of each painted column, left to right, and painted row, top to bottom. */
  readonly columns: Spans;
  readonly rows: Spans;
}

/** CSS height of a grid of `rows` rows: rows of a comfortable height, at least 3 px as long as the page allows. */
export function gridHeight(rows: number): number {
  const comfortable = Math.min(LARGEST_ROW * rows, USUAL_HEIGHT);
  return Math.min(Math.max(comfortable, SMALLEST_ROW * rows), LARGEST_HEIGHT);
}

/** CSS width beyond which cells no longer grow. */
export function largestGridWidth(columns: number, runs: readonly GroupRun[]): number {
  return columns * LARGEST_CELL_WIDTH + Math.max(0, runs.length - 1) * GROUP_GAP;
}

/** Cells to a painted cell: one while each has `smallest` CSS pixels, else as many as leave a device pixel to each. */
export function blockLength(cells: number, cssLength: number, ratio: number, smallest: number): number {
  const pixels = Math.floor(cssLength * ratio);
  if (cells * smallest <= Math.min(cssLength, pixels)) return 1;
  return Math.max(smallest > 1 ? 2 : 1, levelFactor(cells, pixels));
}

/**
 * From `start` up to `end` of `count` cells in whole blocks: as many blocks as that takes, which begin at multiples
 * of their length from the first cell on, so that they stay the same while the view moves.
 */
export function snapped(start: number, end: number, count: number, block: number): readonly [number, number] {
  const first = Math.floor(start / block) * block;
  return [first, Math.min(count, first + Math.ceil((end - start) / block) * block)];
}

/** Where the blocks of cells from `start` to `end` begin, and the end, from the first cell; `reversed` from the last. */
export function blockStarts(start: number, end: number, block: number, reversed: boolean): Int32Array {
  const length = end - start;
  const blocks = Math.ceil(length / block);
  return Int32Array.from({ length: blocks + 1 }, (_, i) =>
    reversed ? length - Math.min(length, (blocks - i) * block) : Math.min(length, i * block),
  );
}

export function gridLayout(
  rows: { readonly cells: Int32Array; readonly block: number },
  columns: { readonly cells: Int32Array; readonly block: number },
  runs: readonly GroupRun[],
  cssWidth: number,
  cssHeight: number,
  ratio: number,
): GridLayout {
  const width = Math.max(1, Math.round(cssWidth * ratio));
  const height = Math.max(1, Math.round(cssHeight * ratio));
  const gaps = columns.block === 1 ? gapsBefore(columns.cells.length - 1, runs, width, ratio) : null;
  return {
    width,
    height,
    ratio,
    rowBlock: rows.block,
    columnBlock: columns.block,
    columns: spans(columns.cells, width, gaps),
    rows: spans(rows.cells, height, null),
  };
}

/** Device pixels of gaps to the left of each column; null where there is no room for any. */
function gapsBefore(
  columns: number,
  runs: readonly GroupRun[],
  width: number,
  ratio: number,
): Int32Array | null {
  if (runs.length < 2) return null;
  const spare = Math.min(LARGEST_GAP_SHARE * width, width - columns) / (runs.length - 1);
  const gap = Math.floor(Math.min(GROUP_GAP * ratio, spare));
  if (gap < 2) return null;
  const before = new Int32Array(columns);
  runs.forEach((run, at) => {
    before.fill(at * gap, run.start, run.end);
  });
  return before;
}

/** Divide `length` device pixels among the painted cells, as evenly as whole pixels allow: none goes without. */
function spans(cells: Int32Array, length: number, gapsBefore: Int32Array | null): Spans {
  const count = cells.length - 1;
  const free = length - (gapsBefore === null ? 0 : gapsBefore[count - 1]!);
  const starts = new Int32Array(count);
  const ends = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const gap = gapsBefore === null ? 0 : gapsBefore[i]!;
    starts[i] = gap + Math.round((i * free) / count);
    ends[i] = gap + Math.round(((i + 1) * free) / count);
  }
  return { starts, ends, length: count, cells };
}

/** The painted cell that holds a cell in view. */
export function spanOfCell({ cells, length }: Spans, cell: number): number {
  if (cells[length] === length) return cell;
  let from = 0;
  let to = length - 1;
  while (from < to) {
    const middle = (from + to + 1) >> 1;
    if (cells[middle]! <= cell) from = middle;
    else to = middle - 1;
  }
  return from;
}

/** The cell in view at a device pixel; -1 outside and in gaps, unless the nearest is asked for. */
export function cellUnder(spans: Spans, pixel: number, nearest: boolean): number {
  const at = nearest ? nearestSpan(spans, pixel) : spanAt(spans, pixel);
  if (at < 0) return at;
  const first = spans.cells[at]!;
  const count = spans.cells[at + 1]! - first;
  if (count === 1) return first;
  const share = (pixel - spans.starts[at]!) / Math.max(1, spans.ends[at]! - spans.starts[at]!);
  return first + Math.min(count - 1, Math.max(0, Math.floor(share * count)));
}

/** The painted row or column at a device pixel; -1 in a gap or outside. */
export function spanAt(spans: Spans, pixel: number): number {
  let from = 0;
  let to = spans.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (spans.ends[middle]! <= pixel) from = middle + 1;
    else to = middle;
  }
  return from < spans.length && spans.starts[from]! <= pixel ? from : -1;
}

/** Like `spanAt`, but outside and in gaps the nearest one: a drag may leave the picture. */
export function nearestSpan(spans: Spans, pixel: number): number {
  const at = spanAt(spans, pixel);
  if (at >= 0) return at;
  let nearest = 0;
  let distance = Infinity;
  for (let i = 0; i < spans.length; i++) {
    const away = pixel < spans.starts[i]! ? spans.starts[i]! - pixel : pixel - spans.ends[i]! + 1;
    if (away < distance) [nearest, distance] = [i, away];
  }
  return nearest;
}

/** Every how many labels one is shown, so that each has `room` CSS pixels: 1, 2, 3, 4, 5, 10, 20, 25, 50 ... */
export function labelStep(count: number, length: number, room: number): number {
  const least = (count * room) / Math.max(length, 1);
  if (!(least > 1)) return 1;
  for (let power = 1; ; power *= 10)
    for (const step of power === 1 ? [1, 2, 3, 4, 5] : [1, 2, 2.5, 5])
      if (step * power >= least) return step * power;
}

/** Every how many rows has a label in `length` CSS pixels: all where they are high, else so many that none crowd. */
export function rowLabelStep(count: number, length: number): number {
  return length < count * LABELLED_ROW ? labelStep(count, length, ROW_LABEL_ROOM) : 1;
}
