/** What stands below the columns: their labels, thinned to the room there is, and a heading for each group. */
import { shorten } from "./format.ts";
import { type GroupRun, splitLabel } from "./labels.ts";
import { labelStep, spanOfCell } from "./layout.ts";
import type { Spans } from "./raster.ts";
import { CHARACTER_WIDTH } from "./room.ts";

const TURNED_LABEL_ROOM = 15;
const LONGEST_TURNED = 22;
const LABEL_GAP = 8;
const UPRIGHT_HEIGHT = 20;
/** A run of fewer named columns shows all its labels or none: a few of them would pass for all. */
const FEW_NAMES = 8;
/** Of more columns so many are looked at for how long labels are. */
const MOST_MEASURED = 1000;

export interface ColumnLabel {
  /** Position among the columns; of a heading, that of its first column. */
  readonly at: number;
  readonly text: string;
  readonly full: string;
  /** CSS pixels from the left edge to the middle. */
  readonly middle: number;
  readonly turned: boolean;
}

export interface Heading {
  readonly group: string;
  readonly text: string;
  readonly left: number;
  readonly width: number;
}

export interface Header {
  readonly labels: readonly ColumnLabel[];
  readonly headings: readonly Heading[];
  /** CSS height of the labels alone. */
  readonly labelHeight: number;
}

/** Columns as they are painted, in device pixels. */
export interface PaintedColumns {
  readonly spans: Spans;
  readonly ratio: number;
}

/** The labels of all columns: an array, or made when asked for where there are very many. */
export interface ColumnNames {
  readonly length: number;
  at(index: number): string | undefined;
}

export function columnHeader(full: ColumnNames, runs: readonly GroupRun[], painted: PaintedColumns): Header {
  const grouped = runs.some((run) => run.group !== "") && headingsFit(runs, painted);
  const whole: GroupRun = { group: "", start: 0, end: full.length };
  const labels = (grouped ? runs : [whole]).flatMap((run) => runLabels(run, full, painted, grouped));
  const headings = grouped
    ? runs.filter(({ group }) => group !== "").map((run) => heading(run, painted))
    : [];
  const longest = labels.reduce((most, { text, turned }) => Math.max(most, turned ? text.length : 0), 0);
  const labelHeight = longest === 0 ? UPRIGHT_HEIGHT : Math.ceil(longest * CHARACTER_WIDTH) + 10;
  return { labels, headings, labelHeight };
}

function runLabels(
  run: GroupRun,
  full: ColumnNames,
  painted: PaintedColumns,
  grouped: boolean,
): ColumnLabel[] {
  const { left, width } = runBox(run, painted);
  const count = run.end - run.start;
  const part = (at: number) => (grouped ? splitLabel(full.at(at)!).part : full.at(at)!);
  let longest = 0;
  let numbers = true;
  for (let at = run.start; at < run.end; at += Math.ceil(count / MOST_MEASURED)) {
    longest = Math.max(longest, part(at).length);
    numbers &&= /^-?\d+$/.test(part(at));
  }
  const fits = longest * CHARACTER_WIDTH + LABEL_GAP <= width / count;
  const upright = fits || (numbers && count > 1);
  const step = fits
    ? 1
    : labelStep(count, width, upright ? longest * CHARACTER_WIDTH + LABEL_GAP : TURNED_LABEL_ROOM);
  if (grouped && !upright && step > 1 && count < FEW_NAMES) {
    // The group's name then stands for them, here where the heading has no room for it.
    const named = run.group !== "" && heading(run, painted).text !== run.group;
    const text = shorten(run.group, LONGEST_TURNED);
    return named ? [{ at: run.start, text, full: run.group, middle: left + width / 2, turned: true }] : [];
  }
  const labels: ColumnLabel[] = [];
  for (let at = run.start; at < run.end; at += step) {
    const text = upright ? part(at) : shorten(part(at), LONGEST_TURNED);
    const middle = columnMiddle(at, painted);
    // The last one must not run into the first of the next group.
    if (at > run.start && upright && middle + (text.length * CHARACTER_WIDTH) / 2 > left + width + 2) break;
    labels.push({ at, text, full: full.at(at)!, middle, turned: !upright });
  }
  return labels;
}

/** Headings are drawn where most groups have room for their name. */
function headingsFit(runs: readonly GroupRun[], painted: PaintedColumns): boolean {
  const fitting = runs.filter((run) => runBox(run, painted).width >= run.group.length * CHARACTER_WIDTH);
  return fitting.length * 2 >= runs.length;
}

function heading(run: GroupRun, painted: PaintedColumns): Heading {
  const { left, width } = runBox(run, painted);
  const fitting = Math.floor(width / CHARACTER_WIDTH);
  return { group: run.group, text: fitting >= 2 ? shorten(run.group, fitting) : "", left, width };
}

function runBox(run: GroupRun, { spans, ratio }: PaintedColumns): { left: number; width: number } {
  const left = spans.starts[spanOfCell(spans, run.start)]! / ratio;
  return { left, width: spans.ends[spanOfCell(spans, run.end - 1)]! / ratio - left };
}

function columnMiddle(at: number, { spans, ratio }: PaintedColumns): number {
  const painted = spanOfCell(spans, at);
  return (spans.starts[painted]! + spans.ends[painted]!) / 2 / ratio;
}
