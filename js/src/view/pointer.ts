/** The pointer upon the picture: clicking, dragging a rectangle, opening, zooming. */
import { DRAG_THRESHOLD } from "../dom.ts";
import { wholeWindow } from "../figure.ts";
import { pannedWindow, ZOOM_STEP, zoomedWindow } from "../zoom.ts";
import type { Aim, GridGestures, Spot } from "./aim.ts";

export function listenToPointer(plot: HTMLElement, aim: Aim, gestures: GridGestures): void {
  let pressed: { readonly spot: Spot; readonly x: number; readonly y: number } | null = null;

  const spotUnder = (event: MouseEvent, nearest: boolean) =>
    aim.figure() === null ? null : aim.under(event, nearest);
  const clicked = (spot: Spot, event: PointerEvent) => {
    const { rows, columns } = aim.figure()!;
    gestures.click(rows[spot.row]!, columns[spot.column]!); // first: a callback need not wait for drawing
    aim.focusOn(spot, false);
    if (event.shiftKey && aim.anchor !== null) return aim.select(aim.spanned(aim.anchor, spot), event);
    aim.anchor = spot;
    aim.select([aim.cellAt(spot)], event);
  };

  plot.addEventListener("pointerdown", (event) => {
    const spot = spotUnder(event, false);
    if (event.button !== 0 || spot === null) return;
    plot.setPointerCapture(event.pointerId);
    pressed = { spot, x: event.clientX, y: event.clientY };
  });
  plot.addEventListener("pointermove", (event) => {
    if (pressed === null) return;
    const moved = Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) >= DRAG_THRESHOLD;
    const to = moved || aim.dragged() !== null ? spotUnder(event, true) : null;
    if (to !== null) aim.drag(pressed.spot, to);
  });
  plot.addEventListener("pointerup", (event) => {
    if (pressed === null) return;
    const { spot } = pressed;
    const dragged = aim.dragged();
    pressed = null;
    aim.drop();
    if (aim.figure() === null) return;
    if (dragged === null) return clicked(spot, event);
    aim.anchor = dragged.from;
    aim.focusOn(dragged.to, false);
    aim.select(aim.spanned(dragged.from, dragged.to), event);
  });
  plot.addEventListener("pointercancel", () => {
    pressed = null;
    aim.drop();
  });
  plot.addEventListener("dblclick", (event) => {
    const spot = spotUnder(event, false);
    const figure = aim.figure();
    if (spot !== null && figure!.state.opens)
      gestures.open(figure!.rows[spot.row]!, figure!.columns[spot.column]!);
  });
  plot.addEventListener(
    "wheel",
    (event) => {
      if (!(event.ctrlKey || event.metaKey || event.altKey || event.shiftKey)) return;
      const spot = spotUnder(event, true);
      if (spot === null) return;
      event.preventDefault();
      const { state, window } = aim.figure()!;
      const limits = wholeWindow(state);
      if (event.shiftKey) {
        const by = Math.sign(event.deltaX || event.deltaY);
        gestures.zoom(pannedWindow(window, limits, event.altKey ? 0 : by, event.altKey ? by : 0));
      } else {
        gestures.zoom(zoomedWindow(window, limits, spot, event.deltaY < 0 ? 1 / ZOOM_STEP : ZOOM_STEP));
      }
    },
    { passive: false },
  );
}
