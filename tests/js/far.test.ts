import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { createFar, type FarActions, REST_MS, type WindowQuestion } from "../../js/src/far.ts";
import { createLoading } from "../../js/src/loading.ts";
import { SECOND_TRY_MS } from "../../js/src/queue.ts";
import type { PaintedCells } from "../../js/src/raster.ts";
import { reduceCells } from "../../js/src/windows.ts";
import { promises } from "./fake.ts";

/** A kernel with a matrix of 0, 1, 2 ..., which answers when told to. */
function kernelOf(rows: number, columns: number, absentBelow = 0) {
  const values = Float32Array.from({ length: rows * columns }, (_, at) => at);
  const absent = absentBelow > 0 ? Uint8Array.from(values, (value) => (value < absentBelow ? 1 : 0)) : null;
  const cells = { rows, columns, values, absent };
  const { asked, ask, answer, fail, givenUp } = promises<WindowQuestion, PaintedCells | null>();
  let changes = 0;
  const actions: FarActions = {
    ask: (question, _rows, _columns, giveUp) => ask(question, giveUp),
    changed: () => changes++,
  };
  const send = (at: number) => {
    const { rowFactor, columnFactor, aggregate, center, ...window } = asked[at]!;
    return answer(at, reduceCells(cells, window, rowFactor, columnFactor, aggregate, center));
  };
  const overview = (factor: number) => ({
    cells: reduceCells(cells, { top: 0, bottom: rows, left: 0, right: columns }, factor, factor, "mean", 0),
    rowFactor: factor,
    columnFactor: factor,
  });
  return { cells, asked, actions, send, answer, fail, givenUp, overview, changes: () => changes };
}

test("a window is coarse until its cells are here, and exact then", async () => {
  const kernel = kernelOf(64, 64);
  const far = createFar(kernel.cells, 3, kernel.actions);
  far.look(kernel.overview(16));
  const window = { top: 0, bottom: 4, left: 0, right: 4 };
  const draw = () => [...far.window(window, 1, 1, "mean", 0).values];
  assert.ok(draw().every((value) => value === kernel.overview(16).cells.values[0]));
  const first = kernel.asked[0]!;
  assert.deepEqual([first.version, first.rowFactor, first.bottom, first.right], [3, 1, 64, 64]);
  await kernel.send(0);
  assert.equal(kernel.changes(), 1);
  assert.deepEqual(draw(), [...reduceCells(kernel.cells, window, 1, 1, "mean", 0).values]);
  assert.equal(kernel.asked.length, 1);
  assert.equal(far.at(1, 2), 66);
  far.stop();
});

test("a window of the overview's own blocks asks for nothing", async () => {
  const kernel = kernelOf(64, 64);
  const far = createFar(kernel.cells, 0, kernel.actions);
  far.look(kernel.overview(16));
  far.window({ top: 0, bottom: 64, left: 0, right: 64 }, 16, 16, "mean", 0);
  assert.equal(kernel.asked.length, 0);
  far.window({ top: 0, bottom: 64, left: 0, right: 64 }, 16, 16, "max", 0);
  assert.equal(kernel.asked.length, 1);
  far.stop();
});

test("at most two tiles are asked for at once, and those out of view are given up", async () => {
  const kernel = kernelOf(3000, 40);
  const far = createFar(kernel.cells, 0, kernel.actions);
  far.look(kernel.overview(64));
  far.window({ top: 0, bottom: 3000, left: 0, right: 40 }, 1, 1, "mean", 0);
  assert.equal(kernel.asked.length, 2);
  far.window({ top: 2600, bottom: 3000, left: 0, right: 40 }, 1, 1, "mean", 0);
  assert.deepEqual(
    kernel.givenUp().map(({ top }) => top),
    [0, 512],
  );
  await kernel.fail(0, "Closed");
  assert.equal(far.trouble(), "");
  assert.equal(kernel.asked[2]!.top, 2560);
  await kernel.send(2);
  const painted = far.window({ top: 2600, bottom: 2601, left: 0, right: 2 }, 1, 1, "mean", 0);
  assert.deepEqual([...painted.values], [2600 * 40, 2600 * 40 + 1]);
  far.stop();
});

