/** The picture of the cells. */
import { createIndexer } from "../codes.ts";
import { cssColor } from "../colormap.ts";
import { element, sizeCanvas } from "../dom.ts";
import type { Figure } from "../figure.ts";
import { paintCells } from "../raster.ts";

const FEW_CELLS = 2000;

/** Draws upon the colors what they cannot say. */
export type DrawMarks = (context: CanvasRenderingContext2D, figure: Figure, indices: Uint16Array) => void;

export interface Picture {
  readonly canvas: HTMLCanvasElement;
  /** Draw what has changed; `anew` where the browser may have lost what was drawn. */
  draw(figure: Figure, drawMarks: DrawMarks | null, anew: boolean): void;
}

export function createPicture(): Picture {
  const canvas = element("canvas", "layergrid-cells", { "aria-hidden": "true" });
  const context = canvas.getContext("2d")!;
  let image: ImageData | null = null;
  let indices = new Uint16Array(0);
  let drawn: readonly unknown[] = [];
  const indexCells = createIndexer();

  /** Pixel by pixel: the cost follows the screen. */
  const putCells = ({ layout, state }: Figure) => {
    if (image === null || image.width !== layout.width || image.height !== layout.height)
      image = context.createImageData(layout.width, layout.height);
    const pixels = new Uint32Array(image.data.buffer);
    paintCells(pixels, layout.width, indices, layout.columns, layout.rows, state.palette);
    context.putImageData(image, 0, 0);
  };

  return {
    canvas,
    draw(figure, drawMarks, anew) {
      const { layout, painted, scale, state } = figure;
      const shown = [layout, painted, scale, state.palette, drawMarks];
      if (!anew && shown.every((part, at) => part === drawn[at])) return;
      drawn = shown;
      sizeCanvas(canvas, layout.width, layout.height, layout.ratio);
      if (painted.values.length === 0) {
        context.clearRect(0, 0, layout.width, layout.height);
        return;
      }
      if (indices.length !== painted.values.length) indices = new Uint16Array(painted.values.length);
      indexCells(indices, painted, scale);
      if (indices.length <= FEW_CELLS) fillCells(context, figure, indices);
      else putCells(figure);
      drawMarks?.(context, figure, indices);
    },
  };
}

/** Cell by cell: for a few hundred cells, filling boxes costs a fraction of making an image. */
function fillCells(context: CanvasRenderingContext2D, { layout, state }: Figure, indices: Uint16Array): void {
  const { columns, rows } = layout;
  context.clearRect(0, 0, layout.width, layout.height);
  for (let row = 0, at = 0; row < rows.length; row++) {
    const top = rows.starts[row]!;
    const height = rows.ends[row]! - top;
    for (let column = 0; column < columns.length; column++, at++) {
      const left = columns.starts[column]!;
      context.fillStyle = cssColor(state.palette.colors[indices[at]!]!);
      context.fillRect(left, top, columns.ends[column]! - left, height);
    }
  }
}
