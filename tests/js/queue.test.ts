import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { createQueue, SECOND_TRY_MS } from "../../js/src/queue.ts";
import { promises } from "./fake.ts";

function setUp(options: Parameters<typeof createQueue>[2] = {}) {
  const kernel = promises<string, number>();
  const told: string[] = [];
  const queue = createQueue<string, number>(
    {
      key: (wish) => wish,
      ask: kernel.ask,
      arrived: (wish, answer) => told.push(`${wish} ${answer}`),
      failed: (wish, message) => told.push(`${wish}: ${message}`),
      late: () => told.push("late"),
    },
    1000,
    options,
  );
  return { queue, told, ...kernel };
}

test("two are asked for at a time, in their order, and each once", async () => {
  const { queue, told, asked, answer } = setUp();
  queue.want(["a", "b", "c"]);
  queue.want(["a", "b", "c"]);
  assert.deepEqual(asked, ["a", "b"]);
  await answer(1, 7);
  assert.deepEqual(asked, ["a", "b", "c"]);
  await answer(0, 8);
  await answer(2, 9);
  assert.deepEqual(told, ["b 7", "a 8", "c 9"]);
  assert.equal(asked.length, 3);
});

test("what is wanted no more is given up, and its answer is left alone", async () => {
  const { queue, told, asked, givenUp, answer } = setUp();
  queue.want(["a", "b", "c"]);
  queue.want(["b", "d"]);
  assert.deepEqual([asked, givenUp()], [["a", "b", "d"], ["a"]]);
  await answer(0, 1);
  assert.deepEqual(told, []);
  queue.want(["a"]);
  assert.equal(asked.filter((wish) => wish === "a").length, 2, "and asked for again when it is wanted again");
  queue.stop();
});

test("what will be kept may come although it is wanted no more, and counts as long as it has not", async () => {
  const { queue, told, asked, givenUp, answer } = setUp({ keepsAsked: true });
  queue.want(["a", "b"]);
  queue.want(["c"]);
  assert.deepEqual([asked, givenUp()], [["a", "b"], []]);
  await answer(0, 1);
  assert.deepEqual([told, asked], [["a 1"], ["a", "b", "c"]]);
  queue.stop();
});

test("what fails is told, wanted no more, and keeps nothing else from being asked for", async () => {
  const { queue, told, asked, fail } = setUp();
  queue.want(["a", "b", "c"]);
  await fail(0, "disk on fire");
  assert.deepEqual([told, asked], [["a: disk on fire"], ["a", "b", "c"]]);
  queue.want(["a", "b", "c"]);
  assert.equal(asked.length, 3);
  queue.stop();
});

test("what fails is asked for once more after a moment, and others meanwhile", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { queue, told, asked, answer, fail } = setUp({ triesTwice: true });
  queue.want(["a", "b", "c"]);
  await fail(0, "disk on fire");
  queue.want(["a", "b", "c"]);
  assert.deepEqual([told, asked], [[], ["a", "b", "c"]]);
  await answer(1, 7);
  mock.timers.tick(SECOND_TRY_MS - 1);
  assert.equal(asked.length, 3);
  mock.timers.tick(1);
  assert.deepEqual(asked, ["a", "b", "c", "a"]);
  await answer(3, 8);
  assert.deepEqual(told, ["b 7", "a 8"]);
  queue.stop();
  mock.timers.reset();
});

test("what fails twice is told, and wanted no more until it is wanted anew", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { queue, told, asked, fail } = setUp({ triesTwice: true });
  queue.want(["a"]);
  await fail(0, "disk on fire");
  mock.timers.tick(SECOND_TRY_MS);
  await fail(1, "disk on fire");
  mock.timers.tick(10 * SECOND_TRY_MS);
  assert.deepEqual([told, asked], [["a: disk on fire"], ["a", "a"]]);
  queue.want(["a"]);
  assert.equal(asked.length, 3);
  queue.stop();
  mock.timers.reset();
});

for (const end of ["stop", "restart"] as const)
  test(`after a ${end} nothing is tried a second time`, async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    const { queue, told, asked, fail } = setUp({ triesTwice: true });
    queue.want(["a"]);
    await fail(0, "disk on fire");
    queue[end]([]);
    mock.timers.tick(10 * SECOND_TRY_MS);
    assert.deepEqual([told, asked], [[], ["a"]]);
    mock.timers.reset();
  });

test("when nothing comes that is told, others are asked for, and what is late is welcome", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { queue, told, asked, answer } = setUp();
  queue.want(["a", "b", "c"]);
  mock.timers.tick(1000);
  assert.deepEqual([told, asked], [["late"], ["a", "b", "c"]]);
  await answer(0, 1);
  assert.deepEqual(told, ["late", "a 1"]);
  queue.want(["b", "c"]);
  assert.deepEqual(asked, ["a", "b", "c", "b"], "asked for again where it is wanted again");
  queue.stop();
  mock.timers.reset();
});

test("an answer in time renews the patience", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { queue, told, answer } = setUp();
  queue.want(["a", "b"]);
  mock.timers.tick(900);
  await answer(0, 1);
  mock.timers.tick(900);
  assert.deepEqual(told, ["a 1"]);
  mock.timers.tick(100);
  assert.deepEqual(told, ["a 1", "late"]);
  queue.stop();
  mock.timers.reset();
});

test("begun anew, all is asked for again and former answers are left alone", async () => {
  const { queue, told, asked, answer } = setUp({ keepsAsked: true });
  queue.want(["a"]);
  queue.restart(["a"]);
  assert.deepEqual(asked, ["a", "a"]);
  await answer(0, 1);
  await answer(1, 2);
  assert.deepEqual(told, ["a 2"]);
});

test("stopped, it gives up what is in flight, and is never late", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { queue, told, givenUp, fail } = setUp();
  queue.want(["a", "b", "c"]);
  queue.stop();
  assert.deepEqual(givenUp(), ["a", "b"]);
  await fail(0, "It was stopped.");
  mock.timers.tick(5000);
  assert.deepEqual(told, []);
  mock.timers.reset();
});