test("what was given up is asked for again when it comes back into view", async () => {
  const kernel = kernelOf(2000, 4);
  const far = createFar(kernel.cells, 0, kernel.actions);
  far.look(kernel.overview(64));
  const low = { top: 0, bottom: 10, left: 0, right: 4 };
  far.window(low, 1, 1, "mean", 0);
  far.window({ top: 1900, bottom: 1910, left: 0, right: 4 }, 1, 1, "mean", 0);
  await kernel.fail(0, "given up");
  far.window(low, 1, 1, "mean", 0);
  assert.equal(kernel.asked.filter(({ top }) => top === 0).length, 2);
  far.stop();
});

test("a refused, a damaged and a missing reply are told in words, and the overview stays", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const kernel = kernelOf(64, 64);
  const far = createFar(kernel.cells, 0, kernel.actions);
  far.look(kernel.overview(16));
  const view = (top: number) => far.window({ top, bottom: top + 4, left: 0, right: 4 }, 2, 2, "max", 0);
  view(0);
  await kernel.fail(0, "disk on fire");
  assert.equal(far.trouble(), "", "a second try may mend it");
  mock.timers.tick(SECOND_TRY_MS);
  await kernel.fail(1, "disk on fire");
  assert.match(far.trouble(), /disk on fire/);
  far.retry();
  assert.equal(far.trouble(), "");
  await kernel.answer(2, null);
  mock.timers.tick(SECOND_TRY_MS);
  await kernel.answer(3, null);
  assert.match(far.trouble(), /damaged/);
  far.retry();
  mock.timers.tick(5000);
  assert.match(far.trouble(), /busy, or gone/);
  assert.ok(view(0).values.every(Number.isFinite));
  far.stop();
  mock.timers.reset();
});

test("levels that the view passes are not asked for, but the one it rests on", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const kernel = kernelOf(64, 64);
  const far = createFar(kernel.cells, 0, kernel.actions);
  far.look(kernel.overview(16));
  const view = (factor: number) =>
    far.window({ top: 0, bottom: 4, left: 0, right: 4 }, factor, factor, "max", 0);
  view(8); // the first one is asked for at once
  for (const factor of [4, 2, 1, 2]) {
    view(factor);
    mock.timers.tick(REST_MS - 1);
    view(factor);
  }
  assert.deepEqual(
    kernel.asked.map(({ rowFactor }) => rowFactor),
    [8],
  );
  assert.equal(kernel.givenUp().length, 1);
  mock.timers.tick(1);
  assert.equal(kernel.asked[1]!.rowFactor, 2);
  view(1);
  far.stop();
  mock.timers.tick(REST_MS);
  assert.equal(kernel.asked.length, 2);
  mock.timers.reset();
});

test("absent cells of a tile are told from those of the overview", async () => {
  const kernel = kernelOf(64, 64, 32);
  const far = createFar(kernel.cells, 0, kernel.actions);
  far.look(kernel.overview(16));
  const window = { top: 0, bottom: 1, left: 30, right: 34 };
  assert.deepEqual([...far.window(window, 1, 1, "mean", 0).absent!], [0, 0, 0, 0]);
  await kernel.send(0);
  assert.deepEqual([...far.window(window, 1, 1, "mean", 0).absent!], [1, 1, 0, 0]);
  far.stop();
});

test("all cells of a matrix that fits arrive in order, below 4 MB a message, and are seen as they do", async () => {
  const kernel = kernelOf(3000, 1000, 5);
  const loading = createLoading(kernel.cells, "f4", 1, kernel.actions);
  loading.look(kernel.overview(64));
  const top = { top: 2999, bottom: 3000, left: 0, right: 2 };
  const bottom = { top: 0, bottom: 1, left: 4, right: 6 };
  assert.equal(loading.progress(), 0);
  loading.window(top, 1, 1, "mean", 0);
  assert.equal(kernel.asked.length, 2);
  for (const { top: from, bottom: to } of kernel.asked) assert.ok((to - from) * 1000 * 4 < 4e6 + 1);
  await kernel.send(1); // before the one below it
  assert.equal(loading.at(0, 6), undefined);
  await kernel.send(0);
  assert.equal(loading.at(0, 6), 6);
  const painted = loading.window(bottom, 1, 1, "mean", 0);
  assert.equal(painted.values[1], 5);
  assert.deepEqual([...painted.absent!], [1, 0]);
  assert.equal(loading.whole(), null);
  for (let id = 2; id < kernel.asked.length; id++) await kernel.send(id);
  assert.equal(loading.progress(), 1);
  const { values, absent } = loading.whole()!;
  assert.deepEqual(values.subarray(5), kernel.cells.values.subarray(5));
  assert.deepEqual(absent, kernel.cells.absent);
  loading.stop();
});

