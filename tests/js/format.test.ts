import assert from "node:assert/strict";
import { test } from "node:test";
import {
  blockText,
  counted,
  exactNumber,
  numberFormat,
  ordinal,
  rankText,
  shorten,
  tickFormat,
} from "../../js/src/format.ts";

test("a value has as many digits as tell cells apart", () => {
  assert.equal(numberFormat(0.1118, 0.1665)(0.13879), "0.1388");
  assert.equal(numberFormat(1000, 1001)(1000.256), "1000.256");
  assert.equal(numberFormat(0, 20)(7), "7");
  assert.equal(numberFormat(-3, 3)(-1.23456), "\u22121.235");
});

test("values over decades keep their own digits", () => {
  const text = numberFormat(0.004, 400);
  assert.equal(text(0.00456), "0.00456");
  assert.equal(text(391.94), "391.9");
  assert.equal(text(0.00000123456), "1.235e-6");
});

test("a small value does not read as zero", () => {
  assert.equal(numberFormat(-100, 100)(0.0001), "1e-4");
});

test("very large and very small numbers take an exponent", () => {
  assert.equal(numberFormat(1e9, 2e9)(1.5e9), "1.5e+9");
  assert.equal(numberFormat(-1e-30, 1e-30)(5e-31), "5e-31");
  assert.equal(numberFormat(-1e-30, 1e-30)(0), "0");
});

test("special values are words", () => {
  const text = numberFormat(0, 1);
  assert.deepEqual([NaN, Infinity, -Infinity].map(text), ["NaN", "+∞", "\u2212∞"]);
  assert.equal(numberFormat(0, 0)(0), "0");
});

test("all digits of a number read back as it", () => {
  assert.equal(exactNumber(1 / 3, false), "0.3333333333333333");
  assert.equal(exactNumber(Math.fround(0.1), true), "0.1");
  assert.equal(exactNumber(-1e-7, false), "\u22121e-7");
  assert.equal(exactNumber(-0, false), "\u22120");
  assert.equal(exactNumber(NaN, true), "NaN");
  for (let i = 1; i < 300; i++) {
    const value = Math.fround(Math.sin(i) * 10 ** ((i % 60) - 30));
    assert.equal(Math.fround(Number(exactNumber(value, true).replace("\u2212", "-"))), value);
  }
});

test("ordinals", () => {
  assert.deepEqual([1, 2, 3, 4, 11, 12, 13, 21, 112, 1001].map(ordinal), [
    "1st",
    "2nd",
    "3rd",
    "4th",
    "11th",
    "12th",
    "13th",
    "21st",
    "112th",
    "1,001st",
  ]);
});

test("a rank is counted from the nearer end", () => {
  assert.equal(rankText(0, 10), "highest");
  assert.equal(rankText(2, 10), "3rd highest");
  assert.equal(rankText(9, 10), "lowest");
  assert.equal(rankText(8, 10), "2nd lowest");
});

test("counts agree with their noun", () => {
  assert.deepEqual([counted(1, "layer"), counted(47031, "cell")], ["1 layer", "47,031 cells"]);
});

test("a long name keeps both its ends, also one of 10,000 characters or emoji", () => {
  assert.equal(shorten("model.layers.3.q_proj", 9), "mode…proj");
  assert.equal(Array.from(shorten("x".repeat(10_000), 12)).length, 12);
  assert.equal(shorten("😀😀😀😀", 3), "😀…😀");
  assert.equal(shorten("short", 9), "short");
  assert.equal(shorten("abc", 1), "…");
});

test("ticks show the digits of their distance", () => {
  assert.deepEqual([0.12, 0.13].map(tickFormat([0.12, 0.13], true)), ["0.12", "0.13"]);
  assert.deepEqual([0, 0.001, 100].map(tickFormat([0, 0.001, 100], false)), ["0", "0.001", "100"]);
  assert.equal(tickFormat([1e9, 2e9], true)(1e9), "1e+9");
});

const AXES = ["layer", "component"] as const;

test("what a color stands for is said where it stands for several cells", () => {
  assert.equal(blockText("mean", { rowBlock: 1, columnBlock: 1 }, AXES), "");
  assert.equal(blockText("mean", { rowBlock: 2, columnBlock: 1 }, AXES), "mean of 2 layers × 1 component");
  assert.match(
    blockText("extreme", { rowBlock: 1, columnBlock: 4 }, AXES),
    /^value farthest from the center of 1 layer/,
  );
});
