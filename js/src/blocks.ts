/**
 * The shown cells, reduced to blocks where there are more of them than the picture has room for.
 *
 * A block shows the mean of its finite cells. One NaN or infinity among them marks the whole block, so that it
 * never vanishes; a block is absent where all its cells are.
 */
import type { PaintedCells } from "./raster.ts";

export interface CellSource {
  readonly values: Float32Array | Float64Array;
  /** Cells in one row of `values`. */
  readonly stride: number;
  /** 1 where the layer has no such component; null where none is absent. */
  readonly absent: Uint8Array | null;
}

/** How many cells one block holds along an axis of `cells` in `pixels` CSS pixels, at least `smallest` a cell. */
export function blockLength(cells: number, pixels: number, smallest: number): number {
  if (cells * smallest <= pixels) return 1;
  return Math.max(2, Math.ceil(cells / Math.max(1, pixels)));
}

/** Gather the cells at `rows` x `columns` (indices into the source), `rowBlock` x `columnBlock` to a painted cell. */
export function gatherCells(
  source: CellSource,
  rows: Int32Array,
  columns: Int32Array,
  rowBlock: number,
  columnBlock: number,
): PaintedCells {
  return rowBlock === 1 && columnBlock === 1
    ? gatherSingles(source, rows, columns)
    : gatherMeans(source, rows, columns, rowBlock, columnBlock);
}

function gatherSingles(
  { values, stride, absent }: CellSource,
  rows: Int32Array,
  columns: Int32Array,
): PaintedCells {
  const shape = { rows: rows.length, columns: columns.length };
  if (isWhole(rows, values.length / stride) && isWhole(columns, stride)) return { ...shape, values, absent };
  const gathered =
    values instanceof Float32Array
      ? new Float32Array(shape.rows * shape.columns)
      : new Float64Array(shape.rows * shape.columns);
  const gone = absent === null ? null : new Uint8Array(gathered.length);
  let at = 0;
  for (const row of rows)
    for (const column of columns) {
      gathered[at] = values[row * stride + column]!;
      if (gone !== null) gone[at] = absent![row * stride + column]!;
      at++;
    }
  return { ...shape, values: gathered, absent: gone };
}

function gatherMeans(
  { values, stride, absent }: CellSource,
  rows: Int32Array,
  columns: Int32Array,
  rowBlock: number,
  columnBlock: number,
): PaintedCells {
  const shape = { rows: Math.ceil(rows.length / rowBlock), columns: Math.ceil(columns.length / columnBlock) };
  const means = new Float64Array(shape.rows * shape.columns);
  const gone = absent === null ? null : new Uint8Array(means.length);
  const sums = new Float64Array(shape.columns);
  const counts = new Int32Array(shape.columns);
  const marks = new Float64Array(shape.columns); // 0, or the NaN or infinity that marks the block
  const consecutive = columns.every((column, at) => column === columns[0]! + at);
  for (let blockRow = 0; blockRow < shape.rows; blockRow++) {
    sums.fill(0);
    counts.fill(0);
    marks.fill(0);
    const rowEnd = Math.min(rows.length, (blockRow + 1) * rowBlock);
    for (let r = blockRow * rowBlock; r < rowEnd; r++) {
      const line = rows[r]! * stride;
      const first = line + columns[0]!;
      for (let blockColumn = 0, c = 0; blockColumn < shape.columns; blockColumn++) {
        const columnEnd = Math.min(columns.length, c + columnBlock);
        let sum = 0;
        for (; c < columnEnd; c++) {
          const at = consecutive ? first + c : line + columns[c]!;
          const value = values[at]!;
          if (value - value === 0) {
            sum += value;
            counts[blockColumn]!++;
          } else if (absent === null || absent[at] === 0) {
            marks[blockColumn] = strongerMark(marks[blockColumn]!, value);
          }
        }
        sums[blockColumn]! += sum;
      }
    }
    const at = blockRow * shape.columns;
    for (let c = 0; c < shape.columns; c++) {
      const marked = marks[c]! !== 0; // true for NaN too
      means[at + c] = marked ? marks[c]! : counts[c]! > 0 ? finiteMean(sums[c]!, counts[c]!) : NaN;
      if (gone !== null && !marked && counts[c] === 0) gone[at + c] = 1;
    }
  }
  return { ...shape, values: means, absent: gone };
}

/** A sum of very large numbers may leave the range of numbers; their mean does not, and must not look infinite. */
function finiteMean(sum: number, count: number): number {
  return Math.min(Number.MAX_VALUE, Math.max(-Number.MAX_VALUE, sum / count));
}

/** NaN marks a block more strongly than an infinity; infinities of both signs make NaN. */
function strongerMark(mark: number, value: number): number {
  return mark === 0 ? value : mark === value ? mark : NaN;
}

function isWhole(indices: Int32Array, length: number): boolean {
  if (indices.length !== length) return false;
  for (let i = 0; i < length; i++) if (indices[i] !== i) return false;
  return true;
}
