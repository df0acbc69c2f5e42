/** Pages that are asked for one by one: which to ask for next, and what to say while one is awaited. */
import type { ErrorReply, PageReply, PageRequest } from "./messages.ts";

const MOST_IN_FLIGHT = 2;
const PATIENCE_MS = 3000;

export interface Fetcher {
  /** Ask for a page to show it when it is here. A later wish takes the place of an earlier one. */
  want(page: number): void;
  /** The awaited page is no longer wanted. */
  drop(): void;
  /** Ask for pages that may be wanted soon, in place of those that were, as long as none is awaited. */
  ahead(pages: readonly number[]): void;
  receive(reply: PageReply | ErrorReply, buffers: readonly DataView[]): void;
  /** The page that is awaited; null where none is. */
  awaited(): number | null;
  /** Why an awaited page is not here, in words; "" where there is nothing to say. */
  trouble(): string;
  /** Replies to what was asked before are of no use: the grid has other pages now. */
  reset(): void;
  stop(): void;
}

export interface FetcherActions {
  send(request: PageRequest): void;
  isHere(page: number): boolean;
  /** Keep a page; false where the reply does not make one. */
  keep(reply: PageReply, buffers: readonly DataView[]): boolean;
  /** The awaited page is here. */
  arrived(page: number, reply: PageReply): void;
  /** There is something else to say. */
  changed(): void;
}

/** `firstId` should differ between the views of a model, since each hears the replies to all. */
export function createFetcher(actions: FetcherActions, firstId: number): Fetcher {
  const asked = new Map<number, number>(); // id -> page, of all that may still be answered
  const inFlight = new Set<number>(); // ids of those that are waited for
  let nextId = firstId;
  let wanted: number | null = null;
  let queue: readonly number[] = [];
  let trouble = "";
  let timer: ReturnType<typeof setTimeout> | null = null;

  const say = (text: string) => {
    if (text === trouble) return;
    trouble = text;
    actions.changed();
  };
  const settle = () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
  };
  const loseHope = () => {
    timer = null;
    inFlight.clear(); // a reply that comes late is welcome; one that does not must not block the next request
    say("The kernel has not sent this page yet: it is busy, or gone. The last page stays in sight.");
  };
  const request = (page: number) => {
    const id = nextId++;
    asked.set(id, page);
    inFlight.add(id);
    try {
      actions.send({ kind: "page", id, page });
    } catch (error) {
      fail({ kind: "error", id, message: String(error) });
    }
  };
  const fail = ({ id, message }: ErrorReply) => {
    const page = asked.get(id);
    asked.delete(id);
    inFlight.delete(id);
    if (page !== wanted) return;
    wanted = null;
    settle();
    say(`This page could not be had: ${message}`);
  };
  const pump = () => {
    const flying = new Set(Array.from(inFlight, (id) => asked.get(id)));
    for (const page of wanted === null ? queue : [wanted]) {
      if (inFlight.size >= MOST_IN_FLIGHT) return;
      if (!flying.has(page) && !actions.isHere(page)) request(page);
    }
  };

  return {
    want(page) {
      wanted = page;
      settle();
      timer = setTimeout(loseHope, PATIENCE_MS);
      say("");
      pump();
      actions.changed();
    },
    drop() {
      wanted = null;
      settle();
      say("");
    },
    ahead(pages) {
      queue = pages;
      pump();
    },
    receive(reply, buffers) {
      if (!asked.has(reply.id)) return; // of another view, or of values that are no longer shown
      if (reply.kind === "error") fail(reply);
      else if (!actions.keep(reply, buffers))
        fail({ kind: "error", id: reply.id, message: "the reply is damaged" });
      else {
        asked.delete(reply.id);
        inFlight.delete(reply.id);
        if (reply.page === wanted) {
          wanted = null;
          settle();
          say("");
          actions.arrived(reply.page, reply);
        }
      }
      pump();
    },
    awaited: () => wanted,
    trouble: () => trouble,
    reset() {
      asked.clear();
      inFlight.clear();
      queue = [];
      pump();
    },
    stop: settle,
  };
}
