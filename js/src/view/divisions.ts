/** Lines where a tensor is divided, and what its parts are called, over the picture. */
import { type Division, type PartInView, partsInView, thinned } from "../divisions.ts";
import type { Figure } from "../figure.ts";
import { remembered } from "../remember.ts";

const LINE_ROOM = 6; // CSS px between lines: nearer ones would hide the picture
const LABEL_HEIGHT = 14;
const LABEL_PADDING = 4;
const FONT_SIZE = 10.5;

const NONE: readonly Division[] = [];

interface Ruled {
  readonly division: Division;
  readonly parts: readonly PartInView[];
}

/** Draws the divisions of a figure's tensor on a context of device pixels. */
export function createDivisions(): (context: CanvasRenderingContext2D, figure: Figure) => void {
  const findParts = remembered(
    (
      divisions: readonly Division[],
      rows: Int32Array,
      columns: Int32Array,
      layout: Figure["layout"],
    ): Ruled[] =>
      divisions.map((division) => ({
        division,
        parts:
          division.axis === "row"
            ? partsInView(division, rows, layout.rows)
            : partsInView(division, columns, layout.columns),
      })),
  );
  return (context, figure) => {
    const divisions = figure.state.tensor?.divisions ?? NONE;
    for (const ruled of findParts(divisions, figure.rows, figure.columns, figure.layout)) {
      drawLines(context, figure, ruled);
      drawLabels(context, figure, ruled);
    }
  };
}

/** A dark line beside a light one: it reads on any color. */
function drawLines(context: CanvasRenderingContext2D, { layout }: Figure, { division, parts }: Ruled): void {
  const across = division.axis === "row";
  const width = Math.max(1, Math.round(layout.ratio));
  for (const { start } of thinned(parts, across ? layout.height : layout.width, LINE_ROOM * layout.ratio)) {
    if (start === 0) continue; // the picture's own edge
    for (const [at, color] of [
      [start - width, "rgba(255,255,255,0.6)"],
      [start, "rgba(15,15,20,0.7)"],
    ] as const) {
      context.fillStyle = color;
      if (across) context.fillRect(0, at, layout.width, width);
      else context.fillRect(at, 0, width, layout.height);
    }
  }
}

/** At the beginning of each part, or of each n-th one where there is no room for all. */
function drawLabels(context: CanvasRenderingContext2D, { layout }: Figure, { division, parts }: Ruled): void {
  const { ratio } = layout;
  const across = division.axis === "row";
  context.font = `${FONT_SIZE * ratio}px ${getComputedStyle(context.canvas).fontFamily}`;
  context.textAlign = "left";
  context.textBaseline = "middle";
  const height = LABEL_HEIGHT * ratio;
  const padding = LABEL_PADDING * ratio;
  const widthOf = ({ part }: PartInView) =>
    context.measureText(division.labels[part] ?? "").width + 2 * padding;
  const room = across ? height + 2 * ratio : Math.max(0, ...parts.slice(0, 3).map(widthOf)) + padding;
  let free = 0; // parts of a fused tensor are of unlike lengths
  for (const shown of thinned(parts, across ? layout.height : layout.width, room)) {
    const width = widthOf(shown);
    const x = across ? 0 : shown.start + ratio;
    const y = across ? shown.start + ratio : 0;
    if (shown.start < free || x + width > layout.width || y + height > layout.height) continue;
    free = shown.start + (across ? height : width);
    context.fillStyle = "rgba(255,255,255,0.82)";
    context.fillRect(x, y, width, height);
    context.fillStyle = "rgba(15,15,20,0.9)";
    context.fillText(division.labels[shown.part]!, x + padding, y + height / 2 + ratio / 2);
  }
}
