/** Title, menus and buttons above the picture. */
import { COLORMAPS } from "../colormap.ts";
import { button, element, menu, setText, toggle } from "../dom.ts";
import type { Figure } from "../figure.ts";
import { blockText, counted, numberFormat } from "../format.ts";
import { type End, fittingLimits, typedLimit } from "../limits.ts";
import { fittedDomain } from "../pages.ts";
import { COPY_FORMATS, type CopyFormat } from "../save.ts";
import { SCALE_KINDS, type ScaleKind } from "../scale.ts";
import { quantile } from "../statistics.ts";
import type { Changes } from "../traits.ts";
import { AGGREGATES, type Aggregate } from "../windows.ts";

const LEVEL_CHOICES = [0, 3, 5, 7, 9, 12];
const ROBUST = [0.02, 0.98] as const;

export interface Toolbar {
  readonly heading: HTMLElement;
  /** Menus and links. */
  readonly tools: HTMLElement;
  /** Fields and buttons for the limits of the color scale; they stand apart from the rest. */
  readonly limits: HTMLElement;
  draw(figure: Figure): void;
}

export interface ToolbarActions {
  change(changes: Changes): void;
  fit(): void;
  showAllLayers(): void;
  copySelection(format: CopyFormat): void;
  save(format: "png" | "csv"): void;
  /** Say something below the grid; nothing any more where it is empty. */
  say(text: string): void;
}

export function createToolbar(actions: ToolbarActions): Toolbar {
  let figure: Figure | null = null;
  const withFigure = (act: (current: Figure) => void) => () => {
    if (figure !== null) act(figure);
  };

  const title = element("span", "layergrid-title");
  const subtitle = element("span", "layergrid-subtitle");
  const scale = menu("Scale", SCALE_KINDS, (kind) => actions.change({ scale: kind as ScaleKind }));
  const cmap = menu("Colormap", Object.keys(COLORMAPS), (name) => actions.change({ cmap: name }));
  const levels = menu(
    "Color levels",
    LEVEL_CHOICES.map(String),
    (count) => actions.change({ levels: Number(count) }),
    (count) => (count === "0" ? "smooth" : `${count} levels`),
  );
  const aggregate = menu("What a pixel shows of several cells", AGGREGATES, (choice) =>
    actions.change({ aggregate: choice as Aggregate }),
  );
  const reverse = element(
    "button",
    "layergrid-link",
    {
      type: "button",
      title: "Reverse the colors",
      "aria-pressed": "false",
      "data-lm-suppress-shortcuts": "true",
    },
    "reverse",
  );
  reverse.addEventListener(
    "click",
    withFigure(({ state }) => actions.change({ reverse: !state.reverse })),
  );
  const fields = (["low", "center", "high"] as const).map((end) => limitField(end, () => figure, actions));

  const robust = button(
    "layergrid-link",
    "robust",
    "Limits at the 2nd and 98th percentile of the shown values",
    withFigure((f) => actions.change(robustLimits(f))),
  );
  const symmetric = button(
    "layergrid-link",
    "symmetric",
    "Arms of equal length about the center",
    withFigure((f) => actions.change(symmetricLimits(f))),
  );
  const reset = button(
    "layergrid-link",
    "reset",
    "Limits at the smallest and largest value",
    withFigure((f) => actions.change(resetLimits(f))),
  );
  const overAll = element(
    "button",
    "layergrid-link",
    {
      type: "button",
      title: "Fit the limits to all pages instead of the shown one; limits set by hand stay",
      "aria-pressed": "false",
      "data-lm-suppress-shortcuts": "true",
    },
    "over all pages",
  );
  overAll.addEventListener(
    "click",
    withFigure(({ state }) => {
      const over = state.scaleOver === "all" ? "page" : "all";
      const domain = state.fitted ? state.pages.domain(state.page, over) : null;
      actions.change({ scale_over: over, ...(domain === null ? {} : fittingLimits(domain)) });
    }),
  );
  const fit = button("layergrid-link", "fit", "Show the whole grid again (key: f)", actions.fit);
  const layers = button("layergrid-link", "", "Show all layers again", actions.showAllLayers);
  let format: CopyFormat = "names";
  const formats = menu("Format of what is copied", COPY_FORMATS, (choice) => {
    format = choice as CopyFormat;
  });
  const copy = element(
    "span",
    "layergrid-field",
    {},
    button("layergrid-link", "copy", "Copy the selected cells: their tensors, or layer and component", () =>
      actions.copySelection(format),
    ),
    formats,
  );
  const png = button("layergrid-link", "PNG", "Save a picture of what is shown", () => actions.save("png"));
  const csv = button("layergrid-link", "CSV", "Save the shown values as a table", () => actions.save("csv"));

  const heading = element("div", "layergrid-heading", {}, title, subtitle);
  const tools = element(
    "div",
    "layergrid-tools",
    {},
    fit,
    layers,
    aggregate,
    scale,
    cmap,
    levels,
    reverse,
    copy,
    png,
    csv,
  );
  const limits = element(
    "div",
    "layergrid-tools",
    {},
    ...fields.map((field) => field.root),
    // In a narrow cell they go to the next line together.
    element("span", "layergrid-tools", {}, robust, symmetric, reset, overAll),
  );

  return {
    heading,
    tools,
    limits,
    draw(next) {
      figure = next;
      const { state, window } = next;
      setText(title, state.title);
      toggle(title, state.title !== "");
      const { axes } = state.matrix;
      const shape = `${counted(state.rows.length, axes[0])} × ${counted(state.columns.length, axes[1])}`;
      setText(subtitle, state.units === "" ? shape : `${shape} · ${state.units}`);
      scale.querySelector("select")!.value = state.scale;
      selectOrAdd(cmap.querySelector("select")!, state.cmap);
      selectOrAdd(levels.querySelector("select")!, String(state.levels));
      aggregate.querySelector("select")!.value = state.aggregate;
      toggle(aggregate, blockText(state.aggregate, next.layout, state.matrix.axes) !== "");
      reverse.setAttribute("aria-pressed", String(state.reverse));
      for (const field of fields) field.draw(next);
      overAll.setAttribute("aria-pressed", String(state.scaleOver === "all"));
      toggle(overAll, state.pages.count > 1);
      const zoomed =
        window.bottom - window.top < state.rows.length || window.right - window.left < state.columns.length;
      toggle(csv, state.matrix.far === null);
      toggle(fit, zoomed);
      const { layers: labels } = state.matrix;
      const hidden = state.rows.length < labels.length;
      toggle(layers, hidden);
      if (hidden && state.rows.length > 0)
        setText(
          layers,
          `${axes[0]}s ${labels.at(state.rows[0]!)}–${labels.at(state.rows[state.rows.length - 1]!)} ✕`,
        );
      toggle(copy, state.selection.length > 0);
    },
  };
}

