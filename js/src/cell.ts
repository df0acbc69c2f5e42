/** What can be said of one cell, in words and numbers. */
import { partText } from "./divisions.ts";
import type { Figure } from "./figure.ts";
import { counted, exactNumber, numberFormat, rankText } from "./format.ts";
import { type Label, tensorText } from "./labels.ts";
import { placesAt, type Selector } from "./pages.ts";
import { meanAndDeviation } from "./spread.ts";
import { turnedTo } from "./turning.ts";

export interface CellFacts {
  readonly row: number;
  readonly column: number;
  readonly layer: Label;
  readonly component: string;
  /** "layer 15" and "attn.k", or "row 12 (query head 0)" and "column 7". */
  readonly rowText: string;
  readonly columnText: string;
  readonly value: number;
  readonly absent: boolean;
  /** As many digits as tell cells apart, with the unit. */
  readonly short: string;
  /** All digits, with the unit. */
  readonly exact: string;
  /** "3rd highest of 196"; why there is none where the value is not finite; empty while very many are counted. */
  readonly rank: string;
  /** "+2.1 sd in attn.k"; empty where it cannot be said. */
  readonly deviation: string;
  /** Full tensor name, and which of its rows the cell stands for; empty where unknown. */
  readonly parameter: string;
  /** Said of values that lie outside the color scale; empty for others. */
  readonly offScale: string;
}

/** Facts about the cell at a row and column of the whole matrix. */
export function cellFacts(figure: Figure, row: number, column: number): CellFacts {
  const { state, scale } = figure;
  const { matrix } = state;
  const at = row * matrix.columns + column;
  const known = matrix.far === null ? matrix.values[at]! : matrix.far.at(row, column);
  const value = known ?? NaN;
  const absent = matrix.absent !== null && matrix.absent[at] === 1;
  const layer = matrix.layers.at(row);
  const component = String(matrix.components.at(column));
  const unit = state.units === "" ? "" : ` ${state.units}`;
  const single = matrix.values instanceof Float32Array;
  const finite = Number.isFinite(value);
  const said = (text: string) =>
    absent ? "absent" : known === undefined ? "not here yet" : finite ? text + unit : text;
  const [rowNoun, columnNoun] = matrix.axes;
  return {
    row,
    column,
    layer,
    component,
    rowText: `${rowNoun} ${layer}${partText(state.tensor, "row", row)}`,
    columnText:
      columnNoun === "component"
        ? component
        : `${columnNoun} ${component}${partText(state.tensor, "column", column)}`,
    value,
    absent,
    short: said(numberFormat(state.domain.low, state.domain.high)(value)),
    exact: said(exactNumber(value, single)),
    rank:
      known === undefined
        ? "zoom in for single cells"
        : absent
          ? `${rowNoun} ${layer} has no ${component}`
          : !finite
            ? "not a finite number"
            : matrix.far === null
              ? rankAmongShown(figure, value)
              : "",
    deviation:
      finite && !absent && matrix.far === null ? deviationInComponent(figure, column, component, value) : "",
    parameter: absent ? "" : tensorText(matrix.parameters, row, column, layer),
    offScale:
      !finite || absent
        ? ""
        : value < scale.domain.low
          ? "below the scale"
          : value > scale.domain.high
            ? "above the scale"
            : "",
  };
}

function rankAmongShown({ shown }: Figure, value: number): string {
  const counts = shown.above(value);
  if (counts === null || counts.finite < 2) return "";
  const { above, finite, exact } = counts;
  return `${exact ? "" : "about "}${rankText(above, finite)} of ${counted(finite, "value")}`;
}

function deviationInComponent(figure: Figure, column: number, component: string, value: number): string {
  const { mean, deviation } = meanAndDeviation(columnValues(figure, column));
  const score = (value - mean) / deviation;
  if (!Number.isFinite(score)) return "";
  return `${score < 0 ? "\u2212" : "+"}${Math.abs(score).toFixed(1)} sd in ${component}`;
}

/** Values of one component over the shown layers, first layer first; block means where the cells are not all here. */
export function columnValues({ state }: Figure, column: number): Float64Array {
  const { values, columns, far } = state.matrix;
  if (far === null) return Float64Array.from(state.rows, (row) => values[row * columns + column]!);
  const { cells, columnFactor } = far.overview;
  const at = Math.floor(column / columnFactor);
  return Float64Array.from({ length: cells.rows }, (_, row) => cells.values[row * cells.columns + at]!);
}

/** Values of one layer over the shown components, in their order; block means where the cells are not all here. */
export function rowValues({ state }: Figure, row: number): Float64Array {
  const { values, columns, far } = state.matrix;
  if (far === null) return Float64Array.from(state.columns, (column) => values[row * columns + column]!);
  const { cells, rowFactor } = far.overview;
  const line = Math.floor(row / rowFactor) * cells.columns;
  return Float64Array.from(cells.values.subarray(line, line + cells.columns));
}

/** A cell over the pages along a selector; null where not all of them are here. */
export interface CellSeries {
  readonly selector: Selector;
  readonly values: Float64Array;
  /** Place of the shown page among them. */
  readonly shown: number;
}

/** The cell at a row and column over the first numeric selector, as over training steps; null where there is none. */
export function cellOverPages({ state }: Figure, row: number, column: number): CellSeries | null {
  const { pages, page, matrix } = state;
  const { selectors } = pages;
  const order = selectors.findIndex(({ numeric, labels }) => numeric && labels.length > 1);
  if (order < 0) return null;
  const selector = selectors[order]!;
  const values = new Float64Array(selector.labels.length);
  for (let place = 0; place < values.length; place++) {
    const other = pages.at(turnedTo(selectors, page, order, place));
    if (other === null) return null;
    values[place] = other.values[row * matrix.columns + column]!;
  }
  return { selector, values, shown: placesAt(selectors, page)[order]! };
}

/** One line for the screen reader: "layer 15, attn.k, 0.1634, 3rd highest of 196 values". */
export function spoken(facts: CellFacts, selected: boolean): string {
  return [
    facts.rowText,
    facts.columnText,
    facts.short,
    facts.rank,
    facts.offScale,
    selected ? "selected" : "",
  ]
    .filter((part) => part !== "")
    .join(", ");
}
