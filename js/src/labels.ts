/** Labels of layers and components, and the full tensor names behind the cells. */

export type Label = number | string;

/** Labels as they travel: a list, or a count n where they are just 0 to n - 1. */
export type PackedLabels = number | readonly Label[];

export interface Labels {
  readonly length: number;
  /** Whether they are more than 0 to n - 1. */
  readonly named: boolean;
  at(index: number): Label;
  /** Index of a label, or -1. */
  indexOf(label: Label): number;
}

export function countedLabels(n: number, asText: boolean): Labels {
  return {
    length: n,
    named: false,
    at: (index) => (asText ? String(index) : index),
    indexOf: (label) => {
      const index = typeof label === "number" ? label : /^(0|[1-9]\d*)$/.test(label) ? Number(label) : -1;
      return Number.isInteger(index) && index >= 0 && index < n ? index : -1;
    },
  };
}

export function listedLabels(labels: readonly Label[]): Labels {
  let places: Map<Label, number> | null = null;
  return {
    length: labels.length,
    named: true,
    at: (index) => labels[index]!,
    indexOf: (label) => {
      places ??= new Map(labels.map((known, index) => [known, index]));
      return places.get(label) ?? -1;
    },
  };
}

export function unpackLabels(packed: PackedLabels, asText: boolean): Labels {
  return typeof packed === "number" ? countedLabels(packed, asText) : listedLabels(packed);
}

/**
 * `attn.q` is part `q` of group `attn`, and `mlp.up[3]` part `3` of `mlp.up`; a label without an inner point or a last
 * bracket is its own part, in the group "". Twin of split_label in groups.py.
 */
export function splitLabel(label: string): { group: string; part: string } {
  const bracket = label.endsWith("]") ? label.lastIndexOf("[") : -1;
  if (bracket > 0 && bracket < label.length - 2)
    return { group: label.slice(0, bracket), part: label.slice(bracket + 1, -1) };
  const point = label.indexOf(".");
  return point <= 0 || point === label.length - 1
    ? { group: "", part: label }
    : { group: label.slice(0, point), part: label.slice(point + 1) };
}

/** Neighbouring columns of one group. */
export interface GroupRun {
  readonly group: string;
  /** Positions among the shown columns: from `start` up to, not including, `end`. */
  readonly start: number;
  readonly end: number;
}

export function groupRuns(labels: readonly string[]): GroupRun[] {
  const runs: { group: string; start: number; end: number }[] = [];
  labels.forEach((label, at) => {
    const { group } = splitLabel(label);
    const last = runs[runs.length - 1];
    if (last !== undefined && last.group === group) last.end = at + 1;
    else runs.push({ group, start: at, end: at + 1 });
  });
  return runs;
}

/** Tensor names as they travel: one template a component, and the cells that do not follow it. */
export interface PackedParameters {
  readonly templates?: readonly (string | null)[];
  readonly exceptions?: Readonly<Record<string, string>>;
  /** The same of what a cell stands for where that is a part of its tensor: `0:768`, `columns 0:768`. */
  readonly rows?: PackedParameters;
}

/** Full name of a cell's tensor, "" where unknown. */
export function parameterName(packed: PackedParameters, row: number, column: number, layer: Label): string {
  const exception = packed.exceptions?.[`${row},${column}`];
  if (exception !== undefined) return exception;
  const template = packed.templates?.[column];
  return template === undefined || template === null
    ? ""
    : template.replaceAll("{layer}", () => String(layer));
}

/** The name of a cell's tensor, and which part of it the cell stands for: `h.0.qkv, rows 0:768`; "" where unknown. */
export function tensorText(packed: PackedParameters, row: number, column: number, layer: Label): string {
  const name = parameterName(packed, row, column, layer);
  const part = packed.rows === undefined ? "" : parameterName(packed.rows, row, column, layer);
  return name === "" || part === "" ? name : `${name}, ${part.startsWith("columns") ? part : `rows ${part}`}`;
}
