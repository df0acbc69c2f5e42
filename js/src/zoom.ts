/** Zooming and moving the window: the part of the cells in view. */
import type { Window } from "./windows.ts";

/** One turn of the wheel, one press of a key. */
export const ZOOM_STEP = 1.25;

/** The window scaled by a factor about a position in it, in whole cells, within the limits. */
export function zoomedWindow(
  window: Window,
  limits: Window,
  about: { readonly row: number; readonly column: number },
  factor: number,
): Window | null {
  const rows = zoomedRange(window.top, window.bottom, limits.bottom, window.top + about.row, factor);
  const columns = zoomedRange(window.left, window.right, limits.right, window.left + about.column, factor);
  const whole = rows[0] === 0 && rows[1] === limits.bottom && columns[0] === 0 && columns[1] === limits.right;
  return whole ? null : { top: rows[0], bottom: rows[1], left: columns[0], right: columns[1] };
}

function zoomedRange(
  start: number,
  end: number,
  limit: number,
  about: number,
  factor: number,
): [number, number] {
  const length = end - start;
  const scaled = Math.round(length * factor);
  const wanted = clamp(
    scaled === length ? length + Math.sign(factor - 1) : scaled,
    Math.min(2, limit),
    limit,
  );
  const share = (about + 0.5 - start) / length;
  const first = clamp(Math.round(about + 0.5 - share * wanted), 0, limit - wanted);
  return [first, first + wanted];
}

/** The window moved by a tenth of itself, at least a cell, along either axis. */
export function pannedWindow(window: Window, limits: Window, rows: number, columns: number): Window {
  const pan = (start: number, end: number, limit: number, by: number): [number, number] => {
    const step = by * Math.max(1, Math.round((end - start) / 10));
    const first = clamp(start + step, 0, limit - (end - start));
    return [first, first + end - start];
  };
  const [top, bottom] = pan(window.top, window.bottom, limits.bottom, rows);
  const [left, right] = pan(window.left, window.right, limits.right, columns);
  return { top, bottom, left, right };
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
