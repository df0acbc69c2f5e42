/** The pages of a grid: matrices of the same rows and columns, one for each position of the selectors. */
import { type Label, type Labels, type PackedLabels, unpackLabels } from "./labels.ts";
import type { Matrix } from "./model.ts";
import type { Domain } from "./scale.ts";
import { finiteExtent, quantile } from "./statistics.ts";

/** A selector as it travels. */
export interface PackedSelector {
  readonly dim: string;
  readonly labels: PackedLabels;
  /** Title and units at each label, where they differ along this dim; else empty. */
  readonly texts: readonly (readonly [string, string])[];
}

/** A dim of which one place is shown at a time. */
export interface Selector {
  readonly dim: string;
  readonly labels: Labels;
  /** Whether its labels are numbers: then a slider serves, else a menu. */
  readonly numeric: boolean;
  readonly texts: PackedSelector["texts"];
}

/** Dim -> label. */
export type Position = Readonly<Record<string, Label>>;

/** Pages by their index: positions in row-major order, the last selector changing first. */
export interface Pages {
  readonly selectors: readonly Selector[];
  readonly count: number;
  /** The page at an index; null where it is not here. */
  at(page: number): Matrix | null;
  /** Keep a page that was sent by itself; those added longest ago are let go where they take too much. */
  add(page: number, matrix: Matrix): void;
  /** The domain that fits a page, or all pages of its metric; null where not all of them are here. */
  domain(page: number, over: "page" | "all"): Domain | null;
}

/** Twin of MOST_SAMPLED in scale.py: above this many values their median is an estimate. */
const MOST_SAMPLED = 65_536;
const MOST_KEPT_BYTES = 128_000_000;

export function unpackSelectors(packed: readonly PackedSelector[]): Selector[] {
  return packed.map(({ dim, labels, texts }) => {
    const unpacked = unpackLabels(labels, false);
    const numeric = typeof labels === "number" || labels.every((label) => typeof label === "number");
    return { dim, labels: unpacked, numeric, texts };
  });
}

export function pageCount(selectors: readonly Selector[]): number {
  return selectors.reduce((count, { labels }) => count * labels.length, 1);
}

/** Index of the page at a position; a dim or label that is not known counts as the first. */
export function pageAt(selectors: readonly Selector[], position: Position): number {
  return selectors.reduce((page, { dim, labels }) => {
    const label = position[dim];
    const place = label === undefined ? 0 : Math.max(0, labels.indexOf(label));
    return page * labels.length + place;
  }, 0);
}

/** The place along each selector. */
export function placesAt(selectors: readonly Selector[], page: number): number[] {
  const places: number[] = [];
  let rest = page;
  for (let order = selectors.length - 1; order >= 0; order--) {
    const { length } = selectors[order]!.labels;
    places[order] = rest % length;
    rest = Math.floor(rest / length);
  }
  return places;
}

/** The pages whose numbers may share a scale with one: all, or where metrics differ, those of its metric. */
export function alikePages(selectors: readonly Selector[], page: number): number[] {
  const every = Array.from({ length: pageCount(selectors) }, (_, other) => other);
  const titled = selectors.findIndex(({ texts }) => texts.length > 0);
  if (titled < 0) return every;
  const place = placesAt(selectors, page)[titled];
  return every.filter((other) => placesAt(selectors, other)[titled] === place);
}

/** Title and units of a page where they follow it; null where they do not differ from page to page. */
export function pageTexts(selectors: readonly Selector[], page: number): readonly [string, string] | null {
  const titled = selectors.findIndex(({ texts }) => texts.length > 0);
  return titled < 0 ? null : selectors[titled]!.texts[placesAt(selectors, page)[titled]!]!;
}

/** Pages from a source of matrices, each made once. */
export function makePages(selectors: readonly Selector[], make: (page: number) => Matrix | null): Pages {
  const made = new Map<number, Matrix | null>();
  const added = new Map<number, Matrix>();
  const domains = new Map<number, Domain>();
  const at = (page: number): Matrix | null => {
    if (added.has(page)) return added.get(page)!;
    if (!made.has(page)) made.set(page, make(page));
    return made.get(page)!;
  };
  return {
    selectors,
    count: pageCount(selectors),
    at,
    add(page, matrix) {
      added.delete(page);
      added.set(page, matrix);
      let bytes = 0;
      for (const kept of added.values()) bytes += kept.values.byteLength;
      for (const [old, { values }] of added) {
        if (bytes <= MOST_KEPT_BYTES || old === page) break;
        added.delete(old);
        bytes -= values.byteLength;
      }
    },
    domain(page, over) {
      const alike = over === "all" ? alikePages(selectors, page) : [page];
      const known = over === "all" ? domains.get(alike[0]!) : undefined;
      if (known !== undefined) return known;
      const matrices = alike.map(at);
      if (!matrices.every((matrix) => matrix !== null)) return null;
      const domain = fittedDomain(matrices.map(({ values }) => values));
      if (over === "all") domains.set(alike[0]!, domain);
      return domain;
    },
  };
}

/** Low, high and center that fit the values of all arrays; twin of fitted_domain in scale.py. */
export function fittedDomain(arrays: readonly ArrayLike<number>[]): Domain {
  let low = Infinity;
  let high = -Infinity;
  for (const values of arrays) {
    const extent = finiteExtent(values);
    low = Math.min(low, extent.low);
    high = Math.max(high, extent.high);
  }
  if (low > high) return { low: 0, high: 1, center: 0.5 };
  if (low < 0 && high > 0) return { low, high, center: 0 };
  const total = arrays.reduce((sum, values) => sum + values.length, 0);
  const step = Math.max(1, Math.ceil(total / MOST_SAMPLED));
  const sample: number[] = [];
  for (const values of arrays)
    for (let i = 0; i < values.length; i += step) if (Number.isFinite(values[i])) sample.push(values[i]!);
  const median = quantile(Float64Array.from(sample).sort(), 0.5);
  return { low, high, center: median > low && median < high ? median : low + (high - low) / 2 };
}
