/** What is shown, as a table to keep. */
import type { Figure } from "./figure.ts";
import { exactNumber } from "./format.ts";
import { parameterName } from "./labels.ts";
import { positionAt } from "./pages.ts";

/** A leading character that a spreadsheet would take for a formula (OWASP, CSV injection). */
const FORMULA_START = /^[=+\-@\t\r]/;

/** Text as one CSV field: never a formula, quoted where it must be. */
export function csvText(text: string): string {
  const defused = FORMULA_START.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(defused) ? `"${defused.replaceAll('"', '""')}"` : defused;
}

/**
 * layer, component, value, status, parameter, and the page's position, a column for each of its dims: a line for each
 * shown cell, layer by layer.
 */
export function csvTable({ state }: Figure): string {
  const { matrix, rows, columns } = state;
  const single = matrix.values instanceof Float32Array;
  const position = Object.entries(positionAt(state.pages.selectors, state.page));
  const place = position.map(([, label]) => (typeof label === "number" ? String(label) : csvText(label)));
  const lines = [
    ["layer,component,value,status,parameter", ...position.map(([dim]) => csvText(dim))].join(","),
  ];
  for (const row of rows)
    for (const column of columns) {
      const at = row * matrix.columns + column;
      const value = matrix.values[at]!;
      const absent = matrix.absent !== null && matrix.absent[at] === 1;
      const finite = Number.isFinite(value);
      const layer = matrix.layers.at(row);
      lines.push(
        [
          csvText(String(layer)),
          csvText(String(matrix.components.at(column))),
          finite ? exactNumber(value, single).replace("\u2212", "-") : "",
          absent ? "absent" : Number.isNaN(value) ? "nan" : finite ? "" : value > 0 ? "+inf" : "-inf",
          csvText(absent ? "" : parameterName(matrix.parameters, row, column, layer)),
          ...place,
        ].join(","),
      );
    }
  return `${lines.join("\n")}\n`;
}

/** The selected cells by tensor name where known, else as "layer component". */
export function selectedNames({ state }: Figure): string {
  const { matrix, selection } = state;
  return selection
    .map((cell) => {
      const row = Math.floor(cell / matrix.columns);
      const column = cell % matrix.columns;
      const layer = matrix.layers.at(row);
      return (
        parameterName(matrix.parameters, row, column, layer) || `${layer} ${matrix.components.at(column)}`
      );
    })
    .join("\n");
}
