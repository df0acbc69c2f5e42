import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { createFar, type FarActions } from "../../js/src/far.ts";
import { createLoading } from "../../js/src/loading.ts";
import type { WindowReply, WindowRequest } from "../../js/src/messages.ts";
import { reduceCells } from "../../js/src/windows.ts";

type Asked = Omit<WindowRequest, "id">;

/** A kernel with a matrix of 0, 1, 2 ..., which answers when told to. */
function kernelOf(rows: number, columns: number, absentBelow = 0) {
  const values = Float32Array.from({ length: rows * columns }, (_, at) => at);
  const absent = absentBelow > 0 ? Uint8Array.from(values, (value) => (value < absentBelow ? 1 : 0)) : null;
  const cells = { rows, columns, values, absent };
  const asked = new Map<number, Asked>();
  const cancelled: number[] = [];
  let changes = 0;
  const actions: FarActions = {
    send(request) {
      const id = asked.size;
      asked.set(id, request);
      return id;
    },
    cancel: (id) => cancelled.push(id),
    changed: () => changes++,
  };
  const reply = (id: number): WindowReply => ({ kind: "window", id, dtype: "f4" });
  const readCells = ({ id }: WindowReply, buffers: readonly DataView[]) => {
    if (buffers.length === 0) return null;
    const { rowFactor, columnFactor, aggregate, center, ...window } = asked.get(id)!;
    return reduceCells(cells, window, rowFactor, columnFactor, aggregate, center);
  };
  const full = [new DataView(new ArrayBuffer(0))];
  const overview = (factor: number) => ({
    cells: reduceCells(cells, { top: 0, bottom: rows, left: 0, right: columns }, factor, factor, "mean", 0),
    rowFactor: factor,
    columnFactor: factor,
  });
  return { cells, asked, cancelled, actions, reply, readCells, full, overview, changes: () => changes };
}

test("a window is coarse until its cells are here, and exact then", () => {
  const kernel = kernelOf(64, 64);
  const far = createFar(kernel.cells, 3, kernel.readCells, kernel.actions);
  far.look(kernel.overview(16));
  const window = { top: 0, bottom: 4, left: 0, right: 4 };
  const draw = () => [...far.window(window, 1, 1, "mean", 0).values];
  assert.ok(draw().every((value) => value === kernel.overview(16).cells.values[0]));
  const first = kernel.asked.get(0)!;
  assert.deepEqual([first.version, first.rowFactor, first.bottom, first.right], [3, 1, 64, 64]);
  far.receive(kernel.reply(0), kernel.full);
  assert.equal(kernel.changes(), 1);
  assert.deepEqual(draw(), [...reduceCells(kernel.cells, window, 1, 1, "mean", 0).values]);
  assert.equal(kernel.asked.size, 1);
  assert.equal(far.at(1, 2), 66);
  far.stop();
});

test("a window of the overview's own blocks asks for nothing", () => {
  const kernel = kernelOf(64, 64);
  const far = createFar(kernel.cells, 0, kernel.readCells, kernel.actions);
  far.look(kernel.overview(16));
  far.window({ top: 0, bottom: 64, left: 0, right: 64 }, 16, 16, "mean", 0);
  assert.equal(kernel.asked.size, 0);
  far.window({ top: 0, bottom: 64, left: 0, right: 64 }, 16, 16, "max", 0);
  assert.equal(kernel.asked.size, 1);
  far.stop();
});

test("at most two tiles are asked for at once, and those out of view are given up", () => {
  const kernel = kernelOf(3000, 40);
  const far = createFar(kernel.cells, 0, kernel.readCells, kernel.actions);
  far.look(kernel.overview(64));
  far.window({ top: 0, bottom: 3000, left: 0, right: 40 }, 1, 1, "mean", 0);
  assert.equal(kernel.asked.size, 2);
  far.window({ top: 2600, bottom: 3000, left: 0, right: 40 }, 1, 1, "mean", 0);
  assert.deepEqual(kernel.cancelled, [0, 1]);
  far.receive({ kind: "error", id: 0, message: "Closed" }, []);
  assert.equal(far.trouble(), "");
  assert.equal(kernel.asked.get(2)!.top, 2560);
  far.receive(kernel.reply(2), kernel.full);
  const painted = far.window({ top: 2600, bottom: 2601, left: 0, right: 2 }, 1, 1, "mean", 0);
  assert.deepEqual([...painted.values], [2600 * 40, 2600 * 40 + 1]);
  far.stop();
});

test("what was given up is asked for again when it comes back into view", () => {
  const kernel = kernelOf(2000, 4);
  const far = createFar(kernel.cells, 0, kernel.readCells, kernel.actions);
  far.look(kernel.overview(64));
  const low = { top: 0, bottom: 10, left: 0, right: 4 };
  far.window(low, 1, 1, "mean", 0);
  far.window({ top: 1900, bottom: 1910, left: 0, right: 4 }, 1, 1, "mean", 0);
  far.receive({ kind: "error", id: 0, message: "given up" }, []);
  far.window(low, 1, 1, "mean", 0);
  assert.equal([...kernel.asked.values()].filter(({ top }) => top === 0).length, 2);
  far.stop();
});