export function robustLimits({ shown }: Figure): Changes {
  const sorted = shown.sorted();
  return sorted.length === 0 ? {} : { vmin: quantile(sorted, ROBUST[0]), vmax: quantile(sorted, ROBUST[1]) };
}

/** The longer arm on both sides of the center. */
export function symmetricLimits({ scale }: Figure): Changes {
  const { low, high, center } = scale.domain;
  const arm = Math.max(center - low, high - center);
  return { vmin: center - arm, vmax: center + arm };
}

/** What a new grid would start with: of the shown values, or of all pages where the scale is over them. */
export function resetLimits({ shown, state }: Figure): Changes {
  const all = state.scaleOver === "all" ? state.pages.domain(state.page, "all") : null;
  return fittingLimits(all ?? fittedDomain([shown.cells.values]));
}

/** A choice made from Python need not be on the menu. */
function selectOrAdd(select: HTMLSelectElement, value: string): void {
  select.value = value;
  if (select.value === value) return;
  select.append(element("option", "", { value }, value));
  select.value = value;
}

function limitField(
  end: End,
  current: () => Figure | null,
  { change, say }: Pick<ToolbarActions, "change" | "say">,
) {
  const input = element("input", "layergrid-number", {
    type: "text",
    inputmode: "decimal",
    "aria-label": `${end} of the color scale`,
    autocomplete: "off",
    "data-end": end,
    "data-lm-suppress-shortcuts": "true",
  });
  const root = element("label", "layergrid-field", {}, element("span", "", {}, end), input);
  let text = "";
  const commit = () => {
    const figure = current();
    if (figure === null || input.value === text) return;
    const wanted = typedLimit(end, input.value, figure.scale.domain);
    if (typeof wanted !== "string") change(wanted);
    else input.value = text;
    say(typeof wanted === "string" ? wanted : "");
  };
  input.addEventListener("change", commit);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") commit();
  });
  return {
    root,
    draw({ scale }: Figure) {
      toggle(root, end !== "center" || scale.diverging);
      const { low, high } = scale.domain;
      const next = numberFormat(low, high)(scale.domain[end]);
      const focused = (input.getRootNode() as Document | ShadowRoot).activeElement === input;
      if (text === next && (focused || input.value === next)) return;
      text = next;
      input.value = next;
    },
  };
}
