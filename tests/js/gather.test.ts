import assert from "node:assert/strict";
import { test } from "node:test";
import { gatherCells } from "../../js/src/gather.ts";

const matrix = {
  rows: 2,
  columns: 3,
  values: Float32Array.of(0, 1, 2, 3, NaN, 5),
  absent: Uint8Array.of(0, 0, 0, 0, 1, 0),
};

test("chosen cells stand side by side in the chosen order", () => {
  const { rows, columns, values, absent } = gatherCells(matrix, Int32Array.of(1), Int32Array.of(2, 1));
  assert.deepEqual([rows, columns], [1, 2]);
  assert.deepEqual([...values], [5, NaN]);
  assert.deepEqual([...absent!], [0, 1]);
});

test("all cells as they come are not copied", () => {
  const { values } = gatherCells(matrix, Int32Array.of(0, 1), Int32Array.of(0, 1, 2));
  assert.equal(values, matrix.values);
});

test("a reordered matrix is not the matrix as it comes", () => {
  const { values } = gatherCells(matrix, Int32Array.of(1, 0), Int32Array.of(0, 1, 2));
  assert.deepEqual([...values.slice(0, 3)], [3, NaN, 5]);
});

test("float64 stays float64", () => {
  const doubles = { ...matrix, values: Float64Array.of(0.1, 0, 0, 0, 0, 0), absent: null };
  const { values } = gatherCells(doubles, Int32Array.of(0), Int32Array.of(0));
  assert.deepEqual([...values], [0.1]);
});
