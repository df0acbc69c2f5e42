import assert from "node:assert/strict";
import { test } from "node:test";
import { countAbove } from "../../js/src/statistics.ts";
import { makeTally } from "../../js/src/tally.ts";

const SPECIAL = [NaN, Infinity, -Infinity, 0, -0];

test("values that are not close to others are counted exactly, as by looking at each", () => {
  for (const numbers of [Float32Array, Float64Array]) {
    const values = numbers.from([...SPECIAL, -1e-40, 3, -3, 3.1, 1e30, -1e30, -7, 0.5]);
    const tally = makeTally(values);
    assert.equal(tally.above(3), null, "nothing is known before all are counted");
    while (!tally.build(4));
    assert.ok(tally.build(4), "and once they are, they stay so");
    for (const value of values.filter((value) => Number.isFinite(value) && value !== 0))
      assert.deepEqual(tally.above(value), { ...countAbove(values, value), exact: true });
  }
});

test("zeros of both signs are one number", () => {
  const tally = makeTally(Float32Array.of(-1, -0, 0, 1));
  tally.build(10);
  assert.deepEqual(tally.above(0), tally.above(-0));
  assert.equal(tally.above(-1)!.above, 3);
});

test("among close values the count is an estimate, off by less than there are of them", () => {
  const values = Float64Array.from({ length: 10_000 }, (_, at) => 1 + at / 1e6);
  const tally = makeTally(values);
  tally.build(values.length);
  for (const at of [0, 1234, 9999]) {
    const { above, finite, exact } = tally.above(values[at]!)!;
    assert.ok(Math.abs(above - countAbove(values, values[at]!).above) < 500);
    assert.deepEqual([finite, exact], [10_000, false]);
  }
});

test("numbers beyond float32 are counted with its largest", () => {
  const tally = makeTally(Float64Array.of(1, 1e300, -1e300));
  tally.build(3);
  assert.deepEqual([tally.above(1)!.above, tally.above(1e300)!.above, tally.above(-1e300)!.above], [1, 0, 2]);
});
