import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { bindModel, readNumbers, stateReader, unpackBits } from "../../js/src/model.ts";
import { bytesOf, fakeModel } from "./fake.ts";

test("numbers are read at any offset of a buffer", () => {
  const bytes = new Uint8Array(17);
  bytes.set(new Uint8Array(Float32Array.of(1.5, -0).buffer), 1);
  const read = readNumbers(new DataView(bytes.buffer, 1, 8), "f4");
  assert.equal(read[0], 1.5);
  assert.ok(Object.is(read[1], -0));
  assert.equal(readNumbers(bytesOf(Float64Array.of(1 / 3)), "f8")[0], 1 / 3);
});

test("bits are unpacked from the least significant on; no bytes mean none set", () => {
  assert.deepEqual(
    [...unpackBits(new DataView(Uint8Array.of(0b101, 1).buffer), 9)!],
    [1, 0, 1, 0, 0, 0, 0, 0, 1],
  );
  assert.equal(unpackBits(new DataView(new ArrayBuffer(0)), 9), null);
});

test("the state has rows, columns and selection as positions", () => {
  const model = fakeModel({
    components: ["mlp.up", "attn.q"],
    layers: [1],
    selection: [
      [0, "attn.q"],
      [1, "mlp.up"],
      [9, "x"],
    ],
  });
  const state = stateReader(model)();
  assert.deepEqual([...state.columns], [2, 0]);
  assert.deepEqual([...state.rows], [1]);
  assert.deepEqual(state.selection, [0, 5]);
});

test("what did not change keeps its identity", () => {
  const model = fakeModel();
  const read = stateReader(model);
  const before = read();
  model.set("vmax", 9);
  const after = read();
  assert.equal(after.matrix, before.matrix);
  assert.equal(after.palette, before.palette);
  assert.notEqual(after.domain, before.domain);
});

test("a map that the page has no table of comes with its colors", () => {
  const lut = Uint8Array.from({ length: 768 }, () => 7);
  const state = stateReader(fakeModel({ cmap: "far:away", _lut: bytesOf(lut), _lut_diverging: true }))();
  assert.equal(state.palette.colors[0], 0xff070707);
  assert.equal(state.diverging, true);
});

test("an unknown map without colors and an unknown scale fall back", () => {
  const state = stateReader(fakeModel({ cmap: "gone", scale: "cubic" as never }))();
  assert.equal(state.scale, "linear");
  assert.equal(state.diverging, false);
});

test("a change is saved at once, then at most every 60 ms, the last value always", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  mock.method(performance, "now", () => now);
  const model = fakeModel();
  let drawn = 0;
  const binding = bindModel(model, stateReader(model), () => drawn++);
  binding.change({ vmax: 6 });
  assert.deepEqual(
    model.saved.map((state) => state.vmax),
    [6],
  );
  for (let i = 0; i < 10; i++) binding.change({ vmax: 7 + i });
  assert.equal(model.saved.length, 1);
  now = 60;
  mock.timers.tick(60);
  assert.deepEqual(
    model.saved.map((state) => state.vmax),
    [6, 16],
  );
  assert.equal(drawn, 11);
  mock.timers.reset();
  mock.restoreAll();
});

test("an echo of an older value does not make a dragged slider jump", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const model = fakeModel();
  const binding = bindModel(model, stateReader(model), () => {});
  binding.change({ vmax: 6 });
  binding.change({ vmax: 8 }); // not saved yet
  model.set("vmax", 6); // the echo
  assert.equal(model.get("vmax"), 8);
  binding.stop();
  mock.timers.reset();
});

test("what waits is saved when the view goes, and nothing is heard afterwards", () => {
  const model = fakeModel();
  let drawn = 0;
  const binding = bindModel(model, stateReader(model), () => drawn++);
  binding.change({ vmax: 6 });
  binding.change({ vmax: 7 });
  binding.stop();
  assert.equal(model.saved.at(-1)!.vmax, 7);
  const before = drawn;
  model.set("vmin", -1);
  assert.equal(drawn, before);
});

test("selected cells travel as labels, clicks as positions", () => {
  const model = fakeModel();
  const binding = bindModel(model, stateReader(model), () => {});
  binding.select([0, 5]);
  assert.deepEqual(model.get("selection"), [
    [0, "attn.q"],
    [1, "mlp.up"],
  ]);
  binding.send({ kind: "click", row: 0, column: 0 });
  assert.deepEqual(model.sent, [{ kind: "click", row: 0, column: 0 }]);
  binding.stop();
});

/** 1100 x 1000 cells of which the overview is here, in blocks of 100 x 100. */
const farModel = (whole: "f4" | "") =>
  fakeModel({
    _shape: [1100, 1000],
    _layers: 1100,
    _components: 1000,
    _values: bytesOf(Float32Array.from({ length: 110 }, (_, at) => at)),
    _far: { rowFactor: 100, columnFactor: 100, version: 2, whole },
    _parameters: {},
  });

test("a matrix whose cells are elsewhere is its overview, and asks for what is in view", () => {
  const model = farModel("");
  const { matrix } = stateReader(model)();
  assert.deepEqual([matrix.rows, matrix.columns, matrix.values.length], [1100, 1000, 0]);
  assert.equal(matrix.far!.overview.cells.values[12], 12);
  matrix.far!.window({ top: 0, bottom: 1, left: 0, right: 1 }, 1, 1, "mean", 0);
  const { kind, version, bottom, right } = model.sent[0] as Record<string, unknown>;
  assert.deepEqual(
    { kind, version, bottom, right },
    { kind: "window", version: 2, bottom: 512, right: 1000 },
  );
  matrix.far!.stop();
  assert.equal((model.sent[1] as { kind: string }).kind, "cancel");
});

test("once all cells have arrived, the matrix is like any other", () => {
  const model = farModel("f4");
  let changes = 0;
  const read = stateReader(model, () => changes++);
  const binding = bindModel(model, read, () => {});
  read().matrix.far!.window({ top: 0, bottom: 1, left: 0, right: 1 }, 1, 1, "mean", 0);
  const asked = () => model.sent as { id: number; top: number; bottom: number }[];
  for (let at = 0; at < asked().length; at++) {
    const { id, top, bottom } = asked()[at]!;
    const values = Float32Array.from({ length: (bottom - top) * 1000 }, (_, cell) => top * 1000 + cell);
    const none = new DataView(new ArrayBuffer(0));
    model.receive({ kind: "window", id, dtype: "f4" }, [bytesOf(values), none]);
  }
  assert.equal(changes, asked().length);
  const { matrix } = read();
  assert.equal(matrix.far, null);
  assert.equal(matrix.values[1_099_999], 1_099_999);
  binding.stop();
});

test("an overview of which more has been read keeps the cells that are here", () => {
  const model = farModel("");
  const read = stateReader(model);
  const before = read().matrix.far!;
  model.set("_values", bytesOf(new Float32Array(110).fill(7)));
  const after = read().matrix.far!;
  assert.equal(after.overview.cells.values[0], 7);
  assert.equal(after.window, before.window);
});
