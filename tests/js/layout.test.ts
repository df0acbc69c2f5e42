import assert from "node:assert/strict";
import { test } from "node:test";
import {
  blockLength,
  cellUnder,
  gridHeight,
  labelStep,
  largestGridWidth,
  nearestSpan,
  rowLabelStep,
  snapped,
  spanAt,
  spanOfCell,
} from "../../js/src/layout.ts";
import { layoutOf } from "./fake.ts";

const oneRun = (columns: number) => [{ group: "", start: 0, end: columns }];

test("28 rows are as high as the page likes, 126 at least 3 pixels each, 5000 no higher than the page allows", () => {
  assert.ok(gridHeight(28) >= 28 * 12);
  assert.ok(gridHeight(126) >= 126 * 3);
  assert.ok(gridHeight(200) >= 200 * 3);
  assert.equal(gridHeight(5000), 640);
  assert.ok(gridHeight(2) < 60);
});

for (const ratio of [0.5, 1, 1.5, 2, 3])
  for (const [rows, columns] of [
    [1, 1],
    [28, 7],
    [61, 771],
    [126, 9],
    [13, 997],
    [1024, 1024],
  ] as const)
    for (const width of [300, 701.5, 1300])
      test(`cells of ${rows} x ${columns} at ${width} px, ratio ${ratio}, are whole pixels without seams`, () => {
        const layout = layoutOf({ rows, columns }, oneRun(columns), width, gridHeight(rows), ratio);
        for (const [spans, length] of [
          [layout.columns, layout.width],
          [layout.rows, layout.height],
        ] as const) {
          assert.equal(spans.starts[0], 0);
          assert.equal(spans.ends[spans.length - 1], length);
          for (let i = 0; i < spans.length; i++) {
            assert.ok(spans.ends[i]! > spans.starts[i]!, `cell ${i} has no pixel`);
            if (i > 0) assert.equal(spans.starts[i], spans.ends[i - 1]);
          }
        }
      });

test("groups stand apart by a gap, and every column keeps a pixel", () => {
  const runs = [
    { group: "attn", start: 0, end: 350 },
    { group: "mlp", start: 350, end: 700 },
  ];
  const { columns } = layoutOf({ rows: 2, columns: 700 }, runs, 705, 60, 1);
  assert.ok(columns.starts[350]! > columns.ends[349]!);
  for (let i = 0; i < columns.length; i++) assert.ok(columns.ends[i]! > columns.starts[i]!);
});

test("a pixel is found in its cell, and in a gap or outside in none", () => {
  const spans = {
    starts: Int32Array.of(0, 14),
    ends: Int32Array.of(10, 24),
    length: 2,
    cells: Int32Array.of(0, 1, 2),
  };
  assert.deepEqual(
    [-1, 0, 9, 10, 13, 14, 23, 24].map((pixel) => spanAt(spans, pixel)),
    [-1, 0, 0, -1, -1, 1, 1, -1],
  );
});

test("a drag that leaves the picture is at the nearest cell", () => {
  const spans = {
    starts: Int32Array.of(0, 14),
    ends: Int32Array.of(10, 24),
    length: 2,
    cells: Int32Array.of(0, 1, 2),
  };
  assert.deepEqual(
    [-50, 11, 13, 99].map((pixel) => nearestSpan(spans, pixel)),
    [0, 0, 1, 1],
  );
});

test("labels are thinned to round steps as room asks for", () => {
  assert.equal(labelStep(28, 480, 40), 3);
  assert.equal(labelStep(7, 480, 40), 1);
  assert.equal(labelStep(126, 480, 40), 20);
  assert.equal(labelStep(1024, 480, 40), 100);
  assert.equal(labelStep(5, Number.NaN, 40), 1);
});

test("a few columns do not fill a wide page", () => {
  assert.ok(largestGridWidth(2, oneRun(2)) < 400);
});

test("rows share pixels rather than be thinner than three, and columns than one", () => {
  assert.equal(blockLength(213, 640, 1, 3), 1);
  assert.equal(blockLength(214, 640, 1, 3), 2);
  assert.equal(blockLength(1000, 1000, 1, 1), 1);
  assert.equal(blockLength(1001, 1000, 1, 1), 2);
  assert.equal(blockLength(5000, 1000, 2, 1), 4);
});

test("a view takes whole blocks, which stay where they are while it moves", () => {
  assert.deepEqual(snapped(3, 11, 100, 4), [0, 8]);
  assert.deepEqual(snapped(4, 12, 100, 4), [4, 12]);
  assert.deepEqual(snapped(97, 99, 99, 4), [96, 99]);
  assert.deepEqual(snapped(5, 9, 100, 1), [5, 9]);
});

test("seen from the bottom the last block, which may be smaller, stands at the top", () => {
  const { rows } = layoutOf({ rows: 1025, columns: 1 }, oneRun(1), 50, 640, 1);
  assert.deepEqual([...rows.cells.slice(0, 3)], [0, 1, 3]);
  assert.equal(rows.cells[rows.length], 1025);
});

test("every cell of a block is found under its pixels", () => {
  const spans = {
    starts: Int32Array.of(0, 10),
    ends: Int32Array.of(10, 30),
    length: 2,
    cells: Int32Array.of(0, 1, 5),
  };
  assert.deepEqual(
    [0, 9, 10, 14, 15, 29].map((pixel) => cellUnder(spans, pixel, false)),
    [0, 0, 1, 1, 2, 4],
  );
  assert.equal(cellUnder(spans, 30, false), -1);
  assert.equal(cellUnder(spans, 99, true), 4);
  assert.deepEqual(
    [0, 1, 2, 4].map((cell) => spanOfCell(spans, cell)),
    [0, 1, 1, 1],
  );
});

test("high rows all have their label, 28 usual ones every third, and two both", () => {
  assert.equal(rowLabelStep(2, 52), 1);
  assert.equal(rowLabelStep(12, 312), 1);
  assert.equal(rowLabelStep(28, 480), 3);
  assert.equal(rowLabelStep(126, 480), 20);
});
