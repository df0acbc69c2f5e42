/** What is told of one tensor, as it is drawn. */
import type { Told } from "./messages.ts";

/** A number in few digits; what is not finite in words. */
export function toldText(told: Told): string {
  if (typeof told === "number") return Number(told.toPrecision(4)).toString().replaceAll("-", "\u2212");
  return { inf: "\u221e", "-inf": "\u2212\u221e" }[told] ?? "NaN";
}

/** Heights from 0 to 1 of bars whose counts span many orders: logarithms, and none only where nothing is. */
export function logHeights(counts: readonly number[]): number[] {
  const most = Math.log1p(Math.max(1, ...counts));
  return counts.map((count) => Math.log1p(count) / most);
}

/** Singular values below this share of the largest are noise of how they are computed. */
const NOISE = 1e-8;

/** A line through values in falling order on a log scale, `width` x `height`; "" where the largest is not positive. */
export function fallingPath(values: Float64Array, width: number, height: number): string {
  const largest = values[0] ?? 0;
  if (!(largest > 0 && largest < Infinity)) return "";
  const last = values.length - 1;
  const least = Math.max(values[last]!, NOISE * largest);
  const decades = Math.log(largest / least);
  const points = Math.min(values.length, width);
  return Array.from({ length: points }, (_, point) => {
    const share = points === 1 ? 0 : point / (points - 1);
    const value = Math.max(values[Math.round(share * last)]!, least);
    const drop = decades === 0 ? 0 : Math.log(largest / value) / decades;
    return `${point === 0 ? "M" : "L"}${(share * width).toFixed(1)} ${(drop * height).toFixed(1)}`;
  }).join("");
}

/** The largest value of each run of `runs[i]` up to `runs[i + 1]`, read at `indices`; NaN where one of them is. */
export function peaksOf(values: Float32Array, indices: Int32Array, runs: Int32Array): Float64Array {
  return Float64Array.from({ length: runs.length - 1 }, (_, run) => {
    let peak = 0;
    for (let at = runs[run]!; at < runs[run + 1]!; at++) peak = Math.max(peak, values[indices[at]!]!);
    return peak;
  });
}
