import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { exactPattern, moduleName } from "../../js/src/pattern.ts";

const cases: { names: string[]; regex: string }[] = JSON.parse(
  readFileSync("tests/fixtures/patterns.json", "utf8"),
);

test("the page writes the pattern that Python writes", () => {
  for (const { names, regex } of cases)
    assert.equal(`^${exactPattern([...new Set(names.map(moduleName))])}$`, regex);
});

test("a pattern matches each of its names and nothing beside them", () => {
  for (const { names } of cases) {
    const modules = new Set(names.map(moduleName));
    const pattern = new RegExp(`^(?:${exactPattern([...modules])})$`);
    for (const name of modules) assert.match(name, pattern);
    for (const { names: others } of cases)
      for (const other of others.map(moduleName))
        assert.equal(pattern.test(other), modules.has(other), other);
  }
});
