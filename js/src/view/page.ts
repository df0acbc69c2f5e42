/** The page: where its parts stand, and when they are drawn. The picture comes first; the rest a frame later. */
import { element, setText, toggle } from "../dom.ts";
import { componentLabels, type Figure, figureMaker, type Room } from "../figure.ts";
import { counted } from "../format.ts";
import { groupRuns } from "../labels.ts";
import { gridHeight, largestGridWidth } from "../layout.ts";
import { type Binding, type Matrix, MOST_SELECTED, type State } from "../model.ts";
import { selectedText } from "../save.ts";
import { afterPaintScheduler, frameScheduler } from "../schedule.ts";
import type { CellId } from "../selection.ts";
import style from "../style.css";
import { isDark, watchTheme } from "../theme.ts";
import type { Window } from "../windows.ts";
import { rowAxisWidth } from "./axes.ts";
import { createClaim } from "./claim.ts";
import { colorbarWidth, createColorbar } from "./colorbar.ts";
import { createComponentChips } from "./components.ts";
import { createDetails } from "./details.ts";
import { downloadPicture, downloadTable } from "./download.ts";
import { createFindings } from "./findings.ts";
import { createGridView } from "./grid.ts";
import { createLegend } from "./legend.ts";
import { createMargins, MARGIN } from "./margins.ts";
import { createProgress } from "./progress.ts";
import { createSelectors } from "./selectors.ts";
import { createTensorView } from "./tensor.ts";
import { createToolbar } from "./toolbar.ts";

const WIDTH_BEFORE_MEASURE = 1200;
const SIDE_FROM = 780;
const SIDE_COLUMNS_UP_TO = 48;
const FIGURE_SHARE = 0.56;
const HISTOGRAM_FROM = 420;
const LARGEST_SIDE = 560;
const MOST_NUMBERED_CHIPS = 48;
const GAP = 32;
const CELLS_AROUND = 16; // of an entry that is gone to
const PADDING = 4; // of .layergrid, left and right
const LONGEST_CHECK_MS = 30_000;
const TICK_CHARACTERS = 7;

export interface Page {
  /** Draw soon: what changed, together. */
  request(): void;
  drawNow(): void;
  /** Show it, or keep it as it is out of sight. */
  show(shown: boolean): void;
  /** Put the keyboard's focus on the picture. */
  focus(): void;
  /** Say something under the grid; "" for nothing. */
  say(text: string): void;
  destroy(): void;
}

export interface Surroundings {
  /** What stands above all else. */
  readonly above: readonly HTMLElement[];
  readonly hasKernel: boolean;
  /** The tensor of a cell of the matrix is wanted. */
  open(row: number, column: number): void;
  /** The reader wants to go back. */
  leave(): void;
}

