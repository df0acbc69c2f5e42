import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { PaintedCells } from "../../js/src/raster.ts";
import { type Aggregate, levelFactor, reduceCells } from "../../js/src/windows.ts";

type Recorded = readonly (readonly (number | string | null)[])[];
interface Case extends Readonly<Record<"dtype", string>> {
  readonly cells: Recorded;
  readonly center: number;
  readonly windows: readonly (Readonly<Record<Aggregate, Recorded>> & {
    readonly window: readonly [number, number, number, number];
    readonly factors: readonly [number, number];
  })[];
}

const AGGREGATES = ["mean", "min", "max", "extreme"] as const;
const cases = JSON.parse(readFileSync("tests/fixtures/window_cases.json", "utf8")) as Case[];

function number(recorded: number | string | null): number {
  return recorded === "inf" ? Infinity : recorded === "-inf" ? -Infinity : Number(recorded ?? NaN);
}

function cellsOf(recorded: Recorded, dtype: string): PaintedCells {
  const flat = recorded.flat();
  const values = flat.map(number);
  return {
    rows: recorded.length,
    columns: recorded[0]!.length,
    values: dtype === "float32" ? Float32Array.from(values) : Float64Array.from(values),
    absent: flat.includes(null) ? Uint8Array.from(flat, (cell) => (cell === null ? 1 : 0)) : null,
  };
}

function assertCells(found: PaintedCells, expected: Recorded, tolerance: number, where: string) {
  assert.deepEqual([found.rows, found.columns], [expected.length, expected[0]!.length], where);
  expected.flat().forEach((cell, at) => {
    const value = found.values[at]!;
    assert.equal(found.absent?.[at] ?? 0, cell === null ? 1 : 0, `absent at ${at} of ${where}`);
    const close = Object.is(value, number(cell)) || Math.abs(value - number(cell)) <= tolerance;
    assert.ok(close, `${value} at ${at} of ${where}, expected ${cell}`);
  });
}

for (const aggregate of AGGREGATES)
  test(`the ${aggregate} of every recorded window is that of the specification`, () => {
    for (const { dtype, cells: recorded, center, windows } of cases) {
      const cells = cellsOf(recorded, dtype);
      const largest = Math.max(...cells.values.map((value) => (value - value === 0 ? Math.abs(value) : 0)));
      for (const {
        window: [top, bottom, left, right],
        factors,
        ...answers
      } of windows) {
        const found = reduceCells(cells, { top, bottom, left, right }, ...factors, aggregate, center);
        // The smallest float32 is 1.4e-45; nothing can be nearer than half of it.
        const rounding = dtype === "float32" ? 1e-6 * largest + 1e-45 : 1e-14 * largest;
        const tolerance = aggregate === "mean" ? rounding : 0;
        const where = `${JSON.stringify({ top, bottom, left, right, factors })} of ${JSON.stringify(recorded)}`;
        assertCells(found, answers[aggregate], tolerance, where);
      }
    }
  });

test("a window of single cells is cut out, and a whole matrix passed on without a copy", () => {
  const cells = cellsOf(
    [
      [0, 1, 2, 3],
      [4, 5, null, 7],
      [8, 9, 10, 11],
    ],
    "float32",
  );
  const part = reduceCells(cells, { top: 1, bottom: 3, left: 1, right: 3 }, 1, 1, "max", 0);
  assert.deepEqual([...part.values], [5, NaN, 9, 10]);
  assert.deepEqual([...part.absent!], [0, 1, 0, 0]);
  const whole = reduceCells(cells, { top: 0, bottom: 3, left: 0, right: 4 }, 1, 1, "mean", 0);
  assert.equal(whole.values, cells.values);
  const lines = reduceCells(cells, { top: 1, bottom: 2, left: 0, right: 4 }, 1, 1, "mean", 0);
  assert.deepEqual([...lines.values], [4, 5, NaN, 7]);
});

test("a window outside the matrix has no blocks", () => {
  const cells = cellsOf([[1, 2]], "float32");
  for (const window of [
    { top: 1, bottom: 3, left: 0, right: 2 },
    { top: 0, bottom: 1, left: 5, right: 9 },
  ])
    assert.equal(reduceCells(cells, window, 2, 2, "mean", 0).values.length, 0);
});

test("cells are put together only where there are more than pixels", () => {
  assert.equal(levelFactor(480, 480), 1);
  assert.equal(levelFactor(481, 480), 2);
  assert.equal(levelFactor(961, 480), 4);
  assert.equal(levelFactor(14336, 700), 32);
  assert.equal(levelFactor(0, 480), 1);
  assert.equal(levelFactor(5, 0), 8);
});
