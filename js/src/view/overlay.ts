/** What lies over the picture: outlines, the tooltip, and the cell of the keyboard, which a screen reader speaks. */
import { cellFacts, spoken } from "../cell.ts";
import { element, setAttributes, setText, toggle } from "../dom.ts";
import type { Figure } from "../figure.ts";
import type { Box } from "../findings.ts";
import { blockText, counted } from "../format.ts";
import type { Spot } from "./aim.ts";
import type { GridView } from "./grid.ts";
import { cellBox, createOutlines } from "./outlines.ts";
import { createTooltip } from "./tooltip.ts";

export interface Overlay {
  draw(figure: Figure): void;
  /** Say what there is, and where the keyboard is. */
  describe(figure: Figure): void;
  /** Outline cells of the matrix, dashed, until others are; none where there are no boxes. */
  outline(boxes: readonly Box[]): void;
  destroy(): void;
}

/** What is said of a cell costs a look at all others: of more than these it waits until the view stands still. */
const TOLD_AT_ONCE = 100_000;
const STILL_MS = 150;

let overlays = 0;

/** `request` has all drawn soon, and then described. */
export function createOverlay({ frame, plot, aim }: GridView, request: () => void): Overlay {
  const outlines = createOutlines();
  const tooltip = createTooltip();
  const id = `layergrid-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}-${overlays++}`;
  const active = element("div", "layergrid-active", { role: "gridcell", id });
  const line = element("div", "layergrid-active-row", { role: "row" }, active);
  const empty = element(
    "div",
    "layergrid-empty",
    { hidden: true },
    "No component is shown. Choose one above, or all.",
  );
  const live = element("div", "layergrid-live", { "aria-live": "polite" });
  setAttributes(plot, { "aria-activedescendant": id });
  plot.append(outlines.canvas, line);
  frame.append(empty, tooltip.root, live);

  let drawn: Figure | null = null;
  let hover: Spot | null = null;
  let finding: readonly Box[] = [];
  let placedFor: readonly unknown[] = [];
  let telling: ReturnType<typeof setTimeout> | undefined;

  const redraw = () => {
    const figure = aim.figure();
    const drag = aim.dragged();
    if (drag !== null) tooltip.hide();
    if (figure !== null) outlines.draw(figure, { hover: drag === null ? hover : null, drag, finding });
  };

  const placeActive = () => {
    const figure = aim.figure();
    if (figure === null) return;
    const { layout } = figure;
    const focus = aim.focus();
    const box = cellBox(figure, focus);
    Object.assign(active.style, {
      left: `${box.x / layout.ratio}px`,
      top: `${box.y / layout.ratio}px`,
      width: `${box.width / layout.ratio}px`,
      height: `${box.height / layout.ratio}px`,
    });
    setAttributes(line, { "aria-rowindex": focus.row + 1 });
    setAttributes(active, { "aria-colindex": focus.column + 1 });
  };
  const tellActive = (speak: boolean) => {
    clearTimeout(telling);
    const figure = aim.figure();
    if (figure === null) return;
    const { rows, columns, state } = figure;
    const focus = aim.focus();
    const selected = state.selection.includes(aim.cellAt(focus));
    const text = spoken(cellFacts(figure, rows[focus.row]!, columns[focus.column]!), selected);
    setAttributes(active, { "aria-selected": String(selected), "aria-label": text });
    if (speak) setText(live, text);
  };
  const goActive = (speak: boolean) => {
    placeActive();
    tellActive(speak);
  };

  const showTooltip = (event: PointerEvent) => {
    const figure = aim.figure();
    if (figure === null || hover === null) return tooltip.hide();
    const { layout, rows, columns, state } = figure;
    const facts = cellFacts(figure, rows[hover.row]!, columns[hover.column]!);
    const block = blockText(state.aggregate, layout, state.matrix.axes);
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

  plot.addEventListener("pointermove", (event) => {
    if (aim.dragged() !== null) return;
    const spot = aim.figure() === null ? null : aim.under(event, false);
    const same = spot?.row === hover?.row && spot?.column === hover?.column;
    hover = spot;
    if (!same) redraw();
    showTooltip(event);
  });
  plot.addEventListener("pointerleave", () => {
    hover = null;
    tooltip.hide();
    redraw();
  });
  plot.addEventListener("focus", () => goActive(true));
  aim.watch({
    dragged: redraw,
    focused(speak) {
      if (speak) return goActive(true);
      placedFor = []; // with the rest of what follows a click
      request();
    },
  });

  return {
    draw(figure) {
      const sameView = drawn?.rows === figure.rows && drawn.columns === figure.columns;
      const sameValues = drawn?.state.matrix === figure.state.matrix;
      drawn = figure;
      if (!sameView) hover = null;
      if (!sameView || !sameValues) tooltip.hide();
      outlines.draw(figure, { hover, drag: aim.dragged(), finding });
    },
    describe(figure) {
      const { state, rows, columns, shown, layout } = figure;
      const [rowNoun, columnNoun] = state.matrix.axes;
      const size = `${counted(rows.length, rowNoun)} by ${counted(columns.length, columnNoun)}`;
      toggle(empty, columns.length === 0 || rows.length === 0);
      setAttributes(plot, {
        "aria-rowcount": rows.length,
        "aria-colcount": columns.length,
        "aria-label": `${state.title === "" ? "Grid" : state.title}: ${size}`,
      });
      const said = [state.selection, shown, rows, columns, layout, state.units];
      const chosen = state.selection !== placedFor[0]; // known only now: a selection is drawn after its key
      if (said.some((part, i) => part !== placedFor[i])) {
        placeActive();
        if (chosen || shown.cells.values.length <= TOLD_AT_ONCE) tellActive(chosen && plot.matches(":focus"));
        else {
          clearTimeout(telling);
          telling = setTimeout(() => tellActive(false), STILL_MS);
        }
      }
      placedFor = said;
    },
    outline(boxes) {
      finding = boxes;
      redraw();
    },
    destroy() {
      clearTimeout(telling);
    },
  };
}
