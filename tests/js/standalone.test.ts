import assert from "node:assert/strict";
import { test } from "node:test";
import { pageModel, savedState, unpackState } from "../../js/src/standalone.ts";

test("bytes are unpacked and all else stays", () => {
  const state = unpackState({ a: { base64: "AQI=" }, b: [1], c: null, d: "text" });
  assert.equal((state.a as DataView).getUint8(1), 2);
  assert.deepEqual([state.b, state.c, state.d], [[1], null, "text"]);
});

test("a page without a saved state is none of ours", () => {
  const page = (text: string | null) =>
    ({ getElementById: () => (text === null ? null : { textContent: text }) }) as unknown as Document;
  assert.equal(savedState(page(null)), null);
  assert.deepEqual(savedState(page('{"vmin":1}')), { vmin: 1 });
});

test("a change is heard once, and by nobody who left; the same value is no change", () => {
  const model = pageModel({ vmin: 0 });
  let heard = 0;
  const listener = () => heard++;
  model.on("change:vmin", listener);
  model.set("vmin", 1);
  model.set("vmin", 1);
  model.save_changes();
  model.send({});
  assert.equal(heard, 1);
  model.off("change:vmin", listener);
  model.set("vmin", 2);
  assert.equal(heard, 1);
  assert.equal(model.get("vmin"), 2);
});

test("a click asks for no answer, and a request is answered by a refusal", async () => {
  const model = pageModel({});
  const heard: unknown[] = [];
  model.on("msg:custom", (content: unknown) => heard.push(content));
  model.send({ kind: "click", row: 0, column: 0 });
  model.send({ kind: "page", id: 3, page: 1 });
  await Promise.resolve();
  assert.equal(heard.length, 1);
  assert.deepEqual([(heard[0] as { id: number }).id, (heard[0] as { kind: string }).kind], [3, "error"]);
});
