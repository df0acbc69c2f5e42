import assert from "node:assert/strict";
import { test } from "node:test";
import { stateReader } from "../../js/src/model.ts";
import {
  alikePages,
  fittedDomain,
  pageAt,
  pageTexts,
  placesAt,
  unpackSelectors,
} from "../../js/src/pages.ts";
import { pageCaption, positionAt, turnedTo } from "../../js/src/turning.ts";
import { bytesOf, fakeModel, joined } from "./fake.ts";

const SELECTORS = unpackSelectors([
  {
    dim: "metric",
    labels: ["rms", "rank"],
    texts: [
      ["Root mean square", "1"],
      ["Stable rank", ""],
    ],
  },
  { dim: "step", labels: [0, 100, 400], texts: [] },
]);

/** 3 steps of 1 layer x 2 components: 0 1, 10 11, 20 21; the second page has a NaN. */
const steps = (changes = {}) =>
  fakeModel({
    _values: bytesOf(Float32Array.of(0, 1, 10, 11, 20, 21)),
    _shape: [1, 2],
    _layers: 1,
    _components: ["attn.q", "mlp.up"],
    _parameters: { pages: [{ templates: ["a", null] }, { templates: ["b", null] }], of: [0, 1, 1] },
    _absent: bytesOf(Uint8Array.of(0, 0b10, 0)),
    _selectors: [{ dim: "step", labels: [0, 100, 400], texts: [] }],
    _held: -1,
    position: { step: 0 },
    ...changes,
  });

test("pages are numbered with the last selector changing first", () => {
  assert.equal(pageAt(SELECTORS, { metric: "rank", step: 100 }), 4);
  assert.deepEqual(placesAt(SELECTORS, 4), [1, 1]);
  assert.deepEqual(positionAt(SELECTORS, 4), { metric: "rank", step: 100 });
  assert.equal(turnedTo(SELECTORS, 4, 0, 0), 1);
  assert.equal(turnedTo(SELECTORS, 4, 1, 2), 5);
});

test("a dim or label that is not known counts as the first", () => {
  assert.equal(pageAt(SELECTORS, { metric: "gone" }), 0);
});

test("labels that are all numbers ask for a slider", () => {
  assert.deepEqual(
    SELECTORS.map(({ numeric }) => numeric),
    [false, true],
  );
  assert.equal(unpackSelectors([{ dim: "head", labels: 12, texts: [] }])[0]!.numeric, true);
});

test("only pages of one metric share a scale", () => {
  assert.deepEqual(alikePages(SELECTORS, 4), [3, 4, 5]);
  assert.deepEqual(alikePages(SELECTORS.slice(1), 1), [0, 1, 2]);
});

test("texts follow the metric, and a caption says the rest of the position", () => {
  assert.deepEqual(pageTexts(SELECTORS, 5), ["Stable rank", ""]);
  assert.equal(pageTexts(SELECTORS.slice(1), 1), null);
  assert.equal(pageCaption(SELECTORS, 5, "Stable rank"), "Stable rank, step 400");
});

test("the domain of several arrays is that of them together", () => {
  assert.deepEqual(
    fittedDomain([
      [1, NaN],
      [Infinity, 2],
      [9, 3],
    ]),
    { low: 1, high: 9, center: 2.5 },
  );
  assert.deepEqual(fittedDomain([[-2, 1], [3]]), { low: -2, high: 3, center: 0 });
  assert.deepEqual(fittedDomain([[NaN]]), { low: 0, high: 1, center: 0.5 });
  assert.equal(fittedDomain([[1, 1, 1, 9]]).center, 5);
});

test("the shown page is a slice of all bytes, with its own absent cells and names", () => {
  const model = steps({ position: { step: 100 } });
  const { matrix, page } = stateReader(model)();
  assert.equal(page, 1);
  assert.deepEqual([...matrix.values], [10, 11]);
  assert.deepEqual([...matrix.absent!], [0, 1]);
  assert.deepEqual(matrix.parameters, { templates: ["b", null] });
});

test("absent cells and names that are the same on all pages travel once", () => {
  const model = steps({
    position: { step: 400 },
    _absent: bytesOf(Uint8Array.of(0b01)),
    _parameters: { templates: ["c", null] },
  });
  const { matrix } = stateReader(model)();
  assert.deepEqual([...matrix.absent!], [1, 0]);
  assert.deepEqual(matrix.parameters, { templates: ["c", null] });
});

test("a turned page keeps the labels, and comes back as the same matrix", () => {
  const model = steps();
  const read = stateReader(model);
  const before = read();
  model.set("position", { step: 400 });
  const after = read();
  assert.equal(after.columns, before.columns);
  assert.notEqual(after.matrix, before.matrix);
  model.set("position", { step: 0 });
  assert.equal(read().matrix, before.matrix);
});

test("a page that is not here leaves the old one in sight", () => {
  const model = steps({ _held: 1, _values: bytesOf(Float32Array.of(10, 11)), position: { step: 100 } });
  const read = stateReader(model);
  assert.equal(read().page, 1);
  model.set("position", { step: 400 });
  assert.equal(read().page, 1);
  assert.deepEqual([...read().matrix.values], [10, 11]);
});

test("turning the page takes a domain that fits along, and leaves one set by hand", () => {
  const model = steps();
  const { binding, exchange, stop } = joined(model);
  exchange.turn(2);
  assert.deepEqual(model.get("position"), { step: 400 });
  assert.deepEqual([model.get("vmin"), model.get("vmax")], [20, 21]);
  binding.change({ vmax: 50 });
  assert.equal(model.get("_fitted"), false);
  exchange.turn(1);
  assert.deepEqual([model.get("vmin"), model.get("vmax")], [20, 50]);
  stop();
});

test("over all pages the domain is the same on each", () => {
  const model = steps({ scale_over: "all" });
  const { pages } = stateReader(model)();
  assert.deepEqual(pages.domain(0, "all"), { low: 0, high: 21, center: 10.5 });
  assert.equal(pages.domain(2, "all"), pages.domain(0, "all"));
});

test("a domain over all pages is not known where one of them is not here", () => {
  const model = steps({ _held: 0, _values: bytesOf(Float32Array.of(0, 1)) });
  assert.equal(stateReader(model)().pages.domain(0, "all"), null);
});

test("title and units follow the metric where they are not set by hand", () => {
  const model = steps({
    _selectors: [
      {
        dim: "metric",
        labels: ["a", "b", "c"],
        texts: [
          ["A", "m"],
          ["B", ""],
          ["C", "s"],
        ],
      },
    ],
    position: { metric: "c" },
    _follows: ["units"],
    title: "mine",
  });
  const state = stateReader(model)();
  assert.deepEqual([state.title, state.units], ["mine", "s"]);
});

test("of pages that came one by one, the oldest are let go where they take too much", () => {
  const { pages, matrix } = stateReader(steps({ _held: 0, _values: bytesOf(Float32Array.of(0, 1)) }))();
  const large = { ...matrix, values: { byteLength: 100_000_000 } as Float32Array };
  pages.add(1, large);
  pages.add(2, large);
  assert.equal(pages.at(1), null);
  assert.equal(pages.at(2), large);
  assert.notEqual(pages.at(0), null, "the page of the trait stays");
});
