import assert from "node:assert/strict";
import { test } from "node:test";
import { createIndexer } from "../../js/src/codes.ts";
import { LUT_SIZE, SPECIAL } from "../../js/src/colormap.ts";
import { paletteIndex } from "../../js/src/raster.ts";
import { makeScale, SCALE_KINDS } from "../../js/src/scale.ts";
import { quantiles, sortedFinite } from "../../js/src/statistics.ts";

/** Numbers of every size and sign, those around the limits, and all that is not a number. */
function numbers(): Float64Array {
  let seed = 7;
  const random = () => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed / 2147483648;
  };
  const special = [NaN, -Infinity, Infinity, 0, -0, 1e-45, -1e-45, 3.4e38, -3.4e38, 1e300, -1e300, 1e-300];
  const around = [-1, 0, 0.5, 3].flatMap((at) => [at, at + 1e-12, at - 1e-12, Math.fround(at + 1e-7)]);
  const spread = Array.from(
    { length: 70_000 },
    () => (random() < 0.5 ? -1 : 1) * 10 ** (random() < 0.8 ? random() * 3 - 2 : random() * 80 - 40),
  );
  return Float64Array.from([...special, ...around, ...spread]);
}

const domains = [
  [-1, 3],
  [0, 3],
  [-3, 0],
  [0.5, 0.50001],
  [-2, -1],
  [3, 3],
  [1e-30, 1e30],
] as const;

for (const kind of SCALE_KINDS)
  for (const diverging of [true, false])
    for (const [low, high] of domains)
      test(`many cells get the colors of one at a time: ${kind} from ${low} to ${high}, ${diverging ? "diverging" : "sequential"}`, () => {
        const index = createIndexer();
        for (const values of [numbers(), Float32Array.from(numbers())]) {
          const scale = makeScale(kind, { low, high, center: 0.5 }, diverging, {
            smallestPositive: () => 1e-45,
            knots: () => quantiles(sortedFinite(values), 1025),
          });
          const indices = new Uint16Array(values.length);
          index(indices, { rows: 1, columns: values.length, values, absent: null }, scale);
          for (let i = 0; i < values.length; i++)
            assert.equal(indices[i], paletteIndex(scale, values[i]!), `value ${values[i]}`);
        }
      });

test("absent cells are told from NaN, in few cells and in many", () => {
  for (const length of [4, 70_000]) {
    const values = new Float32Array(length).fill(NaN);
    const absent = new Uint8Array(length);
    absent[2] = 1;
    const indices = new Uint16Array(length);
    const scale = makeScale("linear", { low: 0, high: 1, center: 0.5 }, true, {
      smallestPositive: () => Infinity,
      knots: () => new Float64Array(0),
    });
    createIndexer()(indices, { rows: 1, columns: length, values, absent }, scale);
    assert.deepEqual(
      [...indices.slice(1, 4)],
      [2, 5, 2].map((special) => LUT_SIZE + special),
    );
    assert.equal(SPECIAL.absent, 5);
  }
});

test("a moved limit colors anew", () => {
  const values = new Float32Array(70_000).fill(0.5);
  const cells = { rows: 1, columns: values.length, values, absent: null };
  const index = createIndexer();
  const indices = new Uint16Array(values.length);
  const scaleTo = (high: number) =>
    makeScale("linear", { low: 0, high, center: 0.5 }, false, {
      smallestPositive: () => Infinity,
      knots: () => new Float64Array(0),
    });
  index(indices, cells, scaleTo(1));
  assert.equal(indices[0], LUT_SIZE / 2);
  index(indices, cells, scaleTo(2));
  assert.equal(indices[0], LUT_SIZE / 4);
});
