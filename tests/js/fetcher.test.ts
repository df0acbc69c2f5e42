import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mock, test } from "node:test";
import { createFetcher } from "../../js/src/fetcher.ts";
import { type PageReply, type PageRequest, readReply } from "../../js/src/messages.ts";
import { bytesOf } from "./fake.ts";

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
