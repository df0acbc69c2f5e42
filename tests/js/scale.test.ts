import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  makeScale,
  positionOf,
  type ScaleKind,
  type ShownValues,
  symlogLinearWidth,
} from "../../js/src/scale.ts";
import { quantiles, smallestPositive, sortedFinite } from "../../js/src/statistics.ts";

interface Case {
  readonly scale: ScaleKind;
  readonly low: number;
  readonly high: number;
  readonly center: number;
  readonly diverging: boolean;
  readonly shown: readonly (number | string)[];
  readonly value: number | string;
  readonly position: number | null;
}

const number = (value: number | string) =>
  value === "nan" ? NaN : value === "inf" ? Infinity : value === "-inf" ? -Infinity : Number(value);
const shownOf = (values: readonly number[]): ShownValues => ({
  smallestPositive: () => smallestPositive(values),
  knots: () => quantiles(sortedFinite(values), 1025),
});
const cases = JSON.parse(readFileSync("tests/fixtures/scale_cases.json", "utf8")) as Case[];

for (const kind of ["linear", "log", "symlog", "quantile"] as const)
  test(`positions on a ${kind} scale are those of the specification`, () => {
    for (const recorded of cases.filter(({ scale }) => scale === kind)) {
      const shown = shownOf(recorded.shown.map(number));
      const scale = makeScale(kind, recorded, recorded.diverging, shown);
      const position = positionOf(scale.arms, scale.transform(number(recorded.value)));
      if (recorded.position === null) assert.ok(Number.isNaN(position), JSON.stringify(recorded));
      else
        assert.ok(Math.abs(position - recorded.position) < 1e-9, `${position} ${JSON.stringify(recorded)}`);
    }
  });

for (const kind of ["linear", "log", "symlog", "quantile"] as const)
  test(`a ${kind} scale can be read backwards`, () => {
    const values = [0.5, 1, 2, 4, 8, 100];
    const scale = makeScale(kind, { low: 0.5, high: 100, center: 3 }, true, shownOf(values));
    for (const value of [0.5, 1, 4, 70, 100])
      assert.ok(Math.abs(scale.invert(scale.transform(value)) - value) < 0.2, `${value}`);
  });

test("a log scale starts at the smallest positive value where its low end is not positive", () => {
  const scale = makeScale("log", { low: -1, high: 10, center: 0 }, false, shownOf([-1, 0, 0.1, 10]));
  assert.equal(scale.domain.low, 0.1);
  assert.ok(Number.isNaN(scale.transform(0)));
});

test("a quantile scale of no values sends all to the middle, and gives none back", () => {
  const scale = makeScale("quantile", { low: 0, high: 1, center: 0.5 }, false, shownOf([]));
  assert.equal(scale.transform(0.3), 0.5);
  assert.ok(Number.isNaN(scale.transform(NaN)));
  assert.ok(Number.isNaN(scale.invert(0.5)));
});

test("a quantile scale of one value puts it in the middle", () => {
  const scale = makeScale("quantile", { low: 3, high: 3, center: 3 }, false, {
    smallestPositive: () => 3,
    knots: () => Float64Array.of(3),
  });
  assert.deepEqual([2, 3, 4].map(scale.transform), [0, 0.5, 1]);
});

test("a symlog scale of a domain of zeros has a width", () => {
  assert.equal(symlogLinearWidth({ low: 0, high: 0, center: 0 }), 1);
});
