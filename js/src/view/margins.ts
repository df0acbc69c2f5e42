/** Norms of the rows beside the picture and of the columns above it, of what is in view. */
import { element, sizeCanvas, toggle } from "../dom.ts";
import type { Figure } from "../figure.ts";
import { remembered } from "../remember.ts";
import { MARGIN } from "../room.ts";
import { peaksOf, toldText } from "../summary.ts";

const GAP = 6; // CSS px, as in margins.css

export interface Margins {
  readonly parts: readonly HTMLElement[];
  /** From now on these are drawn. */
  take(rows: Float32Array, columns: Float32Array): void;
  draw(figure: Figure): void;
}

interface Profile {
  readonly norms: Float32Array;
  readonly largest: number;
}

export function createMargins(): Margins {
  const right = element("canvas", "layergrid-margin layergrid-margin-rows", { role: "img", hidden: true });
  const above = element("canvas", "layergrid-margin layergrid-margin-columns", { role: "img", hidden: true });
  let profiles: { readonly rows: Profile; readonly columns: Profile } | null = null;
  const rowPeaks = remembered(peaksOf);
  const columnPeaks = remembered(peaksOf);

  const profile = (norms: Float32Array, canvas: HTMLElement, what: string): Profile => {
    const largest = norms.reduce((most, norm) => (norm < Infinity ? Math.max(most, norm) : most), 0);
    canvas.title = `Norms of the ${what}, from 0 to ${toldText(largest)}; of several in one place the largest`;
    canvas.setAttribute("aria-label", canvas.title);
    toggle(canvas, true);
    return { norms, largest };
  };

  return {
    parts: [right, above],
    take(rows, columns) {
      profiles = { rows: profile(rows, right, "rows"), columns: profile(columns, above, "columns") };
    },
    draw({ layout, rows, columns }) {
      if (profiles === null) return;
      const depth = Math.round((MARGIN - GAP) * layout.ratio);
      // A norm that is not finite, or beyond float32, is as long as the profile is deep.
      const length = (norm: number, { largest }: Profile) =>
        norm <= largest ? Math.round((depth * norm) / (largest || 1)) : depth;
      const begin = (canvas: HTMLCanvasElement, width: number, height: number) => {
        sizeCanvas(canvas, width, height, layout.ratio);
        const context = canvas.getContext("2d")!;
        context.clearRect(0, 0, width, height);
        context.fillStyle = getComputedStyle(canvas).color;
        return context;
      };
      const beside = begin(right, depth, layout.height);
      rowPeaks(profiles.rows.norms, rows, layout.rows.cells).forEach((norm, at) => {
        const top = layout.rows.starts[at]!;
        beside.fillRect(0, top, length(norm, profiles!.rows), layout.rows.ends[at]! - top);
      });
      const over = begin(above, layout.width, depth);
      columnPeaks(profiles.columns.norms, columns, layout.columns.cells).forEach((norm, at) => {
        const left = layout.columns.starts[at]!;
        const high = length(norm, profiles!.columns);
        over.fillRect(left, depth - high, layout.columns.ends[at]! - left, high);
      });
    },
  };
}
