/**
 * The cells of a matrix that is too large to travel whole: an overview that is here, and windows by request.
 *
 * What is painted is made of the best that is here: tiles of the level in view, else the overview, which is coarse.
 * Tiles are asked for as long as they are in view, two at a time, and kept until their bytes are needed.
 */
import type { WindowReply, WindowRequest } from "./messages.ts";
import { coarse, type FarCells, type Overview, overlay } from "./overview.ts";
import type { PaintedCells } from "./raster.ts";
import { type Aggregate, blocksOf } from "./windows.ts";

/** Blocks of a tile: 2 MB of float32. */
const TILE_ROWS = 512;
const TILE_COLUMNS = 1024;
const MOST_IN_FLIGHT = 2;
const MOST_KEPT_BYTES = 64_000_000;
const PATIENCE_MS = 5000;
export const GONE =
  "The kernel has not sent these cells yet: it is busy, or gone. Coarse colors are those of the overview.";

export interface FarActions {
  /** Send a request; its id. */
  send(request: Omit<WindowRequest, "id">): number;
  cancel(id: number): void;
  /** Something arrived, or there is something to say. */
  changed(): void;
}

/** The cells of a reply, so many rows and columns of blocks; null where its bytes do not make them. */
export type ReadCells = (
  reply: WindowReply,
  buffers: readonly DataView[],
  rows: number,
  columns: number,
) => PaintedCells | null;

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
  readCells: ReadCells,
  actions: FarActions,
): FarCells {
  let overview: Overview;
  const kept = new Map<string, PaintedCells>(); // the last used last
  const inFlight = new Map<number, Tile>();
  let keptBytes = 0;
  let wanted: Tile[] = [];
  let arrived = 0;
  let trouble = "";
  let timer: ReturnType<typeof setTimeout> | null = null;

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
  const watch = () => {
    if (timer !== null) clearTimeout(timer);
    timer =
      inFlight.size === 0
        ? null
        : setTimeout(() => {
            inFlight.clear(); // a late reply is welcome no more, but must not block what is asked for next
            say(GONE);
          }, PATIENCE_MS);
  };
  const ask = (tile: Tile) => {
    const { rowFactor, columnFactor } = tile.level;
    const size = tileSize(tile);
    try {
      const id = actions.send({
        kind: "window",
        version,
        top: tile.row * rowFactor,
        bottom: Math.min(shape.rows, (tile.row + size.rows) * rowFactor),
        left: tile.column * columnFactor,
        right: Math.min(shape.columns, (tile.column + size.columns) * columnFactor),
        ...tile.level,
      });
      inFlight.set(id, tile);
    } catch (error) {
      wanted = [];
      say(
        `The kernel cannot be asked for these cells (${String(error)}). Coarse colors are those of the overview.`,
      );
    }
  };
  const pump = () => {
    const asked = new Set(Array.from(inFlight.values(), ({ key }) => key));
    for (const tile of wanted) {
      if (inFlight.size >= MOST_IN_FLIGHT) break;
      if (!asked.has(tile.key) && !kept.has(tile.key)) ask(tile);
    }
    watch();
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
  const tileOf = (level: Level, row: number, column: number): Tile => {
    const { rowFactor, columnFactor, aggregate, center } = level;
    return {
      key: `${rowFactor} ${columnFactor} ${aggregate} ${center} ${row} ${column}`,
      level,
      row,
      column,
    };
  };

  return {
    look(next) {
      overview = next;
    },
    window(window, rowFactor, columnFactor, aggregate, center) {
      const level = { rowFactor, columnFactor, aggregate, center };
      const blocks = blocksOf(shape, window, rowFactor, columnFactor);
      const made = coarse(overview, blocks, rowFactor, columnFactor);
      const here =
        aggregate === "mean" && rowFactor === overview.rowFactor && columnFactor === overview.columnFactor;
      wanted = [];
      if (here) return made;
      const firstRow = Math.floor(blocks.top / TILE_ROWS) * TILE_ROWS;
      const firstColumn = Math.floor(blocks.left / TILE_COLUMNS) * TILE_COLUMNS;
      for (let row = firstRow; row < blocks.bottom; row += TILE_ROWS)
        for (let column = firstColumn; column < blocks.right; column += TILE_COLUMNS) {
          const tile = tileOf(level, row, column);
          const cells = kept.get(tile.key);
          if (cells === undefined) {
            wanted.push(tile);
            continue;
          }
          kept.delete(tile.key);
          kept.set(tile.key, cells);
          overlay(made, blocks, cells, row, column);
        }
      const stillWanted = new Set(wanted.map(({ key }) => key));
      for (const [id, { key }] of inFlight) if (!stillWanted.has(key)) actions.cancel(id);
      pump();
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
    cancel() {},
    receive(reply, buffers) {
      const tile = inFlight.get(reply.id);
      if (tile === undefined) return;
      inFlight.delete(reply.id);
      const stillWanted = wanted.some(({ key }) => key === tile.key);
      if (reply.kind === "error") {
        wanted = wanted.filter(({ key }) => key !== tile.key);
        if (stillWanted) say(`These cells could not be had: ${reply.message}`);
      } else {
        const size = tileSize(tile);
        const cells = readCells(reply, buffers, size.rows, size.columns);
        if (cells === null) {
          wanted = wanted.filter(({ key }) => key !== tile.key);
          say("These cells could not be had: the reply is damaged.");
        } else {
          keep(tile.key, cells);
          arrived++;
          trouble = "";
          actions.changed();
        }
      }
      pump();
    },
    stop() {
      if (timer !== null) clearTimeout(timer);
      for (const id of inFlight.keys()) actions.cancel(id);
      inFlight.clear();
      wanted = [];
    },
  };
}
