/**
 * From the state to what is painted: the color scale, the window, the layout, the cells and their statistics.
 *
 * Pure but for remembering its last answers: dragging a limit must not gather a million cells again.
 */
import { gatherCells } from "./gather.ts";
import { type GroupRun, groupRuns, type Labels } from "./labels.ts";
import { blockLength, blockStarts, type GridLayout, gridLayout, SMALLEST_ROW, snapped } from "./layout.ts";
import type { Matrix, State } from "./model.ts";
import { makePyramid } from "./pyramid.ts";
import type { PaintedCells } from "./raster.ts";
import { remembered } from "./remember.ts";
import { type Domain, makeScale, type Scale, type ScaleKind } from "./scale.ts";
import {
  countAbove,
  type Extent,
  finiteExtent,
  quantiles,
  smallestPositive,
  sortedFinite,
} from "./statistics.ts";
import { type Above, makeTally } from "./tally.ts";
import type { Aggregate, Window } from "./windows.ts";

/** The values of the shown cells, and what is asked of them more than once. */
export interface Shown {
  /** One by one where all of them are here, else the blocks of the overview. */
  readonly cells: PaintedCells;
  extent(): Extent;
  smallestPositive(): number;
  sorted(): Float64Array;
  /** How many lie above a value; null while very many are still being counted. */
  above(value: number): Above | null;
  /** Count a part of very many; true when nothing is left to count. */
  count(): boolean;
}

export interface Figure {
  readonly state: State;
  readonly scale: Scale;
  /** The part of the shown cells in view, as positions among them from the top and left of the page. */
  readonly window: Window;
  /** Rows in view from the top of the page downwards, and columns from left to right, as indices into the matrix. */
  readonly rows: Int32Array;
  readonly columns: Int32Array;
  readonly runs: readonly GroupRun[];
  readonly layout: GridLayout;
  readonly painted: PaintedCells;
  readonly shown: Shown;
  /** Do a part of what makes the next views fast, a few milliseconds; true when nothing is left to do. */
  prepare(): boolean;
}

export interface Room {
  readonly width: number;
  readonly height: number;
  readonly ratio: number;
}

const KNOTS = 1025;

/** Cells read in one part of what is done ahead, a few milliseconds. */
const PREPARED_AT_ONCE = 1 << 20;
/** Up to so many values are looked at one by one whenever a rank is asked for. */
const MOST_LOOKED_AT = 1 << 20;
/** More columns than these are not grouped: their headings would have no room. */
const MOST_GROUPED = 1000;

export function wholeWindow(state: State): Window {
  return { top: 0, bottom: state.rows.length, left: 0, right: state.columns.length };
}

export function labelsAt(components: Labels, columns: Int32Array): string[] {
  return Array.from(columns, (column) => String(components.at(column)));
}

