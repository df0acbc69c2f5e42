import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mock, test } from "node:test";
import { createFetcher } from "../../js/src/fetcher.ts";
import { type PageReply, type PageRequest, readReply } from "../../js/src/messages.ts";
import { bindModel, stateReader } from "../../js/src/model.ts";
import { pageModel } from "../../js/src/standalone.ts";
import { bytesOf, fakeModel, traits } from "./fake.ts";

const MESSAGES = JSON.parse(
  readFileSync(new URL("../../../../tests/fixtures/messages.json", import.meta.url), "utf8"),
);

const reply = ({ id, page }: PageRequest): PageReply => ({
  kind: "page",
  id,
  page,
  dtype: "f4",
  parameters: {},
  domain: null,
});

function setUp(here: number[] = []) {
  const sent: PageRequest[] = [];
  const arrived: number[] = [];
  const fetcher = createFetcher(
    {
      send: (request) => sent.push(request),
      isHere: (page) => here.includes(page),
      keep: ({ page }, buffers) => {
        if (buffers.length > 0) return false;
        here.push(page);
        return true;
      },
      arrived: (page) => arrived.push(page),
      changed() {},
    },
    100,
  );
  return { fetcher, sent, arrived, pages: () => sent.map(({ page }) => page) };
}

test("requests and replies are those that the kernel knows", () => {
  const { fetcher, sent } = setUp();
  fetcher.want(1);
  assert.deepEqual(Object.keys(sent[0]!), Object.keys(MESSAGES["page request"]));
  assert.deepEqual(readReply(MESSAGES["page reply"].content), MESSAGES["page reply"].content);
  assert.deepEqual(readReply(MESSAGES["error reply"]), MESSAGES["error reply"]);
  for (const other of [null, 4, {}, MESSAGES.click, { kind: "page" }]) assert.equal(readReply(other), null);
  fetcher.stop();
});

test("a page is awaited until its reply comes", () => {
  const { fetcher, sent, arrived } = setUp();
  fetcher.want(4);
  assert.equal(fetcher.awaited(), 4);
  fetcher.receive(reply(sent[0]!), []);
  assert.deepEqual([fetcher.awaited(), arrived], [null, [4]]);
});

test("of the pages that a slider passes, two are asked for at a time, the last always", () => {
  const { fetcher, sent, arrived, pages } = setUp();
  for (const page of [1, 2, 3, 4, 5]) fetcher.want(page);
  assert.deepEqual(pages(), [1, 2]);
  fetcher.receive(reply(sent[0]!), []);
  assert.deepEqual(pages(), [1, 2, 5]);
  fetcher.receive(reply(sent[1]!), []);
  assert.deepEqual(arrived, []);
  fetcher.receive(reply(sent[2]!), []);
  assert.deepEqual(arrived, [5]);
});

test("neighbours are fetched while nothing is awaited, and only those that are not here", () => {
  const { fetcher, sent, arrived, pages } = setUp([2]);
  fetcher.ahead([2, 3, 1]);
  assert.deepEqual(pages(), [3, 1]);
  fetcher.want(3);
  assert.deepEqual(pages(), [3, 1]);
  fetcher.receive(reply(sent[0]!), []);
  assert.deepEqual(arrived, [3]);
});

test("a page that could not be read is said in words, and the next wish clears them", () => {
  const { fetcher, sent } = setUp();
  fetcher.want(4);
  fetcher.receive({ kind: "error", id: sent[0]!.id, message: "OSError: gone" }, []);
  assert.equal(fetcher.awaited(), null);
  assert.match(fetcher.trouble(), /OSError: gone/);
  fetcher.want(5);
  assert.equal(fetcher.trouble(), "");
  fetcher.stop();
});

test("an error about a neighbour is kept quiet: nobody waits for it", () => {
  const { fetcher, sent } = setUp();
  fetcher.ahead([4]);
  fetcher.receive({ kind: "error", id: sent[0]!.id, message: "gone" }, []);
  assert.equal(fetcher.trouble(), "");
});

test("a damaged reply is said to be one", () => {
  const { fetcher, sent } = setUp();
  fetcher.want(4);
  fetcher.receive(reply(sent[0]!), [bytesOf(Float32Array.of(1))]);
  assert.match(fetcher.trouble(), /damaged/);
});

test("replies that this view did not ask for are left alone", () => {
  const { fetcher, arrived } = setUp();
  fetcher.want(4);
  fetcher.receive(reply({ kind: "page", id: 7, page: 4 }), []);
  assert.deepEqual(arrived, []);
  fetcher.stop();
});

