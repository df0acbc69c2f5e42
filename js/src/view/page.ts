/** The page: the picture first of all; what stands around it comes after, and has its place kept. */
import { type Binding, bindModel } from "../binding.ts";
import { element, setText, toggle } from "../dom.ts";
import { type Figure, figureMaker } from "../figure.ts";
import { type State, stateReader } from "../model.ts";
import { overviewAlone } from "../overview.ts";
import { restOf } from "../rest.ts";
import { type Division, divideRoom } from "../room.ts";
import { afterPaintScheduler, frameScheduler } from "../schedule.ts";
import { type CellId, MOST_SELECTED } from "../selection.ts";
import style from "../style/picture.css";
import type { Model } from "../traits.ts";
import type { Window } from "../windows.ts";
import type { GridGestures } from "./aim.ts";
import { createGridView, type GridView } from "./grid.ts";
import type { Surroundings } from "./surroundings.ts";

export interface Page {
  /** Show it, or keep it as it is out of sight. */
  show(shown: boolean): void;
  /** Put the keyboard's focus on the picture. */
  focus(): void;
  /** The part in view, null for all; another one where that is given. */
  view(window?: Window | null): Window | null;
  destroy(): void;
}

/** How a page came about that stands in the place of another. */
export interface Entry {
  /** Stands above all else. */
  readonly above: HTMLElement;
  /** The reader wants to go back. */
  leave(): void;
}

/** What is there when the surroundings come. */
export interface Setting {
  readonly model: Model;
  readonly hasKernel: boolean;
  readonly entry: Entry | null;
  readonly binding: Binding;
  readonly grid: GridView;
  readonly gestures: GridGestures;
  readonly page: Page;
  readonly places: Places;
  readState(): State;
  /** Draw soon: what changed, together. */
  request(): void;
  /** Draw all of it soon, changed or not. */
  redraw(): void;
  /** Another page, in this one's place. */
  nest(model: Model, entry: Entry): Page;
}

interface Places {
  readonly root: HTMLElement;
  readonly toolbar: HTMLElement;
  readonly selectors: HTMLElement;
  readonly controls: HTMLElement;
  readonly body: HTMLElement;
  readonly main: HTMLElement;
  readonly figure: HTMLElement;
}

