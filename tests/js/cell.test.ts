import assert from "node:assert/strict";
import { test } from "node:test";
import { cellFacts, cellOverPages, columnValues, rowValues, spoken } from "../../js/src/cell.ts";
import { figureMaker } from "../../js/src/figure.ts";
import { bytesOf, stateOf } from "./fake.ts";

const figureOf = (changes = {}) =>
  figureMaker()(stateOf(changes), null, { width: 300, height: 100, ratio: 1 });

test("a cell says its layer, component, value, rank and tensor", () => {
  const facts = cellFacts(figureOf({ units: "nats" }), 1, 0);
  assert.deepEqual(
    [facts.layer, facts.component, facts.short, facts.rank, facts.deviation, facts.parameter],
    [1, "attn.q", "3 nats", "3rd highest of 6 values", "+0.7 sd in attn.q", "h.1.q"],
  );
});

test("the screen reader hears it in one line", () => {
  const facts = cellFacts(figureOf(), 0, 0);
  assert.equal(spoken(facts, true), "layer 0, attn.q, 0, lowest of 6 values, selected");
});

test("rank counts shown cells only", () => {
  assert.equal(
    cellFacts(figureOf({ components: ["attn.q", "attn.k"] }), 1, 0).rank,
    "2nd highest of 4 values",
  );
});

test("NaN, infinities and absence are said, and have no rank", () => {
  const values = bytesOf(Float32Array.of(NaN, Infinity, -Infinity, NaN, 1, 2));
  const figure = figureOf({ _values: values, _absent: new DataView(Uint8Array.of(0b1000).buffer) });
  assert.deepEqual(
    [cellFacts(figure, 0, 0), cellFacts(figure, 0, 1), cellFacts(figure, 0, 2), cellFacts(figure, 1, 0)].map(
      ({ short, rank }) => [short, rank],
    ),
    [
      ["NaN", "not a finite number"],
      ["+∞", "not a finite number"],
      ["\u2212∞", "not a finite number"],
      ["absent", "layer 1 has no attn.q"],
    ],
  );
  assert.equal(cellFacts(figure, 1, 0).parameter, "");
});

test("a value off the scale says on which side", () => {
  const figure = figureOf({ vmin: 1, vmax: 3 });
  assert.equal(cellFacts(figure, 0, 0).offScale, "below the scale");
  assert.equal(cellFacts(figure, 1, 2).offScale, "above the scale");
  assert.equal(cellFacts(figure, 0, 1).offScale, "");
});

test("a float64 value is told in all its digits", () => {
  const values = bytesOf(Float64Array.of(1 / 3, 0, 0, 0, 0, 0));
  assert.equal(cellFacts(figureOf({ _values: values, _dtype: "f8" }), 0, 0).exact, "0.3333333333333333");
});

test("one cell alone has no rank and no deviation", () => {
  const figure = figureOf({ components: ["attn.q"], layers: [0] });
  assert.deepEqual([cellFacts(figure, 0, 0).rank, cellFacts(figure, 0, 0).deviation], ["", ""]);
});

test("profiles run over the shown layers and components, first layer first", () => {
  const figure = figureOf({ components: ["mlp.up", "attn.q"] });
  assert.deepEqual([...columnValues(figure, 0)], [0, 3]);
  assert.deepEqual([...rowValues(figure, 1)], [5, 3]);
});

test("a cell is followed over the first dim of numbers, on the pages of the shown metric", () => {
  const values = Float32Array.from({ length: 36 }, (_, i) => i); // 2 metrics x 3 steps x 2 layers x 3 components
  const changes = {
    _values: bytesOf(values),
    _held: -1,
    _selectors: [
      { dim: "metric", labels: ["a", "b"], texts: [] },
      { dim: "step", labels: [0, 10, 20], texts: [] },
    ],
    position: { metric: "b", step: 10 },
  };
  const series = cellOverPages(figureOf(changes), 1, 2)!;
  assert.deepEqual([series.selector.dim, [...series.values], series.shown], ["step", [23, 29, 35], 1]);
  assert.equal(cellOverPages(figureOf(), 1, 2), null, "a grid of one page");
  const some = { ...changes, _held: 4, _values: bytesOf(values.slice(24, 30)) };
  assert.equal(cellOverPages(figureOf(some), 1, 2), null, "not all pages are here");
});

test("a cell says what its row is where that is no layer", () => {
  const figure = figureOf({
    _axes: ["head", "component"],
    _absent: new DataView(Uint8Array.of(0b10).buffer),
  });
  assert.match(spoken(cellFacts(figure, 1, 0), false), /^head 1, attn.q, 3/);
  assert.equal(cellFacts(figure, 0, 1).rank, "head 0 has no attn.k");
});

test("of a cell that is elsewhere is said what is known", () => {
  const figure = figureMaker()(
    stateOf({
      _shape: [400, 300],
      _layers: 400,
      _components: 300,
      _parameters: {},
      _axes: ["row", "column"],
      _values: bytesOf(Float32Array.from({ length: 12 }, (_, at) => at)),
      _far: { rowFactor: 100, columnFactor: 100, version: 0, whole: "" },
    }),
    null,
    { width: 300, height: 400, ratio: 1 },
  );
  const facts = cellFacts(figure, 150, 250);
  assert.deepEqual([facts.rowText, facts.columnText], ["row 150", "column 250"]);
  assert.equal(facts.short, "not here yet");
  assert.match(facts.rank, /zoom in/);
  assert.equal(facts.deviation, "");
  assert.deepEqual([...columnValues(figure, 250)], [2, 5, 8, 11]);
  assert.deepEqual([...rowValues(figure, 150)], [3, 4, 5]);
  figure.state.matrix.far!.stop();
});
