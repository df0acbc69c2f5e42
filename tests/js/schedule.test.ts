import assert from "node:assert/strict";
import { test } from "node:test";
import { frameScheduler } from "../../js/src/schedule.ts";

const frames: (() => void)[] = [];
Object.assign(globalThis, {
  requestAnimationFrame: (callback: () => void) => frames.push(callback),
  cancelAnimationFrame: () => frames.splice(0),
});
const nextFrame = () => {
  for (const callback of frames.splice(0)) callback();
};

test("the first change is drawn after the task, those that follow with the next frame, together", async () => {
  let drawn = 0;
  const scheduler = frameScheduler(() => drawn++);
  scheduler.request();
  scheduler.request();
  assert.equal(drawn, 0);
  await Promise.resolve();
  assert.equal(drawn, 1);
  scheduler.request();
  scheduler.request();
  await Promise.resolve();
  assert.equal(drawn, 1);
  nextFrame();
  assert.equal(drawn, 2);
  nextFrame();
  assert.equal(drawn, 2);
  scheduler.stop();
});

test("nothing is drawn once stopped", async () => {
  let drawn = 0;
  const scheduler = frameScheduler(() => drawn++);
  scheduler.request();
  scheduler.stop();
  await Promise.resolve();
  nextFrame();
  scheduler.request();
  await Promise.resolve();
  assert.equal(drawn, 0);
});
