/** Cell <-> pixel. All edges are whole device pixels, so that no cell is smeared and no seam shows. */
import { blockLength } from "./blocks.ts";
import type { GroupRun } from "./labels.ts";
import type { Spans } from "./raster.ts";

const SMALLEST_ROW = 3;
const SMALLEST_COLUMN = 1;
const LARGEST_CELL_WIDTH = 132;
const LARGEST_ROW = 26;
const USUAL_HEIGHT = 480;
const LARGEST_HEIGHT = 640;
const GROUP_GAP = 12;
const LARGEST_GAP_SHARE = 0.12;

export interface GridLayout {
  /** Size of the picture in device pixels, and device pixels to a CSS pixel. */
  readonly width: number;
  readonly height: number;
  readonly ratio: number;
  /** Cells to a painted row and column: more than one where there are more cells than room. */
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

export function gridLayout(
  shape: { rows: number; columns: number },
  runs: readonly GroupRun[],
  cssWidth: number,
  cssHeight: number,
  ratio: number,
): GridLayout {
  const width = Math.max(1, Math.round(cssWidth * ratio));
  const height = Math.max(1, Math.round(cssHeight * ratio));
  // Never more painted cells than device pixels, also where the page is zoomed out.
  const rowBlock = blockLength(shape.rows, Math.min(cssHeight, height), SMALLEST_ROW);
  const columnBlock = blockLength(shape.columns, Math.min(Math.floor(cssWidth), width), SMALLEST_COLUMN);
  const gaps = columnBlock === 1 ? gapsBefore(shape.columns, runs, width, ratio) : null;
  return {
    width,
    height,
    ratio,
    rowBlock,
    columnBlock,
    columns: spans(Math.ceil(shape.columns / columnBlock), width, gaps),
    rows: spans(Math.ceil(shape.rows / rowBlock), height, null),
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

/** Divide `length` device pixels among `count` cells, as evenly as whole pixels allow. */
function spans(count: number, length: number, gapsBefore: Int32Array | null): Spans {
  const free = length - (gapsBefore === null ? 0 : gapsBefore[count - 1]!);
  const starts = new Int32Array(count);
  const ends = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const gap = gapsBefore === null ? 0 : gapsBefore[i]!;
    starts[i] = gap + Math.round((i * free) / count);
    ends[i] = gap + Math.round(((i + 1) * free) / count);
  }
  return { starts, ends, length: count };
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