export function createPage(
  model: Model,
  el: HTMLElement,
  hasKernel: boolean,
  entry: Entry | null = null,
): Page {
  const makeFigure = figureMaker();
  let window_: Window | null = null;
  let width = 0;
  let figure: Figure | null = null;
  let division: Division | null = null;
  let surroundings: Surroundings | null = null;
  let waiting: ((surroundings: Surroundings) => void)[] = [];
  let gone = false;
  let lost = false;

  const readState = stateReader(model, () => surroundings?.farMaker ?? overviewAlone);
  const request = () => scheduler.request();
  const redraw = () => {
    lost = true;
    request();
  };
  const binding = bindModel(model, readState, (whole) => scheduler.request(whole));

  /** Do it once the surroundings are there, which it takes. */
  const surrounded = (act: (surroundings: Surroundings) => void) => {
    if (surroundings === null) waiting.push(act);
    else act(surroundings);
  };
  const gestures: GridGestures = {
    select(cells: readonly CellId[]) {
      if (cells.length > MOST_SELECTED) gestures.tooMany(cells.length);
      else binding.select(cells);
    },
    tooMany: (count) => surrounded(({ tooMany }) => tooMany(count)),
    click: (row, column) => binding.send({ kind: "click", row, column }),
    open: (row, column) => surrounded(({ open }) => open(row, column)),
    leave: () => entry?.leave(),
    zoom(window) {
      window_ = window;
      request();
    },
    showLayers(rows) {
      const { layers } = readState().matrix;
      const wanted = [...new Set(rows)].sort((a, b) => a - b).map((row) => layers.at(row));
      window_ = null;
      binding.change({ layers: wanted.length === layers.length ? null : wanted });
    },
  };

  const grid = createGridView(gestures);
  const places: Places = {
    root: element("div", "layergrid"),
    toolbar: element("div", "layergrid-toolbar"),
    selectors: element("div", "layergrid-selectors-place", { hidden: true }),
    controls: element("div", "layergrid-controls"),
    body: element("div", "layergrid-body"),
    main: element("div", "layergrid-main"),
    figure: element("div", "layergrid-figure", {}, grid.frame),
  };
  const { root } = places;
  const trouble = element("div", "layergrid-trouble", { role: "alert" });
  places.main.append(places.figure);
  places.body.append(places.main);
  root.append(element("style", "", {}, style));
  if (entry !== null) root.append(entry.above);
  root.append(places.toolbar, places.selectors, places.controls, places.body, trouble);

  const draw = () => {
    const state = readState();
    if (window_ !== null && (window_.bottom > state.rows.length || window_.right > state.columns.length))
      window_ = null;
    toggle(places.selectors, state.pages.count > 1);
    division = divideRoom(state, width, devicePixelRatio || 1, hasKernel);
    root.classList.toggle("layergrid-wide", division.sideBySide);
    root.classList.toggle("layergrid-no-histogram", !division.histogram);
    root.classList.toggle("layergrid-with-margins", division.margins);
    places.figure.style.gridTemplateColumns = `${division.rowAxis}px max-content max-content`;
    figure = makeFigure(state, window_, division.picture);
    const anew = lost;
    lost = false;
    grid.draw(figure, surroundings?.drawMarks ?? null, anew);
    surroundings?.draw(figure, anew);
    rest.request();
  };
  const scheduler = frameScheduler(draw);
  const rest = afterPaintScheduler(() => {
    if (surroundings === null) return surround();
    surroundings.drawRest(figure!, division!.side);
    prepare.request();
  });
  const prepare = afterPaintScheduler(() => {
    if (!figure!.prepare()) prepare.request();
  });

  const surround = () => {
    const code = restOf(model);
    if (!(code instanceof Promise)) return arrive(code);
    code.then(arrive).catch((error: unknown) => {
      setText(trouble, `The controls of this grid could not be loaded: ${String(error)}`);
    });
  };
  const arrive = ({ createSurroundings }: Awaited<ReturnType<typeof restOf>>) => {
    if (gone || surroundings !== null) return;
    const nest = (inner: Model, from: Entry) => createPage(inner, el, hasKernel, from);
    surroundings = createSurroundings({
      ...{ model, hasKernel, entry, binding, grid, gestures, page, places },
      ...{ readState, request, redraw, nest },
    });
    for (const act of waiting) act(surroundings);
    waiting = [];
    trouble.remove();
    draw();
    surroundings.drawRest(figure!, division!.side);
  };

  // Keys and clicks may come faster than drawings, on a busy page: each acts on what the last one left, not on what
  // was drawn before it, which would undo that.
  const catchUp = () => {
    scheduler.flush();
    if (surroundings !== null) rest.flush();
  };
  for (const kind of ["keydown", "pointerdown"]) root.addEventListener(kind, catchUp, { capture: true });

  const remeasure = () => {
    const measured = el.clientWidth;
    if (measured === 0 || measured === width) return;
    width = measured;
    draw();
  };
  const resizes = new ResizeObserver(remeasure);
  // Notebooks that take far outputs out of the page bring canvases back blank (jupyterlab#17331).
  const sightings = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) redraw();
  });
  let ratioQuery: MediaQueryList | null = null;
  const watchRatio = () => {
    ratioQuery?.removeEventListener("change", onRatio);
    ratioQuery = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    ratioQuery.addEventListener("change", onRatio);
  };
  const onRatio = () => {
    watchRatio();
    request();
  };

  const page: Page = {
    show(shown) {
      toggle(root, shown);
      if (shown) redraw();
    },
    focus: grid.focus,
    view(window) {
      if (window !== undefined) gestures.zoom(window);
      return window_;
    },
    destroy() {
      gone = true;
      for (const drawing of [scheduler, rest, prepare]) drawing.stop();
      resizes.disconnect();
      sightings.disconnect();
      ratioQuery?.removeEventListener("change", onRatio);
      surroundings?.destroy();
      root.remove();
      binding.stop();
    },
  };

  width = el.clientWidth; // before anything is in it: measuring a full page costs more than painting it
  draw();
  el.append(root);
  resizes.observe(el);
  sightings.observe(root);
  watchRatio();
  return page;
}
