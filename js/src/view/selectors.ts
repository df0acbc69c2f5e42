/** Where one is along the dims that are neither rows nor columns: a slider where labels are numbers, else a menu. */
import { button, element, menu, setAttributes, setText, toggle } from "../dom.ts";
import { shorten } from "../format.ts";
import type { State } from "../model.ts";
import { placesAt, type Selector } from "../pages.ts";
import { turnedTo } from "../turning.ts";

const LONGEST_LABEL = 28;
const CHARACTER_WIDTH = 7.2;
const PLAY_MS = 6000; // through all places, as long as a step is neither too fast to see nor too slow to wait for
const FASTEST_STEP_MS = 120;
const SLOWEST_STEP_MS = 500;
const CALM_STEP_MS = 1000;

export interface Selectors {
  readonly root: HTMLElement;
  /** Draw the shown page, or the one that is awaited. */
  draw(state: State, awaited: number | null): void;
  destroy(): void;
}

interface Control {
  readonly root: HTMLElement;
  draw(place: number): void;
  destroy(): void;
}

export function createSelectors(turn: (page: number) => void): Selectors {
  const root = element("div", "layergrid-selectors", { role: "group", "aria-label": "Shown page" });
  let state: State | null = null;
  let page = 0; // the shown one, or the awaited one
  let waiting = false;
  let standing: readonly Selector[] | null = null;
  let controls: (Control | null)[] = [];

  const go = (order: number, place: number) => {
    if (state !== null) turn(turnedTo(state.pages.selectors, page, order, place));
  };
  const rebuild = (selectors: readonly Selector[]) => {
    for (const control of controls) control?.destroy();
    controls = selectors.map((selector, order) => {
      if (selector.labels.length < 2) return null;
      const make = selector.numeric ? createSlider : createMenu;
      return make(
        selector,
        (place) => go(order, place),
        () => waiting,
      );
    });
    root.replaceChildren(...controls.flatMap((control) => (control === null ? [] : [control.root])));
    standing = selectors;
  };

  return {
    root,
    draw(next, awaited) {
      state = next;
      page = awaited ?? next.page;
      waiting = awaited !== null;
      setAttributes(root, { "aria-busy": waiting ? "true" : null });
      const { selectors } = next.pages;
      if (selectors !== standing) rebuild(selectors);
      const places = placesAt(selectors, page);
      controls.forEach((control, order) => {
        control?.draw(places[order]!);
      });
    },
    destroy() {
      for (const control of controls) control?.destroy();
    },
  };
}

function createMenu({ dim, labels }: Selector, go: (place: number) => void): Control {
  const choices = Array.from({ length: labels.length }, (_, place) => String(place));
  const field = menu(
    dim,
    choices,
    (place) => go(Number(place)),
    (place) => shorten(String(labels.at(Number(place))), LONGEST_LABEL),
  );
  field.prepend(element("span", "", {}, shorten(dim, LONGEST_LABEL)));
  field.dataset.dim = dim;
  const select = field.querySelector("select")!;
  return {
    root: field,
    draw(place) {
      select.value = String(place);
    },
    destroy() {},
  };
}

function createSlider(
  { dim, labels }: Selector,
  go: (place: number) => void,
  isWaiting: () => boolean,
): Control {
  const last = labels.length - 1;
  const range = element("input", "layergrid-range", {
    type: "range",
    min: 0,
    max: last,
    step: 1,
    "aria-label": dim,
    "data-lm-suppress-shortcuts": "true",
  });
  const value = element("output", "layergrid-selector-value");
  const longest = Math.max(...Array.from({ length: labels.length }, (_, at) => String(labels.at(at)).length));
  value.style.minWidth = `${Math.ceil(Math.min(longest, LONGEST_LABEL) * CHARACTER_WIDTH)}px`;
  let place = 0;
  let timer: ReturnType<typeof setTimeout> | null = null;

  const stop = () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    setText(play, "play");
    play.setAttribute("aria-label", `Play ${dim}`);
  };
  const next = () => {
    if (place >= last) return stop();
    if (!isWaiting()) go(place + 1);
    timer = setTimeout(next, stepInterval(labels.length));
  };
  const play = button("layergrid-link layergrid-play", "play", `Show one ${dim} after the other`, () => {
    if (timer !== null) return stop();
    setText(play, "pause");
    play.setAttribute("aria-label", `Pause ${dim}`);
    go(place >= last ? 0 : place + 1);
    timer = setTimeout(next, stepInterval(labels.length));
  });
  play.setAttribute("aria-label", `Play ${dim}`);
  range.addEventListener("input", () => {
    stop();
    go(Number(range.value));
  });
  const root = element(
    "div",
    "layergrid-field layergrid-slider",
    { "data-dim": dim },
    element("span", "", {}, shorten(dim, LONGEST_LABEL)),
    range,
    value,
    play,
  );
  return {
    root,
    draw(at) {
      place = at;
      const label = shorten(String(labels.at(at)), LONGEST_LABEL);
      if (range.value !== String(at)) range.value = String(at);
      setAttributes(range, { "aria-valuetext": label });
      setText(value, label);
      toggle(play, labels.length > 2);
    },
    destroy: stop,
  };
}

/** Time that each place is shown. Who asked for less motion gets a slow change of pictures. */
function stepInterval(places: number): number {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return CALM_STEP_MS;
  return Math.min(SLOWEST_STEP_MS, Math.max(FASTEST_STEP_MS, PLAY_MS / places));
}
