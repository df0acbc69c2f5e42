import assert from "node:assert/strict";
import { test } from "node:test";
import {
  arrangeLut,
  COLORMAPS,
  cssColor,
  LUT_SIZE,
  makePalette,
  SPECIAL,
  tableLut,
  wantsDarkInk,
} from "../../js/src/colormap.ts";

const ramp = Uint8Array.from({ length: LUT_SIZE * 3 }, (_, at) => Math.floor(at / 3));

test("a table starts and ends with its stops and is linear between them", () => {
  const lut = tableLut(["#000000", "#ff8000"]);
  assert.deepEqual([...lut.subarray(0, 3)], [0, 0, 0]);
  assert.deepEqual([...lut.subarray(-3)], [255, 128, 0]);
  assert.deepEqual([...lut.subarray(51 * 3, 51 * 3 + 3)], [51, 26, 0]);
});

test("every colormap of the shared table has 33 stops", () => {
  for (const { stops } of Object.values(COLORMAPS)) assert.equal(stops.length, 33);
});

test("reversing twice gives the map back", () => {
  assert.deepEqual(arrangeLut(arrangeLut(ramp, true, 0), true, 0), ramp);
});

test("levels are flat steps that keep the colors of both ends", () => {
  const stepped = arrangeLut(ramp, false, 4);
  const reds = Array.from({ length: LUT_SIZE }, (_, i) => stepped[i * 3]!);
  assert.deepEqual([...new Set(reds)], [0, 85, 170, 255]);
});

test("off-scale values take the end color, darkened or, where it is dark, lightened; absent cells are transparent", () => {
  const { colors } = makePalette(arrangeLut(ramp, true, 0));
  assert.equal(cssColor(colors[LUT_SIZE + SPECIAL.below]!), "rgb(140,140,140)");
  assert.equal(cssColor(colors[LUT_SIZE + SPECIAL.above]!), "rgb(115,115,115)");
  assert.equal(cssColor(colors[LUT_SIZE + SPECIAL.absent]!), "transparent");
});

test("all special colors differ", () => {
  const { colors } = makePalette(tableLut(COLORMAPS["blue-white-orange"]!.stops));
  assert.equal(new Set(colors.subarray(LUT_SIZE)).size, Object.keys(SPECIAL).length);
});

test("dark ink on light colors, light ink on dark ones", () => {
  const { colors } = makePalette(ramp);
  assert.equal(wantsDarkInk(colors[255]!), true);
  assert.equal(wantsDarkInk(colors[40]!), false);
});
