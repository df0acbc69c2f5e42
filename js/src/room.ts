/** How the width of the page is divided among the picture, its axes and what stands beside it; in CSS pixels. */
import { labelsAt, type Room } from "./figure.ts";
import { groupRuns } from "./labels.ts";
import { gridHeight, largestGridWidth } from "./layout.ts";
import type { State } from "./model.ts";

/** Of the label font, on the wide side. */
export const CHARACTER_WIDTH = 7.2;
export const LONGEST_ROW_LABEL = 18;
export const BAR_WIDTH = 16;
export const HISTOGRAM_WIDTH = 44;
/** Of the norms along an opened tensor, with the gap between them and the picture. */
export const MARGIN = 40;

const WIDTH_BEFORE_MEASURE = 1200;
const SIDE_FROM = 780;
const SIDE_COLUMNS_UP_TO = 48;
const FIGURE_SHARE = 0.56;
const HISTOGRAM_FROM = 420;
const LARGEST_SIDE = 560;
const GAP = 32;
const BEFORE_COLORBAR = 22;
const PADDING = 4; // of .layergrid, left and right
const LEAST_WIDTH = 60;
const TICK_WIDTH = 10 + Math.ceil(7 * 6.8); // of a line, and of seven digits

export interface Division {
  readonly picture: Room;
  readonly rowAxis: number;
  /** Of what stands beside the picture, or below it. */
  readonly side: number;
  readonly sideBySide: boolean;
  readonly histogram: boolean;
  readonly margins: boolean;
}

/**
 * Divide a width; 0 where it is not known yet. `hasKernel` as norms are asked for.
 *
 * By all rows and columns, also while part of them is in view: zooming does not move what is around the picture.
 * Many columns take all the width there is, however they are grouped.
 */
export function divideRoom(state: State, width: number, ratio: number, hasKernel: boolean): Division {
  const total = (width > 0 ? width : WIDTH_BEFORE_MEASURE) - PADDING;
  const { rows, columns } = state;
  const few = columns.length <= SIDE_COLUMNS_UP_TO;
  const runs = few ? groupRuns(labelsAt(state.matrix.components, columns)) : [];
  const rowAxis = rowAxisWidth(state);
  const histogram = total >= HISTOGRAM_FROM;
  const margins = hasKernel && state.tensor !== null;
  const bar = BEFORE_COLORBAR + BAR_WIDTH + TICK_WIDTH + (histogram ? HISTOGRAM_WIDTH + 2 : 0);
  const around = rowAxis + (margins ? MARGIN : 0) + bar;
  const sideBySide = total >= SIDE_FROM && few;
  const figure = sideBySide ? Math.floor(total * FIGURE_SHARE) : total;
  const wanted = Math.min(figure - around, Math.max(largestGridWidth(columns.length, runs), LEAST_WIDTH));
  return {
    picture: { width: Math.max(40, wanted), height: gridHeight(rows.length), ratio },
    rowAxis,
    side: Math.floor(Math.min(sideBySide ? total - (around + wanted) - GAP : total, LARGEST_SIDE)),
    sideBySide,
    histogram,
    margins,
  };
}

/** Width that the layer labels need, by a sample of them where there are many. */
function rowAxisWidth({ rows, matrix }: State): number {
  const { layers, axes } = matrix;
  const step = Math.max(1, Math.floor(rows.length / 200));
  let longest = axes[0].length;
  for (let at = 0; at < rows.length; at += step)
    longest = Math.max(longest, Math.min(LONGEST_ROW_LABEL, String(layers.at(rows[at]!)).length));
  return Math.ceil(longest * CHARACTER_WIDTH) + 12;
}
