import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { afterPaintScheduler, frameScheduler } from "../../js/src/schedule.ts";

const frames: (() => void)[] = [];
Object.assign(globalThis, {
  requestAnimationFrame: (callback: () => void) => frames.push(callback),
  cancelAnimationFrame: () => frames.splice(0),
});
const nextFrame = () => {
  for (const callback of frames.splice(0)) callback();
};

test("the first changes are drawn together in a moment, those that follow with the next frame", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let drawn = 0;
  const scheduler = frameScheduler(() => drawn++);
  scheduler.request();
  scheduler.request();
  assert.equal(drawn, 0);
  mock.timers.tick(1);
  assert.equal(drawn, 1);
  scheduler.request();
  scheduler.request();
  mock.timers.tick(100);
  assert.equal(drawn, 1);
  nextFrame();
  assert.equal(drawn, 2);
  scheduler.request();
  mock.timers.tick(100);
  assert.equal(drawn, 2, "once a frame");
  nextFrame();
  assert.equal(drawn, 3);
  nextFrame();
  nextFrame();
  assert.equal(drawn, 3);
  scheduler.stop();
  mock.timers.reset();
});

test("what changes just before a frame is drawn in it, once", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let drawn = 0;
  const scheduler = frameScheduler(() => drawn++);
  scheduler.request();
  nextFrame();
  assert.equal(drawn, 1);
  mock.timers.tick(100);
  nextFrame();
  assert.equal(drawn, 1);
  scheduler.stop();
  mock.timers.reset();
});

test("what has come whole is drawn without a wait, once a frame, and not once stopped", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let drawn = 0;
  const scheduler = frameScheduler(() => drawn++);
  scheduler.request();
  scheduler.request(true);
  scheduler.request(true);
  assert.equal(drawn, 0, "with all that changes together");
  await Promise.resolve();
  assert.equal(drawn, 1);
  scheduler.request(true);
  await Promise.resolve();
  mock.timers.tick(100);
  assert.equal(drawn, 1);
  nextFrame();
  assert.equal(drawn, 2);
  nextFrame();
  scheduler.request(true);
  scheduler.stop();
  await Promise.resolve();
  assert.equal(drawn, 2);
  mock.timers.reset();
});

test("what was asked for is drawn at once where that is needed, and not again", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let drawn = 0;
  const scheduler = frameScheduler(() => drawn++);
  scheduler.flush();
  assert.equal(drawn, 0);
  scheduler.request();
  scheduler.flush();
  scheduler.flush();
  assert.equal(drawn, 1);
  mock.timers.tick(100);
  nextFrame();
  assert.equal(drawn, 1);
  scheduler.request();
  scheduler.stop();
  scheduler.flush();
  assert.equal(drawn, 1);
  mock.timers.reset();
});

test("nothing is drawn once stopped", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let drawn = 0;
  const scheduler = frameScheduler(() => drawn++);
  scheduler.request();
  scheduler.stop();
  mock.timers.tick(100);
  nextFrame();
  scheduler.request();
  mock.timers.tick(100);
  assert.equal(drawn, 0);
  mock.timers.reset();
});

test("what can wait is done once, after the frame has been painted", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let done = 0;
  const later = afterPaintScheduler(() => done++);
  later.request();
  later.request();
  nextFrame();
  assert.equal(done, 0);
  mock.timers.tick(0);
  assert.equal(done, 1);
  mock.timers.tick(1000);
  assert.equal(done, 1);
  later.request();
  nextFrame();
  mock.timers.tick(0);
  assert.equal(done, 2);
  mock.timers.reset();
});

test("what can wait is done at once where that is needed, and not again", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let done = 0;
  const later = afterPaintScheduler(() => done++);
  later.flush();
  assert.equal(done, 0);
  later.request();
  later.flush();
  later.flush();
  assert.equal(done, 1);
  nextFrame();
  mock.timers.tick(1000);
  assert.equal(done, 1);
  mock.timers.reset();
});

test("where no frames are made, it is done after a while", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let done = 0;
  afterPaintScheduler(() => done++).request();
  mock.timers.tick(499);
  assert.equal(done, 0);
  mock.timers.tick(1);
  assert.equal(done, 1);
  nextFrame();
  mock.timers.tick(1000);
  assert.equal(done, 1);
  mock.timers.reset();
});

test("it is not done once stopped", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  let done = 0;
  const later = afterPaintScheduler(() => done++);
  later.request();
  later.stop();
  nextFrame();
  mock.timers.tick(1000);
  assert.equal(done, 0);
  mock.timers.reset();
});
