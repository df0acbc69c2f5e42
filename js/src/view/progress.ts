/** How many of the cells have arrived, where all of them are to come, and the way to stop it. */
import { button, element, setText, toggle } from "../dom.ts";
import type { State } from "../model.ts";

export interface Progress {
  readonly root: HTMLElement;
  draw(state: State): void;
}

export function createProgress(): Progress {
  let cancel = () => {};
  const bar = element("progress", "layergrid-progress-bar", {
    max: 1,
    "aria-label": "Cells that have arrived",
  });
  const text = element("span", "layergrid-muted");
  const stop = button("layergrid-link", "stop", "Ask for no more cells; the overview stays", () => cancel());
  const root = element("div", "layergrid-progress", { hidden: true }, bar, text, stop);
  return {
    root,
    draw({ matrix }) {
      const share = matrix.far?.progress() ?? null;
      toggle(root, share !== null);
      if (share === null || matrix.far === null) return;
      cancel = matrix.far.cancel;
      bar.value = share;
      setText(text, `${Math.floor(share * 100)} % of the cells are here`);
    },
  };
}
