import assert from "node:assert/strict";
import { test } from "node:test";
import { figureMaker } from "../../js/src/figure.ts";
import { stateReader } from "../../js/src/model.ts";
import { bytesOf, fakeModel, stateOf } from "./fake.ts";

const room = { width: 300, height: 100, ratio: 1 };

test("layer 0 is painted at the bottom, and on request at the top", () => {
  const make = figureMaker();
  assert.deepEqual([...make(stateOf(), null, room).painted.values], [3, 4, 5, 0, 1, 2]);
  assert.deepEqual([...make(stateOf({ origin: "upper" }), null, room).painted.values], [0, 1, 2, 3, 4, 5]);
});

test("a window shows part of the rows and columns", () => {
  const { painted } = figureMaker()(stateOf(), { top: 1, bottom: 2, left: 1, right: 3 }, room);
  assert.deepEqual([...painted.values], [1, 2]);
});

test("hidden components count in no statistic", () => {
  const { shown } = figureMaker()(stateOf({ components: ["attn.q"] }), null, room);
  assert.deepEqual(shown.extent(), { low: 0, high: 3, smallestPositive: 3 });
  assert.deepEqual([...shown.sorted()], [0, 3]);
});

test("moving a limit gathers no cell again", () => {
  const model = fakeModel();
  const read = stateReader(model);
  const make = figureMaker();
  for (const scale of ["linear", "log", "quantile"] as const) {
    model.set("scale", scale);
    const before = make(read(), null, room);
    model.set("vmax", (model.get("vmax") as number) + 1);
    const after = make(read(), null, room);
    assert.equal(after.painted, before.painted);
    assert.equal(after.transformed, before.transformed);
    assert.notEqual(after.scale, before.scale);
  }
});

test("a quantile scale follows the ranks of the shown values", () => {
  const { scale } = figureMaker()(stateOf({ scale: "quantile" }), null, room);
  assert.equal(scale.transform(2.5), 0.5);
});

test("a symlog scale transforms anew when its limits move", () => {
  const model = fakeModel({ scale: "symlog" });
  const read = stateReader(model);
  const make = figureMaker();
  const before = make(read(), null, room).transformed;
  model.set("vmax", 50);
  assert.notEqual(make(read(), null, room).transformed, before);
});

test("other values make another picture", () => {
  const model = fakeModel();
  const read = stateReader(model);
  const make = figureMaker();
  make(read(), null, room);
  model.set("_values", bytesOf(Float32Array.of(9, 9, 9, 9, 9, 9)));
  assert.equal(make(read(), null, room).painted.values[0], 9);
});
