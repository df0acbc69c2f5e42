/** Sets of cells by position. A cell is row * columns + column of the whole matrix: never a label, never null for 0. */

export type CellId = number;

/** Twin of MOST_SELECTED in choices.py: more cells than this are not sent as labels. */
export const MOST_SELECTED = 100_000;

/** All cells of the rectangle that two corners span, row by row; corners are positions among the shown ones. */
export function rectangle(
  rows: Int32Array,
  columns: Int32Array,
  stride: number,
  from: { row: number; column: number },
  to: { row: number; column: number },
): CellId[] {
  const cells: CellId[] = [];
  for (let r = Math.min(from.row, to.row); r <= Math.max(from.row, to.row); r++)
    for (let c = Math.min(from.column, to.column); c <= Math.max(from.column, to.column); c++)
      cells.push(rows[r]! * stride + columns[c]!);
  return cells;
}

/** Take cells away if all are in the selection, else add those that are not; the order of choosing is kept. */
export function toggled(selection: readonly CellId[], cells: readonly CellId[]): CellId[] {
  const chosen = new Set(selection);
  if (cells.every((cell) => chosen.has(cell))) {
    const leaving = new Set(cells);
    return selection.filter((cell) => !leaving.has(cell));
  }
  return [...selection, ...cells.filter((cell) => !chosen.has(cell))];
}

/** The list with one element moved to another place. */
export function moved<T>(list: readonly T[], from: number, to: number): T[] {
  if (from < 0 || from >= list.length) return [...list];
  const rest = list.filter((_, at) => at !== from);
  rest.splice(Math.min(Math.max(to, 0), rest.length), 0, list[from]!);
  return rest;
}
