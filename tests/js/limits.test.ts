import assert from "node:assert/strict";
import { test } from "node:test";
import { movedLimit, typedLimit } from "../../js/src/limits.ts";

const DOMAIN = { low: 0, high: 10, center: 5 };

test("low and high stop at each other; the center goes anywhere", () => {
  assert.deepEqual(movedLimit("low", 12, DOMAIN), { vmin: 10 });
  assert.deepEqual(movedLimit("high", -3, DOMAIN), { vmax: 0 });
  assert.deepEqual(movedLimit("center", 99, DOMAIN), { center: 99 });
});

test("a typed number is taken, with either minus and as an exponent", () => {
  assert.deepEqual(typedLimit("low", " \u22121.5 ", DOMAIN), { vmin: -1.5 });
  assert.deepEqual(typedLimit("high", "1e3", DOMAIN), { vmax: 1000 });
  assert.deepEqual(typedLimit("center", "-7", DOMAIN), { center: -7 });
  assert.deepEqual(typedLimit("low", "10", DOMAIN), { vmin: 10 });
});

test("what is no limit is refused in words", () => {
  assert.equal(typedLimit("low", "ten", DOMAIN), 'low must be a number, not "ten".');
  for (const text of ["", " ", "NaN", "Infinity", "1e999", "0,5"])
    assert.match(String(typedLimit("center", text, DOMAIN)), /^center must be a number/);
  assert.equal(typedLimit("low", "12", DOMAIN), "low must be at most high, 10, not 12.");
  assert.equal(typedLimit("high", "-1", DOMAIN), "high must be at least low, 0, not -1.");
});
