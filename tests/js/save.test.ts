import assert from "node:assert/strict";
import { test } from "node:test";
import { figureMaker } from "../../js/src/figure.ts";
import { csvTable, csvText, selectedNames } from "../../js/src/save.ts";
import { bytesOf, stateOf } from "./fake.ts";

const figureOf = (changes = {}) =>
  figureMaker()(stateOf(changes), null, { width: 300, height: 100, ratio: 1 });

test("a table has a line for each shown cell and tells special values apart", () => {
  const figure = figureOf({
    components: ["attn.q", "attn.k"],
    _values: bytesOf(Float32Array.of(-0.5, NaN, 9, Infinity, NaN, 9)),
    _absent: new DataView(Uint8Array.of(0b10000).buffer),
  });
  assert.deepEqual(csvTable(figure).split("\n"), [
    "layer,component,value,status,parameter",
    "0,attn.q,-0.5,,h.0.q",
    "0,attn.k,,nan,",
    "1,attn.q,,+inf,h.1.q",
    "1,attn.k,,absent,",
    "",
  ]);
  assert.match(
    csvTable(figureOf({ _values: bytesOf(Float32Array.of(-Infinity, 0, 0, 0, 0, 0)) })),
    /0,attn.q,,-inf,/,
  );
});

test("a table of one page of several has its position in columns of their own", () => {
  const figure = figureOf({
    components: ["attn.q"],
    layers: [1],
    _selectors: [
      { dim: "=run", labels: ["-a", "b"], texts: [] },
      { dim: "step", labels: [0, 400], texts: [] },
    ],
    position: { "=run": "-a", step: 400 },
    _held: 1,
  });
  assert.deepEqual(csvTable(figure).split("\n"), [
    "layer,component,value,status,parameter,'=run,step",
    "1,attn.q,3,,h.1.q,'-a,400",
    "",
  ]);
});

test("text is no formula, and is quoted where it must be", () => {
  assert.deepEqual(["=1", "+1", "-1", "@x", "\tx", "a,b", 'a"b', "a\rb", "plain"].map(csvText), [
    "'=1",
    "'+1",
    "'-1",
    "'@x",
    "'\tx",
    '"a,b"',
    '"a""b"',
    '"a\rb"',
    "plain",
  ]);
});

test("selected cells are named by their tensors, else by their labels", () => {
  assert.equal(
    selectedNames(
      figureOf({
        selection: [
          [1, "attn.q"],
          [0, "mlp.up"],
        ],
      }),
    ),
    "h.1.q\n0 mlp.up",
  );
});
