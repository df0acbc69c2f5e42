/** The color bar, which is the control: handles for low, center and high, ticks, and the histogram beside it. */
import { element, setAttributes, sizeCanvas, svg, toggle } from "../dom.ts";
import type { Figure } from "../figure.ts";
import { numberFormat, tickFormat } from "../format.ts";
import { type End, movedLimit } from "../limits.ts";
import { paletteIndex } from "../raster.ts";
import { BAR_WIDTH, HISTOGRAM_WIDTH } from "../room.ts";
import type { Scale } from "../scale.ts";
import { histogram } from "../spread.ts";
import { scaleTicks } from "../ticks.ts";
import type { Changes } from "../traits.ts";

const ENDS: readonly End[] = ["low", "center", "high"];

const BIN_HEIGHT = 4;
const TICK_ROOM = 60;
const LEAST_HEIGHT = 132; // below this, three handles do not stand apart
const KEY_STEP = 0.01;
const PAGE_STEP = 0.1;

export interface Colorbar {
  readonly root: HTMLElement;
  /** The bar with its handles and ticks, where they have changed; `anew` where what was drawn may be lost. */
  draw(figure: Figure, anew: boolean): void;
  drawHistogram(figure: Figure): void;
  destroy(): void;
}

/** The values that the bar spans, from its bottom to its top. */
interface Axis {
  readonly low: number;
  readonly high: number;
}

