/** What the page asks the kernel for: pages, cells of large matrices, and answers to questions. */
import type { Binding } from "./binding.ts";
import { readCells } from "./cells.ts";
import { createFar, type FarActions } from "./far.ts";
import { createFetcher } from "./fetcher.ts";
import { fittingLimits } from "./limits.ts";
import { createLoading } from "./loading.ts";
import { type PageReply, readReply } from "./messages.ts";
import type { FarMaker, Matrix, State } from "./model.ts";
import type { FarCells } from "./overview.ts";
import { createRequests, type Requests } from "./requests.ts";
import type { Domain } from "./scale.ts";
import type { Model } from "./traits.ts";
import { neighbours, positionAt, selectorBetween } from "./turning.ts";

/** Every view of a widget, in whatever window, hears all replies: their ids must differ. */
const firstId = () => Math.floor(Math.random() * 2 ** 40);

export interface Exchange {
  /** Show another page, at once or when it is here; a domain that fits follows it. */
  turn(page: number): void;
  /** Ask for the pages next to the shown one, where they are not here. */
  lookAhead(): void;
  /** The page that is awaited (null where none is), and why it is not here, in words. */
  awaited(): { readonly page: number | null; readonly trouble: string };
  readonly ask: Requests["ask"];
  readonly farMaker: FarMaker;
  stop(): void;
}

/** `changed` runs when something has arrived that was asked for, or there is something to say. */
export function createExchange(
  model: Model,
  readState: () => State,
  change: Binding["change"],
  changed: () => void,
): Exchange {
  const requests = createRequests((request) => model.send(request), firstId());
  const cells: FarActions = {
    async ask(question, rows, columns, giveUp) {
      const reply = await requests.ask(question, Infinity, giveUp);
      return readCells(reply, reply.buffers ?? [], rows, columns);
    },
    changed,
  };
  let far: FarCells | null = null;
  const turnNow = (page: number, sent: Domain | null) => {
    const { pages, page: before, fitted, scaleOver } = readState();
    const domain = fitted ? (pages.domain(page, scaleOver) ?? sent) : null;
    change({
      position: positionAt(pages.selectors, page),
      ...(domain === null ? {} : fittingLimits(domain)),
    });
    fetcher.ahead(neighbours(pages.selectors, page, selectorBetween(pages.selectors, before, page)));
  };
  const fetcher = createFetcher({
    ask: (page, giveUp) => requests.ask({ kind: "page", page }, Infinity, giveUp),
    isHere: (page) => readState().pages.at(page) !== null,
    keep(reply) {
      const { pages, matrix: like } = readState();
      const matrix = readPage(reply, like);
      if (matrix !== null) pages.add(reply.page, matrix);
      return matrix !== null;
    },
    arrived(page, { domain }) {
      if (readState().missing === page) changed();
      else turnNow(page, domain === null ? null : { low: domain[0], high: domain[1], center: domain[2] });
    },
    changed,
  });
  const receive = (content: unknown, buffers: readonly DataView[]) => {
    const reply = readReply(content, buffers);
    if (reply !== null) requests.receive(reply);
  };
  const wantMissing = () => {
    const { missing } = readState();
    if (missing !== null && missing !== fetcher.awaited()) fetcher.want(missing);
  };
  model.on("msg:custom", receive);
  const changedPages = () => fetcher.reset();
  model.on("change:_values", changedPages);
  model.on("change:_selectors", changedPages);
  model.on("change:position", wantMissing);

  return {
    farMaker(shape, { whole, version }) {
      far?.stop(); // of other values
      far = whole === "" ? createFar(shape, version, cells) : createLoading(shape, whole, version, cells);
      return far;
    },
    turn(page) {
      if (readState().pages.at(page) === null) return fetcher.want(page);
      fetcher.drop();
      turnNow(page, null);
    },
    lookAhead() {
      const { pages, page } = readState();
      wantMissing();
      fetcher.ahead(neighbours(pages.selectors, page, selectorBetween(pages.selectors, page, page)));
    },
    awaited: () => ({ page: fetcher.awaited(), trouble: fetcher.trouble() }),
    ask: requests.ask,
    stop() {
      model.off("msg:custom", receive);
      model.off("change:_values", changedPages);
      model.off("change:_selectors", changedPages);
      model.off("change:position", wantMissing);
      fetcher.stop();
      far?.stop();
      requests.stop();
    },
  };
}

/** The page that a reply carries, of the shape and labels of another; null where its bytes do not make one. */
function readPage(reply: PageReply, like: Matrix): Matrix | null {
  const cells = readCells(reply, reply.buffers ?? [], like.rows, like.columns);
  return cells === null ? null : { ...like, ...cells, parameters: reply.parameters };
}
