import assert from "node:assert/strict";
import { mock, test } from "node:test";
import type { Reply } from "../../js/src/messages.ts";
import { createRequests } from "../../js/src/requests.ts";

function asking() {
  const sent: number[] = [];
  return { sent, requests: createRequests(({ id }) => sent.push(id), 5) };
}

test("a reply settles its own question and no other", async () => {
  const { sent, requests } = asking();
  const first = requests.ask({ kind: "findings" }, Infinity);
  const second = requests.ask({ kind: "claim", claim: "q rises" }, Infinity);
  const [one, two] = sent as [number, number];
  const reply: Reply = { id: two, kind: "claim", verdict: "supported", statement: "It does.", boxes: [] };
  requests.receive(reply);
  assert.deepEqual(await second, reply);
  requests.receive({ id: one, kind: "findings" });
  assert.equal((await first).kind, "findings");
});

test("how far an answer is is heard until it is there", async () => {
  const { sent, requests } = asking();
  const heard: number[] = [];
  const asked = requests.ask({ kind: "summary" }, Infinity, undefined, (share) => heard.push(share));
  const silent = requests.ask({ kind: "spectrum" }, Infinity);
  requests.receive({ id: sent[0]!, kind: "progress", share: 0.5 });
  requests.receive({ id: sent[1]!, kind: "progress", share: 0.7 });
  requests.receive({ id: 1, kind: "progress", share: 0.9 });
  requests.receive({ id: sent[0]!, kind: "error", message: "disk on fire" });
  requests.receive({ id: sent[0]!, kind: "progress", share: 1 });
  await assert.rejects(asked, /disk on fire/);
  assert.deepEqual(heard, [0.5]);
  requests.receive({ id: sent[1]!, kind: "spectrum", largest: 1, stableRank: 1, effectiveRank: 1 });
  assert.equal((await silent).kind, "spectrum");
});

test("an error and a reply of another kind are told in words", async () => {
  const { sent, requests } = asking();
  const refused = requests.ask({ kind: "findings" }, Infinity);
  requests.receive({ id: sent[0]!, kind: "error", message: "needs scipy" });
  await assert.rejects(refused, /^Error: needs scipy$/);
  const odd = requests.ask({ kind: "claim", claim: "x" }, Infinity);
  requests.receive({ id: sent[1]!, kind: "findings" });
  await assert.rejects(odd, /Not an answer: findings/);
});

test("a kernel that is silent is given up after the time, and a late reply does nothing", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { sent, requests } = asking();
  const asked = requests.ask({ kind: "findings" }, 20_000);
  mock.timers.tick(20_000);
  await assert.rejects(asked, /No answer within 20 s: the kernel is busy or gone/);
  requests.receive({ id: sent[0]!, kind: "findings" });
  mock.timers.reset();
});

test("a connection that cannot send is told in words", async () => {
  const requests = createRequests(() => {
    throw new Error("comm is closed");
  }, 5);
  await assert.rejects(
    requests.ask({ kind: "findings" }, 1000),
    /gone, or cannot be reached \(Error: comm is closed\)/,
  );
});

test("a question that is given up ends at once, and the kernel is told", async () => {
  const sent: unknown[] = [];
  const requests = createRequests((request) => sent.push(request), 5);
  const stop = new AbortController();
  const asked = requests.ask({ kind: "open", row: 1, column: 2 }, Infinity, stop.signal);
  stop.abort();
  await assert.rejects(asked, /stopped/);
  assert.deepEqual(sent, [
    { kind: "open", id: 5, row: 1, column: 2 },
    { kind: "cancel", id: 5 },
  ]);
});

test("giving up what has been answered does nothing", async () => {
  const { sent, requests } = asking();
  const stop = new AbortController();
  const asked = requests.ask({ kind: "findings" }, Infinity, stop.signal);
  requests.receive({ id: sent[0]!, kind: "findings" });
  await asked;
  stop.abort();
  assert.equal(sent.length, 1);
});

test("after the view is gone a reply is left alone", async () => {
  const { sent, requests } = asking();
  let settled = false;
  const note = () => {
    settled = true;
  };
  requests.ask({ kind: "findings" }, Infinity).then(note, note);
  requests.stop();
  requests.receive({ id: sent[0]!, kind: "findings" });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(settled, false);
});
