/** Upon the colors: marks for what a color alone cannot say, and values where they fit. */
import { LUT_SIZE, type Palette, SPECIAL, wantsDarkInk } from "../colormap.ts";
import type { Figure } from "../figure.ts";
import { numberFormat } from "../format.ts";
import { remembered } from "../remember.ts";
import type { DrawMarks } from "./picture.ts";

const SMALLEST_MARKED = 7; // CSS px: below this, marks would hide the color, which tells all but zero
const SMALLEST_DOTTED = 3;
const MOST_DOTTED = 20_000; // a matrix that is mostly zero must not take long to draw
const LARGEST_MARK = 16;
const SMALLEST_TEXT_ROW = 15;
const TEXT_MARGIN = 10;
export const DARK_INK = "rgba(0,0,0,0.8)";
export const LIGHT_INK = "rgba(255,255,255,0.92)";

/** What marks and values are written with. */
interface Ink {
  /** For what is absent, on the page's own color. */
  readonly muted: string;
  readonly fontFamily: string;
}

export interface Marks {
  readonly draw: DrawMarks;
  /** The page has another theme. */
  restyle(): void;
}

export function createMarks(canvas: HTMLElement): Marks {
  let ink: Ink | null = null; // asking for it in a frame in which the page has changed costs a layout of all of it
  const inkOf = remembered(inksOn);
  return {
    draw(context, figure, indices) {
      if (ink === null) {
        const { color, fontFamily } = getComputedStyle(canvas);
        ink = { muted: color, fontFamily };
      }
      const inks = inkOf(figure.state.palette);
      drawMarks(context, figure, indices, inks, ink);
      drawValues(context, figure, indices, inks, ink);
    },
    restyle() {
      ink = null;
    },
  };
}

/** The ink that reads best on each color of a palette. */
function inksOn({ colors }: Palette): readonly string[] {
  return Array.from(colors, (color) => (wantsDarkInk(color) ? DARK_INK : LIGHT_INK));
}

function drawMarks(
  context: CanvasRenderingContext2D,
  { layout, painted }: Figure,
  indices: Uint16Array,
  inks: readonly string[],
  { muted }: Ink,
): void {
  const { columns, rows, ratio } = layout;
  const smaller = Math.min(rows.ends[0]! - rows.starts[0]!, columns.ends[0]! - columns.starts[0]!) / ratio;
  if (smaller < SMALLEST_DOTTED || (smaller < SMALLEST_MARKED && indices.length > MOST_DOTTED)) return;
  const room = smaller >= SMALLEST_MARKED;
  for (let row = 0, at = 0; row < rows.length; row++)
    for (let column = 0; column < columns.length; column++, at++) {
      const index = indices[at]!;
      const special = index - LUT_SIZE;
      const zero = painted.values[at] === 0;
      if (!(zero || (special >= 0 && room))) continue;
      const x = columns.starts[column]!;
      const y = rows.starts[row]!;
      const width = columns.ends[column]! - x;
      const height = rows.ends[row]! - y;
      const ink = special === SPECIAL.absent ? muted : inks[index]!;
      drawMark(context, zero ? "zero" : special, x, y, width, height, ratio, ink);
    }
}

/** True where an off-scale mark fits at the right of the value; in narrower cells the mark stands alone. */
function holdsMarkAndValue(width: number, height: number, ratio: number): boolean {
  return width > 4.2 * Math.min(height, LARGEST_MARK * ratio);
}

/** One mark in a box of device pixels; the legend draws the same ones. */
export function drawMark(
  context: CanvasRenderingContext2D,
  mark: number | "zero",
  x: number,
  y: number,
  width: number,
  height: number,
  ratio: number,
  ink: string,
): void {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.fillStyle = context.strokeStyle = ink;
  context.lineWidth = ratio;
  context.beginPath();
  const middle = { x: x + width / 2, y: y + height / 2 };
  const size = Math.min(width, height, LARGEST_MARK * ratio);
  switch (mark) {
    case SPECIAL.below:
    case SPECIAL.above: {
      const at = holdsMarkAndValue(width, height, ratio) ? x + width - size * 0.7 : middle.x;
      const toTip = mark === SPECIAL.above ? -1 : 1;
      const arm = size * 0.24;
      context.moveTo(at - arm, middle.y - toTip * arm * 0.7);
      context.lineTo(at + arm, middle.y - toTip * arm * 0.7);
      context.lineTo(at, middle.y + toTip * arm * 0.7);
      context.fill();
      break;
    }
    case SPECIAL.nan: {
      for (let start = -height; start < width; start += 5 * ratio) {
        context.moveTo(x + start, y + height);
        context.lineTo(x + start + height, y);
      }
      context.stroke();
      break;
    }
    case SPECIAL.positiveInfinity:
    case SPECIAL.negativeInfinity: {
      context.font = `600 ${Math.round(size * 0.8)}px sans-serif`;
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.fillText(mark === SPECIAL.positiveInfinity ? "+∞" : "−∞", middle.x, middle.y);
      break;
    }
    case SPECIAL.absent: {
      context.globalAlpha = 0.5;
      context.moveTo(middle.x - size * 0.2, Math.round(middle.y) + ratio / 2);
      context.lineTo(middle.x + size * 0.2, Math.round(middle.y) + ratio / 2);
      context.stroke();
      break;
    }
    case "zero": {
      context.arc(middle.x, middle.y, size * 0.16, 0, 2 * Math.PI);
      context.stroke();
      break;
    }
  }
  context.restore();
}

function drawValues(
  context: CanvasRenderingContext2D,
  { layout, painted, state }: Figure,
  indices: Uint16Array,
  inks: readonly string[],
  { fontFamily }: Ink,
): void {
  const { columns, rows, ratio, rowBlock, columnBlock } = layout;
  if (rowBlock > 1 || columnBlock > 1) return;
  const height = (rows.ends[0]! - rows.starts[0]!) / ratio;
  if (height < SMALLEST_TEXT_ROW) return;
  const width =
    Math.min(...Array.from(columns.starts.subarray(0, 64), (start, i) => columns.ends[i]! - start)) / ratio;
  if (width < 28) return;
  const text = numberFormat(state.domain.low, state.domain.high);
  const size = Math.min(11.5, Math.round(height * 0.56 * 2) / 2);
  context.font = `${size * ratio}px ${fontFamily}`;
  const widest = Math.max(
    ...[state.domain.low, state.domain.high].map((value) => context.measureText(text(value)).width),
  );
  if (widest / ratio + TEXT_MARGIN > width) return;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let row = 0, at = 0; row < rows.length; row++)
    for (let column = 0; column < columns.length; column++, at++) {
      const value = painted.values[at]!;
      // A cell whose mark says all there is to say (NaN, infinities, zero, absent) carries no number.
      if (value - value !== 0 || value === 0) continue;
      const index = indices[at]!;
      if (index >= LUT_SIZE && !holdsMarkAndValue(width * ratio, height * ratio, ratio)) continue;
      context.fillStyle = inks[index]!;
      const x = (columns.starts[column]! + columns.ends[column]!) / 2;
      const y = (rows.starts[row]! + rows.ends[row]!) / 2 + 0.5 * ratio;
      context.fillText(text(value), x, y);
    }
}
