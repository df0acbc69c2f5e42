/** What is known of a tensor before any of it is read. */
import type { Division } from "./divisions.ts";
import type { Told } from "./messages.ts";

export interface OpenedTensor {
  /** As stored: "BF16". */
  readonly dtype: string;
  readonly divisions: readonly Division[];
  /** Names and values of the metrics of the cell that it was opened from. */
  readonly cell: readonly (readonly [string, Told])[];
  /** Of a comparison, what the two are called; else none. */
  readonly models: readonly string[];
  /** Which of the three matrices of a comparison it is: the first model's, the second's, or the difference. */
  readonly side: number;
}

/** The matrices that may be shown of a comparison, short and in full; none of a single model. */
export function sidesOf({ models }: OpenedTensor): { readonly short: string; readonly full: string }[] {
  const [base, other] = models;
  if (base === undefined || other === undefined) return [];
  return [
    { short: "A", full: base },
    { short: "B", full: other },
    { short: "B \u2212 A", full: `${other} minus ${base}` },
  ];
}
