import assert from "node:assert/strict";
import { test } from "node:test";
import type { PageReply, PageRequest } from "../../js/src/messages.ts";
import { pageModel } from "../../js/src/standalone.ts";
import { bytesOf, fakeModel, joined, settled, traits } from "./fake.ts";

const reply = ({ id, page }: PageRequest): PageReply => ({
  kind: "page",
  id,
  page,
  dtype: "f4",
  parameters: {},
  domain: null,
});

/** 4 steps of 1 x 2; the page holds the first alone. */
const steps = {
  _values: bytesOf(Float32Array.of(0, 1)),
  _shape: [1, 2],
  _layers: 1,
  _components: ["q", "k"],
  _parameters: {},
  _selectors: [{ dim: "step", labels: [0, 1, 2, 3], texts: [] }],
  _held: 0,
  position: { step: 0 },
} as const;

function bound(changes = {}) {
  const model = fakeModel({ ...steps, ...changes } as never);
  let hear: (content: unknown, buffers: DataView[]) => void = () => {};
  const on = model.on;
  model.on = ((event: string, listener: never) => {
    if (event === "msg:custom") hear = listener;
    else on(event as never, listener);
  }) as never;
  let drawn = 0;
  const { read, exchange, stop } = joined(model, () => drawn++);
  const asked = () => (model.sent as PageRequest[]).map(({ page }) => page);
  const answer = (page: number, values: Float32Array, more = {}) => {
    const request = (model.sent as PageRequest[]).find((one) => one.page === page)!;
    hear({ ...reply(request), ...more }, [bytesOf(values), new DataView(new ArrayBuffer(0))]);
    return settled();
  };
  return { model, exchange, read, stop, asked, answer, drawn: () => drawn };
}

test("the old page stays until the new one is here; then position, domain and values change together", async () => {
  const { model, exchange, read, stop, asked, answer } = bound();
  exchange.turn(2);
  assert.deepEqual([read().page, model.get("position"), exchange.awaited().page], [0, { step: 0 }, 2]);
  await answer(2, Float32Array.of(20, 21));
  assert.deepEqual([read().page, model.get("position"), exchange.awaited().page], [2, { step: 2 }, null]);
  assert.deepEqual([...read().matrix.values], [20, 21]);
  assert.deepEqual([model.get("vmin"), model.get("vmax"), model.get("_fitted")], [20, 21, true]);
  assert.deepEqual(asked(), [2, 3, 1], "the pages next to it are fetched ahead");
  await answer(3, Float32Array.of(30, 31));
  exchange.turn(3);
  assert.equal(read().page, 3, "at once");
  stop();
});

test("over all pages the domain comes with the reply", async () => {
  const { model, exchange, stop, answer } = bound({ scale_over: "all" });
  exchange.turn(2);
  await answer(2, Float32Array.of(20, 21), { domain: [0, 31, 15.5] });
  assert.deepEqual([model.get("vmin"), model.get("vmax")], [0, 31]);
  stop();
});

test("a page that another view or Python has turned to is fetched", async () => {
  const { model, read, stop, asked, answer, drawn } = bound();
  model.set("position", { step: 3 });
  assert.deepEqual([asked(), read().page, read().missing], [[3], 0, 3]);
  const before = drawn();
  await answer(3, Float32Array.of(30, 31));
  assert.deepEqual([read().page, read().missing], [3, null]);
  assert.ok(drawn() > before);
  stop();
});

test("turning back to a page that is here ends the waiting", async () => {
  const { exchange, read, stop, answer } = bound();
  exchange.turn(2);
  exchange.turn(0);
  assert.equal(exchange.awaited().page, null);
  await answer(2, Float32Array.of(20, 21));
  assert.equal(read().page, 0);
  stop();
});

test("a reply of another size is refused", async () => {
  const { exchange, read, stop, answer } = bound();
  exchange.turn(2);
  await answer(2, Float32Array.of(20, 21, 22));
  assert.match(exchange.awaited().trouble, /damaged/);
  assert.equal(read().page, 0);
  stop();
});

test("the pages next to the shown one are asked for once the page stands", async () => {
  const { exchange, stop, asked } = bound();
  exchange.lookAhead();
  assert.deepEqual(asked(), [1]);
  stop();
});

test("a grid of one page asks for nothing", async () => {
  const { exchange, stop, asked } = bound({ _selectors: [], position: {} });
  exchange.lookAhead();
  assert.deepEqual(asked(), []);
  stop();
});

test("a saved file says that it holds one page only", async () => {
  const model = pageModel(traits({ ...steps } as never) as unknown as Record<string, unknown>);
  const { exchange, stop } = joined(model);
  exchange.turn(2);
  await settled();
  assert.match(exchange.awaited().trouble, /holds only the one it was saved with/);
  stop();
});
