/** Values -> colors -> pixels. Everything that a frame costs is here: O(painted cells) + O(pixels). */
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

/** Device pixels of a run of cells along one axis: cell i covers [starts[i], ends[i]). */
export interface Spans {
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly length: number;
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
  // As indexCells truncates it: a domain narrower than numbers can divide gives NaN, and that the first color.
  return Math.max(0, Math.min(LUT_SIZE - 1, (position * LUT_SIZE) | 0));
}

/**
 * Write the palette index of every cell into `indices`.
 *
 * `transformed` is `cells.values` through `scale.transform`: for one scale it stays the same while the limits
 * move, so that a slider costs two comparisons and a multiplication a cell whatever the scale.
 */
export function indexCells(
  indices: Uint16Array,
  cells: PaintedCells,
  transformed: Float32Array | Float64Array,
  scale: Scale,
): void {
  const { values, absent } = cells;
  const { low, high } = scale.domain;
  const { pivot, pivotPosition, slopeBelow, slopeAbove } = scale.arms;
  const base = pivotPosition * LUT_SIZE;
  const below = slopeBelow * LUT_SIZE;
  const above = slopeAbove * LUT_SIZE;
  const last = LUT_SIZE - 1;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value >= low && value <= high) {
      const offset = transformed[i]! - pivot;
      // Both arms without a branch: in noisy data it would be mispredicted at every other cell.
      const at = (base + Math.min(offset, 0) * below + Math.max(offset, 0) * above) | 0;
      indices[i] = at > last ? last : at;
    } else if (value < low) {
      indices[i] = LUT_SIZE + (value === -Infinity ? SPECIAL.negativeInfinity : SPECIAL.below);
    } else if (value > high) {
      indices[i] = LUT_SIZE + (value === Infinity ? SPECIAL.positiveInfinity : SPECIAL.above);
    } else {
      indices[i] = LUT_SIZE + (absent !== null && absent[i] === 1 ? SPECIAL.absent : SPECIAL.nan);
    }
  }
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

/** Values through a scale's transform; the values themselves where it changes nothing. */
export function transformValues(
  values: Float32Array | Float64Array,
  scale: Scale,
): Float32Array | Float64Array {
  if (scale.kind === "linear") return values;
  const transformed = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) transformed[i] = scale.transform(values[i]!);
  return transformed;
}
