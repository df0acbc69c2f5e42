/** The pointer upon the axes: a label's row or column, a heading's group, and layers chosen by dragging. */
import { DRAG_THRESHOLD } from "../dom.ts";
import type { Aim, GridGestures } from "./aim.ts";
import type { Axes } from "./axes.ts";

export function listenToAxes({ rows, columns }: Axes, aim: Aim, gestures: GridGestures): void {
  let pressed: { readonly row: number; readonly y: number } | null = null;

  const band = (from: number, to: number) => {
    const last = aim.figure()!.columns.length - 1;
    return [
      { row: from, column: 0 },
      { row: to, column: last },
    ] as const;
  };
  const rowUnder = (event: MouseEvent) => aim.under(event, true)!.row;

  rows.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || aim.figure() === null) return;
    rows.setPointerCapture(event.pointerId);
    pressed = { row: rowUnder(event), y: event.clientY };
  });
  rows.addEventListener("pointermove", (event) => {
    if (pressed === null || aim.figure() === null) return;
    if (aim.dragged() !== null || Math.abs(event.clientY - pressed.y) >= DRAG_THRESHOLD)
      aim.drag(...band(pressed.row, rowUnder(event)));
  });
  rows.addEventListener("pointerup", (event) => {
    if (pressed === null) return;
    const { row } = pressed;
    const dragged = aim.dragged();
    pressed = null;
    aim.drop();
    const figure = aim.figure();
    if (figure === null) return;
    if (dragged === null) return aim.select(aim.spanned(...band(row, row)), event);
    const [first, last] = [dragged.from.row, dragged.to.row].sort((a, b) => a - b) as [number, number];
    gestures.showLayers(Array.from(figure.rows.slice(first, last + 1)));
  });
  rows.addEventListener("pointercancel", () => {
    pressed = null;
    aim.drop();
  });
  columns.addEventListener("click", (event) => {
    const figure = aim.figure();
    if (figure === null) return;
    const { rows, runs } = figure;
    const heading = (event.target as Element).closest(".layergrid-group");
    const { column } = aim.under(event, true)!;
    const run = heading === null ? undefined : runs.find(({ start, end }) => column >= start && column < end);
    const from = { row: 0, column: run?.start ?? column };
    const to = { row: rows.length - 1, column: run === undefined ? column : run.end - 1 };
    aim.select(aim.spanned(from, to), event);
  });
}
