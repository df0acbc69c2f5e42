import assert from "node:assert/strict";
import { test } from "node:test";
import { groupRuns, parameterName, splitLabel, tensorText, unpackLabels } from "../../js/src/labels.ts";

test("a count stands for the labels 0 to n - 1", () => {
  const layers = unpackLabels(3, false);
  assert.deepEqual(
    [layers.length, layers.at(2), layers.indexOf(2), layers.indexOf(3), layers.indexOf(-1)],
    [3, 2, 2, -1, -1],
  );
  const components = unpackLabels(3, true);
  assert.deepEqual(
    [components.at(0), components.indexOf("0"), components.indexOf("007"), components.indexOf("x")],
    ["0", 0, -1, -1],
  );
});

test("listed labels are found by value; a number is not its text", () => {
  const labels = unpackLabels([5, "5", "x"], false);
  assert.deepEqual([labels.indexOf(5), labels.indexOf("5"), labels.indexOf("y")], [0, 1, -1]);
  assert.equal(labels.at(0), 5);
});

test("the group of a component stands before its first point", () => {
  assert.deepEqual(splitLabel("attn.q"), { group: "attn", part: "q" });
  assert.deepEqual(splitLabel("norm"), { group: "", part: "norm" });
  assert.deepEqual(splitLabel(".x"), { group: "", part: ".x" });
  assert.deepEqual(splitLabel("x."), { group: "", part: "x." });
});

test("the group of a nested component is the one it stands in", () => {
  assert.deepEqual(splitLabel("mlp.up[3]"), { group: "mlp.up", part: "3" });
  assert.deepEqual(splitLabel("a[b][c]"), { group: "a[b]", part: "c" });
  for (const flat of ["[3]", "x[]", "x]", "x[3"])
    assert.deepEqual(splitLabel(flat), { group: "", part: flat });
});

test("neighbours of one group make a run", () => {
  assert.deepEqual(groupRuns(["a.x", "a.y", "b.x", "a.z"]), [
    { group: "a", start: 0, end: 2 },
    { group: "b", start: 2, end: 3 },
    { group: "a", start: 3, end: 4 },
  ]);
  assert.deepEqual(groupRuns([]), []);
});

test("a tensor's name comes from its component's template unless it is an exception", () => {
  const packed = { templates: ["h.{layer}.q", null], exceptions: { "1,0": "odd" } };
  assert.equal(parameterName(packed, 0, 0, 7), "h.7.q");
  assert.equal(parameterName(packed, 1, 0, 8), "odd");
  assert.equal(parameterName(packed, 0, 1, 7), "");
  assert.equal(parameterName({}, 0, 0, 0), "");
  assert.equal(parameterName(packed, 0, 0, "$&"), "h.$&.q");
});

test("the layer stands wherever the template has a place for it", () => {
  assert.equal(parameterName({ templates: ["s.{layer}.h{layer}"] }, 0, 0, 12), "s.12.h12");
});

test("a cell of a fused tensor says which rows or columns it stands for", () => {
  const rows = { templates: ["0:768", "columns 0:64", null], exceptions: { "1,0": "64:128 of every 192" } };
  const packed = { templates: ["h.{layer}.qkv", "h.{layer}.c_attn", "h.{layer}.o"], rows };
  assert.equal(tensorText(packed, 0, 0, 3), "h.3.qkv, rows 0:768");
  assert.equal(tensorText(packed, 1, 0, 4), "h.4.qkv, rows 64:128 of every 192");
  assert.equal(tensorText(packed, 0, 1, 3), "h.3.c_attn, columns 0:64");
  assert.equal(tensorText(packed, 0, 2, 3), "h.3.o");
  assert.equal(tensorText({ rows }, 0, 0, 3), "");
});
