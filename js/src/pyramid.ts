/**
 * Cells in memory with their levels, so that a window costs as much as it has pixels.
 *
 * Levels are made of what has arrived of the cells and grow with it: those that every zoom passes through ahead,
 * in slices (`build`), others when a window asks for one that would cost a frame too much.
 */
import type { PaintedCells } from "./raster.ts";
import {
  type Aggregate,
  aggregated,
  baseLevel,
  blocksOf,
  emptyLevel,
  type Level,
  type Plane,
  reduceBlocks,
  reducedWindow,
  type Window,
} from "./windows.ts";

/** A window that needs no more cells of a finer level than these is made of that level, without one of its own. */
const MOST_READ = 1 << 20;
const MOST_READ_PER_BLOCK = 4;
/** The longer side of the coarsest level made ahead. */
const COARSEST = 256;

export interface Pyramid {
  /**
   * The blocks that a window touches, as `reduceCells` gives them.
   *
   * Rows of blocks that have not arrived whole are left out: fewer rows, or none.
   */
  window(
    window: Window,
    rowFactor: number,
    columnFactor: number,
    aggregate: Aggregate,
    center: number,
  ): PaintedCells;
  /** Say how many rows of the cells, from the first on, are there. */
  arrived(rows: number): void;
  /** Read about `budget` cells to make levels ahead for an aggregate; true when nothing is left to make. */
  build(aggregate: Aggregate, budget: number): boolean;
}

/** A level, and how many rows of it are filled. */
interface Growing {
  readonly level: Level;
  rows: number;
}

/** A pyramid of cells, of which the first `rows` have arrived; the arrays may be filled later, not replaced. */
export function makePyramid(cells: PaintedCells, rows = cells.rows): Pyramid {
  const base = baseLevel(cells);
  const levels = new Map<Plane, Growing[]>();
  let there = rows;

  const rowsThere = (rowFactor: number) =>
    there >= cells.rows ? Math.ceil(cells.rows / rowFactor) : Math.floor(there / rowFactor);

  /** The coarsest level that blocks of these factors can be made of, up to a row of blocks. */
  const sourceOf = (plane: Plane, rowFactor: number, columnFactor: number, bottom: number): Level => {
    let best = base;
    for (const { level, rows } of levels.get(plane) ?? []) {
      if (rowFactor % level.rowFactor !== 0 || columnFactor % level.columnFactor !== 0) continue;
      const ready = Math.min(level.rows, (bottom * rowFactor) / level.rowFactor) <= rows;
      if (ready && blockSize(level) > blockSize(best)) best = level;
    }
    return best;
  };

  const growing = (plane: Plane, rowFactor: number, columnFactor: number): Growing => {
    const made = levels.get(plane) ?? [];
    levels.set(plane, made);
    let found = made.find(
      ({ level }) => level.rowFactor === rowFactor && level.columnFactor === columnFactor,
    );
    if (found === undefined) {
      found = { level: emptyLevel(base, rowFactor, columnFactor), rows: 0 };
      made.push(found);
    }
    return found;
  };

  /** Fill rows of a level from a finer one, as many as have arrived and `budget` cells allow; what is left of it. */
  const grow = (plane: Plane, grown: Growing, budget: number): number => {
    const { level } = grown;
    const { rowFactor, columnFactor } = level;
    const last = rowsThere(rowFactor);
    if (grown.rows >= last) return budget;
    const source = sourceOf(plane, rowFactor, columnFactor, last);
    const rowRatio = rowFactor / source.rowFactor;
    const columnRatio = columnFactor / source.columnFactor;
    const cost = rowRatio * source.columns;
    const bottom = Math.min(last, grown.rows + Math.max(1, Math.floor(budget / cost)));
    const from = grown.rows * level.columns;
    const to = bottom * level.columns;
    const blocks = { top: grown.rows, bottom, left: 0, right: level.columns };
    reduceBlocks(source, plane, rowRatio, columnRatio, blocks, {
      values: level.values.subarray(from, to),
      counts: level.counts?.subarray(from, to) ?? null,
    });
    budget -= (bottom - grown.rows) * cost;
    grown.rows = bottom;
    return budget;
  };

  return {
    arrived(rows) {
      there = Math.min(rows, cells.rows);
    },

    window(window, rowFactor, columnFactor, aggregate, center) {
      const touched = blocksOf(cells, window, rowFactor, columnFactor);
      const bottom = Math.max(touched.top, Math.min(touched.bottom, rowsThere(rowFactor)));
      const blocks = { ...touched, bottom };
      const count = (bottom - blocks.top) * (blocks.right - blocks.left);
      return aggregated(aggregate, center, (plane) => {
        let source = sourceOf(plane, rowFactor, columnFactor, bottom);
        const read = (count * rowFactor * columnFactor) / blockSize(source);
        if (read > Math.max(MOST_READ, MOST_READ_PER_BLOCK * count)) {
          const grown = growing(plane, rowFactor, columnFactor);
          grow(plane, grown, Infinity);
          source = grown.level;
        }
        return reducedWindow(source, plane, rowFactor, columnFactor, blocks);
      });
    },

    build(aggregate, budget) {
      const planes: Plane[] = aggregate === "extreme" ? ["min", "max"] : [aggregate];
      for (let factor = 2; factor / 2 < Math.max(cells.rows, cells.columns) / COARSEST; factor *= 2)
        for (const plane of planes) {
          const grown = growing(plane, factor, factor);
          budget = grow(plane, grown, budget);
          if (grown.rows < rowsThere(factor)) return false;
        }
      return true;
    },
  };
}

function blockSize({ rowFactor, columnFactor }: Level): number {
  return rowFactor * columnFactor;
}
