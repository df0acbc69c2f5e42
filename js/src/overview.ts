/** The whole of a large matrix in blocks, which is here before its cells. */
import type { PaintedCells } from "./raster.ts";
import { type Aggregate, blocksOf, type Window } from "./windows.ts";

export interface Overview {
  /** Means of the blocks. */
  readonly cells: PaintedCells;
  readonly rowFactor: number;
  readonly columnFactor: number;
}

/** The cells of a large matrix: those that are here, and coarse ones in the place of others. */
export interface FarCells {
  /** Another overview of the same cells: more of it has been read. */
  look(overview: Overview): void;
  /** The blocks that a window touches, coarse where they are not here; these are asked for. */
  window(
    window: Window,
    rowFactor: number,
    columnFactor: number,
    aggregate: Aggregate,
    center: number,
  ): PaintedCells;
  /** The value of a cell, undefined where it is not here; NaN where absent. */
  at(row: number, column: number): number | undefined;
  /** All cells; null while some are not here. */
  whole(): PaintedCells | null;
  /** Another one whenever something has arrived. */
  version(): number;
  /** What keeps cells from arriving, in words; "" where nothing does. */
  trouble(): string;
  /** Share of all cells that are here, where all of them are to come; null where they are not. */
  progress(): number | null;
  /** Ask for no more cells than have arrived. */
  cancel(): void;
  stop(): void;
}

/** Blocks of any level as the overview shows their middle. */
export function coarse(
  { cells, ...factors }: Overview,
  blocks: Window,
  rowFactor: number,
  columnFactor: number,
): PaintedCells {
  const rows = blocks.bottom - blocks.top;
  const columns = blocks.right - blocks.left;
  const values = new Float32Array(rows * columns);
  const absent = cells.absent === null ? null : new Uint8Array(values.length);
  const across = Int32Array.from({ length: columns }, (_, at) =>
    Math.min(cells.columns - 1, Math.floor(((blocks.left + at + 0.5) * columnFactor) / factors.columnFactor)),
  );
  for (let row = 0, at = 0; row < rows; row++) {
    const middle = Math.floor(((blocks.top + row + 0.5) * rowFactor) / factors.rowFactor);
    const line = Math.min(cells.rows - 1, middle) * cells.columns;
    for (let column = 0; column < columns; column++, at++) {
      const from = line + across[column]!;
      values[at] = cells.values[from]!;
      if (absent !== null) absent[at] = cells.absent![from]!;
    }
  }
  return { rows, columns, values, absent };
}

/** Put what a tile holds of the blocks in their place. */
export function overlay(
  made: PaintedCells,
  blocks: Window,
  tile: PaintedCells,
  row: number,
  column: number,
): void {
  const top = Math.max(blocks.top, row);
  const bottom = Math.min(blocks.bottom, row + tile.rows);
  const left = Math.max(blocks.left, column);
  const right = Math.min(blocks.right, column + tile.columns);
  for (let r = top; r < bottom; r++) {
    const from = (r - row) * tile.columns - column;
    const to = (r - blocks.top) * made.columns - blocks.left;
    made.values.set(tile.values.subarray(from + left, from + right), to + left);
    if (made.absent === null) continue;
    if (tile.absent === null) made.absent.fill(0, to + left, to + right);
    else made.absent.set(tile.absent.subarray(from + left, from + right), to + left);
  }
}

/** Nothing but the overview, as long as nobody is there who asks for cells. */
export function overviewAlone(shape: { readonly rows: number; readonly columns: number }): FarCells {
  let overview: Overview;
  return {
    look(next) {
      overview = next;
    },
    window: (window, rowFactor, columnFactor) =>
      coarse(overview, blocksOf(shape, window, rowFactor, columnFactor), rowFactor, columnFactor),
    at: () => undefined,
    whole: () => null,
    version: () => 0,
    trouble: () => "",
    progress: () => null,
    cancel() {},
    stop() {},
  };
}
