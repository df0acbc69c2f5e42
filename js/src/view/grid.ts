/** The picture with its axes: pointing, clicking, dragging, zooming, and the same by keyboard. */
import { cellFacts, spoken } from "../cell.ts";
import { element, setAttributes, setText, toggle } from "../dom.ts";
import { type Figure, wholeWindow } from "../figure.ts";
import type { Box } from "../findings.ts";
import { blockText, counted } from "../format.ts";
import { cellUnder } from "../layout.ts";
import { MOST_SELECTED } from "../model.ts";
import { type CellId, rectangle, toggled } from "../selection.ts";
import type { Window } from "../windows.ts";
import { type Axes, createAxes } from "./axes.ts";
import { cellBox, createOutlines, type Spot } from "./outlines.ts";
import { createPicture } from "./picture.ts";
import { createTooltip } from "./tooltip.ts";

const DRAG_THRESHOLD = 4;
const ZOOM_STEP = 1.25;
const PAGE_ROWS = 10;

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

export interface GridView {
  readonly root: HTMLElement;
  readonly axes: Axes;
  /** Draw the picture, with values and marks in its cells if wanted. */
  draw(figure: Figure, withMarks: boolean): void;
  /** Draw the labels beside and below it. */
  drawLabels(figure: Figure): void;
  /** Outline cells of the matrix, dashed, until others are; none where there are no boxes. */
  outline(boxes: readonly Box[]): void;
  focus(): void;
  destroy(): void;
}

type Drag =
  | { kind: "cells"; from: Spot; to: Spot; moved: boolean; startX: number; startY: number }
  | { kind: "rows"; from: number; to: number; moved: boolean; startY: number };

let grids = 0;

