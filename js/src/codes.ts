/**
 * Palette indices by the leading bits of a number, so that coloring a cell is one look into a table.
 *
 * The leading 20 bits of a float32 (sign, exponent, 11 bits of mantissa) are its code; numbers of one code lie
 * within 0.05 % of each other. A code whose numbers do not all have one color is marked, and those are looked at
 * one by one: the picture is exact. The table replaces comparisons that no processor can foresee in noisy values,
 * and the transform of every cell whenever a limit moves.
 */
import { LUT_SIZE, SPECIAL } from "./colormap.ts";
import { type PaintedCells, paletteIndex } from "./raster.ts";
import type { Scale } from "./scale.ts";

const DROPPED_BITS = 12;
const CODES = 2 ** (32 - DROPPED_BITS);
const NEGATIVE = CODES / 2; // first code of the negative numbers
const INFINITE = 0x7f80_0000 >>> DROPPED_BITS; // of infinity, and of float64 too large for float32; NaN follows
const BEYOND_FLOAT32 = 3.5e38;
const MIXED = 0xffff;
/** For so few values the table would cost more than they do. */
const FEW = 1 << 16;

/** Writes the palette index of every cell into `indices`. */
export type Indexer = (indices: Uint16Array, cells: PaintedCells, scale: Scale) => void;

export function createIndexer(): Indexer {
  let table: Uint16Array | null = null;
  let filledFor: Scale | null = null;

  return (indices, { values, absent }, scale) => {
    if (values.length <= FEW) {
      for (let i = 0; i < values.length; i++) indices[i] = paletteIndex(scale, values[i]!);
    } else {
      table ??= new Uint16Array(CODES);
      if (filledFor !== scale) fillTable(table, scale);
      filledFor = scale;
      lookUp(indices, values, table, scale);
    }
    if (absent === null) return;
    for (let i = 0; i < absent.length; i++) if (absent[i] === 1) indices[i] = LUT_SIZE + SPECIAL.absent;
  };
}

function lookUp(
  indices: Uint16Array,
  values: Float32Array | Float64Array,
  table: Uint16Array,
  scale: Scale,
): void {
  const single = values instanceof Float32Array ? values : Float32Array.from(values);
  const bits = new Uint32Array(single.buffer, single.byteOffset, single.length);
  for (let i = 0; i < bits.length; i++) {
    const index = table[bits[i]! >>> DROPPED_BITS]!;
    indices[i] = index === MIXED ? paletteIndex(scale, values[i]!) : index;
  }
}

/** Fill the table for a scale: colors follow one another along the numbers, so ranges of codes are halved. */
function fillTable(table: Uint16Array, scale: Scale): void {
  for (const [first, sign] of [
    [0, 1],
    [NEGATIVE, -1],
  ] as const) {
    const at = (magnitude: number) => paletteIndex(scale, sign * magnitude);
    const fill = (from: number, to: number, nearest: number, farthest: number): void => {
      if (nearest === farthest) table.fill(nearest, first + from, first + to);
      else if (to - from === 1) table[first + from] = MIXED;
      else {
        const middle = (from + to) >> 1;
        fill(from, middle, nearest, at(edge(middle)));
        fill(middle, to, at(justBelow(middle)), farthest);
      }
    };
    fill(0, INFINITE, at(0), at(BEYOND_FLOAT32));
    table[first + INFINITE] = MIXED;
    table.fill(LUT_SIZE + SPECIAL.nan, first + INFINITE + 1, first + NEGATIVE);
  }
}

const float = new Float32Array(1);
const floatBits = new Uint32Array(float.buffer);

/** The smallest magnitude of a code. */
function edge(code: number): number {
  floatBits[0] = code << DROPPED_BITS;
  return float[0]!;
}

/** The number before it, as a float64 may be rounded up to the code's first float32. */
function justBelow(code: number): number {
  floatBits[0] = (code << DROPPED_BITS) - 1;
  return float[0]!;
}
