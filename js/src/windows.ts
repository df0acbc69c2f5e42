/**
 * A window of the cells, reduced to blocks where there are more of them than the picture has room for.
 *
 * Blocks are `rowFactor` x `columnFactor` cells, powers of two, and begin at multiples of these from the first
 * cell on, so that they stay the same while the window moves; the last ones may be smaller. Absent cells take no
 * part; a block is absent where all its cells are. One NaN or infinity among the others marks the block, whatever
 * the aggregate, so that it never vanishes: NaN before infinities, and infinities of both signs make NaN.
 *
 * Twin of src/layergrid/large/windows.py; both read tests/fixtures/window_cases.json.
 */
import type { PaintedCells } from "./raster.ts";

/** What a block shows of its cells; `extreme` is the value farthest from the center, of two the larger one. */
export type Aggregate = "mean" | "min" | "max" | "extreme";
export const AGGREGATES: readonly Aggregate[] = ["mean", "min", "max", "extreme"];

/** A part of the cells: from `top`, `left` up to, not including, the ends. */
export interface Window {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** What is kept of each block: `extreme` follows from the last two. */
export type Plane = "mean" | "min" | "max";

/** Blocks of cells, of one cell each in the finest level. */
export interface Level {
  readonly rows: number;
  readonly columns: number;
  readonly rowFactor: number;
  readonly columnFactor: number;
  /** Row-major; NaN where absent. */
  readonly values: Float32Array | Float64Array;
  /** How many cells of each block are there; null where that follows from its size, and for single cells. */
  readonly counts: Int32Array | null;
  /** Of single cells: 1 where absent. Null where none is, and for blocks. */
  readonly absent: Uint8Array | null;
  /** The whole matrix's cells, which tell how large the last blocks are. */
  readonly cellRows: number;
  readonly cellColumns: number;
}

/** Blocks of a level: from `top`, `left` up to, not including, the ends. */
type Blocks = Window;

/** The smallest power of two that puts `cells` into at most `pixels` blocks (and into one where there are none). */
export function levelFactor(cells: number, pixels: number): number {
  let factor = 1;
  while (Math.ceil(cells / factor) > Math.max(1, pixels)) factor *= 2;
  return factor;
}

/**
 * The blocks that a window touches, straight from the cells.
 *
 * A block that the window cuts is whole: it is made of its cells outside the window as well.
 */
export function reduceCells(
  cells: PaintedCells,
  window: Window,
  rowFactor: number,
  columnFactor: number,
  aggregate: Aggregate,
  center: number,
): PaintedCells {
  const blocks = blocksOf(cells, window, rowFactor, columnFactor);
  const base = baseLevel(cells);
  return aggregated(aggregate, center, (plane) =>
    reducedWindow(base, plane, rowFactor, columnFactor, blocks),
  );
}

/** The blocks of `cells` that a window touches; none where it lies outside. */
export function blocksOf(
  cells: { readonly rows: number; readonly columns: number },
  window: Window,
  rowFactor: number,
  columnFactor: number,
): Blocks {
  const [top, bottom] = blockRange(window.top, window.bottom, cells.rows, rowFactor);
  const [left, right] = blockRange(window.left, window.right, cells.columns, columnFactor);
  return { top, bottom, left, right };
}

function blockRange(from: number, to: number, cells: number, factor: number): [number, number] {
  const first = Math.max(0, from);
  const end = Math.min(cells, to);
  const block = Math.floor(first / factor);
  return [block, first < end ? Math.ceil(end / factor) : block];
}

/** Cells as a level of single ones. */
export function baseLevel({ rows, columns, values, absent }: PaintedCells): Level {
  const shape = { rows, columns, cellRows: rows, cellColumns: columns };
  return { ...shape, rowFactor: 1, columnFactor: 1, values, counts: null, absent };
}

/** A level whose blocks are still to be filled. */
export function emptyLevel(source: Level, rowFactor: number, columnFactor: number): Level {
  const { cellRows, cellColumns } = source;
  const rows = Math.ceil(cellRows / rowFactor);
  const columns = Math.ceil(cellColumns / columnFactor);
  const shape = { rows, columns, rowFactor, columnFactor, cellRows, cellColumns };
  return { ...shape, ...emptyBlocks(source, rows * columns), absent: null };
}

interface BlockValues {
  readonly values: Float32Array | Float64Array;
  readonly counts: Int32Array | null;
}

function emptyBlocks({ values, counts, absent }: Level, length: number): BlockValues {
  return {
    values: values instanceof Float32Array ? new Float32Array(length) : new Float64Array(length),
    counts: counts === null && absent === null ? null : new Int32Array(length),
  };
}

/** One aggregate of a window, of the planes that it follows from. */
export function aggregated(
  aggregate: Aggregate,
  center: number,
  planeOf: (plane: Plane) => PaintedCells,
): PaintedCells {
  if (aggregate !== "extreme") return planeOf(aggregate);
  const lows = planeOf("min").values;
  const highest = planeOf("max");
  const values = highest.values.slice();
  for (let i = 0; i < values.length; i++) {
    // False for a marked block, whose planes are equal.
    if (center - lows[i]! > values[i]! - center) values[i] = lows[i]!;
  }
  return { ...highest, values };
}

/** A window of one plane at the given factors, made from a level whose own factors divide them. */
export function reducedWindow(
  source: Level,
  plane: Plane,
  rowFactor: number,
  columnFactor: number,
  blocks: Blocks,
): PaintedCells {
  const rows = blocks.bottom - blocks.top;
  const columns = blocks.right - blocks.left;
  const rowRatio = rowFactor / source.rowFactor;
  const columnRatio = columnFactor / source.columnFactor;
  if (rowRatio > 1 || columnRatio > 1) {
    const { values, counts } = emptyBlocks(source, rows * columns);
    reduceBlocks(source, plane, rowRatio, columnRatio, blocks, { values, counts });
    return { rows, columns, values, absent: absentWhereZero(counts) };
  }
  const cut = <T extends Float32Array | Float64Array | Int32Array | Uint8Array>(all: T): T =>
    cutOut(all, source.columns, blocks);
  return {
    rows,
    columns,
    values: cut(source.values),
    absent:
      source.absent === null ? absentWhereZero(source.counts && cut(source.counts)) : cut(source.absent),
  };
}

/** The blocks' entries of a row-major array; the array itself where they are all of it. */
function cutOut<T extends Float32Array | Float64Array | Int32Array | Uint8Array>(
  all: T,
  stride: number,
  { top, bottom, left, right }: Blocks,
): T {
  const columns = right - left;
  const length = (bottom - top) * columns;
  if (length === all.length) return all;
  if (columns === stride) return all.subarray(top * stride, bottom * stride) as T;
  const part = all.slice(0, length) as T;
  for (let row = top, at = 0; at < length; row++, at += columns)
    part.set(all.subarray(row * stride + left, row * stride + right), at);
  return part;
}

/**
 * Reduce blocks of a level, `rowRatio` x `columnRatio` of them to one, into `target`, which holds just the
 * blocks asked for.
 */
export function reduceBlocks(
  source: Level,
  plane: Plane,
  rowRatio: number,
  columnRatio: number,
  { top, bottom, left, right }: Blocks,
  target: BlockValues,
): void {
  const columns = right - left;
  const reduceLine = plane === "mean" ? sumLine : plane === "min" ? lowLine : highLine;
  const start = plane === "mean" ? 0 : plane === "min" ? Infinity : -Infinity;
  const { values } = target;
  const line = new Float64Array(columns);
  // Those blocks for which plain arithmetic is not the answer: marked, partly absent, cut by the far edges.
  const wholeColumns = Math.floor(source.cellColumns / (columnRatio * source.columnFactor));
  for (let row = top; row < bottom; row++) {
    const first = row * rowRatio;
    const last = Math.min(source.rows, first + rowRatio);
    const whole = target.counts === null && (row + 1) * rowRatio * source.rowFactor <= source.cellRows;
    const plain = whole ? Math.max(0, Math.min(right, wholeColumns) - left) : 0;
    line.fill(start, 0, plain);
    for (let r = first; r < last && plain > 0; r++)
      reduceLine(source.values, r * source.columns + left * columnRatio, columnRatio, line, plain);
    const at = (row - top) * columns;
    const finite = storeLine(line, plane === "mean" ? 1 / (rowRatio * columnRatio) : 1, values, at, plain);
    for (let column = finite ? plain : 0; column < columns; column++) {
      const value = values[at + column]!;
      // What is not finite is marked, or a sum that left the range of numbers.
      if (column < plain && value - value === 0) continue;
      const begin = (left + column) * columnRatio;
      const end = Math.min(source.columns, begin + columnRatio);
      reduceBlock(source, plane, { top: first, bottom: last, left: begin, right: end }, target, at + column);
    }
  }
}

/** Put the first entries of a line in their place; whether all are finite. */
function storeLine(
  line: Float64Array,
  share: number,
  values: Float32Array | Float64Array,
  at: number,
  count: number,
): boolean {
  let rest = 0;
  for (let column = 0; column < count; column++) {
    const value = line[column]! * share;
    values[at + column] = value;
    rest += value - value;
  }
  return rest === 0;
}

type ReduceLine = (
  values: Float32Array | Float64Array,
  at: number,
  ratio: number,
  line: Float64Array,
  columns: number,
) => void;

const sumLine: ReduceLine = (values, at, ratio, line, columns) => {
  // Three loops for one: that over the cells of a block, where it is short, takes three times as long as they.
  if (ratio === 1) for (let column = 0; column < columns; column++) line[column]! += values[at + column]!;
  else if (ratio === 2)
    for (let column = 0, from = at; column < columns; column++, from += 2)
      line[column]! += values[from]! + values[from + 1]!;
  else
    for (let column = 0, from = at; column < columns; column++) {
      let sum = 0;
      for (const end = from + ratio; from < end; from += 4)
        sum += values[from]! + values[from + 1]! + values[from + 2]! + values[from + 3]!;
      line[column]! += sum;
    }
};

// Once NaN or infinite, `bad` makes the bound NaN: no comparison changes it any more.
const lowLine: ReduceLine = (values, at, ratio, line, columns) => {
  let from = at;
  for (let column = 0; column < columns; column++) {
    let low = line[column]!;
    let bad = 0;
    for (const end = from + ratio; from < end; from++) {
      const value = values[from]!;
      bad += value - value;
      low = value < low ? value : low;
    }
    line[column] = low + bad;
  }
};

const highLine: ReduceLine = (values, at, ratio, line, columns) => {
  let from = at;
  for (let column = 0; column < columns; column++) {
    let high = line[column]!;
    let bad = 0;
    for (const end = from + ratio; from < end; from++) {
      const value = values[from]!;
      bad += value - value;
      high = value > high ? value : high;
    }
    line[column] = high + bad;
  }
};

/** One block with all that may happen in it: absent and marked cells, smaller last ones, sums beyond numbers. */
function reduceBlock(
  source: Level,
  plane: Plane,
  { top, bottom, left, right }: Blocks,
  target: BlockValues,
  at: number,
): void {
  let count = 0;
  let mean = 0;
  let low = Infinity;
  let high = -Infinity;
  let mark = 0; // 0, or the NaN or infinity that marks the block
  for (let row = top; row < bottom; row++) {
    const height = Math.min(source.rowFactor, source.cellRows - row * source.rowFactor);
    for (let column = left; column < right; column++) {
      const from = row * source.columns + column;
      const width = Math.min(source.columnFactor, source.cellColumns - column * source.columnFactor);
      const weight =
        source.absent?.[from] === 1 ? 0 : source.counts === null ? height * width : source.counts[from]!;
      if (weight === 0) continue;
      const value = source.values[from]!;
      count += weight;
      if (value - value !== 0) {
        mark = strongerMark(mark, value);
        continue;
      }
      // A running mean in halves: neither it nor a difference can leave the range of numbers.
      mean += 2 * ((value / 2 - mean / 2) * (weight / count));
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  const value = count === 0 ? NaN : plane === "mean" ? mean : plane === "min" ? low : high;
  target.values[at] = mark === 0 ? value : mark; // NaN is not 0 either
  if (target.counts !== null) target.counts[at] = count;
}

/** NaN marks a block more strongly than an infinity; infinities of both signs make NaN. */
function strongerMark(mark: number, value: number): number {
  return mark === 0 ? value : mark === value ? mark : NaN;
}

function absentWhereZero(counts: Int32Array | null): Uint8Array | null {
  if (counts === null) return null;
  const absent = new Uint8Array(counts.length);
  for (let i = 0; i < absent.length; i++) absent[i] = counts[i] === 0 ? 1 : 0;
  return absent;
}