export function createGridView(gestures: GridGestures): GridView {
  const picture = createPicture();
  const outlines = createOutlines();
  const axes = createAxes();
  const tooltip = createTooltip();
  const id = `layergrid-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}-${grids++}`;
  const active = element("div", "layergrid-active", { role: "gridcell", id });
  const line = element("div", "layergrid-active-row", { role: "row" }, active);
  const plot = element(
    "div",
    "layergrid-plot",
    {
      role: "grid",
      tabindex: 0,
      "aria-label": "Grid of layers and components",
      "aria-multiselectable": "true",
      "aria-activedescendant": id,
      "data-lm-suppress-shortcuts": "true",
    },
    picture.canvas,
    outlines.canvas,
    line,
  );
  const empty = element(
    "div",
    "layergrid-empty",
    { hidden: true },
    "No component is shown. Choose one above, or all.",
  );
  const live = element("div", "layergrid-live", { "aria-live": "polite" });
  const frame = element("div", "layergrid-plot-frame", {}, plot, empty, tooltip.root, live);

  let figure: Figure | null = null;
  let focus: Spot = { row: 0, column: 0 };
  let focusSet = false;
  let anchor: Spot | null = null;
  let hover: Spot | null = null;
  let drag: Drag | null = null;
  let finding: readonly Box[] = [];
  let placedFor: readonly unknown[] = [];

  const cellAt = (spot: Spot): CellId =>
    figure!.rows[spot.row]! * figure!.state.matrix.columns + figure!.columns[spot.column]!;

  const redrawOutlines = () => {
    if (figure === null || figure.painted.values.length === 0) return;
    const dragged = drag?.kind === "cells" && drag.moved ? { from: drag.from, to: drag.to } : null;
    const band =
      drag?.kind === "rows" && drag.moved
        ? { from: { row: drag.from, column: 0 }, to: { row: drag.to, column: figure.columns.length - 1 } }
        : null;
    outlines.draw(figure, { hover: drag?.moved ? null : hover, drag: dragged ?? band, finding });
  };

  const spotUnder = (event: MouseEvent, nearest: boolean): Spot | null => {
    if (figure === null || figure.painted.values.length === 0) return null;
    const { layout } = figure;
    const box = picture.canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * layout.width;
    const y = ((event.clientY - box.top) / box.height) * layout.height;
    const row = cellUnder(layout.rows, y, nearest);
    const column = cellUnder(layout.columns, x, nearest);
    return row < 0 || column < 0 ? null : { row, column };
  };

  const selectSpots = (cells: readonly CellId[] | null, event: { ctrlKey: boolean; metaKey: boolean }) => {
    if (cells === null) return;
    const { selection } = figure!.state;
    gestures.select(event.ctrlKey || event.metaKey ? toggled(selection, cells) : cells);
  };
  const spanned = (from: Spot, to: Spot): CellId[] | null => {
    const count = (Math.abs(from.row - to.row) + 1) * (Math.abs(from.column - to.column) + 1);
    if (count > MOST_SELECTED) {
      gestures.tooMany(count);
      return null;
    }
    return rectangle(figure!.rows, figure!.columns, figure!.state.matrix.columns, from, to);
  };

  const focusOn = (spot: Spot, speak: boolean) => {
    focus = spot;
    focusSet = true;
    placeActive(speak);
  };

  const placeActive = (speak: boolean) => {
    if (figure === null || figure.painted.values.length === 0) return;
    const { rows, columns, layout, state } = figure;
    focus = { row: Math.min(focus.row, rows.length - 1), column: Math.min(focus.column, columns.length - 1) };
    if (!focusSet) focus = { row: state.origin === "lower" ? rows.length - 1 : 0, column: 0 };
    const box = cellBox(figure, focus);
    const selected = state.selection.includes(cellAt(focus));
    const text = spoken(cellFacts(figure, rows[focus.row]!, columns[focus.column]!), selected);
    Object.assign(active.style, {
      left: `${box.x / layout.ratio}px`,
      top: `${box.y / layout.ratio}px`,
      width: `${box.width / layout.ratio}px`,
      height: `${box.height / layout.ratio}px`,
    });
    setAttributes(line, { "aria-rowindex": focus.row + 1 });
    setAttributes(active, {
      "aria-colindex": focus.column + 1,
      "aria-selected": String(selected),
      "aria-label": text,
    });
    if (speak) setText(live, text);
  };

  const showTooltip = (event: PointerEvent) => {
    if (figure === null || hover === null) return tooltip.hide();
    const { layout } = figure;
    const facts = cellFacts(figure, figure.rows[hover.row]!, figure.columns[hover.column]!);
    const block = blockText(figure.state.aggregate, layout, figure.state.matrix.axes);
    const box = frame.getBoundingClientRect();
    tooltip.show(
      facts,
      block === "" ? "" : `color: ${block}`,
      event.altKey || event.shiftKey,
      event.clientX - box.left,
      event.clientY - box.top,
      box.width,
    );
  };

  const onPointerMove = (event: PointerEvent) => {
    if (drag?.kind === "cells") {
      const far = Math.hypot(event.clientX - drag.startX, event.clientY - drag.startY) >= DRAG_THRESHOLD;
      drag.moved ||= far;
      drag.to = spotUnder(event, true) ?? drag.to;
      if (drag.moved) tooltip.hide();
      redrawOutlines();
      return;
    }
    const spot = spotUnder(event, false);
    const same = spot?.row === hover?.row && spot?.column === hover?.column;
    hover = spot;
    if (!same) redrawOutlines();
    showTooltip(event);
  };
  const onPointerLeave = () => {
    hover = null;
    tooltip.hide();
    redrawOutlines();
  };
  const onPointerDown = (event: PointerEvent) => {
    const spot = spotUnder(event, false);
    if (event.button !== 0 || spot === null) return;
    plot.setPointerCapture(event.pointerId);
    drag = {
      kind: "cells",
      from: spot,
      to: spot,
      moved: false,
      startX: event.clientX,
      startY: event.clientY,
    };
  };
  const onPointerUp = (event: PointerEvent) => {
    const ended = drag;
    drag = null;
    if (ended?.kind !== "cells" || figure === null) return;
    if (ended.moved) {
      anchor = ended.from;
      focusOn(ended.to, false);
      selectSpots(spanned(ended.from, ended.to), event);
    } else {
      const spot = ended.from;
      gestures.click(figure.rows[spot.row]!, figure.columns[spot.column]!); // first: a callback need not wait for drawing
      focusOn(spot, false);
      if (event.shiftKey && anchor !== null) selectSpots(spanned(anchor, spot), event);
      else {
        anchor = spot;
        selectSpots([cellAt(spot)], event);
      }
    }
    redrawOutlines();
  };
  const openSpot = (spot: Spot) => gestures.open(figure!.rows[spot.row]!, figure!.columns[spot.column]!);
  const onDoubleClick = (event: MouseEvent) => {
    const spot = spotUnder(event, false);
    if (spot !== null && figure!.state.opens) openSpot(spot);
  };
  const onPointerCancel = () => {
    drag = null;
    redrawOutlines();
  };

  const onWheel = (event: WheelEvent) => {
    if (figure === null || !(event.ctrlKey || event.metaKey || event.altKey || event.shiftKey)) return;
    const spot = spotUnder(event, true);
    if (spot === null) return;
    event.preventDefault();
    const { state, window } = figure;
    const limits = wholeWindow(state);
    if (event.shiftKey) {
      const by = Math.sign(event.deltaX || event.deltaY);
      gestures.zoom(pannedWindow(window, limits, event.altKey ? 0 : by, event.altKey ? by : 0));
    } else {
      gestures.zoom(zoomedWindow(window, limits, spot, event.deltaY < 0 ? 1 / ZOOM_STEP : ZOOM_STEP));
    }
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (figure === null || figure.painted.values.length === 0) return;
    const { rows, columns, state, window } = figure;
    const last = { row: rows.length - 1, column: columns.length - 1 };
    const go = (row: number, column: number) => {
      const spot = { row: clamp(row, 0, last.row), column: clamp(column, 0, last.column) };
      if (event.shiftKey) {
        anchor ??= focus;
        const cells = spanned(anchor, spot);
        if (cells !== null) gestures.select(cells);
      } else {
        anchor = spot;
      }
      focusOn(spot, true);
      redrawOutlines();
    };
    const whole = event.ctrlKey || event.metaKey;
    const keys: Record<string, () => void> = {
      ArrowUp: () => go(focus.row - figure!.layout.rowBlock, focus.column),
      ArrowDown: () => go(focus.row + figure!.layout.rowBlock, focus.column),
      ArrowLeft: () => go(focus.row, focus.column - figure!.layout.columnBlock),
      ArrowRight: () => go(focus.row, focus.column + figure!.layout.columnBlock),
      Home: () => go(whole ? 0 : focus.row, 0),
      End: () => go(whole ? last.row : focus.row, last.column),
      PageUp: () => go(focus.row - PAGE_ROWS * figure!.layout.rowBlock, focus.column),
      PageDown: () => go(focus.row + PAGE_ROWS * figure!.layout.rowBlock, focus.column),
      Enter: () => {
        const only = state.selection.length === 1 && state.selection[0] === cellAt(focus);
        if (state.opens && only && !whole) return openSpot(focus);
        gestures.click(rows[focus.row]!, columns[focus.column]!);
        anchor = focus;
        selectSpots([cellAt(focus)], event);
      },
      " ": () => {
        gestures.select(toggled(state.selection, [cellAt(focus)]));
      },
      Escape: () => {
        anchor = null;
        if (state.selection.length === 0) gestures.leave();
        else gestures.select([]);
      },
      o: () => {
        if (state.opens) openSpot(focus);
      },
      f: () => gestures.zoom(null),
      "+": () => gestures.zoom(zoomedWindow(window, wholeWindow(state), focus, 1 / ZOOM_STEP)),
      "-": () => gestures.zoom(zoomedWindow(window, wholeWindow(state), focus, ZOOM_STEP)),
    };
    const act = keys[event.key];
    if (act === undefined || (whole && !["Home", "End", "Enter", " "].includes(event.key))) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  };

  const rowUnder = (event: MouseEvent) => {
    const box = picture.canvas.getBoundingClientRect();
    const { layout } = figure!;
    const y = ((event.clientY - box.top) / box.height) * layout.height;
    return cellUnder(layout.rows, y, true);
  };
  const onRowsDown = (event: PointerEvent) => {
    if (event.button !== 0 || figure === null || figure.rows.length === 0) return;
    axes.rows.setPointerCapture(event.pointerId);
    const row = rowUnder(event);
    drag = { kind: "rows", from: row, to: row, moved: false, startY: event.clientY };
  };
  const onRowsMove = (event: PointerEvent) => {
    if (drag?.kind !== "rows" || figure === null) return;
    drag.moved ||= Math.abs(event.clientY - drag.startY) >= DRAG_THRESHOLD;
    drag.to = rowUnder(event);
    redrawOutlines();
  };
  const onRowsUp = (event: PointerEvent) => {
    const ended = drag;
    drag = null;
    if (ended?.kind !== "rows" || figure === null) return;
    const { rows, columns } = figure;
    const row = (at: number) => ({ row: at, column: 0 });
    if (ended.moved)
      gestures.showLayers(
        Array.from(rows.slice(Math.min(ended.from, ended.to), Math.max(ended.from, ended.to) + 1)),
      );
    else selectSpots(spanned(row(ended.from), { row: ended.from, column: columns.length - 1 }), event);
    redrawOutlines();
  };
  const onColumnsClick = (event: MouseEvent) => {
    if (figure === null || figure.columns.length === 0) return;
    const box = picture.canvas.getBoundingClientRect();
    const { layout, rows, runs } = figure;
    const heading = (event.target as Element).closest(".layergrid-group");
    const x = ((event.clientX - box.left) / box.width) * layout.width;
    const column = cellUnder(layout.columns, x, true);
    const run = heading === null ? undefined : runs.find(({ start, end }) => column >= start && column < end);
    const from = { row: 0, column: run?.start ?? column };
    selectSpots(
      spanned(from, { row: rows.length - 1, column: run === undefined ? column : run.end - 1 }),
      event,
    );
  };

  plot.addEventListener("pointermove", onPointerMove);
  plot.addEventListener("pointerleave", onPointerLeave);
  plot.addEventListener("pointerdown", onPointerDown);
  plot.addEventListener("pointerup", onPointerUp);
  plot.addEventListener("pointercancel", onPointerCancel);
  plot.addEventListener("dblclick", onDoubleClick);
  plot.addEventListener("wheel", onWheel, { passive: false });
  plot.addEventListener("keydown", onKeyDown);
  plot.addEventListener("focus", () => placeActive(true));
  axes.rows.addEventListener("pointerdown", onRowsDown);
  axes.rows.addEventListener("pointermove", onRowsMove);
  axes.rows.addEventListener("pointerup", onRowsUp);
  axes.rows.addEventListener("pointercancel", onPointerCancel);
  axes.columns.addEventListener("click", onColumnsClick);

  return {
    root: frame,
    axes,
    draw(next, withMarks) {
      const sameView = figure?.rows === next.rows && figure?.columns === next.columns;
      const sameValues = figure?.state.matrix === next.state.matrix;
      figure = next;
      if (!sameView) hover = null;
      if (!sameView || !sameValues) tooltip.hide();
      const { layout } = next;
      plot.style.width = `${layout.width / layout.ratio}px`;
      plot.style.height = `${layout.height / layout.ratio}px`;
      picture.draw(next, withMarks);
      outlines.draw(next, { hover, drag: null, finding });
    },
    drawLabels(next) {
      const { state, rows, columns } = next;
      toggle(empty, columns.length === 0 || rows.length === 0);
      if (rows.length > 0 && columns.length > 0) axes.draw(next);
      setAttributes(plot, {
        "aria-rowcount": rows.length,
        "aria-colcount": columns.length,
        "aria-label": `${state.title === "" ? "Grid" : state.title}: ${counted(rows.length, state.matrix.axes[0])} by ${counted(columns.length, state.matrix.axes[1])}`,
      });
      // What is said of a cell costs a look at all others, so only where something of it may have changed.
      const said = [state.selection, next.shown, next.rows, next.columns, next.layout, state.units];
      const chosen = state.selection !== placedFor[0]; // known only now: a selection is drawn after its key
      if (said.some((part, i) => part !== placedFor[i])) placeActive(chosen && plot.matches(":focus"));
      placedFor = said;
    },
    outline(boxes) {
      finding = boxes;
      redrawOutlines();
    },
    focus() {
      plot.focus({ preventScroll: true });
    },
    destroy() {
      drag = null;
      tooltip.hide();
    },
  };
}

/** The window scaled by a factor about a position in it, in whole cells, within the limits. */
export function zoomedWindow(window: Window, limits: Window, about: Spot, factor: number): Window | null {
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

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
