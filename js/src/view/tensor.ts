/** What a tensor holds: distribution, quantiles, metrics, largest entries, singular values; read when asked for. */
import { readNumbers } from "../cells.ts";
import { button, element, setText, svg, toggle } from "../dom.ts";
import { counted } from "../format.ts";
import type { SpectrumReply, SummaryReply } from "../messages.ts";
import type { Matrix, State } from "../model.ts";
import type { OpenedTensor } from "../opened.ts";
import { fallingPath, logHeights, toldText } from "../summary.ts";
import { createAsking } from "./asking.ts";

const WIDTH = 300;
const HEIGHT = 64;

/** The summary of tensors of no more entries, read in some tenths of a second, is not waited to be asked for. */
const SUMMARIZED_AT_ONCE = 1 << 24;

export interface TensorActions {
  askSummary(giveUp: AbortSignal, progress: (share: number) => void): Promise<SummaryReply>;
  askSpectrum(giveUp: AbortSignal, progress: (share: number) => void): Promise<SpectrumReply>;
  /** The norms of rows and columns have arrived. */
  norms(rows: Float32Array, columns: Float32Array): void;
  /** Show an entry and select it. */
  go(row: number, column: number): void;
  readonly hasKernel: boolean;
}

export interface TensorView {
  readonly root: HTMLElement;
  draw(state: State): void;
  destroy(): void;
}

export function createTensorView(actions: TensorActions): TensorView {
  const facts = element("span", "layergrid-muted");
  const summary = createAsking<SummaryReply>({
    label: "summary",
    title: "Read all of it: distribution, largest entries, norms",
    doing: "reading the tensor",
    ask: actions.askSummary,
    answered(reply) {
      told.replaceChildren(...summaryParts(reply, actions.go));
      const [rows, columns] = (reply.buffers ?? []).map((view) => readNumbers(view, "f4") as Float32Array);
      if (rows !== undefined && columns !== undefined) actions.norms(rows, columns);
    },
  });
  const spectrum = createAsking<SpectrumReply>({
    label: "singular values",
    title: "Compute all singular values; of a large matrix that takes minutes",
    doing: "computing singular values",
    ask: actions.askSpectrum,
    answered: (reply) => spectral.replaceChildren(spectrumPart(reply)),
  });
  const told = element("div", "layergrid-tensor-parts");
  const spectral = element("div", "layergrid-tensor-parts");
  const root = element(
    "div",
    "layergrid-tensor",
    { role: "group", "aria-label": "The tensor", hidden: true },
    element("div", "layergrid-tensor-line", {}, facts, summary.root, spectrum.root),
    element("div", "layergrid-tensor-content", {}, told, spectral),
  );
  let begun = false;

  return {
    root,
    draw({ tensor, matrix }) {
      toggle(root, tensor !== null);
      if (tensor === null) return;
      setText(facts, factsText(matrix, tensor));
      toggle(summary.root, actions.hasKernel);
      toggle(spectrum.root, actions.hasKernel);
      if (begun || !actions.hasKernel) return;
      begun = true;
      if (matrix.rows * matrix.columns <= SUMMARIZED_AT_ONCE) summary.start();
    },
    destroy() {
      summary.stop();
      spectrum.stop();
    },
  };
}

function factsText({ rows, columns, axes }: Matrix, { dtype, cell }: OpenedTensor): string {
  const shape = `${counted(rows, axes[0])} \u00d7 ${counted(columns, axes[1])}, ${dtype}`;
  return [shape, ...cell.map(([name, value]) => `${name || "cell"} ${toldText(value)}`)].join(" \u00b7 ");
}

function summaryParts(reply: SummaryReply, go: TensorActions["go"]): HTMLElement[] {
  const special = [
    [reply.nan, "NaN"],
    [reply.inf, "infinite"],
  ]
    .filter(([count]) => count !== 0)
    .map(([count, what]) => `, ${count} ${what}`);
  return [
    part(
      `entries from ${toldText(reply.low)} to ${toldText(reply.high)}, log counts${special.join("")}`,
      chart(barsPath(logHeights(reply.counts)), "layergrid-tensor-bars"),
    ),
    part("metrics", table(reply.metrics.map(([name, value]) => [name, toldText(value)]))),
    part(
      "quantiles",
      table(
        reply.quantiles.map(([share, value]) => [
          `${Number((100 * share).toPrecision(4))} %`,
          toldText(value),
        ]),
      ),
    ),
    part(
      "largest entries by magnitude",
      table(
        reply.largest.map(([row, column, value]) => [
          `[${row}, ${column}]`,
          button(
            "layergrid-link layergrid-entry",
            toldText(value),
            `Go to row ${row}, column ${column}`,
            () => go(row, column),
          ),
        ]),
      ),
    ),
  ];
}

function spectrumPart({ largest, stableRank, effectiveRank, buffers = [] }: SpectrumReply): HTMLElement {
  const values = buffers[0] === undefined ? new Float64Array(0) : readNumbers(buffers[0], "f8");
  const path = fallingPath(Float64Array.from(values), WIDTH, HEIGHT);
  return part(
    `singular values, log scale, from ${toldText(largest)} to ${toldText(values[values.length - 1] ?? NaN)}`,
    ...(path === "" ? [] : [chart(path, "layergrid-line")]),
    table([
      ["largest", toldText(largest)],
      ["stable rank", toldText(stableRank)],
      ["effective rank", `${toldText(effectiveRank)} of ${values.length}`],
    ]),
  );
}

function part(title: string, ...content: HTMLElement[]): HTMLElement {
  return element(
    "section",
    "layergrid-tensor-part",
    {},
    element("div", "layergrid-details-title", {}, title),
    ...content,
  );
}

/** Names and values, ten to a column. No list: JupyterLab has a style of its own for those. */
function table(lines: readonly (readonly [string, string | HTMLElement])[]): HTMLElement {
  const made = element(
    "div",
    "layergrid-pairs",
    {},
    ...lines.map(([name, value]) =>
      element("div", "", {}, element("span", "layergrid-muted", {}, name), element("span", "", {}, value)),
    ),
  );
  made.style.gridTemplateRows = `repeat(${Math.min(lines.length, 10)}, auto)`;
  return made;
}

function chart(path: string, className: string): HTMLElement {
  const picture = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "layergrid-chart", "aria-hidden": "true" },
    svg("path", { d: path, class: className }),
  );
  return element("div", "", {}, picture);
}

/** Bars of heights from 0 to 1, side by side. */
function barsPath(heights: readonly number[]): string {
  const width = WIDTH / heights.length;
  return heights
    .map(
      (height, at) =>
        `M${(at * width).toFixed(2)} ${HEIGHT}v${(-height * HEIGHT).toFixed(2)}h${width.toFixed(2)}V${HEIGHT}`,
    )
    .join("");
}
