/** Limits of the color scale as changes of traits. */
import type { Domain } from "./scale.ts";
import type { Changes } from "./traits.ts";

/** The changes that make a domain the one in force, and let it follow the pages. */
export function fittingLimits({ low, high, center }: Domain): Changes {
  return { vmin: low, vmax: high, center, _fitted: true };
}
