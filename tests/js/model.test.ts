import assert from "node:assert/strict";
import { test } from "node:test";
import { stateReader } from "../../js/src/model.ts";
import { bytesOf, fakeModel, joined, settled } from "./fake.ts";

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
  const { matrix } = joined(model).read();
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

test("once all cells have arrived, the matrix is like any other", async () => {
  const model = farModel("f4");
  let changes = 0;
  const { read, stop } = joined(model, () => changes++);
  read().matrix.far!.window({ top: 0, bottom: 1, left: 0, right: 1 }, 1, 1, "mean", 0);
  const asked = () => model.sent as { id: number; top: number; bottom: number }[];
  for (let at = 0; at < asked().length; at++) {
    const { id, top, bottom } = asked()[at]!;
    const values = Float32Array.from({ length: (bottom - top) * 1000 }, (_, cell) => top * 1000 + cell);
    const none = new DataView(new ArrayBuffer(0));
    model.receive({ kind: "window", id, dtype: "f4" }, [bytesOf(values), none]);
    await settled();
  }
  assert.equal(changes, asked().length);
  const { matrix } = read();
  assert.equal(matrix.far, null);
  assert.equal(matrix.values[1_099_999], 1_099_999);
  stop();
});

test("an overview of which more has been read keeps the cells that are here", () => {
  const model = farModel("");
  const { read } = joined(model);
  const before = read().matrix.far!;
  model.set("_values", bytesOf(new Float32Array(110).fill(7)));
  const after = read().matrix.far!;
  assert.equal(after.overview.cells.values[0], 7);
  assert.equal(after.window, before.window);
});

test("as long as nobody asks for cells, a large matrix is its overview", () => {
  const model = farModel("f4");
  const far = stateReader(model)().matrix.far!;
  const { values } = far.window({ top: 100, bottom: 102, left: 999, right: 1000 }, 1, 1, "mean", 0);
  assert.deepEqual([...values], [19, 19]);
  assert.deepEqual([far.at(0, 0), far.whole(), far.progress(), far.version()], [undefined, null, null, 0]);
  assert.equal(far.trouble(), "");
  far.cancel();
  far.stop();
  assert.deepEqual(model.sent, []);
});
