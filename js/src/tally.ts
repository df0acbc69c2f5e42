/**
 * How many of very many values are greater than one: they are counted once, by their leading bits as float32.
 *
 * Values of one code lie within 0.05 % of each other, and among these the answer is an estimate.
 */
const DROPPED_BITS = 12;
const CODES = 2 ** (32 - DROPPED_BITS);
const NEGATIVE_ZERO = -(2 ** 31);

export interface Tally {
  /** Count so many more of the values; true when none is left. */
  build(budget: number): boolean;
  /** Null until all have been counted. */
  above(value: number): Above | null;
}

/** Number of finite values and, among them, of those greater than one of them. */
export interface Above {
  readonly above: number;
  readonly finite: number;
  /** False where others are so close that `above` is an estimate. */
  readonly exact: boolean;
}

export function makeTally(values: Float32Array | Float64Array): Tally {
  const from = new Uint32Array(CODES + 1); // of each code, and at last of each code and all after it
  let read = 0;
  let summed = false;

  return {
    build(budget) {
      const part = values.subarray(read, read + budget);
      const bits = bitsOf(part);
      for (let i = 0; i < bits.length; i++) if (part[i]! - part[i]! === 0) from[codeOf(bits[i]!)]!++;
      read += part.length;
      if (read < values.length || summed) return summed;
      for (let code = CODES; code > 0; code--) from[code - 1]! += from[code]!;
      summed = true;
      return true;
    },
    above(value) {
      if (!summed) return null;
      const code = codeOf(bitsOf(Float64Array.of(value))[0]!);
      const above = from[code + 1]!;
      const near = from[code]! - above - 1;
      return { above: above + Math.ceil(near / 2), finite: from[0]!, exact: near === 0 };
    },
  };
}

function bitsOf(values: Float32Array | Float64Array): Int32Array {
  const single = values instanceof Float32Array ? values : Float32Array.from(values);
  return new Int32Array(single.buffer, single.byteOffset, single.length);
}

/** Leading bits that increase with the number. */
function codeOf(bits: number): number {
  const ordered = bits >= 0 ? bits : bits === NEGATIVE_ZERO ? 0 : bits ^ 0x7fff_ffff;
  return (ordered >> DROPPED_BITS) + CODES / 2;
}