/** The first of two bands fails, and again when it is asked for a second time. */
async function twice(fail: (at: number) => Promise<void>): Promise<void> {
  await fail(0);
  mock.timers.tick(SECOND_TRY_MS);
  await fail(2);
}

const troubles: [
  string,
  RegExp,
  (loading: ReturnType<typeof createLoading>, kernel: ReturnType<typeof kernelOf>) => unknown,
][] = [
  ["stopped by its reader", /was stopped/, (loading) => loading.cancel()],
  ["refused", /disk on fire/, (_, kernel) => twice((at) => kernel.fail(at, "disk on fire"))],
  ["damaged", /damaged/, (_, kernel) => twice((at) => kernel.answer(at, null))],
  ["unanswered", /busy, or gone/, () => mock.timers.tick(5000)],
];
for (const [what, words, act] of troubles)
  test(`loading that is ${what} says so, and the overview stays`, async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    const kernel = kernelOf(1500, 1000);
    const loading = createLoading(kernel.cells, "f8", 0, kernel.actions);
    loading.look(kernel.overview(64));
    const view = { top: 0, bottom: 2, left: 0, right: 2 };
    loading.window(view, 1, 1, "mean", 0);
    await act(loading, kernel);
    assert.match(loading.trouble(), words);
    assert.ok(loading.window(view, 1, 1, "mean", 0).values.every(Number.isFinite));
    loading.stop();
    mock.timers.reset();
  });

test("loading that was stopped goes on where it was, on request", async () => {
  const kernel = kernelOf(1500, 1000);
  const loading = createLoading(kernel.cells, "f4", 0, kernel.actions);
  loading.look(kernel.overview(64));
  loading.window({ top: 0, bottom: 2, left: 0, right: 2 }, 1, 1, "mean", 0);
  await kernel.send(0);
  loading.cancel();
  assert.equal(loading.progress(), null);
  loading.retry();
  assert.deepEqual([loading.trouble(), kernel.asked.length], ["", 3]);
  await kernel.send(2);
  assert.deepEqual(loading.whole()!.values, kernel.cells.values);
  loading.stop();
});

test("cells of other values are of no use: their questions are given up", () => {
  const kernel = kernelOf(64, 64);
  const far = createFar(kernel.cells, 0, kernel.actions);
  const loading = createLoading(kernel.cells, "f4", 0, kernel.actions);
  for (const cells of [far, loading]) {
    cells.look(kernel.overview(16));
    cells.window({ top: 0, bottom: 4, left: 0, right: 4 }, 1, 1, "mean", 0);
    cells.stop();
  }
  assert.equal(kernel.givenUp().length, 2);
});

test("tiles used longest ago are let go where they take too much", async () => {
  const kernel = kernelOf(1, 1);
  const shape = { rows: 512 * 40, columns: 1024 };
  const tile = { rows: 512, columns: 1024, values: new Float32Array(512 * 1024), absent: null };
  const far = createFar(shape, 0, kernel.actions);
  far.look({ cells: kernel.cells, rowFactor: 32768, columnFactor: 1024 });
  const see = (at: number) =>
    far.window({ top: at * 512, bottom: at * 512 + 1, left: 0, right: 1 }, 1, 1, "mean", 0);
  for (let at = 0; at < 34; at++) {
    see(at);
    await kernel.answer(kernel.asked.length - 1, tile);
  }
  const asked = kernel.asked.length;
  see(33);
  assert.equal(kernel.asked.length, asked);
  see(0);
  assert.equal(kernel.asked.length, asked + 1);
  far.stop();
});
