import assert from "node:assert/strict";
import { test } from "node:test";
import { moved, rectangle, toggled } from "../../js/src/selection.ts";

test("a rectangle has the cells between two corners, in whatever order they are given", () => {
  const rows = Int32Array.of(2, 1, 0);
  const columns = Int32Array.of(0, 3);
  const cells = rectangle(rows, columns, 4, { row: 1, column: 1 }, { row: 0, column: 0 });
  assert.deepEqual(cells, [8, 11, 4, 7]);
});

test("cell 0 is a cell like any other", () => {
  assert.deepEqual(toggled([], [0]), [0]);
  assert.deepEqual(toggled([0, 5], [0]), [5]);
});

test("toggling adds what is missing, and takes away only where all are chosen", () => {
  assert.deepEqual(toggled([3, 1], [1, 2]), [3, 1, 2]);
  assert.deepEqual(toggled([3, 1, 2], [1, 2]), [3]);
});

test("moving keeps all others in order, and stops at the ends", () => {
  assert.deepEqual(moved(["a", "b", "c"], 0, 2), ["b", "c", "a"]);
  assert.deepEqual(moved(["a", "b", "c"], 2, -5), ["c", "a", "b"]);
  assert.deepEqual(moved(["a", "b"], -1, 0), ["a", "b"]);
});
