import assert from "node:assert/strict";
import { test } from "node:test";
import { logHeights, peaks, toldText } from "../../js/src/summary.ts";

test("numbers are told in four digits, and what is not finite in words", () => {
  assert.deepEqual([-1.23456, 0, -1e-7, "nan", "inf", "-inf"].map(toldText), [
    "\u22121.235",
    "0",
    "\u22121e\u22127",
    "NaN",
    "\u221e",
    "\u2212\u221e",
  ]);
});

test("a single entry is seen beside a million, and none is not", () => {
  const [many, one, none] = logHeights([1_000_000, 1, 0]);
  assert.equal(many, 1);
  assert.ok(one! > 0.04);
  assert.equal(none, 0);
  assert.deepEqual(logHeights([0]), [0]);
});

test("a profile of many norms keeps the largest of each run", () => {
  assert.deepEqual(peaks(Float32Array.of(1, 9, 2, 3, 4), 3), [9, 3, 4]);
  assert.deepEqual(peaks(Float32Array.of(1, 2), 3), [1, 2]);
});
