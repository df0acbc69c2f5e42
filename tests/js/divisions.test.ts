import assert from "node:assert/strict";
import { test } from "node:test";
import { cellFacts } from "../../js/src/cell.ts";
import { partAt, partsInView, partText, thinned } from "../../js/src/divisions.ts";
import { figureMaker } from "../../js/src/figure.ts";
import { stateOf } from "./fake.ts";

const heads = {
  axis: "row",
  starts: [0, 4, 8],
  labels: ["query head 0", "query head 1", "query head 2"],
} as const;
const fused = { axis: "column", starts: [2, 6], labels: ["mlp.gate", "mlp.up"] } as const;
const tensor = { dtype: "BF16", divisions: [heads, fused], cell: [], models: [], side: 0 };
const range = (from: number, to: number) => Int32Array.from({ length: to - from }, (_, at) => from + at);
/** Cells of so many pixels each, one after another, `block` of them in one. */
const spansOf = (count: number, pixels: number, block = 1) => {
  const blocks = Math.ceil(count / block);
  const edges = Int32Array.from({ length: blocks + 1 }, (_, at) => Math.min(count, at * block));
  return {
    starts: edges.slice(0, -1).map((cell) => cell * pixels),
    ends: edges.slice(1).map((cell) => cell * pixels),
    length: blocks,
    cells: edges,
  };
};

test("a row belongs to the part that begins at it or last before it", () => {
  assert.deepEqual(
    [0, 3, 4, 11].map((row) => partAt(heads, row)),
    [0, 0, 1, 2],
  );
  assert.deepEqual(
    [0, 1, 2, 99].map((column) => partAt(fused, column)),
    [-1, -1, 0, 1],
  );
  assert.equal(partAt({ axis: "row", starts: [], labels: [] }, 3), -1);
});

test("a place is called by its parts, along its own axis only", () => {
  assert.equal(partText(tensor, "row", 5), " (query head 1)");
  assert.equal(partText(tensor, "column", 7), " (mlp.up)");
  assert.equal(partText(tensor, "column", 0), "");
  assert.equal(partText(null, "row", 5), "");
  const shown = stateOf({ _tensor: tensor, _axes: ["row", "column"] });
  const figure = figureMaker()(shown, null, { width: 300, height: 100, ratio: 1 });
  assert.equal(cellFacts(figure, 1, 2).rowText, "row 1 (query head 0)");
  assert.equal(cellFacts(figure, 1, 2).columnText, "column mlp.up (mlp.gate)");
});

test("parts in view begin and end where their cells do", () => {
  assert.deepEqual(partsInView(heads, range(0, 12), spansOf(12, 10)), [
    { part: 0, start: 0, end: 40 },
    { part: 1, start: 40, end: 80 },
    { part: 2, start: 80, end: 120 },
  ]);
  assert.deepEqual(partsInView(heads, range(3, 9), spansOf(6, 10)), [
    { part: 0, start: 0, end: 10 },
    { part: 1, start: 10, end: 50 },
    { part: 2, start: 50, end: 60 },
  ]);
  assert.deepEqual(partsInView(fused, range(0, 3), spansOf(3, 10)), [
    { part: -1, start: 0, end: 20 },
    { part: 0, start: 20, end: 30 },
  ]);
  assert.deepEqual(partsInView(heads, range(0, 0), spansOf(1, 10)), []);
});

test("a boundary within a block lies at its share of the block", () => {
  const odd = { axis: "row", starts: [0, 3], labels: ["a", "b"] } as const;
  assert.deepEqual(partsInView(odd, range(0, 8), spansOf(8, 10, 4)), [
    { part: 0, start: 0, end: 30 },
    { part: 1, start: 30, end: 80 },
  ]);
});

test("rows upside down, hidden or in another order are divided where the part changes", () => {
  assert.deepEqual(partsInView(heads, range(0, 12).reverse(), spansOf(12, 10)), [
    { part: 2, start: 0, end: 40 },
    { part: 1, start: 40, end: 80 },
    { part: 0, start: 80, end: 120 },
  ]);
  assert.deepEqual(partsInView(heads, Int32Array.of(0, 2, 9, 10, 1), spansOf(5, 10)), [
    { part: 0, start: 0, end: 20 },
    { part: 2, start: 20, end: 40 },
    { part: 0, start: 40, end: 50 },
  ]);
});

test("where parts are many each n-th of all is kept, so that the view may move", () => {
  const many = { axis: "row", starts: Array.from(range(0, 100)), labels: [] } as const;
  const parts = partsInView(many, range(3, 63), spansOf(60, 2));
  assert.deepEqual(
    thinned(parts, 120, 20).map(({ part }) => part),
    [10, 20, 30, 40, 50, 60],
  );
  assert.equal(thinned(parts, 120, 2).length, 60);
  assert.deepEqual(thinned([{ part: -1, start: 0, end: 5 }], 5, 1), []);
});

test("a grid of no tensor has none", () => {
  assert.equal(stateOf({ _tensor: {} }).tensor, null);
  assert.equal(stateOf().tensor, null);
  assert.equal(stateOf({ _tensor: tensor }).tensor, tensor);
});
