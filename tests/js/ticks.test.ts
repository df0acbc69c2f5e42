import assert from "node:assert/strict";
import { test } from "node:test";
import { makeScale, type ScaleKind } from "../../js/src/scale.ts";
import { quantiles } from "../../js/src/statistics.ts";
import { scaleTicks } from "../../js/src/ticks.ts";

const scaleOf = (kind: ScaleKind, low: number, high: number) =>
  makeScale(kind, { low, high, center: (low + high) / 2 }, false, {
    smallestPositive: () => 0.001,
    knots: () => quantiles(Float64Array.of(low, (3 * low + high) / 4, high), 1025),
  });
const ticks = (kind: ScaleKind, low: number, high: number, count: number) =>
  scaleTicks(scaleOf(kind, low, high), low, high, count);

test("linear ticks are round", () => {
  assert.deepEqual(ticks("linear", 0.1118, 0.1665, 6), [0.12, 0.13, 0.14, 0.15, 0.16]);
});

test("log ticks are powers of ten, thinned or filled as there is room", () => {
  assert.deepEqual(ticks("log", 0.004, 392, 5), [0.01, 0.1, 1, 10, 100]);
  assert.deepEqual(ticks("log", 1, 100, 12), [1, 2, 5, 10, 20, 50, 100]);
  assert.deepEqual(ticks("log", 1, 1e8, 3), [1, 1000, 1e6]);
});

test("a log scale within a decade has ticks like a linear one", () => {
  assert.deepEqual(ticks("log", 2, 6, 5), [2, 3, 4, 5, 6]);
});

test("a log scale without a positive low end has no ticks", () => {
  assert.deepEqual(scaleTicks(scaleOf("log", 1, 10), 0, 10, 4), []);
});

for (const kind of ["symlog", "quantile"] as const)
  test(`${kind} ticks increase and stay within the limits`, () => {
    const made = ticks(kind, -100, 1000, 7);
    assert.ok(made.length >= 4);
    for (let i = 1; i < made.length; i++) assert.ok(made[i]! > made[i - 1]!);
    assert.ok(made[0]! >= -100 && made[made.length - 1]! <= 1000);
  });

test("a scale whose ticks cannot be told apart still has some", () => {
  assert.ok(ticks("symlog", 5, 5.0000000001, 5).length >= 1);
});
