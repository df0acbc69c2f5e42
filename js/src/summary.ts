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

/** At most so many values, the largest of each run: a single large norm is what a profile is looked at for. */
export function peaks(values: Float32Array, most: number): number[] {
  const run = Math.max(1, Math.ceil(values.length / most));
  return Array.from({ length: Math.ceil(values.length / run) }, (_, at) =>
    Math.max(...values.subarray(at * run, (at + 1) * run)),
  );
}
