/** From a cell to its tensor, which takes the grid's place, and back. */
import { button, element, setText, toggle } from "../dom.ts";
import type { Exchange } from "../exchange.ts";
import { innerModel } from "../inner.ts";
import type { OpenReply } from "../messages.ts";
import { type OpenedTensor, sidesOf } from "../opened.ts";
import type { Page, Setting } from "./page.ts";

const PATIENCE_MS = 5000;

export interface Opening {
  /** That a tensor is awaited; hidden where none is. */
  readonly root: HTMLElement;
  /** Open the tensor of a cell of the matrix, if it has one. */
  open(row: number, column: number): void;
  destroy(): void;
}

/** One matrix of the opened cell: in sight, or kept beside the one that is. */
interface Opened {
  readonly page: Page;
  close(): void;
}

export function createOpening(setting: Setting, ask: Exchange["ask"], say: (text: string) => void): Opening {
  const { model, page, readState, hasKernel } = setting;
  const waiting = createWaiting();
  /** By side, where it is the cell of a comparison. */
  const opened = new Map<number, Opened>();
  let shown: Opened | null = null;

  const leave = () => {
    waiting.stop();
    for (const one of opened.values()) {
      one.page.destroy();
      one.close();
    }
    opened.clear();
    shown = null;
  };
  const back = () => {
    leave();
    page.show(true);
    page.focus();
  };
  const put = (next: Opened) => {
    const view = shown?.page.view() ?? null;
    shown?.page.show(false);
    shown = next;
    next.page.show(true);
    next.page.view(view);
    next.page.focus();
  };
  const fetch = async (row: number, column: number, side: number | null, giveUp: AbortSignal) => {
    const question = { kind: "open", row, column, ...(side === null ? {} : { side }) } as const;
    const reply = await ask(question, Infinity, giveUp);
    if (!giveUp.aborted) return reply;
    model.send({ kind: "close", id: reply.id }); // it crossed the word to stop
    throw new Error("It was stopped.");
  };
  const enter = (reply: OpenReply, row: number, column: number) => {
    const inner = innerModel(model, reply);
    const tensor = inner.model.get("_tensor") as OpenedTensor;
    const turning = createWaiting();
    const turn = (side: number, name: string) => {
      if (side === tensor.side) return;
      turning.run(name, async (giveUp) => {
        const there = opened.get(side);
        if (there !== undefined) put(there);
        else enter(await fetch(row, column, side, giveUp), row, column);
      });
    };
    page.show(false);
    const above = element("div", "", {}, createCrumbs(reply.steps, back, tensor, turn), turning.root);
    const made = setting.nest(inner.model, { above, leave: back });
    const close = () => {
      turning.stop();
      inner.close();
    };
    opened.set(tensor.side, { page: made, close });
    put(opened.get(tensor.side)!);
  };

  return {
    root: waiting.root,
    open(row, column) {
      const { opens, matrix } = readState();
      if (!opens) return;
      if (!hasKernel) return say("Tensors open in a notebook only: this page has no kernel to read them.");
      say("");
      const cell = `${matrix.components.at(column)} of ${matrix.axes[0]} ${matrix.layers.at(row)}`;
      waiting.run(cell, async (giveUp) => enter(await fetch(row, column, null, giveUp), row, column));
    },
    destroy: leave,
  };
}

/** `model > layer 15 > attn.k`: the first step leads back; behind the last are the matrices of a comparison. */
function createCrumbs(
  [model = "model", ...rest]: readonly string[],
  back: () => void,
  tensor: OpenedTensor,
  turn: (side: number, name: string) => void,
): HTMLElement {
  const sides = sidesOf(tensor).map(({ short, full }, side) => {
    const chooser = button("layergrid-link", short, full, () => turn(side, short));
    chooser.setAttribute("aria-pressed", String(side === tensor.side));
    return chooser;
  });
  return element(
    "nav",
    "layergrid-crumbs",
    { "aria-label": "From the model to this tensor" },
    button("layergrid-link layergrid-back", model, "Back to the grid (Escape)", back),
    ...rest.flatMap((step) => [
      element("span", "layergrid-muted", {}, "\u203a"),
      element("span", "", {}, step),
    ]),
    ...(sides.length === 0 ? [] : [element("span", "layergrid-sides", {}, ...sides)]),
  );
}

/** That a tensor is being opened, the way to stop it, and why where it could not be. */
function createWaiting() {
  let wanted: AbortController | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const text = element("span", "layergrid-muted");
  const bar = element("progress", "layergrid-progress-bar", { "aria-label": "Opening a tensor" });
  const stopper = button("layergrid-link", "stop", "Do not open it", () => stop());
  const root = element("div", "layergrid-opening", { role: "status", hidden: true }, bar, text, stopper);
  const show = (said: string, busy: boolean) => {
    clearTimeout(timer);
    setText(text, said);
    toggle(root, said !== "");
    toggle(bar, busy);
    toggle(stopper, busy);
  };
  const stop = () => {
    wanted?.abort();
    wanted = null;
    show("", false);
  };
  return {
    root,
    stop,
    /** Do what opens `what`, instead of what is being opened. */
    run(what: string, work: (giveUp: AbortSignal) => Promise<void>) {
      stop();
      const mine = new AbortController();
      wanted = mine;
      show(`opening ${what}`, true);
      timer = setTimeout(
        () => setText(text, `opening ${what}: the kernel has not answered yet; it is busy, or gone`),
        PATIENCE_MS,
      );
      work(mine.signal).then(
        () => {
          if (wanted === mine) stop();
        },
        (error: Error) => {
          if (wanted !== mine) return;
          wanted = null;
          show(`It could not be opened: ${error.message}`, false);
        },
      );
    },
  };
}
