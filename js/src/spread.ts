/** How values spread, which is shown beside the picture only. NaN and infinities take no part. */

/** Mean and standard deviation (n - 1) of the finite values; NaN where there are too few. */
export function meanAndDeviation(values: Iterable<number>): { mean: number; deviation: number } {
  let n = 0;
  let mean = 0;
  let squares = 0;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    n++;
    const step = value - mean; // Welford (1962)
    mean += step / n;
    squares += step * (value - mean);
  }
  return { mean: n > 0 ? mean : NaN, deviation: n > 1 ? Math.sqrt(squares / (n - 1)) : NaN };
}

/** Counts of finite values in `bins` equal bins of [low, high], after a transform; what lies outside is left out. */
export function histogram(
  values: ArrayLike<number>,
  transform: ((value: number) => number) | null,
  low: number,
  high: number,
  bins: number,
): Uint32Array {
  const counts = new Uint32Array(bins);
  const perUnit = high > low ? bins / (high - low) : 0;
  for (let i = 0; i < values.length; i++) {
    const value = transform === null ? values[i]! : transform(values[i]!);
    if (!(value >= low && value <= high)) continue;
    const bin = ((value - low) * perUnit) | 0;
    counts[bin < bins ? bin : bins - 1]!++;
  }
  return counts;
}
