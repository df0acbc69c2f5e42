/**
 * What the page and the kernel say to each other beside the traits; twin of messages.py.
 *
 * tests/fixtures/messages.json holds one of each kind, which both sides read.
 */
import type { PackedParameters } from "./labels.ts";
import type { Aggregate, Window } from "./windows.ts";

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

/** A part of a large grid is wanted, in blocks; exactly one reply of the same id follows. */
export interface WindowRequest extends Window {
  readonly kind: "window";
  readonly id: number;
  /** Of the values: answers about others are refused. */
  readonly version: number;
  readonly rowFactor: number;
  readonly columnFactor: number;
  readonly aggregate: Aggregate;
  readonly center: number;
}

/** What was asked for is no longer wanted; its reply still follows. */
export interface CancelMessage {
  readonly kind: "cancel";
  readonly id: number;
}

/** The tensor of a cell is wanted; exactly one reply follows, and from then on the id is that of the inner grid. */
export interface OpenRequest {
  readonly kind: "open";
  readonly id: number;
  readonly row: number;
  readonly column: number;
  /** Of a comparison: 0 for the first model, 1 for the second, 2 for the difference; missing for the usual one. */
  readonly side?: number;
}

/** What a grid and its page say to each other, as ipywidgets has it. */
export type InnerContent =
  | { readonly method: "update"; readonly state: Packed; readonly buffer_paths: readonly BufferPath[] }
  | { readonly method: "custom"; readonly content: unknown };

/** State without its bytes, which travel as buffers. */
export type Packed = Readonly<Record<string, unknown>>;

/** Where in a state a buffer belongs. */
export type BufferPath = readonly (string | number)[];

/** What is said to an opened tensor, and by it: in both directions. */
export interface InnerMessage {
  readonly kind: "inner";
  readonly id: number;
  readonly content: InnerContent;
}

/** The page has gone back from a tensor. */
export interface CloseMessage {
  readonly kind: "close";
  readonly id: number;
}

/** Of a tensor: its distribution, its largest entries and its norms are wanted; all of it is read for that. */
export interface SummaryRequest {
  readonly kind: "summary";
  readonly id: number;
}

/** Of a tensor: its singular values are wanted. */
export interface SpectrumRequest {
  readonly kind: "spectrum";
  readonly id: number;
}

export type Request =
  | ClickMessage
  | PageRequest
  | FindingsRequest
  | ClaimRequest
  | WindowRequest
  | CancelMessage
  | OpenRequest
  | InnerMessage
  | CloseMessage
  | SummaryRequest
  | SpectrumRequest;

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
  /** As they arrived with it. */
  readonly buffers?: readonly DataView[];
}

/** Goes with two buffers: values in blocks, row by row, and absent blocks as bits. */
export interface WindowReply {
  readonly kind: "window";
  readonly id: number;
  readonly dtype: "f4" | "f8";
  /** As they arrived with it. */
  readonly buffers?: readonly DataView[];
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

/** Goes with the buffers of the state. */
export interface OpenReply {
  readonly kind: "open";
  readonly id: number;
  readonly state: Packed;
  readonly paths: readonly BufferPath[];
  /** From the model to the tensor, in words. */
  readonly steps: readonly string[];
  /** As they arrived with it. */
  readonly buffers?: readonly DataView[];
}

/** A number, or as text "nan", "inf" or "-inf", which JSON has no numbers for. */
export type Told = number | string;

/** Goes with two buffers: norms of the rows and of the columns, float32. */
export interface SummaryReply {
  readonly kind: "summary";
  readonly id: number;
  readonly low: Told;
  readonly high: Told;
  /** Finite entries in equal parts of [low, high]. */
  readonly counts: readonly number[];
  readonly quantiles: readonly (readonly [number, Told])[];
  readonly metrics: readonly (readonly [string, Told])[];
  /** Row, column, value; by magnitude, the largest first. */
  readonly largest: readonly (readonly [number, number, Told])[];
  readonly nan: number;
  readonly inf: number;
  /** As they arrived with it. */
  readonly buffers?: readonly DataView[];
}

/** Goes with a buffer: the singular values, float64, the largest first. */
export interface SpectrumReply {
  readonly kind: "spectrum";
  readonly id: number;
  readonly largest: Told;
  readonly stableRank: Told;
  readonly effectiveRank: Told;
  /** As they arrived with it. */
  readonly buffers?: readonly DataView[];
}

/** How far the answer to a question is, from 0 to 1; its reply is still to come. */
export interface ProgressMessage {
  readonly kind: "progress";
  readonly id: number;
  readonly share: number;
}

export type Reply =
  | SummaryReply
  | SpectrumReply
  | ProgressMessage
  | PageReply
  | WindowReply
  | FindingsReply
  | ClaimReply
  | OpenReply
  | ErrorReply;

const KINDS: readonly string[] = [
  "page",
  "window",
  "findings",
  "claim",
  "open",
  "summary",
  "spectrum",
  "progress",
  "error",
] satisfies Reply["kind"][];

/** The reply that a message is, with the buffers that came with it; null where it is none. */
export function readReply(content: unknown, buffers: readonly DataView[] = []): Reply | null {
  const reply = content as Reply | null;
  const known = KINDS.includes(reply?.kind as string);
  if (!known || typeof reply!.id !== "number") return null;
  return buffers.length === 0 ? reply : ({ ...reply, buffers } as Reply);
}
