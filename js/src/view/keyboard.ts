/** The picture by keyboard. */
import { wholeWindow } from "../figure.ts";
import { toggled } from "../selection.ts";
import { clamp, ZOOM_STEP, zoomedWindow } from "../zoom.ts";
import type { Aim, GridGestures, Spot } from "./aim.ts";

const PAGE_ROWS = 10;
/** What is done to the cell of the focus also together with ctrl or cmd, which other keys leave to the host. */
const WITH_MODIFIER = ["Home", "End", "Enter", " "];

export function listenToKeys(plot: HTMLElement, aim: Aim, gestures: GridGestures): void {
  plot.addEventListener("keydown", (event) => {
    const figure = aim.figure();
    if (figure === null) return;
    const { rows, columns, state, window, layout } = figure;
    const focus = aim.focus();
    const last = { row: rows.length - 1, column: columns.length - 1 };
    const go = (row: number, column: number) => {
      const spot = { row: clamp(row, 0, last.row), column: clamp(column, 0, last.column) };
      if (event.shiftKey) {
        aim.anchor ??= focus;
        const cells = aim.spanned(aim.anchor, spot);
        if (cells !== null) gestures.select(cells);
      } else {
        aim.anchor = spot;
      }
      aim.focusOn(spot, true);
    };
    const open = ({ row, column }: Spot) => gestures.open(rows[row]!, columns[column]!);
    const zoom = (factor: number) => gestures.zoom(zoomedWindow(window, wholeWindow(state), focus, factor));
    const whole = event.ctrlKey || event.metaKey;
    const keys: Record<string, () => void> = {
      ArrowUp: () => go(focus.row - layout.rowBlock, focus.column),
      ArrowDown: () => go(focus.row + layout.rowBlock, focus.column),
      ArrowLeft: () => go(focus.row, focus.column - layout.columnBlock),
      ArrowRight: () => go(focus.row, focus.column + layout.columnBlock),
      Home: () => go(whole ? 0 : focus.row, 0),
      End: () => go(whole ? last.row : focus.row, last.column),
      PageUp: () => go(focus.row - PAGE_ROWS * layout.rowBlock, focus.column),
      PageDown: () => go(focus.row + PAGE_ROWS * layout.rowBlock, focus.column),
      Enter: () => {
        const only = state.selection.length === 1 && state.selection[0] === aim.cellAt(focus);
        if (state.opens && only && !whole) return open(focus);
        gestures.click(rows[focus.row]!, columns[focus.column]!);
        aim.anchor = focus;
        aim.select([aim.cellAt(focus)], event);
      },
      " ": () => gestures.select(toggled(state.selection, [aim.cellAt(focus)])),
      Escape: () => {
        aim.anchor = null;
        if (state.selection.length === 0) gestures.leave();
        else gestures.select([]);
      },
      o: () => {
        if (state.opens) open(focus);
      },
      f: () => gestures.zoom(null),
      "+": () => zoom(1 / ZOOM_STEP),
      "-": () => zoom(ZOOM_STEP),
    };
    const act = keys[event.key];
    if (act === undefined || (whole && !WITH_MODIFIER.includes(event.key))) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });
}
