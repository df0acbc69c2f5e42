import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { innerModel } from "../../js/src/inner.ts";
import { type OpenReply, readReply } from "../../js/src/messages.ts";
import { bytesOf, fakeModel } from "./fake.ts";

const recorded = JSON.parse(readFileSync("tests/fixtures/messages.json", "utf8"));

function opened() {
  const outer = fakeModel();
  const buffers = [bytesOf(Float32Array.of(1, 2))];
  const reply = readReply(recorded["open reply"].content) as OpenReply;
  return { outer, ...innerModel(outer, { ...reply, buffers }) };
}

test("the state of an opened tensor has its bytes in their places", () => {
  const { model } = opened();
  assert.equal(model.get("title"), "w");
  assert.equal(model.get("_values").getFloat32(4, true), 2);
});

test("changes and messages travel within those of the outer grid, as recorded", () => {
  const { outer, model } = opened();
  model.set("vmin", -1);
  model.save_changes();
  model.save_changes();
  model.send(recorded["inner message"].content.content);
  assert.deepEqual(outer.sent, [recorded["inner update"], recorded["inner message"]]);
});

test("what the kernel says to it is heard by it alone, bytes included", () => {
  const { outer, model } = opened();
  const heard: unknown[] = [];
  model.on("msg:custom", (content: unknown, buffers: unknown) => heard.push([content, buffers]));
  model.on("change:_values", () => heard.push(model.get("_values").byteLength));
  const say = (id: number, content: unknown, buffers: DataView[] = []) =>
    outer.receive({ kind: "inner", id, content }, buffers);
  const view = bytesOf(Float32Array.of(3));
  say(12, { method: "custom", content: "another's" });
  say(11, { method: "custom", content: { kind: "window", id: 1 } }, [view]);
  say(11, { method: "update", state: { vmax: 4 }, buffer_paths: [["_values"]] }, [view]);
  outer.receive(null);
  assert.deepEqual(heard, [[{ kind: "window", id: 1 }, [view]], 4]);
  assert.equal(model.get("vmax"), 4);
});

test("what the kernel changes is not saved back", () => {
  const { outer, model } = opened();
  outer.receive({
    kind: "inner",
    id: 11,
    content: { method: "update", state: { vmax: 4 }, buffer_paths: [] },
  });
  model.save_changes();
  assert.deepEqual(outer.sent, []);
});

test("closed, it says farewell and hears no more", () => {
  const { outer, model, close } = opened();
  close();
  outer.receive({
    kind: "inner",
    id: 11,
    content: { method: "update", state: { vmax: 4 }, buffer_paths: [] },
  });
  assert.notEqual(model.get("vmax"), 4);
  assert.deepEqual(outer.sent, [recorded.close]);
});
