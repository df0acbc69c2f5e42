/**
 * The cells of a matrix that is too large to travel whole: an overview that is here, and windows by request.
 *
 * What is painted is made of the best that is here: tiles of the level in view, else the overview, which is coarse.
 * Tiles are asked for as long as they are in view, and kept until their bytes are needed.
 */
import type { WindowRequest } from "./messages.ts";
import { type FarCells, fillCoarse, type Overview, overlay, roomMaker } from "./overview.ts";
import { createQueue } from "./queue.ts";
import type { PaintedCells } from "./raster.ts";
import { type Aggregate, blocksOf } from "./windows.ts";

/** Blocks of a tile: 2 MB of float32. */
const TILE_ROWS = 512;
const TILE_COLUMNS = 1024;
const MOST_KEPT_BYTES = 64_000_000;
const PATIENCE_MS = 5000;
/** A level that is in view no longer than this, as while zooming, is not asked for: it would come when it is gone. */
export const REST_MS = 80;
const DAMAGED = "the reply is damaged";
const OVERVIEW = "Coarse colors are those of the overview.";
export const GONE = `The kernel has not sent these cells yet: it is busy, or gone. ${OVERVIEW}`;

/** That cells could not be had, why, and what is seen in their place. */
export const notHad = (message: string) =>
  `These cells could not be had: ${message.replace(/[.\s]*$/, ".")} ${OVERVIEW}`;

/** Cells, or a failure like any other where the reply holds none. */
export function undamaged(cells: PaintedCells | null): PaintedCells {
  if (cells === null) throw new Error(DAMAGED);
  return cells;
}

export type WindowQuestion = Omit<WindowRequest, "id">;

export interface FarActions {
  /** Ask for a window, and read so many rows and columns of blocks from the answer; null where that is damaged. */
  ask(
    question: WindowQuestion,
    rows: number,
    columns: number,
    giveUp: AbortSignal,
  ): Promise<PaintedCells | null>;
  /** Something arrived, or there is something to say. */
  changed(): void;
}

interface Tile {
  readonly key: string;
  readonly level: Level;
  /** First block. */
  readonly row: number;
  readonly column: number;
}

interface Level {
  readonly rowFactor: number;
  readonly columnFactor: number;
  readonly aggregate: Aggregate;
  readonly center: number;
}

