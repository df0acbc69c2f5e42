import assert from "node:assert/strict";
import { test } from "node:test";
import { divideRoom } from "../../js/src/room.ts";
import { stateOf } from "./fake.ts";

const wide = { _shape: [2, 60] as const, _components: 60 };

test("a wide page has room for the histogram and for what stands beside the picture", () => {
  const { picture, rowAxis, side, sideBySide, histogram } = divideRoom(stateOf(), 1200, 2, true);
  assert.deepEqual([sideBySide, histogram, picture.ratio], [true, true, 2]);
  assert.ok(rowAxis + picture.width + side < 1200);
});

test("in a narrow page all else goes below, and the histogram goes", () => {
  const { picture, side, sideBySide, histogram } = divideRoom(stateOf(), 400, 1, true);
  assert.deepEqual([sideBySide, histogram, side], [false, false, 396]);
  assert.ok(picture.width < 396);
});

test("many columns take all the width there is", () => {
  assert.equal(divideRoom(stateOf(wide), 1200, 1, true).sideBySide, false);
  assert.ok(divideRoom(stateOf(wide), 1200, 1, true).picture.width > 900);
});

test("hidden layers and components leave cells as large as they may be, never less than the heading's room", () => {
  assert.equal(divideRoom(stateOf({ components: ["attn.q"] }), 1200, 1, true).picture.width, 132);
  assert.equal(divideRoom(stateOf({ components: [] }), 1200, 1, true).picture.width, 60);
  assert.ok(divideRoom(stateOf(), 50, 1, true).picture.width >= 40);
});

test("before it is measured a page counts as wide", () => {
  assert.deepEqual(divideRoom(stateOf(), 0, 1, true), divideRoom(stateOf(), 1200, 1, true));
});

test("long labels of layers get more room, up to where they are shortened", () => {
  const axis = (label: string) => divideRoom(stateOf({ _layers: [label, "b"] }), 1200, 1, true).rowAxis;
  assert.ok(axis("encoder.12") > axis("a"));
  assert.equal(axis("x".repeat(19)), axis("x".repeat(500)));
});

test("norms along an opened tensor take room from its picture, where there is a kernel to ask", () => {
  const tensor = stateOf({
    ...wide,
    _tensor: { dtype: "BF16", divisions: [], cell: [], models: [], side: 0 },
  });
  const [asked, saved] = [divideRoom(tensor, 1200, 1, true), divideRoom(tensor, 1200, 1, false)];
  assert.deepEqual([asked.margins, saved.margins], [true, false]);
  assert.equal(saved.picture.width - asked.picture.width, 40);
});