export function createPage(
  el: HTMLElement,
  readState: () => State,
  binding: Binding,
  { above, hasKernel, open, leave }: Surroundings,
): Page {
  const makeFigure = figureMaker();
  let window_: Window | null = null;
  let width = 0;
  let figure: Figure | null = null;
  let sideWidth = 0;
  let surroundings: ReturnType<typeof createSurroundings> | null = null;
  let notice = "";

  const rezoom = (window: Window | null) => {
    window_ = window;
    scheduler.request();
  };
  const showLayers = (rows: readonly number[]) => {
    const { layers } = readState().matrix;
    const wanted = new Set(rows);
    window_ = null;
    binding.change({
      layers:
        wanted.size === layers.length ? null : [...wanted].sort((a, b) => a - b).map((row) => layers.at(row)),
    });
  };
  const showComponents = (columns: readonly number[], { components }: Matrix) => {
    window_ = null;
    const asTheyCome = columns.length === components.length && columns.every((column, at) => column === at);
    binding.change({
      components: asTheyCome ? null : columns.map((column) => String(components.at(column))),
    });
  };

  const tooMany = (count: number) =>
    say(`A selection holds at most ${counted(MOST_SELECTED, "cell")}, not ${counted(count, "cell")}.`);
  const select = (cells: readonly CellId[]) => {
    if (cells.length > MOST_SELECTED) tooMany(cells.length);
    else binding.select(cells);
  };
  const say = (text: string) => {
    notice = text;
    scheduler.request();
  };
  const copyText = (text: string) => {
    navigator.clipboard?.writeText(text).then(
      () => say("Copied."),
      (error: unknown) => say(`The browser did not allow copying: ${String(error)}`),
    ) ?? say("This page may not copy: the browser allows it on secure pages only.");
  };

  const grid = createGridView({
    select,
    tooMany,
    click: (row, column) => binding.send({ kind: "click", row, column }),
    open,
    leave,
    zoom: rezoom,
    showLayers,
  });
  const figureBox = element("div", "layergrid-figure", {}, grid.axes.rows, grid.root);
  const main = element("div", "layergrid-main", {}, figureBox);
  const body = element("div", "layergrid-body", {}, main);
  const toolbarPlace = element("div", "layergrid-toolbar");
  const selectorsPlace = element("div", "layergrid-selectors-place", { hidden: true });
  const controlsPlace = element("div", "layergrid-controls");
  const root = element(
    "div",
    "layergrid",
    {},
    element("style", "", {}, style),
    ...above,
    toolbarPlace,
    selectorsPlace,
    controlsPlace,
    body,
  );

  /** All but the picture: made a frame later, so that the picture comes first. */
  const createSurroundings = () => {
    const colorbar = createColorbar(binding.change);
    const progress = createProgress();
    const selectors = createSelectors(binding.turn);
    const chips = createComponentChips(showComponents);
    const details = createDetails(open);
    const margins = createMargins();
    const tensor = createTensorView({
      askSummary: (giveUp, progress) => binding.ask({ kind: "summary" }, Infinity, giveUp, progress),
      askSpectrum: (giveUp, progress) => binding.ask({ kind: "spectrum" }, Infinity, giveUp, progress),
      norms(rows, columns) {
        margins.take(rows, columns);
        scheduler.request();
      },
      go(row, column) {
        const { matrix } = readState();
        const around = (at: number, length: number) =>
          [Math.max(0, at - CELLS_AROUND), Math.min(length, at + CELLS_AROUND + 1)] as const;
        const [top, bottom] = around(row, matrix.rows);
        const [left, right] = around(column, matrix.columns);
        rezoom({ top, bottom, left, right });
        select([row * matrix.columns + column]);
      },
      hasKernel,
    });
    const marking = { outline: grid.outline, select, hasKernel };
    const findings = createFindings({
      ...marking,
      ask: () => binding.ask({ kind: "findings" }, Infinity),
    });
    const claim = createClaim({
      ...marking,
      check: (text) => binding.ask({ kind: "claim", claim: text }, LONGEST_CHECK_MS),
    });
    const legend = createLegend();
    const toolbar = createToolbar({
      change: binding.change,
      fit: () => rezoom(null),
      showAllLayers: () => {
        window_ = null;
        binding.change({ layers: null });
      },
      copySelection: (format) => {
        if (figure !== null) copyText(selectedText(figure, format));
      },
      save: (format) => {
        if (figure === null) return;
        if (format === "csv") downloadTable(figure);
        else downloadPicture(figure, figureBox);
      },
    });
    const message = element("div", "layergrid-notice", { role: "alert", hidden: true });
    const side = element("div", "layergrid-side", {}, details.root, findings.root, claim.root);
    toolbarPlace.append(toolbar.heading, toolbar.tools);
    selectorsPlace.append(selectors.root);
    controlsPlace.append(chips.root, toolbar.limits);
    figureBox.append(colorbar.root, grid.axes.columns);
    main.append(progress.root, legend.root);
    body.append(side);
    grid.root.append(...margins.parts);
    root.append(message, tensor.root);

    let labelled: Figure | null = null;
    return {
      /** What moves with the picture. */
      draw(drawn: Figure) {
        const { state } = drawn;
        if (labelled?.layout !== drawn.layout || labelled.rows !== drawn.rows) grid.drawLabels(drawn);
        labelled = drawn;
        if (state.rows.length > 0 && state.columns.length > 0) {
          colorbar.draw(drawn);
          margins.draw(drawn);
        }
      },
      drawRest(drawn: Figure) {
        const { state } = drawn;
        grid.drawLabels(drawn);
        toolbar.draw(drawn);
        const { page, trouble } = binding.awaited();
        selectors.draw(state, page);
        // Hundreds of chips that say 0, 1, 2 ... choose nothing that a zoom does not.
        const { components } = state.matrix;
        toggle(chips.root, components.named || components.length <= MOST_NUMBERED_CHIPS);
        chips.draw(state);
        side.style.width = `${sideWidth}px`;
        if (state.rows.length > 0 && state.columns.length > 0) {
          colorbar.drawHistogram(drawn);
          details.draw(drawn, sideWidth);
          legend.draw(drawn);
        }
        tensor.draw(state);
        findings.draw(state);
        claim.draw(state);
        progress.draw(state);
        const text = [notice, trouble, state.matrix.far?.trouble() ?? "", state.notice]
          .filter((part) => part !== "")
          .join("\n");
        setText(message, text);
        toggle(message, text !== "");
      },
      destroy() {
        selectors.destroy();
        colorbar.destroy();
        chips.destroy();
        legend.destroy();
        findings.destroy();
        tensor.destroy();
      },
    };
  };

  const room = (state: State): { room: Room; sideWidth: number } => {
    const total = (width > 0 ? width : WIDTH_BEFORE_MEASURE) - PADDING;
    // Of all rows and columns, also while part of them is in view: zooming does not move what is around the picture.
    const { rows, columns } = state;
    // Many columns take all the width there is, however they are grouped.
    const few = columns.length <= SIDE_COLUMNS_UP_TO;
    const runs = few ? groupRuns(componentLabels(state.matrix, columns)) : [];
    const axis = rowAxisWidth({ rows, state });
    const withHistogram = total >= HISTOGRAM_FROM;
    const bar = colorbarWidth(TICK_CHARACTERS, withHistogram);
    const sideBySide = total >= SIDE_FROM && few;
    const figureWidth = sideBySide ? Math.floor(total * FIGURE_SHARE) : total;
    const margin = hasKernel && state.tensor !== null ? MARGIN : 0;
    root.classList.toggle("layergrid-with-margins", margin > 0);
    const wanted = Math.min(
      figureWidth - axis - bar - 22 - margin,
      Math.max(largestGridWidth(columns.length, runs), 60),
    );
    root.classList.toggle("layergrid-wide", sideBySide);
    root.classList.toggle("layergrid-no-histogram", !withHistogram);
    figureBox.style.gridTemplateColumns = `${axis}px max-content max-content`;
    const sideWidth = Math.floor(
      Math.min(sideBySide ? total - (axis + bar + 22 + margin + wanted) - GAP : total, LARGEST_SIDE),
    );
    return {
      room: { width: Math.max(40, wanted), height: gridHeight(rows.length), ratio: devicePixelRatio || 1 },
      sideWidth,
    };
  };

  const draw = () => {
    const state = readState();
    if (window_ !== null && (window_.bottom > state.rows.length || window_.right > state.columns.length))
      window_ = null;
    toggle(selectorsPlace, state.pages.count > 1);
    const place = room(state);
    figure = makeFigure(state, window_, place.room);
    sideWidth = place.sideWidth;
    grid.draw(figure, surroundings !== null);
    surroundings?.draw(figure);
    rest.request();
  };
  const scheduler = frameScheduler(draw);
  const rest = afterPaintScheduler(() => {
    if (surroundings === null) {
      surroundings = createSurroundings();
      root.classList.toggle("layergrid-dark", isDark(root));
      draw();
      binding.lookAhead();
    }
    surroundings.drawRest(figure!);
    prepare.request();
  });
  const prepare = afterPaintScheduler(() => {
    if (!figure!.prepare()) prepare.request();
  });

  const remeasure = () => {
    const measured = el.clientWidth;
    if (measured === 0 || measured === width) return;
    width = measured;
    draw();
  };
  const resizes = new ResizeObserver(remeasure);
  // Notebooks that take far outputs out of the page bring canvases back blank (jupyterlab#17331).
  const sightings = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) scheduler.request();
  });
  const retheme = () => {
    root.classList.toggle("layergrid-dark", isDark(root));
    scheduler.request();
  };
  const stopTheme = watchTheme(retheme);
  let ratioQuery: MediaQueryList | null = null;
  const watchRatio = () => {
    ratioQuery?.removeEventListener("change", onRatio);
    ratioQuery = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    ratioQuery.addEventListener("change", onRatio);
  };
  const onRatio = () => {
    watchRatio();
    scheduler.request();
  };

  return {
    request: scheduler.request,
    show(shown) {
      toggle(root, shown);
      if (shown) scheduler.request();
    },
    focus: grid.focus,
    say,
    drawNow() {
      width = el.clientWidth; // before anything is in it: measuring a full page costs more than painting it
      draw();
      el.append(root);
      resizes.observe(el);
      sightings.observe(root);
      watchRatio();
    },
    destroy() {
      scheduler.stop();
      rest.stop();
      prepare.stop();
      stopTheme();
      resizes.disconnect();
      sightings.disconnect();
      ratioQuery?.removeEventListener("change", onRatio);
      grid.destroy();
      surroundings?.destroy();
      root.remove();
    },
  };
}