/** A maker of figures for one view. */
export function figureMaker(): (state: State, window: Window | null, room: Room) => Figure {
  const makeShown = remembered((matrix: Matrix, rows: Int32Array, columns: Int32Array): Shown => {
    const cells = matrix.far?.overview.cells ?? gatherCells(matrix, rows, columns);
    let extent: Extent | null = null;
    let smallest: number | null = null;
    let sorted: Float64Array | null = null;
    const countOf = remembered((value: number) => countAbove(cells.values, value));
    const tally = cells.values.length > MOST_LOOKED_AT ? makeTally(cells.values) : null;
    return {
      cells,
      extent: () => {
        extent ??= finiteExtent(cells.values);
        return extent;
      },
      smallestPositive: () => {
        smallest ??= smallestPositive(cells.values);
        return smallest;
      },
      sorted: () => {
        sorted ??= sortedFinite(cells.values);
        return sorted;
      },
      above: (value) => (tally === null ? { ...countOf(value), exact: true } : tally.above(value)),
      count: () => tally?.build(PREPARED_AT_ONCE) ?? true,
    };
  });
  const turnOver = overturner();
  const makePyramidOf = remembered((shown: Shown) => makePyramid(shown.cells));
  const makeKnots = remembered((shown: Shown) => quantiles(shown.sorted(), KNOTS));
  const makeScaleOf = remembered((kind: ScaleKind, domain: Domain, diverging: boolean, shown: Shown) =>
    makeScale(kind, domain, diverging, {
      smallestPositive: () => shown.smallestPositive(),
      knots: () => makeKnots(shown),
    }),
  );
  const makeFromTop = remembered((rows: Int32Array, lower: boolean) =>
    lower ? rows.slice().reverse() : rows,
  );
  const makeRows = remembered((fromTop: Int32Array, top: number, bottom: number) =>
    fromTop.slice(top, bottom),
  );
  const makeColumns = remembered((columns: Int32Array, left: number, right: number) =>
    columns.slice(left, right),
  );
  // Of the labels, not of the matrix: other values leave the layout, and so the labels in the page, as they are.
  const makeRuns = remembered((components: Labels, columns: Int32Array) =>
    columns.length > MOST_GROUPED || !components.named ? [] : groupRuns(labelsAt(components, columns)),
  );
  const makeLayout = remembered(
    (
      rowStart: number,
      rowEnd: number,
      rowBlock: number,
      lower: boolean,
      columnStart: number,
      columnEnd: number,
      columnBlock: number,
      runs: readonly GroupRun[],
      width: number,
      height: number,
      ratio: number,
    ) =>
      gridLayout(
        { cells: blockStarts(rowStart, rowEnd, rowBlock, lower), block: rowBlock },
        { cells: blockStarts(columnStart, columnEnd, columnBlock, false), block: columnBlock },
        runs,
        width,
        height,
        ratio,
      ),
  );
  const makePainted = remembered(
    (
      matrix: Matrix,
      shown: Shown,
      _version: number,
      top: number,
      bottom: number,
      left: number,
      right: number,
      rowBlock: number,
      columnBlock: number,
      aggregate: Aggregate,
      center: number,
      lower: boolean,
    ): PaintedCells => {
      const source = matrix.far ?? makePyramidOf(shown);
      const cells = source.window({ top, bottom, left, right }, rowBlock, columnBlock, aggregate, center);
      return lower ? turnOver(cells) : cells;
    },
  );

  return (state, wanted, room) => {
    const { matrix } = state;
    const shown = makeShown(matrix, state.rows, state.columns);
    const scale = makeScaleOf(state.scale, state.domain, state.diverging, shown);
    const lower = state.origin === "lower";
    const view = wanted ?? wholeWindow(state);
    const count = state.rows.length;
    const rowBlock = blockLength(
      view.bottom - view.top,
      room.height,
      room.ratio,
      wanted === null ? SMALLEST_ROW : 1,
    );
    const columnBlock = blockLength(view.right - view.left, room.width, room.ratio, 1);
    // In the order of layers, whatever the origin: blocks begin with the first layer.
    const [top, bottom] = snapped(
      lower ? count - view.bottom : view.top,
      lower ? count - view.top : view.bottom,
      count,
      rowBlock,
    );
    const [left, right] = snapped(view.left, view.right, state.columns.length, columnBlock);
    const window = { top: lower ? count - bottom : top, bottom: lower ? count - top : bottom, left, right };
    const rows = makeRows(makeFromTop(state.rows, lower), window.top, window.bottom);
    const columns = makeColumns(state.columns, left, right);
    const runs = makeRuns(matrix.components, columns);
    const { width, height, ratio } = room;
    const layout = makeLayout(
      top,
      bottom,
      rowBlock,
      lower,
      left,
      right,
      columnBlock,
      runs,
      width,
      height,
      ratio,
    );
    const painted = makePainted(
      matrix,
      shown,
      matrix.far?.version() ?? 0,
      top,
      bottom,
      left,
      right,
      rowBlock,
      columnBlock,
      state.aggregate,
      state.aggregate === "extreme" ? state.domain.center : 0,
      lower,
    );
    const prepare = () =>
      matrix.far !== null || (makePyramidOf(shown).build(state.aggregate, PREPARED_AT_ONCE) && shown.count());
    return { state, scale, window, rows, columns, runs, layout, painted, shown, prepare };
  };
}

/** Puts the last row first; what it gave before is overwritten, as new memory for each frame costs more than the rows. */
function overturner(): (cells: PaintedCells) => PaintedCells {
  const turnValues = reversed<Float32Array | Float64Array>();
  const turnAbsent = reversed<Uint8Array>();
  return ({ rows, columns, values, absent }) => ({
    rows,
    columns,
    values: turnValues(values, columns),
    absent: absent === null ? null : turnAbsent(absent, columns),
  });
}

function reversed<T extends Float32Array | Float64Array | Uint8Array>(): (all: T, columns: number) => T {
  let room: T | null = null;
  return (all, columns) => {
    if (room === null || room.length < all.length || room.constructor !== all.constructor)
      room = all.slice() as T;
    const turned = room.subarray(0, all.length) as T;
    for (let from = 0, to = all.length - columns; from < all.length; from += columns, to -= columns)
      turned.set(all.subarray(from, from + columns), to);
    return turned;
  };
}
