/** The shown cells of a matrix, side by side. */
import type { PaintedCells } from "./raster.ts";

/** The cells at `rows` x `columns`, indices into the matrix; the matrix itself where these are all as they come. */
export function gatherCells(matrix: PaintedCells, rows: Int32Array, columns: Int32Array): PaintedCells {
  const { values, absent, columns: stride } = matrix;
  const shape = { rows: rows.length, columns: columns.length };
  if (isWhole(rows, matrix.rows) && isWhole(columns, stride)) return { ...shape, values, absent };
  const length = shape.rows * shape.columns;
  const gathered = values instanceof Float32Array ? new Float32Array(length) : new Float64Array(length);
  const gone = absent === null ? null : new Uint8Array(length);
  let at = 0;
  for (const row of rows)
    for (const column of columns) {
      gathered[at] = values[row * stride + column]!;
      if (gone !== null) gone[at] = absent![row * stride + column]!;
      at++;
    }
  return { ...shape, values: gathered, absent: gone };
}

function isWhole(indices: Int32Array, length: number): boolean {
  if (indices.length !== length) return false;
  for (let i = 0; i < length; i++) if (indices[i] !== i) return false;
  return true;
}