export function createFar(
  shape: { readonly rows: number; readonly columns: number },
  version: number,
  actions: FarActions,
): FarCells {
  const roomFor = roomMaker();
  let overview: Overview;
  const kept = new Map<string, PaintedCells>(); // the last used last
  let keptBytes = 0;
  let arrived = 0;
  let missing: Tile[] = []; // of the window in view
  let looked = ""; // at this level
  let rest: ReturnType<typeof setTimeout> | undefined;
  let trouble = "";

  const blocksAlong = ({ rowFactor, columnFactor }: Level) => ({
    rows: Math.ceil(shape.rows / rowFactor),
    columns: Math.ceil(shape.columns / columnFactor),
  });
  const tileSize = ({ level, row, column }: Tile) => {
    const { rows, columns } = blocksAlong(level);
    return { rows: Math.min(TILE_ROWS, rows - row), columns: Math.min(TILE_COLUMNS, columns - column) };
  };
  const say = (text: string) => {
    if (text === trouble) return;
    trouble = text;
    actions.changed();
  };
  const keep = (key: string, cells: PaintedCells) => {
    kept.set(key, cells);
    keptBytes += cells.values.byteLength;
    for (const [old, { values }] of kept) {
      if (keptBytes <= MOST_KEPT_BYTES || old === key) break;
      kept.delete(old);
      keptBytes -= values.byteLength;
    }
  };
  const keyOf = ({ rowFactor, columnFactor, aggregate, center }: Level) =>
    `${rowFactor} ${columnFactor} ${aggregate} ${center}`;
  const tileOf = (level: Level, row: number, column: number): Tile => {
    return { key: `${keyOf(level)} ${row} ${column}`, level, row, column };
  };
  /** Ask for what is missing; where another level than before was looked at, once the view rests on this one. */
  const wantMissing = (level: string) => {
    const passing = looked !== "" && looked !== level;
    looked = level;
    if (passing) {
      clearTimeout(rest);
      queue.want([]);
      rest = setTimeout(() => {
        rest = undefined;
        queue.want(missing);
      }, REST_MS);
    } else if (rest === undefined) queue.want(missing);
  };

  const queue = createQueue<Tile, PaintedCells>(
    {
      key: ({ key }) => key,
      ask(tile, giveUp) {
        const { rowFactor, columnFactor } = tile.level;
        const { rows, columns } = tileSize(tile);
        const question: WindowQuestion = {
          kind: "window",
          version,
          top: tile.row * rowFactor,
          bottom: Math.min(shape.rows, (tile.row + rows) * rowFactor),
          left: tile.column * columnFactor,
          right: Math.min(shape.columns, (tile.column + columns) * columnFactor),
          ...tile.level,
        };
        return actions.ask(question, rows, columns, giveUp).then(undamaged);
      },
      arrived({ key }, cells) {
        keep(key, cells);
        arrived++;
        trouble = "";
        actions.changed();
      },
      failed: (_, message) => say(notHad(message)),
      late: () => say(GONE),
    },
    PATIENCE_MS,
    { triesTwice: true },
  );

  return {
    look(next) {
      overview = next;
    },
    window(window, rowFactor, columnFactor, aggregate, center) {
      const level = { rowFactor, columnFactor, aggregate, center };
      const blocks = blocksOf(shape, window, rowFactor, columnFactor);
      const made = roomFor(blocks, overview);
      const here =
        aggregate === "mean" && rowFactor === overview.rowFactor && columnFactor === overview.columnFactor;
      if (here) {
        fillCoarse(made, blocks, blocks, overview, rowFactor, columnFactor);
        return made; // what is on its way may come: the view may go back
      }
      missing = [];
      const firstRow = Math.floor(blocks.top / TILE_ROWS) * TILE_ROWS;
      const firstColumn = Math.floor(blocks.left / TILE_COLUMNS) * TILE_COLUMNS;
      for (let row = firstRow; row < blocks.bottom; row += TILE_ROWS)
        for (let column = firstColumn; column < blocks.right; column += TILE_COLUMNS) {
          const tile = tileOf(level, row, column);
          const cells = kept.get(tile.key);
          if (cells === undefined) {
            missing.push(tile);
            const part = {
              top: Math.max(blocks.top, row),
              bottom: Math.min(blocks.bottom, row + TILE_ROWS),
              left: Math.max(blocks.left, column),
              right: Math.min(blocks.right, column + TILE_COLUMNS),
            };
            fillCoarse(made, blocks, part, overview, rowFactor, columnFactor);
            continue;
          }
          kept.delete(tile.key);
          kept.set(tile.key, cells);
          overlay(made, blocks, cells, row, column);
        }
      wantMissing(keyOf(level));
      return made;
    },
    at(row, column) {
      for (const aggregate of ["mean", "min", "max"] as const) {
        const level = { rowFactor: 1, columnFactor: 1, aggregate, center: 0 };
        const top = Math.floor(row / TILE_ROWS) * TILE_ROWS;
        const left = Math.floor(column / TILE_COLUMNS) * TILE_COLUMNS;
        const cells = kept.get(tileOf(level, top, left).key);
        if (cells !== undefined) return cells.values[(row - top) * cells.columns + column - left];
      }
      return undefined;
    },
    version: () => arrived,
    trouble: () => trouble,
    whole: () => null,
    progress: () => null,
    retry() {
      say("");
      queue.want(missing);
    },
    cancel() {},
    stop() {
      clearTimeout(rest);
      queue.stop();
    },
  };
}
