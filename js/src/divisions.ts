/** Where a matrix is divided: heads of attention, the components of a fused tensor, experts. */
import { labelStep } from "./layout.ts";
import type { OpenedTensor } from "./opened.ts";
import type { Spans } from "./raster.ts";

/** Parts of a matrix along one axis, one after the other. */
export interface Division {
  readonly axis: "row" | "column";
  /** The first row or column of each part, in order. */
  readonly starts: readonly number[];
  readonly labels: readonly string[];
}

/** A part as it lies in view: device pixels, and its place among all parts. */
export interface PartInView {
  readonly part: number;
  readonly start: number;
  readonly end: number;
}

/** The part that holds a row or column; -1 where it lies before the first one. */
export function partAt({ starts }: Division, index: number): number {
  let from = -1;
  let to = starts.length - 1;
  while (from < to) {
    const middle = (from + to + 1) >> 1;
    if (starts[middle]! <= index) from = middle;
    else to = middle - 1;
  }
  return from;
}

/** " (query head 3)" of a row or column; "" where nothing is divided along that axis. */
export function partText(tensor: OpenedTensor | null, axis: Division["axis"], index: number): string {
  const labels = (tensor?.divisions ?? [])
    .filter((division) => division.axis === axis)
    .map((division) => division.labels[partAt(division, index)] ?? "")
    .filter((label) => label !== "");
  return labels.length === 0 ? "" : ` (${labels.join(", ")})`;
}

/** The parts of what is in view, from the top or the left; `indices` are the rows or columns of the matrix there. */
export function partsInView(division: Division, indices: Int32Array, spans: Spans): PartInView[] {
  const found: PartInView[] = [];
  for (let at = 0; at < indices.length; ) {
    const index = indices[at]!;
    const part = partAt(division, index);
    let next = at + 1;
    // Neighbours in one part are passed over at once, whichever way they run.
    const before = index - (division.starts[part] ?? 0);
    const after = (division.starts[part + 1] ?? Infinity) - index - 1;
    for (const [reach, way] of [
      [after, 1],
      [before, -1],
    ] as const) {
      const last = Math.min(indices.length - 1, at + reach);
      if (last > at && indices[last] === index + way * (last - at)) next = last + 1;
    }
    const open = found[found.length - 1];
    const end = pixelOf(spans, next);
    if (open?.part === part) found[found.length - 1] = { ...open, end };
    else found.push({ part, start: pixelOf(spans, at), end });
    at = next;
  }
  return found;
}

/** Of parts in view, those at whose beginning a line or a label has `room` device pixels: each n-th of all parts. */
export function thinned(parts: readonly PartInView[], length: number, room: number): PartInView[] {
  const step = labelStep(parts.length, length, room);
  return parts.filter(({ part }) => part >= 0 && part % step === 0);
}

/** The device pixel at which a cell in view begins, within its block where several share one. */
function pixelOf({ starts, ends, cells, length }: Spans, at: number): number {
  if (at >= cells[length]!) return ends[length - 1]!;
  let from = 0;
  let to = length - 1;
  while (from < to) {
    const middle = (from + to + 1) >> 1;
    if (cells[middle]! <= at) from = middle;
    else to = middle - 1;
  }
  const share = (at - cells[from]!) / (cells[from + 1]! - cells[from]!);
  return Math.round(starts[from]! + share * (ends[from]! - starts[from]!));
}
