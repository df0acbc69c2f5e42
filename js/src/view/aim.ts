/** What is aimed at with pointer or keyboard, in positions among the cells in view. */
import type { Figure } from "../figure.ts";
import { cellUnder } from "../layout.ts";
import { type CellId, MOST_SELECTED, rectangle, toggled } from "../selection.ts";
import type { Window } from "../windows.ts";

export interface Spot {
  readonly row: number;
  readonly column: number;
}

export interface GridGestures {
  select(cells: readonly CellId[]): void;
  /** More cells are wanted than can be selected. */
  tooMany(count: number): void;
  click(row: number, column: number): void;
  /** The tensor of a cell of the matrix is wanted. */
  open(row: number, column: number): void;
  /** Escape was pressed where nothing is selected. */
  leave(): void;
  zoom(window: Window | null): void;
  /** Show only the layers at these rows of the matrix. */
  showLayers(rows: readonly number[]): void;
}

export interface Aim {
  /** What is in view; null where that is no cell. */
  figure(): Figure | null;
  /** Other cells are in view, or the same in other colors. */
  show(figure: Figure): void;
  /** The cell of the keyboard: where none was chosen, the first layer's first. */
  focus(): Spot;
  focusOn(spot: Spot, speak: boolean): void;
  /** The other corner of a rectangle that is being extended. */
  anchor: Spot | null;
  /** Corners of the rectangle that is being dragged. */
  dragged(): { readonly from: Spot; readonly to: Spot } | null;
  drag(from: Spot, to: Spot): void;
  drop(): void;
  /** The cell at a point of the page; null in gaps and outside, unless the nearest is asked for. */
  under(event: MouseEvent, nearest: boolean): Spot | null;
  cellAt(spot: Spot): CellId;
  /** The cells of a rectangle; null where they are too many to be selected, which is said. */
  spanned(from: Spot, to: Spot): CellId[] | null;
  /** Select cells, or with ctrl or cmd toggle them. */
  select(cells: readonly CellId[] | null, event: { ctrlKey: boolean; metaKey: boolean }): void;
  watch(watcher: Watcher): void;
}

export interface Watcher {
  /** Another rectangle is being dragged, or none any more. */
  dragged(): void;
  /** The keyboard is at another cell, which a screen reader shall say if `speak`. */
  focused(speak: boolean): void;
}

export function createAim(canvas: HTMLElement, gestures: GridGestures): Aim {
  let shown: Figure | null = null;
  let focus: Spot | null = null;
  let dragged: { from: Spot; to: Spot } | null = null;
  let watcher: Watcher | null = null;

  return {
    anchor: null,
    figure: () => (shown === null || shown.painted.values.length === 0 ? null : shown),
    show(figure) {
      shown = figure;
    },
    focus() {
      const { rows, columns, state } = shown!;
      const { row, column } = focus ?? { row: state.origin === "lower" ? rows.length - 1 : 0, column: 0 };
      return { row: Math.min(row, rows.length - 1), column: Math.min(column, columns.length - 1) };
    },
    focusOn(spot, speak) {
      focus = spot;
      watcher?.focused(speak);
    },
    dragged: () => dragged,
    drag(from, to) {
      dragged = { from, to };
      watcher?.dragged();
    },
    drop() {
      if (dragged === null) return;
      dragged = null;
      watcher?.dragged();
    },
    under(event, nearest) {
      const { layout } = shown!;
      const box = canvas.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * layout.width;
      const y = ((event.clientY - box.top) / box.height) * layout.height;
      const row = cellUnder(layout.rows, y, nearest);
      const column = cellUnder(layout.columns, x, nearest);
      return row < 0 || column < 0 ? null : { row, column };
    },
    cellAt: ({ row, column }) => shown!.rows[row]! * shown!.state.matrix.columns + shown!.columns[column]!,
    spanned(from, to) {
      const { rows, columns, state } = shown!;
      const count = (Math.abs(from.row - to.row) + 1) * (Math.abs(from.column - to.column) + 1);
      if (count <= MOST_SELECTED) return rectangle(rows, columns, state.matrix.columns, from, to);
      gestures.tooMany(count);
      return null;
    },
    select(cells, event) {
      if (cells === null) return;
      gestures.select(event.ctrlKey || event.metaKey ? toggled(shown!.state.selection, cells) : cells);
    },
    watch(next) {
      watcher = next;
    },
  };
}
