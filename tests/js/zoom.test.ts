import assert from "node:assert/strict";
import { test } from "node:test";
import { pannedWindow, zoomedWindow } from "../../js/src/zoom.ts";

const limits = { top: 0, bottom: 28, left: 0, right: 7 };

test("zooming keeps the cell under the pointer, and zooming out ends at the whole", () => {
  const closer = zoomedWindow(limits, limits, { row: 10, column: 3 }, 0.5)!;
  assert.equal(closer.bottom - closer.top, 14);
  assert.ok(closer.top <= 10 && closer.bottom > 10 && closer.left <= 3 && closer.right > 3);
  assert.equal(zoomedWindow(closer, limits, { row: 0, column: 0 }, 10), null);
});

test("zooming in ends at two cells, and a grid of one cell does not zoom", () => {
  let window = limits;
  for (let i = 0; i < 40; i++) window = zoomedWindow(window, limits, { row: 0, column: 0 }, 0.8) ?? window;
  assert.deepEqual([window.bottom - window.top, window.right - window.left], [2, 2]);
  const one = { top: 0, bottom: 1, left: 0, right: 1 };
  assert.equal(zoomedWindow(one, one, { row: 0, column: 0 }, 0.5), null);
});

test("panning stops at the edges", () => {
  const window = { top: 0, bottom: 10, left: 0, right: 7 };
  assert.deepEqual(pannedWindow(window, limits, -1, 0), window);
  assert.equal(pannedWindow(window, limits, 99, 0).bottom, 28);
});
