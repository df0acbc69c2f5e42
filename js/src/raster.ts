/** Values -> colors -> pixels. What a frame costs is here and in codes.ts: O(painted cells) + O(pixels). */
import { LUT_SIZE, type Palette, SPECIAL } from "./colormap.ts";
import type { Scale } from "./scale.ts";

/** The cells as they are painted: one per shown cell, or one per block of cells where there are more than pixels. */
export interface PaintedCells {
  readonly rows: number;
  readonly columns: number;
  /** Row-major; NaN where absent. */
  readonly values: Float32Array | Float64Array;
  /** 1 where no cell is there; null where all are. */
  readonly absent: Uint8Array | null;
}

/** Device pixels of painted cells along one axis: painted cell i covers [starts[i], ends[i]). */
export interface Spans {
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly length: number;
  /** Painted cell i holds the cells in view from cells[i] up to, not including, cells[i + 1]. */
  readonly cells: Int32Array;
}

/** Index into the palette of one value: 0 to 255 on the scale, from 256 on one of `SPECIAL`. */
export function paletteIndex(scale: Scale, value: number): number {
  const { low, high } = scale.domain;
  if (Number.isNaN(value)) return LUT_SIZE + SPECIAL.nan;
  if (value === Infinity) return LUT_SIZE + SPECIAL.positiveInfinity;
  if (value === -Infinity) return LUT_SIZE + SPECIAL.negativeInfinity;
  if (value < low) return LUT_SIZE + SPECIAL.below;
  if (value > high) return LUT_SIZE + SPECIAL.above;
  const { pivot, pivotPosition, slopeBelow, slopeAbove } = scale.arms;
  const offset = scale.transform(value) - pivot;
  const position = pivotPosition + offset * (offset < 0 ? slopeBelow : slopeAbove);
  // A domain narrower than numbers can divide gives NaN, and that the first color.
  return Math.max(0, Math.min(LUT_SIZE - 1, (position * LUT_SIZE) | 0));
}

/** Fill a picture of `width` device pixels a line; what no cell covers stays transparent. */
export function paintCells(
  pixels: Uint32Array,
  width: number,
  indices: Uint16Array,
  columns: Spans,
  rows: Spans,
  palette: Palette,
): void {
  const { colors } = palette;
  const columnAt = new Int32Array(width).fill(columns.length); // of each pixel; past the last one in gaps
  for (let column = 0; column < columns.length; column++)
    columnAt.fill(column, columns.starts[column]!, columns.ends[column]!);
  const line = new Uint32Array(columns.length + 1); // its last entry is the gaps' transparency
  pixels.fill(0);
  for (let row = 0; row < rows.length; row++) {
    const top = rows.starts[row]! * width;
    const bottom = rows.ends[row]! * width;
    const first = row * columns.length;
    for (let column = 0; column < columns.length; column++) line[column] = colors[indices[first + column]!]!;
    for (let x = 0; x < width; x++) pixels[top + x] = line[columnAt[x]!]!;
    for (let at = top + width; at < bottom; at += width) pixels.copyWithin(at, top, top + width);
  }
}
