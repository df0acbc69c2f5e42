import assert from "node:assert/strict";
import { test } from "node:test";
import { blockLength, gatherCells } from "../../js/src/blocks.ts";

const indices = (...list: number[]) => Int32Array.from(list);
const source = { values: Float32Array.from({ length: 12 }, (_, i) => i), stride: 4, absent: null };

test("a whole matrix is passed on without a copy", () => {
  assert.equal(gatherCells(source, indices(0, 1, 2), indices(0, 1, 2, 3), 1, 1).values, source.values);
});

test("rows and columns are gathered in the order asked for", () => {
  assert.deepEqual([...gatherCells(source, indices(2, 0), indices(3, 1), 1, 1).values], [11, 9, 3, 1]);
});

test("absence travels with its cells", () => {
  const absent = new Uint8Array(12);
  absent[11] = 1;
  const gathered = gatherCells({ ...source, absent }, indices(2, 0), indices(3, 1), 1, 1);
  assert.deepEqual([...gathered.absent!], [1, 0, 0, 0]);
});

test("float64 stays float64", () => {
  const values = Float64Array.of(1 / 3, 2);
  assert.equal(
    gatherCells({ values, stride: 2, absent: null }, indices(0), indices(0), 1, 1).values[0],
    1 / 3,
  );
});

test("a block is the mean of its cells, and a last one may be smaller", () => {
  const blocks = gatherCells(source, indices(0, 1, 2), indices(0, 1, 2, 3), 2, 3);
  assert.deepEqual([blocks.rows, blocks.columns], [2, 2]);
  assert.deepEqual([...blocks.values], [3, 5, 9, 11]);
});

test("columns in another order make blocks of those columns", () => {
  const blocks = gatherCells(source, indices(0), indices(0, 2, 1, 3), 1, 2);
  assert.deepEqual([...blocks.values], [1, 2]);
});

test("one NaN or infinity marks its block, and both signs of infinity make NaN", () => {
  const values = Float64Array.of(1, NaN, 2, Infinity, 3, -Infinity, Infinity, -Infinity, NaN, Infinity);
  const blocks = gatherCells(
    { values, stride: 10, absent: null },
    indices(0),
    indices(0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    1,
    2,
  );
  assert.deepEqual([...blocks.values], [NaN, Infinity, -Infinity, NaN, NaN]);
});

test("a block is absent where all its cells are, and else the mean of those that are there", () => {
  const values = Float64Array.of(NaN, 4, NaN, NaN);
  const absent = Uint8Array.of(1, 0, 1, 1);
  const blocks = gatherCells({ values, stride: 4, absent }, indices(0), indices(0, 1, 2, 3), 1, 2);
  assert.deepEqual([...blocks.values], [4, NaN]);
  assert.deepEqual([...blocks.absent!], [0, 1]);
});

test("the mean of very large numbers does not look infinite", () => {
  const values = Float64Array.of(1.7e308, 1.7e308);
  const [mean] = gatherCells({ values, stride: 2, absent: null }, indices(0), indices(0, 1), 1, 2).values;
  assert.ok(Number.isFinite(mean));
});

test("cells are put together only where they have less room than asked for", () => {
  assert.equal(blockLength(28, 480, 3), 1);
  assert.equal(blockLength(160, 480, 3), 1);
  assert.equal(blockLength(161, 480, 3), 2);
  assert.equal(blockLength(1024, 480, 3), 3);
  assert.equal(blockLength(5, 0, 1), 5);
});
