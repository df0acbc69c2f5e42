/** All that stands around the picture, and upon it: made when the first picture has been painted. */

import { button, element, setText, toggle } from "../dom.ts";
import { createExchange } from "../exchange.ts";
import type { Figure } from "../figure.ts";
import { unpackFindings } from "../findings.ts";
import { counted } from "../format.ts";
import type { FarMaker, Matrix } from "../model.ts";
import { remembered } from "../remember.ts";
import { selectedText } from "../save.ts";
import { MOST_SELECTED } from "../selection.ts";
import style from "../style/surroundings.css";
import { isDark, watchTheme } from "../theme.ts";
import { createAxes } from "./axes.ts";
import { listenToAxes } from "./brushing.ts";
import { createClaim } from "./claim.ts";
import { createColorbar } from "./colorbar.ts";
import { createComponentChips } from "./components.ts";
import { createDetails } from "./details.ts";
import { downloadPicture, downloadTable } from "./download.ts";
import { createFindings } from "./findings.ts";
import { createLegend } from "./legend.ts";
import { createMargins } from "./margins.ts";
import { createMarks } from "./marks.ts";
import { createOpening } from "./opening.ts";
import { createOverlay } from "./overlay.ts";
import type { Setting } from "./page.ts";
import type { DrawMarks } from "./picture.ts";
import { createProgress } from "./progress.ts";
import { createSelectors } from "./selectors.ts";
import { createTensorView } from "./tensor.ts";
import { createToolbar } from "./toolbar.ts";

const MOST_NUMBERED_CHIPS = 48;
const CELLS_AROUND = 16; // of an entry that is gone to
const LONGEST_CHECK_MS = 30_000;

export interface Surroundings {
  readonly drawMarks: DrawMarks;
  /** Where the cells of a large matrix come from. */
  readonly farMaker: FarMaker;
  /** Draw what moves with the picture; `anew` where the browser may have lost what was drawn. */
  draw(figure: Figure, anew: boolean): void;
  /** Draw all else; `width` is that of what stands beside the picture, or below it. */
  drawRest(figure: Figure, width: number): void;
  /** Open the tensor of a cell of the matrix. */
  open(row: number, column: number): void;
  /** Say that so many cells are too many to be selected. */
  tooMany(count: number): void;
  destroy(): void;
}

