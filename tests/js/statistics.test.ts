import assert from "node:assert/strict";
import { test } from "node:test";
import { histogram, meanAndDeviation } from "../../js/src/spread.ts";
import {
  countAbove,
  EXACT_QUANTILES_UP_TO,
  finiteExtent,
  quantile,
  quantiles,
  smallestPositive,
  sortedFinite,
} from "../../js/src/statistics.ts";

const mixed = [3, NaN, -1, Infinity, 3, 0, -Infinity];

test("what is not finite takes no part", () => {
  assert.deepEqual(countAbove(mixed, 0), { above: 2, finite: 4 });
  assert.deepEqual(countAbove(mixed, -Infinity), { above: 4, finite: 4 });
  assert.deepEqual(finiteExtent(mixed), { low: -1, high: 3 });
  assert.equal(smallestPositive(mixed), 3);
  assert.deepEqual([...sortedFinite(mixed)], [-1, 0, 3, 3]);
  assert.equal(meanAndDeviation(mixed).mean, 1.25);
});

test("the extent of nothing finite is empty", () => {
  const { low, high } = finiteExtent([NaN]);
  assert.ok(low > high);
  assert.equal(smallestPositive([NaN, -1, 0]), Infinity);
});

test("one value has a mean and no deviation", () => {
  const { mean, deviation } = meanAndDeviation([2]);
  assert.equal(mean, 2);
  assert.ok(Number.isNaN(deviation));
  assert.ok(Number.isNaN(meanAndDeviation([]).mean));
});

test("the deviation is that of a sample", () => {
  assert.equal(meanAndDeviation([1, 2, 3, 4]).deviation, Math.sqrt(5 / 3));
});

test("quantiles are interpolated, and those of nothing are none", () => {
  const sorted = Float64Array.of(0, 10, 20);
  assert.deepEqual(
    [0, 0.25, 0.5, 1].map((p) => quantile(sorted, p)),
    [0, 5, 10, 20],
  );
  assert.ok(Number.isNaN(quantile(new Float64Array(0), 0.5)));
  assert.deepEqual([...quantiles(sorted, 3)], [0, 10, 20]);
  assert.equal(quantiles(new Float64Array(0), 3).length, 0);
});

test("very many values are sampled evenly", () => {
  const values = Float64Array.from({ length: 4 * EXACT_QUANTILES_UP_TO }, (_, i) => i);
  const sorted = sortedFinite(values);
  assert.equal(sorted.length, EXACT_QUANTILES_UP_TO);
  assert.ok(Math.abs(quantile(sorted, 0.5) / values.length - 0.5) < 1e-4);
});

test("a histogram counts the limits in its first and last bin and leaves out what lies beyond", () => {
  assert.deepEqual([...histogram([0, 0.1, 1, 2, NaN, -1], null, 0, 1, 2)], [2, 1]);
  assert.deepEqual([...histogram([1, 10, 100], Math.log10, 0, 2, 2)], [1, 2]);
  assert.deepEqual([...histogram([5, 5], null, 5, 5, 3)], [2, 0, 0]);
});
