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

/** Powers of ten, thinned or with 2 and 5 between them as there is room; round numbers within a single decade. */
function logTicks(low: number, high: number, count: number): number[] {
  if (!(low > 0)) return [];
  const first = Math.ceil(Math.log10(low));
  const last = Math.floor(Math.log10(high));
  const powers = last - first + 1;
  if (powers < 2) return linearTicks(low, high, count);
  const steps = powers * 3 <= count ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil(powers / count));
  const made: number[] = [];
  for (let power = first - 1; power <= last; power++)
    if (steps.length > 1 || (power - first) % every === 0)
      for (const step of steps) made.push(Number(`${step}e${power}`));
  return made.filter((value) => value >= low && value <= high);
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
