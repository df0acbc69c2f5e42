/** Round values for the color bar's ticks. */
import { ticks as linearTicks } from "d3-array";
import type { Scale } from "./scale.ts";

/** At most about `count` values from low to high that are evenly spread on the scale and short to write. */
export function scaleTicks(scale: Scale, low: number, high: number, count: number): number[] {
  switch (scale.kind) {
    case "linear":
      return linearTicks(low, high, count);
    case "log":
      return logTicks(low, high, count);
    default:
      return roundedTicks(scale, low, high, count);
  }
}

function logTicks(low: number, high: number, count: number): number[] {
  if (!(low > 0)) return [];
  const first = Math.floor(Math.log10(low));
  const last = Math.ceil(Math.log10(high));
  const steps = last - first <= 1 ? [1, 2, 3, 4, 5, 6, 8] : (last - first) * 3 <= count ? [1, 2, 5] : [1];
  const every = steps.length === 1 ? Math.ceil((last - first + 1) / count) : 1;
  const made: number[] = [];
  for (let power = first; power <= last; power += every)
    for (const step of steps) made.push(step * 10 ** power);
  const inside = made.filter((value) => value >= low && value <= high);
  return inside.length >= 2 ? inside : linearTicks(low, high, count);
}

/** Evenly spaced on the scale, each rounded to as few digits as keep them apart. */
function roundedTicks(scale: Scale, low: number, high: number, count: number): number[] {
  const start = scale.transform(low);
  const step = (scale.transform(high) - start) / Math.max(1, count - 1);
  const made = Array.from({ length: count }, (_, i) => scale.invert(start + i * step)).map((value) =>
    Math.abs(value) < 1e-12 * Math.max(Math.abs(low), Math.abs(high)) ? 0 : value,
  );
  for (let digits = 1; digits <= 6; digits++) {
    const rounded = made
      .map((value) => Number(value.toPrecision(digits)))
      .filter((value) => value >= low && value <= high);
    if (new Set(rounded).size >= count - 2) return [...new Set(rounded)];
  }
  return [...new Set(made)];
}
