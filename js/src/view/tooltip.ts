/** What is under the pointer. */
import type { CellFacts } from "../cell.ts";
import { element, setText, toggle } from "../dom.ts";

const OFFSET = 14;

export interface Tooltip {
  readonly root: HTMLElement;
  /** Show facts beside a point of the element that the tooltip stands in; `painted` says what the color means there. */
  show(facts: CellFacts, painted: string, exact: boolean, x: number, y: number, width: number): void;
  hide(): void;
}

export function createTooltip(): Tooltip {
  const place = element("div", "layergrid-tooltip-place");
  const value = element("div", "layergrid-tooltip-value");
  const rank = element("div", "layergrid-tooltip-line");
  const deviation = element("div", "layergrid-tooltip-line");
  const painted = element("div", "layergrid-tooltip-line");
  const parameter = element("div", "layergrid-tooltip-parameter");
  const root = element(
    "div",
    "layergrid-tooltip",
    { "aria-hidden": "true", hidden: true },
    place,
    value,
    rank,
    deviation,
    painted,
    parameter,
  );
  return {
    root,
    show(facts, blockText, exact, x, y, width) {
      setText(place, `${facts.rowText} · ${facts.columnText}`);
      setText(value, exact ? facts.exact : facts.short);
      setText(rank, [facts.rank, facts.offScale].filter((part) => part !== "").join(" · "));
      setText(deviation, facts.deviation);
      setText(painted, blockText);
      setText(parameter, facts.parameter);
      toggle(root, true);
      // On the side with more room, so that it never leaves the widget.
      const toLeft = x > width / 2;
      root.style.left = toLeft ? "" : `${x + OFFSET}px`;
      root.style.right = toLeft ? `${width - x + OFFSET}px` : "";
      root.style.top = `${y + OFFSET}px`;
    },
    hide() {
      toggle(root, false);
    },
  };
}
