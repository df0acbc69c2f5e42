/**
 * The color scale: value -> position on the colormap, from 0 (low) to 1 (high).
 *
 * A scale first transforms a value (not at all, by a logarithm, by its rank), then measures where the result
 * lies between the transformed limits. A diverging map has two arms that meet at the center, each as long as
 * its side of the domain: unequal arms are the rule. Twin of scale.py; both read tests/fixtures/scale_cases.json.
 */

export type ScaleKind = "linear" | "log" | "symlog" | "quantile";
export const SCALE_KINDS: readonly ScaleKind[] = ["linear", "log", "symlog", "quantile"];

export interface Domain {
  readonly low: number;
  readonly high: number;
  /** Value at the middle of a diverging map; of no effect on a sequential one. */
  readonly center: number;
}

export interface Scale {
  readonly kind: ScaleKind;
  /** The limits in force: on a log scale a low end of zero or less gives way to the smallest positive value. */
  readonly domain: Domain;
  readonly diverging: boolean;
  /** Monotone; NaN where the scale has no place for the value (zero or less on a log scale). */
  transform(value: number): number;
  /** The value at a transformed one; the inverse of `transform`. */
  invert(transformed: number): number;
  readonly arms: Arms;
}

/** Linear pieces from transformed values to positions: `below` the center and `above` it. */
export interface Arms {
  readonly pivot: number;
  readonly pivotPosition: number;
  readonly slopeBelow: number;
  readonly slopeAbove: number;
}

/** What the transforms need to know of the shown values. */
export interface ShownValues {
  /** Infinity where no value is positive. */
  smallestPositive(): number;
  /** Increasing quantiles of the finite values, evenly spaced in probability; may be empty. */
  knots(): Float64Array;
}

/** Largest limit over the distance from zero within which a symlog scale is linear. */
const SYMLOG_RANGE = 1000;

export function makeScale(kind: ScaleKind, domain: Domain, diverging: boolean, shown: ShownValues): Scale {
  const limits = kind === "log" ? logDomain(domain, shown.smallestPositive()) : domain;
  const [transform, invert] = transforms(kind, limits, shown);
  return {
    kind,
    domain: limits,
    diverging,
    transform,
    invert,
    arms: diverging
      ? divergingArms(transform(limits.low), transform(limits.center), transform(limits.high))
      : sequentialArms(transform(limits.low), transform(limits.high)),
  };
}

/** Position of a transformed value; not clamped: below 0 or above 1 lies off the scale. NaN stays NaN. */
export function positionOf(arms: Arms, transformed: number): number {
  const offset = transformed - arms.pivot;
  return arms.pivotPosition + offset * (offset < 0 ? arms.slopeBelow : arms.slopeAbove);
}

function transforms(
  kind: ScaleKind,
  limits: Domain,
  shown: ShownValues,
): [(value: number) => number, (transformed: number) => number] {
  switch (kind) {
    case "linear":
      return [(value) => value, (transformed) => transformed];
    case "log":
      return [(value) => (value > 0 ? Math.log10(value) : NaN), (transformed) => 10 ** transformed];
    case "symlog": {
      const linearWidth = symlogLinearWidth(limits);
      return [
        (value) => Math.sign(value) * Math.log1p(Math.abs(value) / linearWidth),
        (transformed) => Math.sign(transformed) * Math.expm1(Math.abs(transformed)) * linearWidth,
      ];
    }
    case "quantile": {
      const knots = shown.knots();
      return [(value) => rankAmong(knots, value), (transformed) => valueAtRank(knots, transformed)];
    }
  }
}

/** A symlog scale is linear within about this distance of zero. */
export function symlogLinearWidth({ low, high }: Domain): number {
  return Math.max(Math.abs(low), Math.abs(high)) / SYMLOG_RANGE || 1;
}

function logDomain({ low, high, center }: Domain, smallestPositive: number): Domain {
  const floor =
    low > 0 ? low : smallestPositive > 0 && smallestPositive <= high ? smallestPositive : high / 10;
  const top = high > 0 ? high : 1;
  const bottom = floor > 0 ? floor : top / 10;
  return { low: bottom, high: top, center: center > 0 ? center : Math.sqrt(bottom * top) };
}

/** Two arms meeting at 0.5. A center outside the limits leaves one arm in use; no width sends all to 0.5. */
function divergingArms(low: number, center: number, high: number): Arms {
  return {
    pivot: center,
    pivotPosition: 0.5,
    slopeBelow: center > low ? 0.5 / (center - low) : 0,
    slopeAbove: high > center ? 0.5 / (high - center) : 0,
  };
}

function sequentialArms(low: number, high: number): Arms {
  if (!(high > low)) return { pivot: low, pivotPosition: 0.5, slopeBelow: 0, slopeAbove: 0 };
  const slope = 1 / (high - low);
  return { pivot: low, pivotPosition: 0, slopeBelow: slope, slopeAbove: slope };
}

/** Share of the knots below a value, ties counted half; 0.5 where there is no knot. */
function rankAmong(knots: Float64Array, value: number): number {
  if (Number.isNaN(value)) return NaN;
  if (knots.length === 0) return 0.5;
  return (interpolatedRank(knots, value, "left") + interpolatedRank(knots, value, "right")) / 2;
}

function interpolatedRank(knots: Float64Array, value: number, side: "left" | "right"): number {
  const last = knots.length - 1;
  if (last === 0) return value < knots[0]! ? 0 : value > knots[0]! ? 1 : side === "left" ? 0 : 1;
  let from = 0;
  let to = knots.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    const before = side === "left" ? knots[middle]! < value : knots[middle]! <= value;
    if (before) from = middle + 1;
    else to = middle;
  }
  // `from` knots lie before the value: it is at or after knot from - 1.
  if (side === "left" ? knots[from] === value : from > 0 && knots[from - 1] === value)
    return (side === "left" ? from : from - 1) / last;
  if (from === 0) return 0;
  if (from > last) return 1;
  const before = knots[from - 1]!;
  return (from - 1 + (value - before) / (knots[from]! - before)) / last;
}

function valueAtRank(knots: Float64Array, rank: number): number {
  if (knots.length === 0) return NaN;
  const at = Math.min(Math.max(rank, 0), 1) * (knots.length - 1);
  const before = Math.floor(at);
  const after = Math.min(before + 1, knots.length - 1);
  return knots[before]! + (at - before) * (knots[after]! - knots[before]!);
}
