/**
 * What the page and the kernel say to each other beside the traits; twin of messages.py.
 *
 * tests/fixtures/messages.json holds one of each kind, which both sides read.
 */
import type { PackedParameters } from "./labels.ts";

/** A cell was clicked: its position in the whole matrix. */
export interface ClickMessage {
  readonly kind: "click";
  readonly row: number;
  readonly column: number;
}

/** A page of the grid is wanted; exactly one reply of the same id follows. */
export interface PageRequest {
  readonly kind: "page";
  readonly id: number;
  readonly page: number;
}

/** The findings are wanted; they arrive as state, and then the reply of the same id. */
export interface FindingsRequest {
  readonly kind: "findings";
  readonly id: number;
}

/** Do the numbers bear out a sentence? Exactly one reply of the same id follows. */
export interface ClaimRequest {
  readonly kind: "claim";
  readonly id: number;
  readonly claim: string;
}

export type Request = ClickMessage | PageRequest | FindingsRequest | ClaimRequest;

/** Twin of LONGEST_CLAIM in messages.py. */
export const LONGEST_CLAIM = 1000;

/** Goes with two buffers: values as `_values` has them, and absent cells as `_absent`. */
export interface PageReply {
  readonly kind: "page";
  readonly id: number;
  readonly page: number;
  readonly dtype: "f4" | "f8";
  readonly parameters: PackedParameters;
  /** Low, high and center over all pages of the metric; null where the scale is over the page. */
  readonly domain: readonly [number, number, number] | null;
}

export interface ErrorReply {
  readonly kind: "error";
  readonly id: number;
  readonly message: string;
}

export interface FindingsReply {
  readonly kind: "findings";
  readonly id: number;
}

export interface ClaimReply {
  readonly kind: "claim";
  readonly id: number;
  readonly verdict: string;
  readonly statement: string;
  /** The cells it rests on: first and last row, first and last column of each box, one after another. */
  readonly boxes: readonly number[];
}

export type Reply = PageReply | FindingsReply | ClaimReply | ErrorReply;

/** The reply that a message is; null where it is none. */
export function readReply(content: unknown): Reply | null {
  const reply = content as Reply | null;
  const known = ["page", "findings", "claim", "error"].includes(reply?.kind as string);
  return known && typeof reply!.id === "number" ? reply : null;
}