test("a refused, a damaged and a missing reply are told in words, and the overview stays", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const kernel = kernelOf(64, 64);
  const far = createFar(kernel.cells, 0, kernel.readCells, kernel.actions);
  far.look(kernel.overview(16));
  const view = (top: number) => far.window({ top, bottom: top + 4, left: 0, right: 4 }, 2, 2, "max", 0);
  view(0);
  far.receive({ kind: "error", id: 0, message: "disk on fire" }, []);
  assert.match(far.trouble(), /disk on fire/);
  view(0);
  far.receive(kernel.reply(1), []);
  assert.match(far.trouble(), /damaged/);
  view(0);
  mock.timers.tick(5000);
  assert.match(far.trouble(), /busy, or gone/);
  assert.ok(view(0).values.every(Number.isFinite));
  far.stop();
  mock.timers.reset();
});

test("absent cells of a tile are told from those of the overview", () => {
  const kernel = kernelOf(64, 64, 32);
  const far = createFar(kernel.cells, 0, kernel.readCells, kernel.actions);
  far.look(kernel.overview(16));
  const window = { top: 0, bottom: 1, left: 30, right: 34 };
  assert.deepEqual([...far.window(window, 1, 1, "mean", 0).absent!], [0, 0, 0, 0]);
  far.receive(kernel.reply(0), kernel.full);
  assert.deepEqual([...far.window(window, 1, 1, "mean", 0).absent!], [1, 1, 0, 0]);
  far.stop();
});

test("all cells of a matrix that fits arrive in order, below 4 MB a message, and are seen as they do", () => {
  const kernel = kernelOf(3000, 1000, 5);
  const loading = createLoading(kernel.cells, "f4", 1, kernel.readCells, kernel.actions);
  loading.look(kernel.overview(64));
  const top = { top: 2999, bottom: 3000, left: 0, right: 2 };
  const bottom = { top: 0, bottom: 1, left: 4, right: 6 };
  assert.equal(loading.progress(), 0);
  loading.window(top, 1, 1, "mean", 0);
  assert.equal(kernel.asked.size, 2);
  for (const { top: from, bottom: to } of kernel.asked.values()) assert.ok((to - from) * 1000 * 4 < 4e6 + 1);
  loading.receive(kernel.reply(1), kernel.full); // before the one below it
  assert.equal(loading.at(0, 6), undefined);
  loading.receive(kernel.reply(0), kernel.full);
  assert.equal(loading.at(0, 6), 6);
  const painted = loading.window(bottom, 1, 1, "mean", 0);
  assert.equal(painted.values[1], 5);
  assert.deepEqual([...painted.absent!], [1, 0]);
  assert.equal(loading.whole(), null);
  for (let id = 2; id < kernel.asked.size; id++) loading.receive(kernel.reply(id), kernel.full);
  assert.equal(loading.progress(), 1);
  const { values, absent } = loading.whole()!;
  assert.deepEqual(values.subarray(5), kernel.cells.values.subarray(5));
  assert.deepEqual(absent, kernel.cells.absent);
  loading.stop();
});

const troubles: [
  string,
  RegExp,
  (loading: ReturnType<typeof createLoading>, kernel: ReturnType<typeof kernelOf>) => void,
][] = [
  ["stopped by its reader", /was stopped/, (loading) => loading.cancel()],
  [
    "refused",
    /disk on fire/,
    (loading) => loading.receive({ kind: "error", id: 0, message: "disk on fire" }, []),
  ],
  ["damaged", /damaged/, (loading, kernel) => loading.receive(kernel.reply(0), [])],
  ["unanswered", /busy, or gone/, () => mock.timers.tick(5000)],
];
for (const [what, words, act] of troubles)
  test(`loading that is ${what} says so, and the overview stays`, () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    const kernel = kernelOf(1500, 1000);
    const loading = createLoading(kernel.cells, "f8", 0, kernel.readCells, kernel.actions);
    loading.look(kernel.overview(64));
    const view = { top: 0, bottom: 2, left: 0, right: 2 };
    loading.window(view, 1, 1, "mean", 0);
    act(loading, kernel);
    assert.match(loading.trouble(), words);
    assert.ok(loading.window(view, 1, 1, "mean", 0).values.every(Number.isFinite));
    loading.stop();
    mock.timers.reset();
  });

test("a kernel that cannot be reached is told of", () => {
  const kernel = kernelOf(64, 64);
  const actions = {
    ...kernel.actions,
    send: () => {
      throw new Error("no connection");
    },
  };
  const far = createFar(kernel.cells, 0, kernel.readCells, actions);
  const loading = createLoading(kernel.cells, "f4", 0, kernel.readCells, actions);
  for (const cells of [far, loading]) {
    cells.look(kernel.overview(16));
    cells.window({ top: 0, bottom: 4, left: 0, right: 4 }, 1, 1, "mean", 0);
    assert.match(cells.trouble(), /no connection/);
    cells.stop();
  }
});

test("tiles used longest ago are let go where they take too much", () => {
  const kernel = kernelOf(1, 1);
  const shape = { rows: 512 * 40, columns: 1024 };
  const tile = { rows: 512, columns: 1024, values: new Float32Array(512 * 1024), absent: null };
  const far = createFar(shape, 0, () => tile, kernel.actions);
  far.look({ cells: kernel.cells, rowFactor: 32768, columnFactor: 1024 });
  const see = (at: number) =>
    far.window({ top: at * 512, bottom: at * 512 + 1, left: 0, right: 1 }, 1, 1, "mean", 0);
  for (let at = 0; at < 34; at++) {
    see(at);
    far.receive(kernel.reply(kernel.asked.size - 1), kernel.full);
  }
  const asked = kernel.asked.size;
  see(33);
  assert.equal(kernel.asked.size, asked);
  see(0);
  assert.equal(kernel.asked.size, asked + 1);
  far.stop();
});
