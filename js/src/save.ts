/** What is shown, as a table to keep. */
import type { Figure } from "./figure.ts";
import { exactNumber } from "./format.ts";
import { parameterName } from "./labels.ts";
import { exactPattern, moduleName } from "./pattern.ts";
import { positionAt } from "./turning.ts";

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

export const COPY_FORMATS = ["names", "modules", "regex", "PEFT"] as const;
export type CopyFormat = (typeof COPY_FORMATS)[number];

/**
 * The selected cells in a format: tensor names, their modules, one pattern for exactly these modules, or that pattern
 * as the arguments of PEFT's LoraConfig. Where a cell has no name known, "layer component" for each whatever the format.
 */
export function selectedText({ state }: Figure, format: CopyFormat): string {
  const { matrix, selection } = state;
  const cells = selection.map((cell) => {
    const row = Math.floor(cell / matrix.columns);
    const column = cell % matrix.columns;
    const layer = matrix.layers.at(row);
    const name = parameterName(matrix.parameters, row, column, layer);
    return { name, place: `${layer} ${matrix.components.at(column)}` };
  });
  if (cells.some(({ name }) => name === "")) return cells.map(({ name, place }) => name || place).join("\n");
  const names = [...new Set(cells.map(({ name }) => name))];
  if (format === "names") return names.join("\n");
  const modules = [...new Set(names.map(moduleName))];
  if (format === "modules") return modules.join("\n");
  const pattern = exactPattern(modules);
  return format === "regex" ? `^${pattern}$` : JSON.stringify({ target_modules: pattern });
}
