import assert from "node:assert/strict";
import { test } from "node:test";
import { figureMaker } from "../../js/src/figure.ts";
import { chipOrder } from "../../js/src/view/components.ts";
import { census } from "../../js/src/view/legend.ts";
import { resetLimits, robustLimits, symmetricLimits } from "../../js/src/view/toolbar.ts";
import { bytesOf, stateOf } from "./fake.ts";

const figureOf = (changes = {}) =>
  figureMaker()(stateOf(changes), null, { width: 300, height: 100, ratio: 1 });

test("hidden components keep their place among their neighbours", () => {
  assert.deepEqual(chipOrder(4, [0, 3]), [0, 1, 2, 3]);
  assert.deepEqual(chipOrder(4, [3, 1]), [0, 3, 1, 2]);
  assert.deepEqual(chipOrder(3, []), [0, 1, 2]);
});

test("robust limits are the 2nd and 98th percentile", () => {
  const { vmin, vmax } = robustLimits(figureOf());
  assert.ok(Math.abs(vmin! - 0.1) < 1e-9 && Math.abs(vmax! - 4.9) < 1e-9);
  assert.deepEqual(robustLimits(figureOf({ components: [] })), {});
});

test("symmetric limits have arms as long as the longer one", () => {
  assert.deepEqual(symmetricLimits(figureOf({ center: 1 })), { vmin: -3, vmax: 5 });
});

test("reset returns to what a new grid would start with", () => {
  assert.deepEqual(resetLimits(figureOf({ vmin: -9, vmax: 9 })), {
    vmin: 0,
    vmax: 5,
    center: 2.5,
    _fitted: true,
  });
  const nothing = bytesOf(new Float32Array(6).fill(NaN));
  assert.deepEqual(resetLimits(figureOf({ _values: nothing })), {
    vmin: 0,
    vmax: 1,
    center: 0.5,
    _fitted: true,
  });
  const signs = bytesOf(Float32Array.of(-2, 1, 1, 1, 1, 1));
  assert.equal(resetLimits(figureOf({ _values: signs })).center, 0);
});

test("the legend counts each kind of cell", () => {
  const values = bytesOf(Float32Array.of(NaN, Infinity, -Infinity, -5, 0, 99));
  assert.deepEqual(census(figureOf({ _values: values }).shown, { low: 1, high: 5 }), {
    below: 2,
    above: 1,
    nan: 1,
    positiveInfinity: 1,
    negativeInfinity: 1,
    absent: 0,
    zero: 1,
    notPositive: 2,
  });
});
