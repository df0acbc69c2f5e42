import assert from "node:assert/strict";
import { test } from "node:test";
import { sidesOf } from "../../js/src/opened.ts";

const tensor = { dtype: "F32", divisions: [], cell: [], models: [], side: 0 };

test("of two models three matrices can be shown, of one only its own", () => {
  assert.deepEqual(sidesOf(tensor), []);
  assert.deepEqual(
    sidesOf({ ...tensor, models: ["base", "tuned"] }).map(({ short, full }) => `${short}: ${full}`),
    ["A: base", "B: tuned", "B \u2212 A: tuned minus base"],
  );
});
