/** What the numbers show, as Python found it: which findings to list, and which cells they are about. */
import { counted } from "./format.ts";
import type { CellId } from "./selection.ts";

/** Cells of a rectangle of the whole matrix; rows and columns from first to last, both inclusive. */
export interface Box {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

export interface Finding {
  readonly kind: string;
  readonly statement: string;
  readonly boxes: readonly Box[];
}

/** Those of one page as they travel; twin of panel.py. */
export interface PackedPageFindings {
  readonly status?: string;
  readonly message?: string;
  readonly findings?: readonly {
    readonly kind: string;
    readonly statement: string;
    readonly boxes: readonly number[];
  }[];
  /** How many more there are than are listed. */
  readonly more?: number;
  readonly notes?: readonly string[];
}

/** Nothing where findings are not wanted. */
export interface PackedFindings {
  /** Whether the grid is too large to be analysed unasked. */
  readonly large?: boolean;
  /** By the index of the page; of those that are missing nothing is known yet. */
  readonly pages?: Readonly<Record<string, PackedPageFindings>>;
}

/**
 * `waiting`: still to be asked for, those listed are of the values before; `large`: asked for by the reader only;
 * `failed`: why, in `message`; `off`: not wanted.
 */
export type Status = "off" | "waiting" | "large" | "ready" | "failed";

export interface Findings {
  readonly status: Status;
  readonly message: string;
  /** Strongest first. */
  readonly findings: readonly Finding[];
  readonly more: number;
  readonly notes: readonly string[];
}

const STATUSES: readonly Status[] = ["off", "waiting", "large", "ready", "failed"];

/** Findings of a page of that shape; a state saved before there were any, or by a stranger, gives none. */
export function unpackFindings(all: PackedFindings, page: number, rows: number, columns: number): Findings {
  const unknown = all.pages === undefined ? "off" : all.large === true ? "large" : "waiting";
  const packed = all.pages?.[page] ?? {};
  return {
    status: STATUSES.find((status) => status === packed.status) ?? unknown,
    message: String(packed.message ?? ""),
    findings: (packed.findings ?? []).map(({ kind, statement, boxes }) => ({
      kind: String(kind),
      statement: String(statement),
      boxes: unpackBoxes(boxes, rows, columns),
    })),
    more: packed.more ?? 0,
    notes: (packed.notes ?? []).map(String),
  };
}

/** Four numbers a box; those that reach beyond the matrix are left out. */
export function unpackBoxes(edges: readonly number[], rows: number, columns: number): Box[] {
  const within = (first: number, last: number, length: number) =>
    Number.isInteger(first) && Number.isInteger(last) && 0 <= first && first <= last && last < length;
  const boxes: Box[] = [];
  for (let at = 0; at + 3 < edges.length; at += 4) {
    const [top, bottom, left, right] = edges.slice(at, at + 4) as [number, number, number, number];
    if (within(top, bottom, rows) && within(left, right, columns)) boxes.push({ top, bottom, left, right });
  }
  return boxes;
}

/** All cells of some boxes, box by box. */
export function cellsOf(boxes: readonly Box[], stride: number): CellId[] {
  const cells: CellId[] = [];
  for (const { top, bottom, left, right } of boxes)
    for (let column = left; column <= right; column++)
      for (let row = top; row <= bottom; row++) cells.push(row * stride + column);
  return cells;
}

export function countCells(boxes: readonly Box[]): number {
  return boxes.reduce(
    (sum, { top, bottom, left, right }) => sum + (bottom - top + 1) * (right - left + 1),
    0,
  );
}

function holds(boxes: readonly Box[], cell: CellId, stride: number): boolean {
  const row = Math.floor(cell / stride);
  const column = cell % stride;
  return boxes.some(
    ({ top, bottom, left, right }) => top <= row && row <= bottom && left <= column && column <= right,
  );
}

/** Whether the selection is just the cells of some boxes, as after a click on their finding. */
export function isSelected(boxes: readonly Box[], selection: readonly CellId[], stride: number): boolean {
  return (
    selection.length > 0 &&
    selection.length === countCells(boxes) &&
    selection.every((cell) => holds(boxes, cell, stride))
  );
}

export interface Filter {
  /** null for every kind. */
  readonly kind: string | null;
  /** Column of the matrix, or null for every component. */
  readonly column: number | null;
  /** Cells of which one at least must be held; empty for no such wish. */
  readonly cells: readonly CellId[];
  /** Shown rows and columns of the matrix: findings about hidden cells alone are left out. */
  readonly rows: Int32Array;
  readonly columns: Int32Array;
}

/** The findings that pass the filter, strongest first. */
export function matching(findings: readonly Finding[], filter: Filter, stride: number): Finding[] {
  const rows = new Set(filter.rows);
  const columns = new Set(filter.columns);
  return findings.filter(
    ({ kind, boxes }) =>
      boxes.some(
        ({ top, bottom, left, right }) => reaches(top, bottom, rows) && reaches(left, right, columns),
      ) &&
      (filter.kind === null || kind === filter.kind) &&
      (filter.column === null || concerns(boxes, filter.column)) &&
      (filter.cells.length === 0 || filter.cells.some((cell) => holds(boxes, cell, stride))),
  );
}

function reaches(first: number, last: number, shown: ReadonlySet<number>): boolean {
  for (let at = first; at <= last; at++) if (shown.has(at)) return true;
  return false;
}

function concerns(boxes: readonly Box[], column: number): boolean {
  return boxes.some(({ left, right }) => left <= column && column <= right);
}

/** The kinds there are, in the order of their strongest finding. */
export function kindsOf(findings: readonly Finding[]): string[] {
  return [...new Set(findings.map(({ kind }) => kind))];
}

/** Columns of the components that some finding is about, in the order of the matrix. */
export function columnsOf(findings: readonly Finding[]): number[] {
  const columns = new Set<number>();
  for (const { boxes } of findings)
    for (const { left, right } of boxes)
      for (let column = left; column <= right; column++) columns.add(column);
  return [...columns].sort((a, b) => a - b);
}

/**
 * A statement in turns of what it says and, between parentheses, the evidence: "q rises ", "(tau 0.97)", ".".
 *
 * "p = 3e-07" is kept on one line.
 */
export function statementParts(statement: string): string[] {
  return statement
    .replace(/ ([=<>]) /g, "\u00a0$1\u00a0")
    .replace(/(\de)-(\d)/g, "$1\u2011$2")
    .split(/(\([^()]*\))/);
}

/** "12 findings", "3 of 12 findings"; of those about something, "12 findings about attn.q", "3 of 12 about attn.q". */
export function countText(listed: number, all: number, about = ""): string {
  const some = listed === all ? counted(all, "finding") : `${listed} of ${all}`;
  return about !== "" ? `${some} about ${about}` : listed === all ? some : `${some} findings`;
}
