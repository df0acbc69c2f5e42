/** Bytes as they travel -> cells. */
import type { PaintedCells } from "./raster.ts";

export type Dtype = "f4" | "f8";

/** Little-endian numbers. Copied only where they start at an address that their type cannot read. */
export function readNumbers(view: DataView, dtype: Dtype): Float32Array | Float64Array {
  const size = dtype === "f4" ? 4 : 8;
  const length = Math.floor(view.byteLength / size);
  const aligned = view.byteOffset % size === 0;
  const buffer = aligned
    ? view.buffer
    : view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
  const offset = aligned ? view.byteOffset : 0;
  return dtype === "f4" ? new Float32Array(buffer, offset, length) : new Float64Array(buffer, offset, length);
}

/** One bit a cell, least significant first, to one byte a cell; null where no bit is set. */
export function unpackBits(view: DataView, length: number): Uint8Array | null {
  if (view.byteLength === 0) return null;
  return Uint8Array.from({ length }, (_, i) => (view.getUint8(i >> 3) >> (i & 7)) & 1);
}

/** The cells that two buffers carry, values and bits of absent ones; null where these are not as many. */
export function readCells(
  { dtype }: { readonly dtype: Dtype },
  [values, absent]: readonly DataView[],
  rows: number,
  columns: number,
): PaintedCells | null {
  const length = rows * columns;
  if (values?.byteLength !== length * cellBytes(dtype) || absent === undefined) return null;
  if (absent.byteLength !== 0 && absent.byteLength !== Math.ceil(length / 8)) return null;
  return { rows, columns, values: readNumbers(values, dtype), absent: unpackBits(absent, length) };
}

export const cellBytes = (dtype: Dtype) => (dtype === "f4" ? 4 : 8);

/** The bytes of one page, where `view` holds those of all; all of them where it holds those of one. */
export function pageOf(view: DataView, page: number, pageBytes: number): DataView {
  return view.byteLength <= pageBytes
    ? view
    : new DataView(view.buffer, view.byteOffset + page * pageBytes, pageBytes);
}
