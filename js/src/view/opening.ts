/** From a cell to its tensor, which takes the grid's place, and back. */
import { button, element, setText, toggle } from "../dom.ts";
import type { Exchange } from "../exchange.ts";
import { innerModel } from "../inner.ts";
import type { OpenReply } from "../messages.ts";
import type { Page, Setting } from "./page.ts";

const PATIENCE_MS = 5000;

export interface Opening {
  /** That a tensor is awaited; hidden where none is. */
  readonly root: HTMLElement;
  /** Open the tensor of a cell of the matrix, if it has one. */
  open(row: number, column: number): void;
  destroy(): void;
}

export function createOpening(setting: Setting, ask: Exchange["ask"], say: (text: string) => void): Opening {
  const { model, page, readState, hasKernel } = setting;
  const waiting = createWaiting();
  let shown: { readonly page: Page; close(): void } | null = null;
  let wanted: AbortController | null = null;

  const leave = () => {
    shown?.page.destroy();
    shown?.close();
    shown = null;
  };
  const back = () => {
    leave();
    page.show(true);
    page.focus();
  };
  const enter = (reply: OpenReply) => {
    const inner = innerModel(model, reply);
    page.show(false);
    const entry = { above: createCrumbs(reply.steps, back), leave: back };
    shown = { page: setting.nest(inner.model, entry), close: inner.close };
    shown.page.focus();
  };

  return {
    root: waiting.root,
    open(row, column) {
      const { opens, matrix } = readState();
      if (!opens) return;
      if (!hasKernel) return say("Tensors open in a notebook only: this page has no kernel to read them.");
      wanted?.abort();
      const mine = new AbortController();
      wanted = mine;
      say("");
      const cell = `${matrix.components.at(column)} of ${matrix.axes[0]} ${matrix.layers.at(row)}`;
      waiting.start(cell, () => mine.abort());
      ask({ kind: "open", row, column }, Infinity, mine.signal)
        .then(enter)
        .catch((error: Error) => {
          if (!mine.signal.aborted) say(`It could not be opened: ${error.message}`);
        })
        .finally(() => {
          if (wanted !== mine) return;
          wanted = null;
          waiting.stop();
        });
    },
    destroy() {
      wanted?.abort();
      waiting.stop();
      leave();
    },
  };
}

/** `model > layer 15 > attn.k`: the first step leads back. */
function createCrumbs([model = "model", ...rest]: readonly string[], back: () => void): HTMLElement {
  return element(
    "nav",
    "layergrid-crumbs",
    { "aria-label": "From the model to this tensor" },
    button("layergrid-link layergrid-back", model, "Back to the grid (Escape)", back),
    ...rest.flatMap((step) => [
      element("span", "layergrid-muted", {}, "\u203a"),
      element("span", "", {}, step),
    ]),
  );
}

/** That a tensor is being opened, and the way to stop it. */
function createWaiting() {
  let stop = () => {};
  let timer: ReturnType<typeof setTimeout> | undefined;
  const text = element("span", "layergrid-muted");
  const root = element(
    "div",
    "layergrid-opening",
    { role: "status", hidden: true },
    element("progress", "layergrid-progress-bar", { "aria-label": "Opening a tensor" }),
    text,
    button("layergrid-link", "stop", "Do not open it", () => stop()),
  );
  const end = () => {
    clearTimeout(timer);
    toggle(root, false);
  };
  return {
    root,
    start(what: string, abort: () => void) {
      end();
      stop = abort;
      setText(text, `opening ${what}`);
      toggle(root, true);
      timer = setTimeout(
        () => setText(text, `opening ${what}: the kernel has not answered yet; it is busy, or gone`),
        PATIENCE_MS,
      );
    },
    stop: end,
  };
}
