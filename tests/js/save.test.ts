import assert from "node:assert/strict";
import { test } from "node:test";
import { figureMaker } from "../../js/src/figure.ts";
import { COPY_FORMATS, csvTable, csvText, selectedText } from "../../js/src/save.ts";
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

const SELECTED: [number, string][] = [
  [1, "attn.q"],
  [0, "attn.q"],
];

test("the selection is copied as tensors, as modules, and as a pattern for exactly these", () => {
  const figure = figureOf({
    selection: SELECTED,
    _parameters: { templates: ["h.{layer}.q.weight", null, null] },
  });
  assert.deepEqual(
    COPY_FORMATS.map((format) => selectedText(figure, format)),
    [
      "h.1.q.weight\nh.0.q.weight",
      "h.1.q\nh.0.q",
      String.raw`^h\.[01]\.q$`,
      String.raw`{"target_modules":"h\\.[01]\\.q"}`,
    ],
  );
});

test("cells of one tensor name it once", () => {
  const figure = figureOf({ selection: SELECTED, _parameters: { templates: ["all.qkv", null, null] } });
  assert.equal(selectedText(figure, "names"), "all.qkv");
});

test("selected cells are named by their labels where a tensor is not known, whatever the format", () => {
  const figure = figureOf({ selection: [...SELECTED, [0, "mlp.up"]] });
  assert.equal(selectedText(figure, "regex"), "h.1.q\nh.0.q\n0 mlp.up");
});
