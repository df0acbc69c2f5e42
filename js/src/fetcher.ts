/** Pages that are asked for one by one: which to ask for next, and what to say while one is awaited. */
import type { PageReply } from "./messages.ts";
import { createQueue } from "./queue.ts";

const PATIENCE_MS = 3000;

export interface Fetcher {
  /** Ask for a page to show it when it is here. A later wish takes the place of an earlier one. */
  want(page: number): void;
  /** The awaited page is no longer wanted. */
  drop(): void;
  /** Ask for pages that may be wanted soon, in place of those that were, as long as none is awaited. */
  ahead(pages: readonly number[]): void;
  /** The page that is awaited; null where none is. */
  awaited(): number | null;
  /** Why an awaited page is not here, in words; "" where there is nothing to say. */
  trouble(): string;
  /** Replies to what was asked before are of no use: the grid has other pages now. */
  reset(): void;
  stop(): void;
}

export interface FetcherActions {
  ask(page: number, giveUp: AbortSignal): Promise<PageReply>;
  isHere(page: number): boolean;
  /** Keep a page; false where the reply does not make one. */
  keep(reply: PageReply): boolean;
  /** The awaited page is here. */
  arrived(page: number, reply: PageReply): void;
  /** There is something else to say. */
  changed(): void;
}

export function createFetcher(actions: FetcherActions): Fetcher {
  let wanted: number | null = null;
  let neighbours: readonly number[] = [];
  let trouble = "";

  const say = (text: string) => {
    if (text === trouble) return;
    trouble = text;
    actions.changed();
  };
  const ask = () =>
    queue.want(wanted === null ? neighbours.filter((page) => !actions.isHere(page)) : [wanted]);
  const failed = (page: number, message: string) => {
    if (page !== wanted) return;
    wanted = null;
    say(`This page could not be had: ${message}`);
    ask();
  };
  const queue = createQueue<number, PageReply>(
    {
      key: (page) => page,
      ask: actions.ask,
      arrived(page, reply) {
        if (!actions.keep(reply)) return failed(page, "the reply is damaged");
        if (page !== wanted) return;
        wanted = null;
        say("");
        actions.arrived(page, reply);
        ask();
      },
      failed,
      late() {
        if (wanted !== null)
          say("The kernel has not sent this page yet: it is busy, or gone. The last page stays in sight.");
      },
    },
    PATIENCE_MS,
    { keepsAsked: true },
  );

  return {
    want(page) {
      wanted = page;
      say("");
      ask();
      actions.changed();
    },
    drop() {
      wanted = null;
      say("");
    },
    ahead(pages) {
      neighbours = pages;
      ask();
    },
    awaited: () => wanted,
    trouble: () => trouble,
    reset() {
      neighbours = [];
      queue.restart(wanted === null ? [] : [wanted]);
    },
    stop: queue.stop,
  };
}
