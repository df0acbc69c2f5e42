/** From page to page: positions, neighbours, and what a page is called. */
import { type Position, pageCount, placesAt, type Selector } from "./pages.ts";

export function positionAt(selectors: readonly Selector[], page: number): Position {
  const places = placesAt(selectors, page);
  return Object.fromEntries(selectors.map(({ dim, labels }, order) => [dim, labels.at(places[order]!)]));
}

/** The page at another place along one selector. */
export function turnedTo(
  selectors: readonly Selector[],
  page: number,
  selector: number,
  place: number,
): number {
  const stride = pageCount(selectors.slice(selector + 1));
  return page + (place - placesAt(selectors, page)[selector]!) * stride;
}

/** The pages before and after one, along a selector; those that there are, the next one first. */
export function neighbours(selectors: readonly Selector[], page: number, selector: number): number[] {
  const place = placesAt(selectors, page)[selector];
  if (place === undefined) return []; // no selectors
  return [place + 1, place - 1]
    .filter((other) => other >= 0 && other < selectors[selector]!.labels.length)
    .map((other) => turnedTo(selectors, page, selector, other));
}

/** The selector along which two pages differ; the last of several places where there is none. */
export function selectorBetween(selectors: readonly Selector[], from: number, to: number): number {
  const before = placesAt(selectors, from);
  const differing = placesAt(selectors, to).findIndex((place, order) => place !== before[order]);
  if (differing >= 0) return differing;
  return selectors.reduce((found, { labels }, order) => (labels.length > 1 ? order : found), 0);
}

/** A title with the position of a page, for pictures without selectors; twin of Pages.caption in pages.py. */
export function pageCaption(selectors: readonly Selector[], page: number, title: string): string {
  const places = placesAt(selectors, page);
  const said = selectors.flatMap(({ dim, labels, texts }, order) =>
    labels.length > 1 && texts.length === 0 ? [`${dim} ${labels.at(places[order]!)}`] : [],
  );
  return [title, ...said].filter((part) => part !== "").join(", ");
}