export function createColorbar(change: (changes: Changes) => void): Colorbar {
  const bar = element("canvas", "layergrid-bar", { "aria-hidden": "true" });
  const bins = svg("path", { class: "layergrid-bins" });
  const histogramBox = svg("svg", { class: "layergrid-histogram", "aria-hidden": "true" }, bins);
  const tickBox = element("div", "layergrid-ticks", { "aria-hidden": "true" });
  const handles = new Map(
    ENDS.map((end) => [
      end,
      element("div", "layergrid-handle", {
        role: "slider",
        tabindex: 0,
        "data-end": end,
        "aria-orientation": "vertical",
        "aria-label": {
          low: "Low end of the color scale",
          center: "Center of the color scale",
          high: "High end of the color scale",
        }[end],
        "data-lm-suppress-shortcuts": "true",
      }),
    ]),
  );
  const track = element("div", "layergrid-track", {}, bar, ...handles.values());
  const root = element("div", "layergrid-colorbar", {}, histogramBox, track, tickBox);

  let figure: Figure | null = null;
  let dragging: { end: End; axis: Axis; pointer: number } | null = null;
  let drawn: readonly unknown[] = [];
  let ticksOf: readonly unknown[] = [];
  let histogramOf: readonly unknown[] = [];

  const axis = (): Axis => dragging?.axis ?? axisOf(figure!);

  const valueAt = (clientY: number): number => {
    const box = bar.getBoundingClientRect();
    const { low, high } = axis();
    return atShare(figure!.scale, low, high, 1 - (clientY - box.top) / box.height);
  };
  const move = (end: End, value: number) => change(movedLimit(end, value, figure!.scale.domain));

  const onPointerDown = (event: PointerEvent) => {
    if (event.button !== 0 || figure === null) return;
    const onHandle = (event.target as Element).closest<HTMLElement>(".layergrid-handle");
    const end = (onHandle?.dataset.end as End | undefined) ?? nearestEnd(figure, valueAt(event.clientY));
    event.preventDefault();
    handles.get(end)!.focus({ preventScroll: true });
    dragging = { end, axis: axisOf(figure), pointer: event.pointerId };
    track.setPointerCapture(event.pointerId);
    if (onHandle === null) move(end, valueAt(event.clientY));
  };
  const onPointerMove = (event: PointerEvent) => {
    if (dragging?.pointer === event.pointerId) move(dragging.end, valueAt(event.clientY));
  };
  const onPointerEnd = (event: PointerEvent) => {
    if (dragging?.pointer !== event.pointerId) return;
    dragging = null;
    if (figure !== null) draw(figure, true);
  };
  const onKey = (event: KeyboardEvent) => {
    const end = (event.target as HTMLElement).dataset.end as End | undefined;
    if (end === undefined || figure === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const { low, high } = axis();
    const at = shareOf(figure.scale, low, high, figure.scale.domain[end]);
    const steps: Record<string, number> = {
      ArrowUp: at + KEY_STEP,
      ArrowRight: at + KEY_STEP,
      ArrowDown: at - KEY_STEP,
      ArrowLeft: at - KEY_STEP,
      PageUp: at + PAGE_STEP,
      PageDown: at - PAGE_STEP,
      Home: 0,
      End: 1,
    };
    const wanted = steps[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    move(end, atShare(figure.scale, low, high, wanted));
  };
  track.addEventListener("pointerdown", onPointerDown);
  track.addEventListener("pointermove", onPointerMove);
  track.addEventListener("pointerup", onPointerEnd);
  track.addEventListener("pointercancel", onPointerEnd);
  track.addEventListener("lostpointercapture", onPointerEnd);
  track.addEventListener("keydown", onKey);

  const draw = (next: Figure, anew: boolean) => {
    figure = next;
    const { scale, state } = next;
    const { low, high } = axis();
    const cssHeight = barHeight(next);
    const shown = [scale, low, high, cssHeight, next.layout.ratio, state.palette, state.units];
    if (!anew && shown.every((part, i) => part === drawn[i])) return;
    drawn = shown;
    root.style.height = `${cssHeight}px`;
    drawBar(bar, next, low, high);

    const text = numberFormat(low, high);
    for (const end of ENDS) {
      const handle = handles.get(end)!;
      const value = scale.domain[end];
      toggle(handle, end !== "center" || scale.diverging);
      handle.style.top = `${(1 - clamped(shareOf(scale, low, high, value))) * cssHeight}px`;
      setAttributes(handle, {
        "aria-valuemin": low,
        "aria-valuemax": high,
        "aria-valuenow": value,
        "aria-valuetext": `${text(value)}${state.units === "" ? "" : ` ${state.units}`}`,
      });
    }
    drawTicks(scale, low, high, cssHeight);
  };

  const drawTicks = (scale: Scale, low: number, high: number, cssHeight: number) => {
    // Where ticks stand depends on the limits only if what is even along the bar does.
    const placed = scale.kind === "linear" || scale.kind === "log" ? scale.kind : scale;
    const key = [low, high, cssHeight, placed];
    if (key.every((part, i) => part === ticksOf[i])) return;
    ticksOf = key;
    const count = Math.max(2, Math.round(cssHeight / TICK_ROOM));
    const ticks = high > low ? scaleTicks(scale, low, high, count) : [low];
    const label = tickFormat(ticks, scale.kind === "linear");
    tickBox.replaceChildren(
      ...ticks.map((value) => {
        const tick = element("span", "layergrid-tick", {}, label(value));
        tick.style.top = `${(1 - clamped(shareOf(scale, low, high, value))) * cssHeight}px`;
        return tick;
      }),
    );
  };

  const drawBins = (next: Figure) => {
    const { scale, shown, state } = next;
    const { low, high } = axis();
    const cssHeight = barHeight(next);
    const binCount = Math.max(4, Math.round(cssHeight / BIN_HEIGHT));
    const key = [shown, low, high, state.scale, binCount, scale.kind === "symlog" ? scale.domain : null];
    if (key.every((part, i) => part === histogramOf[i])) return;
    histogramOf = key;
    histogramBins(histogramBox, bins, next, low, high, binCount, cssHeight);
  };

  return {
    root,
    draw,
    drawHistogram: drawBins,
    destroy() {
      dragging = null;
    },
  };
}

function barHeight({ layout }: Figure): number {
  return Math.max(LEAST_HEIGHT, layout.height / layout.ratio);
}

/** The bar spans the shown values and the limits. */
function axisOf({ scale, shown }: Figure): Axis {
  const extent = shown.extent();
  const { low, high } = scale.domain;
  const lowest = scale.kind === "log" ? shown.smallestPositive() : extent.low;
  return { low: Math.min(low, lowest), high: Math.max(high, extent.high) };
}

/** Where a value stands between the ends of the bar: 0 at the bottom, 1 at the top; 0.5 where the bar has no length. */
function shareOf(scale: Scale, low: number, high: number, value: number): number {
  const start = scale.transform(low);
  const length = scale.transform(high) - start;
  return length > 0 ? (scale.transform(value) - start) / length : 0.5;
}

function atShare(scale: Scale, low: number, high: number, share: number): number {
  if (share <= 0) return low;
  if (share >= 1) return high;
  const start = scale.transform(low);
  return scale.invert(start + share * (scale.transform(high) - start));
}

function clamped(share: number): number {
  return Number.isNaN(share) ? 0.5 : Math.min(1, Math.max(0, share));
}

function nearestEnd({ scale }: Figure, value: number): End {
  const ends = scale.diverging ? ENDS : ENDS.filter((end) => end !== "center");
  const at = scale.transform(value);
  const away = (end: End) => Math.abs(scale.transform(scale.domain[end]) - at);
  return ends.reduce((nearest, end) => (away(end) < away(nearest) ? end : nearest));
}

function drawBar(bar: HTMLCanvasElement, figure: Figure, low: number, high: number): void {
  const { scale, state, layout } = figure;
  const height = Math.round(barHeight(figure) * layout.ratio);
  sizeCanvas(bar, Math.round(BAR_WIDTH * layout.ratio), height, layout.ratio);
  const context = bar.getContext("2d")!;
  const image = context.createImageData(bar.width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let y = 0; y < height; y++) {
    const index = paletteIndex(scale, atShare(scale, low, high, 1 - (y + 0.5) / height));
    pixels.fill(state.palette.colors[index]!, y * bar.width, (y + 1) * bar.width);
  }
  context.putImageData(image, 0, 0);
}

function histogramBins(
  box: SVGSVGElement,
  path: SVGPathElement,
  { scale, shown }: Figure,
  low: number,
  high: number,
  count: number,
  height: number,
): void {
  const transform = scale.kind === "linear" ? null : scale.transform;
  const counts = histogram(shown.cells.values, transform, scale.transform(low), scale.transform(high), count);
  const most = counts.reduce((a, b) => Math.max(a, b), 1);
  const step = height / count;
  let outline = "";
  counts.forEach((n, bin) => {
    if (n === 0) return;
    // Never thinner than a pixel: one outlying cell must show.
    const length = Math.max(1, (n / most) * (HISTOGRAM_WIDTH - 4));
    outline += `M${HISTOGRAM_WIDTH - 3} ${(height - (bin + 1) * step).toFixed(2)}h${(-length).toFixed(2)}v${(step - 0.75).toFixed(2)}h${length.toFixed(2)}z`;
  });
  path.setAttribute("d", outline);
  setAttributes(box, { width: HISTOGRAM_WIDTH, height, viewBox: `0 0 ${HISTOGRAM_WIDTH} ${height}` });
}
