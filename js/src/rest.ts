/** The code of all that stands around the picture: it travels packed, and is read once the first picture is painted. */
import { place } from "./place.ts";
import * as shared from "./shared.ts";
import type { Model } from "./traits.ts";
import { runPacked } from "./unpack.ts";
import type * as surroundings from "./view/surroundings.ts";

type Rest = typeof surroundings;

let rest: Rest | null = null;
let coming: Promise<Rest> | null = null;

/** At once where it is on the page already. */
export function restOf(model: Model): Rest | Promise<Rest> {
  if (rest === null && place().surroundings !== undefined) rest = place().surroundings!(shared);
  if (rest !== null) return rest;
  coming ??= runPacked(model.get("_surroundings_code"))
    .then(() => {
      rest ??= place().surroundings!(shared);
      return rest;
    })
    .finally(() => {
      coming = null; // where it failed, the next grid may bring it
    });
  return coming;
}
