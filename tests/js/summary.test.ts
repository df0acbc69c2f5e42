import assert from "node:assert/strict";
import { test } from "node:test";
import { fallingPath, logHeights, peaksOf, toldText } from "../../js/src/summary.ts";

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

test("a profile shows the largest norm of each block in view, and what is no number", () => {
  const norms = Float32Array.of(1, 9, 2, 3, NaN, 5);
  const rows = Int32Array.of(1, 2, 3, 4);
  assert.deepEqual([...peaksOf(norms, rows, Int32Array.of(0, 2, 3, 4))], [9, 3, NaN]);
  assert.deepEqual([...peaksOf(norms, rows, Int32Array.of(0))], []);
});

test("singular values fall by decades, as far as they are no noise", () => {
  assert.equal(fallingPath(Float64Array.of(100, 10, 1), 200, 60), "M0.0 0.0L100.0 30.0L200.0 60.0");
  assert.equal(fallingPath(Float64Array.of(1, 1e-4, 1e-20, 0), 30, 8), "M0.0 0.0L10.0 4.0L20.0 8.0L30.0 8.0");
  assert.equal(fallingPath(Float64Array.of(2, 2), 10, 8), "M0.0 0.0L10.0 0.0");
  assert.equal(fallingPath(Float64Array.of(3), 10, 8), "M0.0 0.0");
  assert.equal(fallingPath(new Float64Array(5000).fill(1), 300, 8).split("L").length, 300);
});

test("no line is drawn through zeros, NaN or nothing", () => {
  for (const values of [[], [0, 0], [NaN, NaN], [Infinity, 1]])
    assert.equal(fallingPath(Float64Array.from(values), 10, 8), "");
});
