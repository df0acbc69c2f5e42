/** What the page and the kernel say to each other beside the traits; twin of messages.py. */

/** A cell was clicked: its position in the whole matrix. */
export interface ClickMessage {
  readonly kind: "click";
  readonly row: number;
  readonly column: number;
}

export type Request = ClickMessage;
