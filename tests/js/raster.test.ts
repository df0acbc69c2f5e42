import assert from "node:assert/strict";
import { test } from "node:test";
import { LUT_SIZE, makePalette, SPECIAL } from "../../js/src/colormap.ts";
import { paintCells, paletteIndex } from "../../js/src/raster.ts";
import { makeScale, type ScaleKind } from "../../js/src/scale.ts";
import { quantiles, sortedFinite } from "../../js/src/statistics.ts";
import { layoutOf } from "./fake.ts";

const values = Float64Array.of(-1, 0.3, 3);
const scaleOf = (kind: ScaleKind, low = -1, high = 3, diverging = true) =>
  makeScale(kind, { low, high, center: 0.5 }, diverging, {
    smallestPositive: () => 0.3,
    knots: () => quantiles(sortedFinite(values), 1025),
  });

test("the limits themselves are on the scale", () => {
  const scale = scaleOf("linear");
  assert.equal(paletteIndex(scale, -1), 0);
  assert.equal(paletteIndex(scale, 3), LUT_SIZE - 1);
  assert.equal(paletteIndex(scale, 0.5), LUT_SIZE / 2);
  assert.equal(paletteIndex(scale, 3.0001), LUT_SIZE + SPECIAL.above);
});

test("a domain of no width sends its value to the middle color", () => {
  assert.equal(
    paletteIndex(makeScale("linear", { low: 2, high: 2, center: 2 }, true, scaleOfNothing), 2),
    LUT_SIZE / 2,
  );
});
const scaleOfNothing = { smallestPositive: () => Infinity, knots: () => new Float64Array(0) };

for (const [rows, columns, width, height] of [
  [2, 3, 31, 17],
  [1, 1, 5, 4],
  [3, 40, 40, 9],
  [7, 5, 23, 29],
] as const)
  test(`each of ${rows} x ${columns} cells fills its pixels on ${width} x ${height}, and gaps stay clear`, () => {
    const runs = [
      { group: "a", start: 0, end: Math.ceil(columns / 2) },
      { group: "b", start: Math.ceil(columns / 2), end: columns },
    ];
    const layout = layoutOf({ rows, columns }, runs, width, height, 1);
    const palette = makePalette(Uint8Array.from({ length: 768 }, (_, at) => (at * 7) % 256));
    const indices = Uint16Array.from(
      { length: layout.rows.length * layout.columns.length },
      (_, at) => (at * 13) % 256,
    );
    const pixels = new Uint32Array(width * height).fill(1);
    paintCells(pixels, width, indices, layout.columns, layout.rows, palette);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const row = indexOf(layout.rows, y);
        const column = indexOf(layout.columns, x);
        const expected =
          row < 0 || column < 0 ? 0 : palette.colors[indices[row * layout.columns.length + column]!]!;
        assert.equal(pixels[y * width + x], expected);
      }
  });

function indexOf(spans: { starts: Int32Array; ends: Int32Array; length: number }, pixel: number): number {
  for (let i = 0; i < spans.length; i++) if (pixel >= spans.starts[i]! && pixel < spans.ends[i]!) return i;
  return -1;
}
