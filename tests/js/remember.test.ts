import assert from "node:assert/strict";
import { test } from "node:test";
import { remembered } from "../../js/src/remember.ts";

test("the same keys give the very same answer without making it again", () => {
  let made = 0;
  const pair = remembered((a: number, b: string) => {
    made++;
    return [a, b];
  });
  const first = pair(0, "");
  assert.equal(pair(0, ""), first);
  assert.equal(made, 1);
});

test("a change of any one key makes the answer anew", () => {
  const pair = remembered((a: number, b: string) => `${a}${b}`);
  assert.deepEqual([pair(1, "x"), pair(2, "x"), pair(2, "y"), pair(1, "x")], ["1x", "2x", "2y", "1x"]);
});

test("keys are the same by identity, so an equal copy is another key", () => {
  const lengths = remembered((list: readonly number[]) => ({ length: list.length }));
  const list = [1, 2];
  assert.equal(lengths(list), lengths(list));
  assert.notEqual(lengths(list), lengths([...list]));
});

test("an answer of undefined is remembered too", () => {
  let made = 0;
  const nothing = remembered((_key: number) => {
    made++;
  });
  nothing(3);
  nothing(3);
  assert.equal(made, 1);
});
