/** What a tensor holds: distribution, quantiles, metrics, largest entries, norms; read when asked for. */
import { button, element, setText, svg, toggle } from "../dom.ts";
import { counted } from "../format.ts";
import type { SummaryReply } from "../messages.ts";
import { readNumbers, type State } from "../model.ts";
import { logHeights, peaks, toldText } from "../summary.ts";

const WIDTH = 300;
const HEIGHT = 44;

export interface TensorActions {
  ask(): Promise<SummaryReply>;
  /** Show an entry and select it. */
  go(row: number, column: number): void;
  readonly hasKernel: boolean;
}

export interface TensorView {
  readonly root: HTMLElement;
  draw(state: State): void;
}

export function createTensorView(actions: TensorActions): TensorView {
  const facts = element("span", "layergrid-muted");
  const more = button(
    "layergrid-link",
    "summary",
    "Read all of it: distribution, largest entries, norms",
    () => {
      more.disabled = true;
      setText(note, "reading the tensor \u2026");
      actions
        .ask()
        .then((reply) => {
          content.replaceChildren(...parts(reply));
          setText(note, "");
          toggle(more, false);
        })
        .catch((error: Error) => setText(note, error.message))
        .finally(() => {
          more.disabled = false;
        });
    },
  );
  const note = element("span", "layergrid-muted", { role: "status" });
  const content = element("div", "layergrid-tensor-content");
  const root = element(
    "div",
    "layergrid-tensor",
    { role: "group", "aria-label": "The tensor", hidden: true },
    element("div", "layergrid-tensor-line", {}, facts, more, note),
    content,
  );

  const parts = (reply: SummaryReply): HTMLElement[] => {
    const [rows, columns] = (reply.buffers ?? []).map((view) => readNumbers(view, "f4") as Float32Array);
    const special = [
      [reply.nan, "NaN"],
      [reply.inf, "infinite"],
    ]
      .filter(([count]) => count !== 0)
      .map(([count, what]) => `, ${count} ${what}`);
    return [
      plot(
        `entries from ${toldText(reply.low)} to ${toldText(reply.high)}, log counts${special.join("")}`,
        logHeights(reply.counts),
      ),
      table(
        "metrics",
        reply.metrics.map(([name, value]) => `${name} ${toldText(value)}`),
      ),
      table(
        "quantiles",
        reply.quantiles.map(([share, value]) => `${100 * share} %: ${toldText(value)}`),
      ),
      element(
        "div",
        "layergrid-details-title",
        {},
        "largest entries by magnitude: ",
        ...reply.largest.flatMap(([row, column, value]) => [
          button(
            "layergrid-link layergrid-entry",
            toldText(value),
            `Go to row ${row}, column ${column}`,
            () => actions.go(row, column),
          ),
          ` [${row}, ${column}] `,
        ]),
      ),
      ...(rows === undefined ? [] : [normsPlot("norms of the rows", rows)]),
      ...(columns === undefined ? [] : [normsPlot("norms of the columns", columns)]),
    ];
  };

  return {
    root,
    draw({ tensor, matrix }) {
      toggle(root, tensor !== null && actions.hasKernel);
      setText(
        facts,
        `${counted(matrix.rows, matrix.axes[0])} \u00d7 ${counted(matrix.columns, matrix.axes[1])}, ${tensor?.dtype}`,
      );
    },
  };
}

function table(what: string, lines: readonly string[]): HTMLElement {
  return element("div", "layergrid-details-title", {}, `${what}: ${lines.join(" \u00b7 ")}`);
}

function normsPlot(what: string, norms: Float32Array): HTMLElement {
  const heights = peaks(norms, WIDTH);
  const finite = heights.filter(Number.isFinite);
  const highest = finite.length === 0 ? 0 : Math.max(...finite);
  return plot(
    `${what}, at most ${toldText(highest)}`,
    heights.map((height) => (Number.isFinite(height) && highest > 0 ? height / highest : 1)),
  );
}

/** Bars of heights from 0 to 1, side by side. */
function plot(title: string, heights: readonly number[]): HTMLElement {
  const width = WIDTH / heights.length;
  const path = heights
    .map(
      (height, at) =>
        `M${(at * width).toFixed(2)} ${HEIGHT}v${(-height * HEIGHT).toFixed(2)}h${width.toFixed(2)}V${HEIGHT}`,
    )
    .join("");
  const picture = svg(
    "svg",
    { width: WIDTH, height: HEIGHT, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title },
    svg("path", { d: path, class: "layergrid-tensor-bars" }),
  );
  return element("div", "", {}, element("div", "layergrid-details-title", {}, title), picture);
}
