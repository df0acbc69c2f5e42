import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { readReply } from "../../js/src/messages.ts";
import { createRequests } from "../../js/src/requests.ts";

const recorded = JSON.parse(readFileSync("tests/fixtures/messages.json", "utf8"));

test("every recorded reply is read as it is", () => {
  const replies = [
    recorded["page reply"].content,
    recorded["window reply"].content,
    recorded["findings reply"],
    recorded["claim reply"],
    recorded["open reply"].content,
    recorded["summary reply"].content,
    recorded["spectrum reply"].content,
    recorded.progress,
    recorded["error reply"],
  ];
  for (const reply of replies) assert.deepEqual(readReply(reply), reply);
  const buffers = [new DataView(new ArrayBuffer(4))];
  assert.deepEqual(readReply(replies[0], buffers), { ...replies[0], buffers });
});

test("questions are asked as recorded", () => {
  const sent: unknown[] = [];
  const requests = createRequests((request) => sent.push(request), recorded["findings request"].id);
  void requests.ask({ kind: "findings" }, Infinity);
  void requests.ask({ kind: "claim", claim: "q and gate are inverse" }, Infinity);
  assert.deepEqual(sent, [recorded["findings request"], recorded["claim request"]]);
  const later = createRequests((request) => sent.push(request), recorded["summary request"].id);
  void later.ask({ kind: "summary" }, Infinity);
  void later.ask({ kind: "spectrum" }, Infinity);
  assert.deepEqual(sent.slice(2), [recorded["summary request"], recorded["spectrum request"]]);
  for (const kind of ["page request", "window request"]) {
    const { id, ...question } = recorded[kind];
    void createRequests((request) => sent.push(request), id).ask(question, Infinity);
    assert.deepEqual(sent.at(-1), recorded[kind]);
  }
});

test("what is no reply is read as none", () => {
  for (const content of [null, 7, "x", [], {}, { id: "7", kind: "findings" }, { id: 1, kind: "other" }])
    assert.equal(readReply(content), null);
});
