import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Box,
  cellsOf,
  columnsOf,
  countText,
  type Filter,
  isSelected,
  kindsOf,
  matching,
  statementParts,
  unpackBoxes,
  unpackFindings,
} from "../../js/src/findings.ts";
import { words } from "../../js/src/view/findings.ts";
import { stateOf } from "./fake.ts";

const STRIDE = 3; // 2 layers of 3 components
const box = (top: number, bottom: number, left: number, right: number): Box => ({ top, bottom, left, right });
const trend = { kind: "trend", statement: "q rises.", boxes: [box(0, 1, 0, 0)] };
const band = { kind: "band", statement: "q and up are high.", boxes: [box(1, 1, 0, 0), box(1, 1, 2, 2)] };
const everything: Filter = {
  kind: null,
  column: null,
  cells: [],
  rows: Int32Array.of(0, 1),
  columns: Int32Array.of(0, 1, 2),
};
const listed = (wish: Partial<Filter>) =>
  matching([trend, band], { ...everything, ...wish }, STRIDE).map(({ kind }) => kind);

test("boxes are read four numbers each, and those that reach beyond the matrix are left out", () => {
  assert.deepEqual(unpackBoxes([0, 1, 0, 0, 1, 1, 2, 2], 2, 3), [box(0, 1, 0, 0), box(1, 1, 2, 2)]);
  const strange = [
    [0, 2, 0, 0],
    [0, 1, 0, 3],
    [1, 0, 0, 0],
    [-1, 0, 0, 0],
    [0, 0.5, 0, 0],
    [0, 1e12, 0, 0],
    [0, 1],
  ];
  for (const edges of strange) assert.deepEqual(unpackBoxes(edges, 2, 3), []);
});

test("the first cell is a cell like any other", () => {
  assert.deepEqual(cellsOf([box(0, 0, 0, 0)], STRIDE), [0]);
  assert.deepEqual(listed({ cells: [0] }), ["trend"]);
});

test("cells come component by component", () => {
  assert.deepEqual(cellsOf(band.boxes, STRIDE), [3, 5]);
  assert.deepEqual(cellsOf([box(0, 1, 0, 1)], STRIDE), [0, 3, 1, 4]);
});

test("findings are listed by kind, by component and by the cells that they hold, in their order", () => {
  assert.deepEqual(listed({}), ["trend", "band"]);
  assert.deepEqual(listed({ kind: "band" }), ["band"]);
  assert.deepEqual(listed({ column: 2 }), ["band"]);
  assert.deepEqual(listed({ column: 1 }), []);
  assert.deepEqual(listed({ cells: [3] }), ["trend", "band"]);
  assert.deepEqual(listed({ cells: [4, 5] }), ["band"]);
});

test("findings about hidden cells alone are not listed", () => {
  assert.deepEqual(listed({ columns: Int32Array.of(2) }), ["band"]);
  assert.deepEqual(listed({ rows: Int32Array.of(0) }), ["trend"]);
});

test("a finding is selected when just its cells are", () => {
  assert.equal(isSelected(band.boxes, [5, 3], STRIDE), true);
  assert.equal(isSelected(band.boxes, [5], STRIDE), false);
  assert.equal(isSelected(band.boxes, [5, 4], STRIDE), false);
  assert.equal(isSelected([], [], STRIDE), false);
});

test("the menus offer what there is", () => {
  assert.deepEqual(kindsOf([trend, band, trend]), ["trend", "band"]);
  assert.deepEqual(columnsOf([band, trend]), [0, 2]);
});

test("the evidence of a statement is told from what it says, and p stays with its number", () => {
  assert.deepEqual(statementParts("q rises (tau 0.97, p = 3e-07)."), [
    "q rises ",
    "(tau 0.97, p\u00a0=\u00a03e\u201107)",
    ".",
  ]);
  assert.deepEqual(statementParts("q is flat."), ["q is flat."]);
});

test("the count says of how many and about what", () => {
  assert.equal(countText(1, 1), "1 finding");
  assert.equal(countText(3, 12), "3 of 12 findings");
  assert.equal(countText(3, 12, "layer 0, q"), "3 of 12 about layer 0, q");
  assert.equal(countText(12, 12, "layer 0, q"), "12 findings about layer 0, q");
});

test("findings travel with the state; a state saved before there were any has none", () => {
  const page = { status: "ready", findings: [{ ...trend, boxes: [0, 1, 0, 0] }], more: 2, notes: ["one"] };
  const { findings } = stateOf({ _findings: { large: true, pages: { 0: page } } });
  assert.deepEqual(unpackFindings(findings, 0, 2, 3), {
    ...{ status: "ready", message: "", findings: [trend], more: 2, notes: ["one"] },
  });
  assert.equal(unpackFindings(stateOf({ _findings: undefined as never }).findings, 0, 2, 3).status, "off");
});

test("findings are those of the shown page, and of a page not yet analysed nothing is known", () => {
  const page = { status: "ready", findings: [], more: 0, notes: ["of page 1"] };
  const all = { large: false, pages: { 1: page } };
  assert.deepEqual(unpackFindings(all, 1, 2, 3).notes, ["of page 1"]);
  assert.equal(unpackFindings(all, 0, 2, 3).status, "waiting");
  assert.equal(unpackFindings({ ...all, large: true }, 0, 2, 3).status, "large");
  assert.equal(unpackFindings({ pages: { 0: { status: "odd" } } }, 0, 2, 3).status, "waiting");
});

test("the words below the list say why it is empty, old or short", () => {
  const said = (changes: object, place: object = {}) =>
    words(
      { ...unpackFindings({}, 0, 2, 3), ...changes },
      { cells: 6, pending: false, problem: "", hasKernel: true, ...place },
    );
  assert.equal(said({ status: "off" }), "");
  assert.match(said({ status: "waiting" }), /come from the kernel as soon as it is free/);
  assert.match(said({ status: "waiting", findings: [trend] }), /of the values before/);
  assert.match(said({ status: "waiting" }, { hasKernel: false }), /not computed before this page was saved/);
  assert.match(said({ status: "large" }, { cells: 1_048_576 }), /1,048,576 cells .* on request/);
  assert.match(said({ status: "large" }, { pending: true }), /was asked/);
  assert.equal(said({ status: "failed", message: "needs scipy" }), "needs scipy");
  assert.equal(said({ status: "waiting" }, { problem: "gone" }), "gone");
  assert.equal(said({ status: "ready" }), "Nothing here is told from noise.");
  assert.equal(said({ status: "ready", notes: ["Too little data."] }), "Too little data.");
  assert.match(said({ status: "ready", findings: [trend], more: 2 }), /^2 weaker ones more/);
});
