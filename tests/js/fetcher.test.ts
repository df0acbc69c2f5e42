import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { createFetcher } from "../../js/src/fetcher.ts";
import type { PageReply } from "../../js/src/messages.ts";
import { promises, settled } from "./fake.ts";

function setUp(here: number[] = []) {
  const kernel = promises<number, PageReply>();
  const arrived: number[] = [];
  const fetcher = createFetcher({
    ask: kernel.ask,
    isHere: (page) => here.includes(page),
    keep({ page, dtype }) {
      if (dtype === "f8") return false;
      here.push(page);
      return true;
    },
    arrived: (page) => arrived.push(page),
    changed() {},
  });
  const answer = (at: number, dtype: "f4" | "f8" = "f4") =>
    kernel.answer(at, { kind: "page", id: at, page: kernel.asked[at]!, dtype, parameters: {}, domain: null });
  return { fetcher, arrived, asked: kernel.asked, answer, fail: kernel.fail };
}

test("a page is awaited until its reply comes", async () => {
  const { fetcher, arrived, answer } = setUp();
  fetcher.want(4);
  assert.equal(fetcher.awaited(), 4);
  await answer(0);
  assert.deepEqual([fetcher.awaited(), arrived], [null, [4]]);
});

test("of the pages that a slider passes, two are asked for at a time, the last always", async () => {
  const { fetcher, arrived, asked, answer } = setUp();
  for (const page of [1, 2, 3, 4, 5]) fetcher.want(page);
  assert.deepEqual(asked, [1, 2]);
  await answer(0);
  assert.deepEqual(asked, [1, 2, 5]);
  await answer(1);
  assert.deepEqual(arrived, []);
  await answer(2);
  assert.deepEqual(arrived, [5]);
});

test("a page that was passed is kept when it comes", async () => {
  const here: number[] = [];
  const { fetcher, answer } = setUp(here);
  fetcher.want(1);
  fetcher.want(2);
  await answer(0);
  assert.deepEqual(here, [1]);
  fetcher.stop();
});

test("neighbours are fetched while nothing is awaited, and only those that are not here", async () => {
  const { fetcher, arrived, asked, answer } = setUp([2]);
  fetcher.ahead([2, 3, 1]);
  assert.deepEqual(asked, [3, 1]);
  fetcher.want(3);
  assert.deepEqual(asked, [3, 1]);
  await answer(0);
  assert.deepEqual(arrived, [3]);
  fetcher.stop();
});

test("a page that could not be read is said in words, and the next wish clears them", async () => {
  const { fetcher, fail } = setUp();
  fetcher.want(4);
  await fail(0, "OSError: gone");
  assert.equal(fetcher.awaited(), null);
  assert.match(fetcher.trouble(), /OSError: gone/);
  fetcher.want(5);
  assert.equal(fetcher.trouble(), "");
  fetcher.stop();
});

test("an error about a neighbour is kept quiet: nobody waits for it", async () => {
  const { fetcher, fail } = setUp();
  fetcher.ahead([4]);
  await fail(0, "gone");
  assert.equal(fetcher.trouble(), "");
});

test("a damaged reply is said to be one", async () => {
  const { fetcher, answer } = setUp();
  fetcher.want(4);
  await answer(0, "f8");
  assert.match(fetcher.trouble(), /damaged/);
});

test("without an answer the page says so, asks again when wanted again, and takes a late reply", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { fetcher, asked, arrived, answer } = setUp();
  fetcher.want(4);
  mock.timers.tick(3000);
  assert.match(fetcher.trouble(), /busy, or gone/);
  fetcher.want(4);
  assert.deepEqual(asked, [4, 4]);
  mock.timers.tick(3000);
  await answer(1);
  assert.deepEqual([arrived, fetcher.trouble()], [[4], ""]);
  mock.timers.reset();
});

test("after other values have come, replies to old requests are of no use, and the wish is asked anew", async () => {
  const { fetcher, asked, arrived, answer } = setUp();
  fetcher.want(4);
  fetcher.reset();
  assert.deepEqual(asked, [4, 4]);
  await answer(0);
  assert.deepEqual(arrived, []);
  await answer(1);
  assert.deepEqual(arrived, [4]);
});

test("nothing is awaited for a page that is no longer wanted", async () => {
  const { fetcher, arrived, answer } = setUp();
  fetcher.want(4);
  fetcher.drop();
  await answer(0);
  assert.deepEqual([fetcher.awaited(), arrived], [null, []]);
  await settled();
});