test("without an answer the page says so, asks again when wanted again, and takes a late reply", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { fetcher, sent, arrived } = setUp();
  fetcher.want(4);
  mock.timers.tick(3000);
  assert.match(fetcher.trouble(), /busy, or gone/);
  fetcher.want(5);
  assert.equal(sent.length, 2);
  fetcher.receive(reply(sent[1]!), []);
  assert.deepEqual([arrived, fetcher.trouble()], [[5], ""]);
  mock.timers.reset();
});

test("a request that the host refuses to send fails at once", () => {
  const fetcher = createFetcher(
    {
      send() {
        throw new Error("no connection");
      },
      isHere: () => false,
      keep: () => true,
      arrived() {},
      changed() {},
    },
    0,
  );
  fetcher.want(1);
  assert.match(fetcher.trouble(), /no connection/);
  fetcher.stop();
});

test("after other values have come, replies to old requests are of no use, and the wish is asked anew", () => {
  const { fetcher, sent, arrived, pages } = setUp();
  fetcher.want(4);
  fetcher.reset();
  assert.deepEqual(pages(), [4, 4]);
  fetcher.receive(reply(sent[0]!), []);
  assert.deepEqual(arrived, []);
  fetcher.receive(reply(sent[1]!), []);
  assert.deepEqual(arrived, [4]);
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
  const read = stateReader(model);
  const binding = bindModel(model, read, () => drawn++);
  const asked = () => (model.sent as PageRequest[]).map(({ page }) => page);
  const answer = (page: number, values: Float32Array, more = {}) => {
    const request = (model.sent as PageRequest[]).find((one) => one.page === page)!;
    hear({ ...reply(request), ...more }, [bytesOf(values), new DataView(new ArrayBuffer(0))]);
  };
  return { model, binding, read, asked, answer, drawn: () => drawn };
}

test("the old page stays until the new one is here; then position, domain and values change together", () => {
  const { model, binding, read, asked, answer } = bound();
  binding.turn(2);
  assert.deepEqual([read().page, model.get("position"), binding.awaited().page], [0, { step: 0 }, 2]);
  answer(2, Float32Array.of(20, 21));
  assert.deepEqual([read().page, model.get("position"), binding.awaited().page], [2, { step: 2 }, null]);
  assert.deepEqual([...read().matrix.values], [20, 21]);
  assert.deepEqual([model.get("vmin"), model.get("vmax"), model.get("_fitted")], [20, 21, true]);
  assert.deepEqual(asked(), [2, 3, 1], "the pages next to it are fetched ahead");
  answer(3, Float32Array.of(30, 31));
  binding.turn(3);
  assert.equal(read().page, 3, "at once");
  binding.stop();
});

test("over all pages the domain comes with the reply", () => {
  const { model, binding, answer } = bound({ scale_over: "all" });
  binding.turn(2);
  answer(2, Float32Array.of(20, 21), { domain: [0, 31, 15.5] });
  assert.deepEqual([model.get("vmin"), model.get("vmax")], [0, 31]);
  binding.stop();
});

test("a page that another view or Python has turned to is fetched", () => {
  const { model, binding, read, asked, answer, drawn } = bound();
  model.set("position", { step: 3 });
  assert.deepEqual([asked(), read().page, read().missing], [[3], 0, 3]);
  const before = drawn();
  answer(3, Float32Array.of(30, 31));
  assert.deepEqual([read().page, read().missing], [3, null]);
  assert.ok(drawn() > before);
  binding.stop();
});

test("turning back to a page that is here ends the waiting", () => {
  const { binding, read, answer } = bound();
  binding.turn(2);
  binding.turn(0);
  assert.equal(binding.awaited().page, null);
  answer(2, Float32Array.of(20, 21));
  assert.equal(read().page, 0);
  binding.stop();
});

test("a reply of another size is refused", () => {
  const { binding, read, answer } = bound();
  binding.turn(2);
  answer(2, Float32Array.of(20, 21, 22));
  assert.match(binding.awaited().trouble, /damaged/);
  assert.equal(read().page, 0);
  binding.stop();
});

test("the pages next to the shown one are asked for once the page stands", () => {
  const { binding, asked } = bound();
  binding.lookAhead();
  assert.deepEqual(asked(), [1]);
  binding.stop();
});

test("a grid of one page asks for nothing", () => {
  const { binding, asked } = bound({ _selectors: [], position: {} });
  binding.lookAhead();
  assert.deepEqual(asked(), []);
  binding.stop();
});

test("a saved file says that it holds one page only", async () => {
  const model = pageModel(traits({ ...steps } as never) as unknown as Record<string, unknown>);
  const binding = bindModel(model, stateReader(model), () => {});
  binding.turn(2);
  await Promise.resolve();
  assert.match(binding.awaited().trouble, /holds only the one it was saved with/);
  binding.stop();
});
