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
  /** The blocks that a window touches, coarse where they are not here; these are asked for. Holds until the next. */
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
  /** Ask again for what could not be had. */
  retry(): void;
  /** Ask for no more cells than have arrived. */
  cancel(): void;
  stop(): void;
}

/**
 * Gives room for blocks, to be filled; with a place for absent ones where the overview knows of any.
 *
 * It is the same room each time, as the system clears new memory page by page, in each frame.
 */
export function roomMaker(): (blocks: Window, overview: Overview) => PaintedCells {
  let values = new Float32Array(0);
  let absent = new Uint8Array(0);
  return (blocks, { cells }) => {
    const rows = blocks.bottom - blocks.top;
    const columns = blocks.right - blocks.left;
    const length = rows * columns;
    if (values.length < length) values = new Float32Array(length);
    if (cells.absent !== null && absent.length < length) absent = new Uint8Array(length);
    return {
      rows,
      columns,
      values: values.subarray(0, length),
      absent: cells.absent === null ? null : absent.subarray(0, length),
    };
  };
}

/** Fill a part of `made`, which holds `blocks`, as the overview shows the middle of each block. */
export function fillCoarse(
  made: PaintedCells,
  blocks: Window,
  part: Window,
  { cells, ...factors }: Overview,
  rowFactor: number,
  columnFactor: number,
): void {
  const columns = part.right - part.left;
  const across = Int32Array.from({ length: columns }, (_, at) =>
    Math.min(cells.columns - 1, Math.floor(((part.left + at + 0.5) * columnFactor) / factors.columnFactor)),
  );
  for (let row = part.top; row < part.bottom; row++) {
    const middle = Math.floor(((row + 0.5) * rowFactor) / factors.rowFactor);
    const line = Math.min(cells.rows - 1, middle) * cells.columns;
    const to = (row - blocks.top) * made.columns + part.left - blocks.left;
    for (let column = 0; column < columns; column++) {
      const from = line + across[column]!;
      made.values[to + column] = cells.values[from]!;
      if (made.absent !== null) made.absent[to + column] = cells.absent![from]!;
    }
  }
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
  const roomFor = roomMaker();
  let overview: Overview;
  return {
    look(next) {
      overview = next;
    },
    window(window, rowFactor, columnFactor) {
      const blocks = blocksOf(shape, window, rowFactor, columnFactor);
      const made = roomFor(blocks, overview);
      fillCoarse(made, blocks, blocks, overview, rowFactor, columnFactor);
      return made;
    },
    at: () => undefined,
    whole: () => null,
    version: () => 0,
    trouble: () => "",
    progress: () => null,
    retry() {},
    cancel() {},
    stop() {},
  };
}
