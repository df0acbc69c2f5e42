/** Limits of the color scale as changes of traits. */
import { MINUS, numberFormat } from "./format.ts";
import type { Domain } from "./scale.ts";
import type { Changes } from "./traits.ts";

const TRAIT = { low: "vmin", center: "center", high: "vmax" } as const;

export type End = keyof typeof TRAIT;

/** The changes that make a domain the one in force, and let it follow the pages. */
export function fittingLimits({ low, high, center }: Domain): Changes {
  return { vmin: low, vmax: high, center, _fitted: true };
}

/** A limit that was moved; low and high stop at each other, the center goes where it will. */
export function movedLimit(end: End, value: number, { low, high }: Domain): Changes {
  const stopped = end === "low" ? Math.min(value, high) : end === "high" ? Math.max(value, low) : value;
  return { [TRAIT[end]]: stopped };
}

/** The change that a typed limit asks for, or in words why it cannot be one. */
export function typedLimit(end: End, typed: string, { low, high }: Domain): Changes | string {
  const text = typed.trim();
  const value = Number(text.replace(MINUS, "-"));
  const shown = numberFormat(low, high);
  if (text === "" || !Number.isFinite(value)) return `${end} must be a number, not "${text}".`;
  if (end === "low" && value > high) return `low must be at most high, ${shown(high)}, not ${text}.`;
  if (end === "high" && value < low) return `high must be at least low, ${shown(low)}, not ${text}.`;
  return { [TRAIT[end]]: value };
}
