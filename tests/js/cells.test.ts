import assert from "node:assert/strict";
import { test } from "node:test";
import { readNumbers, unpackBits } from "../../js/src/cells.ts";
import { bytesOf } from "./fake.ts";

test("numbers are read at any offset of a buffer", () => {
  const bytes = new Uint8Array(17);
  bytes.set(new Uint8Array(Float32Array.of(1.5, -0).buffer), 1);
  const read = readNumbers(new DataView(bytes.buffer, 1, 8), "f4");
  assert.equal(read[0], 1.5);
  assert.ok(Object.is(read[1], -0));
  assert.equal(readNumbers(bytesOf(Float64Array.of(1 / 3)), "f8")[0], 1 / 3);
});

test("bits are unpacked from the least significant on; no bytes mean none set", () => {
  assert.deepEqual(
    [...unpackBits(new DataView(Uint8Array.of(0b101, 1).buffer), 9)!],
    [1, 0, 1, 0, 0, 0, 0, 0, 1],
  );
  assert.equal(unpackBits(new DataView(new ArrayBuffer(0)), 9), null);
});