export function createSurroundings(setting: Setting): Surroundings {
  const { binding, gestures, grid, hasKernel, places, readState, request } = setting;
  const { root } = places;
  const exchange = createExchange(setting.model, readState, binding.change, request);
  let figure: Figure | null = null;
  let notice = "";
  let labelled: Figure | null = null;

  const say = (text: string) => {
    notice = text;
    request();
  };
  const copyText = (text: string) => {
    navigator.clipboard?.writeText(text).then(
      () => say("Copied."),
      (error: unknown) => say(`The browser did not allow copying: ${String(error)}`),
    ) ?? say("This page may not copy: the browser allows it on secure pages only.");
  };
  const showComponents = (columns: readonly number[], { components }: Matrix) => {
    const asTheyCome = columns.length === components.length && columns.every((column, at) => column === at);
    gestures.zoom(null);
    binding.change({
      components: asTheyCome ? null : columns.map((column) => String(components.at(column))),
    });
  };
  const goTo = (row: number, column: number) => {
    const { matrix } = readState();
    const around = (at: number, length: number) =>
      [Math.max(0, at - CELLS_AROUND), Math.min(length, at + CELLS_AROUND + 1)] as const;
    const [top, bottom] = around(row, matrix.rows);
    const [left, right] = around(column, matrix.columns);
    gestures.zoom({ top, bottom, left, right });
    gestures.select([row * matrix.columns + column]);
  };

  const marks = createMarks(grid.canvas);
  const overlay = createOverlay(grid, request);
  const axes = createAxes();
  listenToAxes(axes, grid.aim, gestures);
  const opening = createOpening(setting, exchange.ask, say);
  const colorbar = createColorbar(binding.change);
  const progress = createProgress();
  const selectors = createSelectors(exchange.turn);
  const chips = createComponentChips(showComponents);
  const details = createDetails(opening.open);
  const margins = createMargins();
  const tensor = createTensorView({
    askSummary: (giveUp, progress) => exchange.ask({ kind: "summary" }, Infinity, giveUp, progress),
    askSpectrum: (giveUp, progress) => exchange.ask({ kind: "spectrum" }, Infinity, giveUp, progress),
    norms(rows, columns) {
      margins.take(rows, columns);
      request();
    },
    go: goTo,
    hasKernel,
  });
  const marking = { outline: overlay.outline, select: gestures.select, hasKernel };
  const readFindings = remembered(unpackFindings);
  const findings = createFindings({
    ...marking,
    ask: () => exchange.ask({ kind: "findings" }, Infinity),
  });
  const claim = createClaim({
    ...marking,
    check: (text) => exchange.ask({ kind: "claim", claim: text }, LONGEST_CHECK_MS),
  });
  const legend = createLegend();
  const toolbar = createToolbar({
    change: binding.change,
    fit: () => gestures.zoom(null),
    showAllLayers: () => {
      gestures.zoom(null);
      binding.change({ layers: null });
    },
    copySelection: (format) => {
      if (figure !== null) copyText(selectedText(figure, format));
    },
    say,
    save: (format) => {
      if (figure === null) return;
      if (format === "csv") downloadTable(figure);
      else downloadPicture(figure, places.figure);
    },
  });
  const words = element("span", "layergrid-notice-words");
  const retry = button("layergrid-link", "try again", "Ask the kernel once more", () =>
    readState().matrix.far?.retry(),
  );
  const message = element("div", "layergrid-notice", { role: "alert", hidden: true }, words, retry);
  const side = element("div", "layergrid-side", {}, details.root, findings.root, claim.root);

  root.firstElementChild!.after(element("style", "", {}, style));
  places.toolbar.before(opening.root);
  places.toolbar.append(toolbar.heading, toolbar.tools);
  places.selectors.append(selectors.root);
  places.controls.append(chips.root, toolbar.limits);
  places.figure.prepend(axes.rows);
  places.figure.append(colorbar.root, axes.columns);
  places.main.append(progress.root, legend.root);
  places.body.append(side);
  grid.frame.append(...margins.parts);
  root.append(message, tensor.root);

  const stopTheme = watchTheme(() => {
    root.classList.toggle("layergrid-dark", isDark(root));
    marks.restyle();
    setting.redraw();
  });
  root.classList.toggle("layergrid-dark", isDark(root));

  const drawLabels = (drawn: Figure) => {
    labelled = drawn;
    if (drawn.rows.length > 0 && drawn.columns.length > 0) axes.draw(drawn);
    overlay.describe(drawn);
  };
  const hasCells = ({ state }: Figure) => state.rows.length > 0 && state.columns.length > 0;
  exchange.lookAhead();

  return {
    drawMarks: marks.draw,
    farMaker: exchange.farMaker,
    draw(drawn, anew) {
      figure = drawn;
      overlay.draw(drawn);
      if (labelled?.layout !== drawn.layout || labelled.rows !== drawn.rows) drawLabels(drawn);
      if (!hasCells(drawn)) return;
      colorbar.draw(drawn, anew);
      margins.draw(drawn);
    },
    drawRest(drawn, width) {
      const { state } = drawn;
      const { components, far, rows, columns } = state.matrix;
      const { page, trouble } = exchange.awaited();
      drawLabels(drawn);
      toolbar.draw(drawn);
      selectors.draw(state, page);
      // Hundreds of chips that say 0, 1, 2 ... choose nothing that a zoom does not.
      toggle(chips.root, components.named || components.length <= MOST_NUMBERED_CHIPS);
      chips.draw(state);
      side.style.width = `${width}px`;
      if (hasCells(drawn)) {
        colorbar.drawHistogram(drawn);
        details.draw(drawn, width);
        legend.draw(drawn);
      }
      tensor.draw(state);
      const found = readFindings(state.findings, state.page, rows, columns);
      findings.draw(state, found);
      claim.draw(state, found.status !== "off");
      progress.draw(state);
      const text = [notice, trouble, far?.trouble() ?? "", state.notice]
        .filter((part) => part !== "")
        .join("\n");
      setText(words, text);
      toggle(retry, (far?.trouble() ?? "") !== "");
      toggle(message, text !== "");
    },
    open: opening.open,
    tooMany: (count) =>
      say(`A selection holds at most ${counted(MOST_SELECTED, "cell")}, not ${counted(count, "cell")}.`),
    destroy() {
      stopTheme();
      opening.destroy();
      overlay.destroy();
      selectors.destroy();
      colorbar.destroy();
      chips.destroy();
      legend.destroy();
      findings.destroy();
      tensor.destroy();
      exchange.stop();
    },
  };
}
