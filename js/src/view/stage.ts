/** What stands in the widget's place: the grid, or the tensor that was opened from one of its cells. */
import { button, element, setText, toggle } from "../dom.ts";
import { innerModel } from "../inner.ts";
import type { OpenReply } from "../messages.ts";
import { bindModel, type Model, stateReader } from "../model.ts";
import { createPage } from "./page.ts";

const PATIENCE_MS = 5000;

/** How an opened tensor came about, for its page. */
interface Entry {
  readonly steps: readonly string[];
  back(): void;
}

export interface Stage {
  focus(): void;
  destroy(): void;
}

export function createStage(
  model: Model,
  el: HTMLElement,
  hasKernel: boolean,
  entry: Entry | null = null,
): Stage {
  const readState = stateReader(model, () => page.request());
  const binding = bindModel(model, readState, () => page.request());
  const opening = createOpening();
  let shown: { readonly stage: Stage; close(): void } | null = null;
  let waiting: AbortController | null = null;

  const back = () => {
    shown?.stage.destroy();
    shown?.close();
    shown = null;
    page.show(true);
    page.focus();
  };
  const enter = (reply: OpenReply) => {
    const inner = innerModel(model, reply);
    page.show(false);
    shown = {
      stage: createStage(inner.model, el, hasKernel, { steps: reply.steps, back }),
      close: inner.close,
    };
    shown.stage.focus();
  };
  const open = (row: number, column: number) => {
    if (!readState().opens) return;
    if (!hasKernel) return page.say("Tensors open in a notebook only: this page has no kernel to read them.");
    waiting?.abort();
    const mine = new AbortController();
    waiting = mine;
    const { layers, components } = readState().matrix;
    page.say("");
    opening.start(`${components.at(column)} of ${readState().matrix.axes[0]} ${layers.at(row)}`, () =>
      mine.abort(),
    );
    binding
      .ask({ kind: "open", row, column }, Infinity, mine.signal)
      .then(enter)
      .catch((error: Error) => {
        if (!mine.signal.aborted) page.say(`It could not be opened: ${error.message}`);
      })
      .finally(() => {
        if (waiting !== mine) return;
        waiting = null;
        opening.stop();
      });
  };

  const crumbs = entry === null ? [] : [createCrumbs(entry)];
  const page = createPage(el, readState, binding, {
    above: [...crumbs, opening.root],
    hasKernel,
    open,
    leave: () => entry?.back(),
  });
  page.drawNow();
  return {
    focus: page.focus,
    destroy() {
      waiting?.abort();
      opening.stop();
      shown?.stage.destroy();
      shown?.close();
      page.destroy();
      binding.stop();
    },
  };
}

/** `model > layer 15 > attn.k`: the first step leads back. */
function createCrumbs({ steps: [model = "model", ...rest], back }: Entry): HTMLElement {
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
function createOpening() {
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
