import assert from "node:assert/strict";
import { test } from "node:test";
import { columnHeader } from "../../js/src/header.ts";
import { groupRuns } from "../../js/src/labels.ts";
import { layoutOf } from "./fake.ts";

const headerOf = (labels: readonly string[], width: number, ratio = 1) => {
  const runs = groupRuns(labels);
  const layout = layoutOf({ rows: 2, columns: labels.length }, runs, width, 100, ratio);
  return columnHeader(labels, runs, { spans: layout.columns, ratio });
};
const experts = (component: string, count: number) =>
  Array.from({ length: count }, (_, expert) => `${component}[${expert}]`);

test("groups have a heading, and their columns the rest of the label", () => {
  const { labels, headings } = headerOf(["attn.q", "attn.k", "mlp.up"], 300);
  assert.deepEqual(
    labels.map(({ text }) => text),
    ["q", "k", "up"],
  );
  assert.deepEqual(
    headings.map(({ text }) => text),
    ["attn", "mlp"],
  );
});

test("experts stand below their component, thinned to the room there is", () => {
  const { labels, headings, labelHeight } = headerOf(
    [...experts("mlp.up", 64), ...experts("mlp.down", 64)],
    600,
  );
  assert.deepEqual(
    headings.map(({ text }) => text),
    ["mlp.up", "mlp.down"],
  );
  const texts = labels.map(({ text }) => text);
  assert.deepEqual(texts.slice(0, 3), ["0", "5", "10"]);
  assert.equal(texts.filter((text) => text === "0").length, 2);
  assert.ok(labels.every(({ turned }) => !turned));
  assert.equal(labelHeight, 20);
  assert.equal(labels[1]!.full, "mlp.up[5]");
});

test("no label runs into the next group's first", () => {
  for (const width of [200, 260, 333, 480, 700, 1100]) {
    const { labels } = headerOf([...experts("a", 64), ...experts("b", 64)], width);
    for (let i = 1; i < labels.length; i++) {
      const room = labels[i]!.middle - labels[i - 1]!.middle;
      assert.ok(room >= (7.2 * (labels[i]!.text.length + labels[i - 1]!.text.length)) / 2, `${width} px`);
    }
  }
});

test("labels that would touch are turned", () => {
  const turnedAt = (width: number) =>
    headerOf(["up", "down", "gate"], width).labels.map(({ turned }) => turned);
  assert.deepEqual(turnedAt(3 * 38), [false, false, false]);
  assert.deepEqual(turnedAt(3 * 34), [true, true, true]);
});

test("a few columns without room for their labels are named by their group", () => {
  const { labels } = headerOf(["attn.q", "attn.k", "attn.v", ...experts("mlp.up", 200)], 600);
  assert.deepEqual(
    labels.filter(({ turned }) => turned).map(({ text, at }) => [text, at]),
    [["attn", 0]],
  );
});

test("where blocks of columns are painted, labels and headings stand over their block", () => {
  const labels = [...experts("mlp.up", 512), ...experts("mlp.down", 512)];
  const header = headerOf(labels, 400);
  const [up, down] = header.headings;
  assert.equal(up!.left, 0);
  assert.ok(Math.abs(down!.left - 200) < 3, "off by less than a block");
  assert.ok(header.labels.every(({ middle }) => middle >= 0 && middle <= 400));
});

test("names that do not fit are turned, and thinned where they are many", () => {
  const few = headerOf(["attention output", "feed forward"], 120);
  assert.ok(few.labels.every(({ turned }) => turned));
  assert.ok(few.labelHeight > 60);
  const names = Array.from({ length: 100 }, (_, i) => `name ${i}`);
  assert.ok(headerOf(names, 300).labels.length <= 20);
});
