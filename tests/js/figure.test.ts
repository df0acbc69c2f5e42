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
  assert.deepEqual(shown.extent(), { low: 0, high: 3 });
  assert.equal(shown.smallestPositive(), 3);
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
    assert.notEqual(after.scale, before.scale);
  }
});

test("other values leave the layout as it is, and so the labels", () => {
  const model = fakeModel();
  const read = stateReader(model);
  const make = figureMaker();
  const before = make(read(), null, room);
  model.set("_values", bytesOf(Float32Array.of(6, 7, 8, 9, 10, 11)));
  const after = make(read(), null, room);
  assert.equal(after.layout, before.layout);
  assert.notEqual(after.painted, before.painted);
});

test("a quantile scale follows the ranks of the shown values", () => {
  const { scale } = figureMaker()(stateOf({ scale: "quantile" }), null, room);
  assert.equal(scale.transform(2.5), 0.5);
});

test("blocks stay the same while the view moves, and count from the first layer", () => {
  const rows = 4000;
  const model = fakeModel({
    _shape: [rows, 1],
    _layers: rows,
    _components: 1,
    _values: bytesOf(Float32Array.from({ length: rows }, (_, row) => row % 7)),
  });
  const state = stateReader(model)();
  const make = figureMaker();
  const means = (top: number) => {
    const { painted, window, layout } = make(state, { top, bottom: top + 800, left: 0, right: 1 }, room);
    assert.equal(layout.rowBlock, 8);
    return new Map([...painted.values].map((value, at) => [window.top + 8 * at, value]));
  };
  const before = means(1000);
  const after = means(1013);
  const common = [...after.keys()].filter((top) => before.has(top));
  assert.ok(common.length > 90);
  for (const top of common) assert.equal(after.get(top), before.get(top));
});

test("a block shows the aggregate that was asked for", () => {
  const values = Float32Array.from({ length: 1200 }, (_, row) => (row === 3 ? 50 : row === 5 ? -90 : 1));
  const layers = { _shape: [1200, 1] as const, _layers: 1200, _components: 1, _values: bytesOf(values) };
  const lowest = (aggregate: "mean" | "min" | "max" | "extreme") =>
    figureMaker()(stateOf({ ...layers, aggregate, center: 0 }), null, room).painted.values.at(-1);
  assert.equal(lowest("min"), -90);
  assert.equal(lowest("max"), 50);
  assert.equal(lowest("extreme"), -90);
  assert.equal(lowest("mean"), (14 + 50 - 90) / 16);
});

test("other values make another picture", () => {
  const model = fakeModel();
  const read = stateReader(model);
  const make = figureMaker();
  make(read(), null, room);
  model.set("_values", bytesOf(Float32Array.of(9, 9, 9, 9, 9, 9)));
  assert.equal(make(read(), null, room).painted.values[0], 9);
});
