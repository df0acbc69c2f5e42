/** Numbers and labels as text. */
import { format, precisionFixed } from "d3-format";
import type { Aggregate } from "./windows.ts";

export const MINUS = "\u2212";
const MANY_TIMES = 200;

/**
 * A formatter with as many digits as tell neighbouring values of [low, high] apart, at least `digits` significant
 * ones at the larger end. Integers stay integers; very large and small numbers take an exponent.
 */
export function numberFormat(low: number, high: number, digits = 4): (value: number) => string {
  const largest = Math.max(Math.abs(low), Math.abs(high));
  if (low > 0 && high > low * MANY_TIMES) return decadesFormat(digits);
  const spread = Math.abs(high - low) || largest;
  if (largest === 0) return (value) => special(value) ?? fixed(value, 1);
  const wanted = Math.min(12, digits + Math.max(0, Math.ceil(Math.log10(largest / spread)) - 1));
  if (largest >= 1e6 || largest < 1e-3) {
    const scientific = format(`.${wanted - 1}~e`);
    return (value) => special(value) ?? (value === 0 ? "0" : scientific(value));
  }
  const decimals = Math.max(0, wanted - 1 - Math.floor(Math.log10(largest)));
  return (value) => special(value) ?? fixed(value, decimals);
}

/** For positive values over decades: the same number of significant digits for each. */
function decadesFormat(digits: number): (value: number) => string {
  const rounded = format(`.${digits}~r`);
  const scientific = format(`.${digits - 1}~e`);
  return (value) => {
    const size = Math.abs(value);
    return (
      special(value) ?? (value === 0 ? "0" : size >= 1e6 || size < 1e-4 ? scientific(value) : rounded(value))
    );
  };
}

function fixed(value: number, decimals: number): string {
  if (Number.isInteger(value)) return value.toFixed(0).replace("-", MINUS);
  const text = value.toFixed(decimals).replace("-", MINUS);
  // A number too small for the decimals must not read as zero.
  return Number(value.toFixed(decimals)) === 0 ? format(".2~e")(value) : text;
}

function special(value: number): string | null {
  if (Number.isNaN(value)) return "NaN";
  if (value === Infinity) return "+∞";
  if (value === -Infinity) return `${MINUS}∞`;
  return null;
}

/** Labels for ticks: the digits that their distance calls for, or where they are unevenly spread, their own. */
export function tickFormat(ticks: readonly number[], even: boolean): (value: number) => string {
  const largest = ticks.reduce((most, tick) => Math.max(most, Math.abs(tick)), 0);
  const plain = largest < 1e6 && largest >= 1e-3;
  if (!plain || !even || ticks.length < 2) {
    const short = format(plain ? ".4~r" : ".3~e");
    return (value) => (value === 0 ? "0" : short(value));
  }
  return format(`.${precisionFixed(Math.abs(ticks[1]! - ticks[0]!))}f`);
}

/** All digits of a value: the shortest text that reads back as the same number in its own precision. */
export function exactNumber(value: number, single: boolean): string {
  const text = special(value);
  if (text !== null) return text;
  if (Object.is(value, -0)) return `${MINUS}0`;
  if (!single) return withMinus(String(value));
  for (let digits = 1; digits <= 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return withMinus(String(candidate));
  }
  return withMinus(String(value));
}

/** The sign as a typographic minus; that of an exponent stays. */
function withMinus(text: string): string {
  return text.startsWith("-") ? MINUS + text.slice(1) : text;
}

/** 1st, 2nd, 3rd, 4th, 11th, 21st. */
export function ordinal(n: number): string {
  const tens = n % 100;
  const suffix = tens >= 11 && tens <= 13 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th");
  return `${grouped(n)}${suffix}`;
}

/** A count with thousands apart: 47,031. */
export const AGGREGATE_TEXTS: Readonly<Record<Aggregate, string>> = {
  mean: "mean",
  min: "smallest value",
  max: "largest value",
  extreme: "value farthest from the center",
};

export const grouped = format(",");

/** Counts with their noun: "1 layer", "28 layers". */
export function counted(n: number, noun: string): string {
  return `${grouped(n)} ${noun}${n === 1 ? "" : "s"}`;
}

/** "highest", "3rd highest", "2nd lowest": the rank from the nearer end, from 1, among `count`. */
export function rankText(above: number, count: number): string {
  const below = count - 1 - above;
  const [from, end] = above <= below ? [above, "highest"] : [below, "lowest"];
  return from === 0 ? end : `${ordinal(from + 1)} ${end}`;
}

/** Shorten in the middle to `length` characters: what tells names apart is at their ends. */
export function shorten(text: string, length: number): string {
  const characters = Array.from(
    text.length > 4 * length ? text.slice(0, 2 * length) + text.slice(-2 * length) : text,
  );
  if (characters.length <= length) return characters.join("");
  const head = Math.ceil((length - 1) / 2);
  const tail = length - 1 - head;
  return `${characters.slice(0, head).join("")}…${tail > 0 ? characters.slice(-tail).join("") : ""}`;
}

/** What a painted cell shows of several: "mean of 2 layers × 4 components"; empty where it shows one. */
export function blockText(
  aggregate: Aggregate,
  { rowBlock, columnBlock }: { readonly rowBlock: number; readonly columnBlock: number },
  axes: readonly [string, string],
): string {
  if (rowBlock === 1 && columnBlock === 1) return "";
  return `${AGGREGATE_TEXTS[aggregate]} of ${counted(rowBlock, axes[0])} × ${counted(columnBlock, axes[1])}`;
}
