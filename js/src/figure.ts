/**
 * From the state to what is painted: the color scale, the window, the layout, the cells and their statistics.
 *
 * Pure but for remembering its last answers: dragging a limit must not gather a million cells again.
 */
import { gatherCells } from "./blocks.ts";
import { type GroupRun, groupRuns } from "./labels.ts";
import { type GridLayout, gridLayout } from "./layout.ts";
import type { Matrix, State } from "./model.ts";
import { type PaintedCells, transformValues } from "./raster.ts";
import { remembered } from "./remember.ts";
import { makeScale, type Scale, type ScaleKind } from "./scale.ts";
import { type Extent, finiteExtent, quantiles, sortedFinite } from "./statistics.ts";

/** The part of the shown cells in view, as positions among them: from `top`, `left` up to, not including, the ends. */
export interface Window {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** The values of the shown cells, and what is asked of them more than once. */
export interface Shown {
  readonly cells: PaintedCells;
  extent(): Extent;
  sorted(): Float64Array;
}

export interface Figure {
  readonly state: State;
  readonly scale: Scale;
  readonly window: Window;
  /** Rows in view from the top of the page downwards, and columns from left to right, as indices into the matrix. */
  readonly rows: Int32Array;
  readonly columns: Int32Array;
  readonly runs: readonly GroupRun[];
  readonly layout: GridLayout;
  readonly painted: PaintedCells;
  readonly transformed: Float32Array | Float64Array;
  readonly shown: Shown;
}

export interface Room {
  readonly width: number;
  readonly height: number;
  readonly ratio: number;
}

const KNOTS = 1025;

export function wholeWindow(state: State): Window {
  return { top: 0, bottom: state.rows.length, left: 0, right: state.columns.length };
}

export function componentLabels(matrix: Matrix, columns: Int32Array): string[] {
  return Array.from(columns, (column) => String(matrix.components.at(column)));
}

/** A maker of figures for one view. */
export function figureMaker(): (state: State, window: Window | null, room: Room) => Figure {
  const makeShown = remembered((matrix: Matrix, rows: Int32Array, columns: Int32Array): Shown => {
    const cells = gatherCells({ ...matrix, stride: matrix.columns }, rows, columns, 1, 1);
    let extent: Extent | null = null;
    let sorted: Float64Array | null = null;
    return {
      cells,
      extent: () => {
        extent ??= finiteExtent(cells.values);
        return extent;
      },
      sorted: () => {
        sorted ??= sortedFinite(cells.values);
        return sorted;
      },
    };
  });
  const makeKnots = remembered((shown: Shown) => quantiles(shown.sorted(), KNOTS));
  const makeRows = remembered((rows: Int32Array, origin: string, top: number, bottom: number) => {
    const fromTop = origin === "upper" ? rows : rows.slice().reverse();
    return fromTop.slice(top, bottom);
  });
  const makeColumns = remembered((columns: Int32Array, left: number, right: number) =>
    columns.slice(left, right),
  );
  const makeRuns = remembered((matrix: Matrix, columns: Int32Array) =>
    groupRuns(componentLabels(matrix, columns)),
  );
  const makeLayout = remembered(
    (
      rows: number,
      columns: number,
      runs: readonly GroupRun[],
      width: number,
      height: number,
      ratio: number,
    ) => gridLayout({ rows, columns }, runs, width, height, ratio),
  );
  const makePainted = remembered(
    (matrix: Matrix, rows: Int32Array, columns: Int32Array, rowBlock: number, columnBlock: number) =>
      gatherCells({ ...matrix, stride: matrix.columns }, rows, columns, rowBlock, columnBlock),
  );
  const makeTransformed = remembered(
    (painted: PaintedCells, _kind: ScaleKind, _key: unknown, scale: () => Scale) =>
      transformValues(painted.values, scale()),
  );
  let currentScale: Scale;
  const readScale = () => currentScale;

  return (state, wanted, room) => {
    const { matrix } = state;
    const window = wanted ?? wholeWindow(state);
    const shown = makeShown(matrix, state.rows, state.columns);
    const scale = makeScale(state.scale, state.domain, state.diverging, {
      smallestPositive: () => shown.extent().smallestPositive,
      knots: () => makeKnots(shown),
    });
    const rows = makeRows(state.rows, state.origin, window.top, window.bottom);
    const columns = makeColumns(state.columns, window.left, window.right);
    const runs = makeRuns(matrix, columns);
    const layout = makeLayout(rows.length, columns.length, runs, room.width, room.height, room.ratio);
    const painted = makePainted(matrix, rows, columns, layout.rowBlock, layout.columnBlock);
    currentScale = scale;
    // A symlog scale is linear near zero within a share of the limits, so it alone changes its transform with them.
    const key = state.scale === "symlog" ? state.domain : state.scale === "quantile" ? shown : null;
    const transformed = makeTransformed(painted, state.scale, key, readScale);
    return { state, scale, window, rows, columns, runs, layout, painted, transformed, shown };
  };
}
