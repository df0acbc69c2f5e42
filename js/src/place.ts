/**
 * The place on the page where the grids of one version of layergrid meet.
 *
 * Hosts import a grid's module anew for each grid. What the first one brought is kept here, so that it is read once,
 * and code that has become fast stays so.
 */
import type { RenderProps } from "@anywidget/types";
import type * as shared from "./shared.ts";
import type { Traits } from "./traits.ts";
import type * as surroundings from "./view/surroundings.ts";

export interface Widget {
  render(props: RenderProps<Traits>): () => void;
}

export interface Place {
  /** From the bundle of that name: draws the picture first of all. */
  picture?: Widget;
  /** From the bundle of that name, made with the modules that are in the first one already. */
  surroundings?: (modules: typeof shared) => typeof surroundings;
}

/** The place's name, with the hash of all sources: build.mjs writes it. */
declare const PLACE: string;

/** Looked up each time: who comes first makes it. */
export function place(): Place {
  const page = globalThis as unknown as Record<symbol, Place>;
  const name = Symbol.for(PLACE);
  page[name] ??= {};
  return page[name];
}
