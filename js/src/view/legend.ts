/** What the marks mean, for those that occur; what the colors mean where a pixel holds several cells. */
import { cssColor, LUT_SIZE, SPECIAL, wantsDarkInk } from "../colormap.ts";
import { element, toggle } from "../dom.ts";
import type { Figure, Shown } from "../figure.ts";
import { blockText, counted, numberFormat } from "../format.ts";
import type { Scale } from "../scale.ts";
import { DARK_INK, drawMark, LIGHT_INK } from "./marks.ts";

const SWATCH = 14;
const COUNTED_AT_ONCE = 50_000;
/** Cells counted before a frame may come: a few milliseconds. */
const PART = 1 << 20;
const PAUSE_MS = 100;

export interface Legend {
  readonly root: HTMLElement;
  draw(figure: Figure): void;
  destroy(): void;
}

interface Census {
  below: number;
  above: number;
  nan: number;
  positiveInfinity: number;
  negativeInfinity: number;
  absent: number;
  zero: number;
  notPositive: number;
}

const NONE: Census = {
  below: 0,
  above: 0,
  nan: 0,
  positiveInfinity: 0,
  negativeInfinity: 0,
  absent: 0,
  zero: 0,
  notPositive: 0,
};

/** How many shown cells, of those in a run of them, are of each special kind, and of `others` before. */
export function census(
  { cells }: Shown,
  { low, high }: { low: number; high: number },
  from = 0,
  to = cells.values.length,
  others: Readonly<Census> = NONE,
): Census {
  const counts = { ...others };
  const { values, absent } = cells;
  for (let i = from; i < to; i++) {
    const value = values[i]!;
    if (value === 0) counts.zero++;
    if (value >= low && value <= high) continue;
    if (value === Infinity) counts.positiveInfinity++;
    else if (value === -Infinity) counts.negativeInfinity++;
    else if (value < low) {
      counts.below++;
      if (value <= 0) counts.notPositive++;
    } else if (value > high) counts.above++;
    else if (absent !== null && absent[i] === 1) counts.absent++;
    else counts.nan++;
  }
  return counts;
}

export function createLegend(): Legend {
  const root = element("div", "layergrid-legend");
  let drawnFor: readonly unknown[] = [];
  let timer: ReturnType<typeof setTimeout> | null = null;

  const drawSoon = (figure: Figure) => {
    const { state, layout, shown, scale } = figure;
    const key = [
      shown,
      state.palette,
      scale.domain.low,
      scale.domain.high,
      state.scale,
      state.aggregate,
      layout.rowBlock,
      layout.columnBlock,
      layout.ratio,
    ];
    if (key.every((part, i) => part === drawnFor[i])) return;
    const { length } = shown.cells.values;
    const count = (from: number, others: Census) => {
      const to = Math.min(length, from + PART);
      const counts = census(shown, scale.domain, from, to, others);
      if (to < length)
        timer = setTimeout(() => count(to, counts)); // a frame may come between
      else {
        drawnFor = key;
        drawCounted(figure, counts);
      }
    };
    count(0, NONE);
  };

  const drawCounted = (figure: Figure, counts: Census) => {
    const { state, scale } = figure;
    const text = numberFormat(state.domain.low, state.domain.high);
    const entries: Node[] = [];
    const swatchFor = (mark: keyof typeof SPECIAL | "zero", label: string, count: number) => {
      if (count > 0) entries.push(entry(figure, mark, `${label} (${count.toLocaleString("en")})`));
    };
    swatchFor("below", `below ${text(scale.domain.low)}`, counts.below);
    swatchFor("above", `above ${text(scale.domain.high)}`, counts.above);
    swatchFor("nan", "NaN", counts.nan);
    swatchFor("positiveInfinity", "+∞", counts.positiveInfinity);
    swatchFor("negativeInfinity", "−∞", counts.negativeInfinity);
    swatchFor("absent", "absent", counts.absent);
    swatchFor("zero", "zero", counts.zero);
    for (const note of notes(figure, scale, counts))
      entries.push(element("span", "layergrid-legend-note", {}, note));
    root.replaceChildren(...entries);
    toggle(root, entries.length > 0);
  };

  return {
    root,
    draw(figure) {
      // Counting very many cells in every frame of a drag would slow it down: they are counted when it pauses.
      if (timer !== null) clearTimeout(timer);
      timer = null;
      if (drawnFor.length === 0 || figure.shown.cells.values.length <= COUNTED_AT_ONCE) drawSoon(figure);
      else timer = setTimeout(() => drawSoon(figure), PAUSE_MS);
    },
    destroy() {
      if (timer !== null) clearTimeout(timer);
    },
  };
}

function notes({ state, layout }: Figure, scale: Scale, counts: Census): string[] {
  const said: string[] = [];
  const block = blockText(state.aggregate, layout, state.matrix.axes);
  if (block !== "") said.push(`each color is the ${block}; zoom in for single cells`);
  if (state.matrix.far !== null)
    said.push("counts and histogram are those of the overview's blocks, not of single cells");
  if (scale.kind === "log" && counts.notPositive > 0)
    said.push(
      `${counted(counts.notPositive, "value")} of zero or less, which a log scale cannot place, shown as below it`,
    );
  if (scale.kind === "log" && scale.domain.low !== state.domain.low)
    said.push(`a log scale starts above zero: from the smallest positive value`);
  if (scale.kind === "symlog")
    said.push("symlog: linear around zero, logarithmic beyond a thousandth of the larger limit");
  if (scale.kind === "quantile") said.push("quantile: colors follow ranks, not distances");
  return said;
}

function entry(figure: Figure, mark: keyof typeof SPECIAL | "zero", label: string): HTMLElement {
  const ratio = figure.layout.ratio;
  const size = Math.round(SWATCH * ratio);
  const canvas = element("canvas", "layergrid-swatch", { width: size, height: size, "aria-hidden": "true" });
  const context = canvas.getContext("2d")!;
  const { palette } = figure.state;
  const color = mark === "zero" ? palette.colors[LUT_SIZE / 2]! : palette.colors[LUT_SIZE + SPECIAL[mark]]!;
  context.fillStyle = cssColor(color);
  context.fillRect(0, 0, size, size);
  const ink = mark === "absent" ? "rgba(128,128,128,1)" : wantsDarkInk(color) ? DARK_INK : LIGHT_INK;
  drawMark(context, mark === "zero" ? "zero" : SPECIAL[mark], 0, 0, size, size, ratio, ink);
  return element("span", "layergrid-legend-entry", {}, canvas, label);
}
