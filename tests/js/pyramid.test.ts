import assert from "node:assert/strict";
import { test } from "node:test";
import { makePyramid } from "../../js/src/pyramid.ts";
import type { PaintedCells } from "../../js/src/raster.ts";
import { reduceCells } from "../../js/src/windows.ts";

const AGGREGATES = ["mean", "min", "max", "extreme"] as const;
const EDGES = ["top", "bottom", "left", "right"] as const;

/** Numbers from 0 to 1, the same ones in every run (the mulberry32 generator of T. Ettinger). */
function chanceOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function randomCells(chance: () => number, rows: number, columns: number, special: number): PaintedCells {
  const length = rows * columns;
  const values = Float32Array.from({ length }, () =>
    chance() < special ? [NaN, Infinity, -Infinity][Math.floor(3 * chance())]! : chance() - 0.5,
  );
  const absent = chance() < 0.5 ? null : Uint8Array.from(values, () => (chance() < 0.4 ? 1 : 0));
  absent?.forEach((gone, at) => {
    if (gone === 1) values[at] = NaN;
  });
  return { rows, columns, values, absent };
}

function assertSame(found: PaintedCells, expected: PaintedCells, where: string) {
  assert.deepEqual([found.rows, found.columns], [expected.rows, expected.columns], where);
  assert.deepEqual(found.absent, expected.absent, where);
  const far = expected.values.findIndex((value, at) => {
    const other = found.values[at]!;
    return !Object.is(other, value) && !(Math.abs(other - value) <= 1e-6);
  });
  if (far >= 0) assert.fail(`${found.values[far]} at ${far}, expected ${expected.values[far]}: ${where}`);
}

function randomWindow(chance: () => number, { rows, columns }: PaintedCells) {
  const [top, left] = [Math.floor(chance() * rows), Math.floor(chance() * columns)];
  const bottom = top + 1 + Math.floor(chance() * (rows - top));
  return { top, bottom, left, right: left + 1 + Math.floor(chance() * (columns - left)) };
}

test("every window of every level is what its cells give, made level by level or at once", () => {
  const chance = chanceOf(1);
  for (const [rows, columns] of [
    [1, 1],
    [1, 2000],
    [1500, 1],
    [613, 31],
    [37, 1021],
    [256, 128],
  ] as const)
    for (const special of [0, 0.001, 0.3]) {
      const cells = randomCells(chance, rows, columns, special);
      const pyramid = makePyramid(cells);
      for (let round = 0; round < 12; round++) {
        const aggregate = AGGREGATES[Math.floor(4 * chance())]!;
        if (round === 6) while (!pyramid.build(aggregate, 1000));
        const window = randomWindow(chance, cells);
        const factors = [2 ** Math.floor(chance() * 6), 2 ** Math.floor(chance() * 6)] as const;
        const where = JSON.stringify({ rows, columns, window, factors, aggregate, round });
        const direct = reduceCells(cells, window, ...factors, aggregate, 0.1);
        assertSame(pyramid.window(window, ...factors, aggregate, 0.1), direct, where);
      }
    }
});

test("an aggregate of aggregates is the aggregate of the whole", () => {
  const chance = chanceOf(2);
  for (let round = 0; round < 10; round++) {
    const cells = randomCells(
      chance,
      1 + Math.floor(400 * chance()),
      1 + Math.floor(400 * chance()),
      round % 3 ? 0.01 : 0,
    );
    const pyramid = makePyramid(cells);
    const whole = { top: 0, bottom: cells.rows, left: 0, right: cells.columns };
    for (const aggregate of AGGREGATES) {
      while (!pyramid.build(aggregate, 1e5));
      const found = pyramid.window(whole, 1024, 1024, aggregate, -0.2);
      assertSame(found, reduceCells(cells, whole, 1024, 1024, aggregate, -0.2), `${aggregate} in ${round}`);
    }
  }
});

test("windows that would read far more cells than they show are answered from a level made for them", () => {
  const cells = randomCells(chanceOf(3), 1100, 1024, 0.0001);
  const window = { top: 3, bottom: 1100, left: 0, right: 1024 };
  for (const aggregate of AGGREGATES) {
    const values = cells.values.slice();
    const pyramid = makePyramid({ ...cells, values });
    const direct = reduceCells(cells, window, 4, 8, aggregate, 0);
    assertSame(pyramid.window(window, 4, 8, aggregate, 0), direct, aggregate);
    values.fill(7); // no longer looked at
    assertSame(pyramid.window(window, 4, 8, aggregate, 0), direct, `${aggregate}, asked again`);
  }
});

test("rows that have not arrived are left out, and levels grow with those that do", () => {
  const all = randomCells(chanceOf(4), 1000, 700, 0.001);
  const values = new Float32Array(all.values.length);
  const cells = { ...all, values };
  const pyramid = makePyramid(cells, 0);
  const whole = { top: 0, bottom: 1000, left: 0, right: 700 };
  assert.equal(pyramid.window(whole, 4, 4, "mean", 0).rows, 0);
  for (const rows of [1, 6, 333, 334, 998, 1000]) {
    values.set(all.values.subarray(0, rows * 700));
    pyramid.arrived(rows);
    for (const aggregate of AGGREGATES) {
      while (!pyramid.build(aggregate, 5000));
      const found = pyramid.window(whole, 4, 4, aggregate, 0);
      const complete = rows === 1000 ? 1000 : rows - (rows % 4);
      const direct = reduceCells(all, { ...whole, bottom: complete }, 4, 4, aggregate, 0);
      assertSame(found, direct, `${aggregate} of ${rows} rows`);
    }
  }
});

test("a slice of the work is about as long as asked for", () => {
  const cells = randomCells(chanceOf(5), 512, 1024, 0);
  const pyramid = makePyramid(cells);
  let slices = 1;
  while (!pyramid.build("mean", 25_000)) slices++;
  assert.ok(slices > 20 && slices < 40, `${slices} slices`);
  assert.ok(pyramid.build("mean", 1));
});

test("a window beyond the matrix has no blocks", () => {
  const pyramid = makePyramid(randomCells(chanceOf(6), 20, 30, 0), 10);
  for (const edge of EDGES) {
    const window = { top: 12, bottom: 20, left: 0, right: 30, [edge]: edge === "top" ? 40 : 0 };
    assert.equal(pyramid.window(window, 2, 2, "extreme", 0).values.length, 0, edge);
  }
});
