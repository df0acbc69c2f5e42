/** The component selector: chips in groups; click toggles, double-click or alt-click shows only that one. */
import { button, element, setAttributes, toggle } from "../dom.ts";
import { counted, shorten } from "../format.ts";
import { groupRuns, splitLabel } from "../labels.ts";
import type { Matrix, State } from "../model.ts";
import { moved } from "../selection.ts";

const FILTER_FROM = 21;
const MOST_CHIPS = 240;
const DRAG_THRESHOLD = 5;

export interface ComponentChips {
  readonly root: HTMLElement;
  draw(state: State): void;
  destroy(): void;
}

/** The order in which chips stand: shown ones as they are shown, hidden ones where they were among their neighbours. */
export function chipOrder(all: number, shown: readonly number[]): number[] {
  const visible = new Set(shown);
  const order = [...shown];
  for (let column = 0; column < all; column++) {
    if (visible.has(column)) continue;
    const before = order.indexOf(column - 1);
    order.splice(before + 1, 0, column);
  }
  return order;
}

export function createComponentChips(
  show: (columns: readonly number[], matrix: Matrix) => void,
): ComponentChips {
  const chipBox = element("div", "layergrid-chips-list", { role: "group", "aria-label": "Shown components" });
  const filter = element("input", "layergrid-filter", {
    type: "search",
    placeholder: "filter components",
    "aria-label": "Filter components",
    "data-lm-suppress-shortcuts": "true",
  });
  let state: State | null = null;
  let order: number[] = [];
  let drawnFor: readonly unknown[] = [];
  let dragged: { column: number; startX: number; moving: boolean } | null = null;
  let focused: number | null = null;
  let standing: readonly unknown[] = [];

  const matching = () => {
    const wanted = filter.value.trim().toLowerCase();
    return wanted === "" ? order : order.filter((column) => label(column).toLowerCase().includes(wanted));
  };
  const label = (column: number) => String(state!.matrix.components.at(column));
  const shown = () => Array.from(state!.columns);
  const apply = (columns: readonly number[]) => show(columns, state!.matrix);

  const toggleColumns = (columns: readonly number[]) => {
    const visible = new Set(shown());
    const hide = columns.every((column) => visible.has(column));
    for (const column of columns) hide ? visible.delete(column) : visible.add(column);
    apply(order.filter((column) => visible.has(column)));
  };
  const all = button("layergrid-link", "all", "Show all components that match the filter", () => {
    const wanted = new Set([...shown(), ...matching()]);
    apply(order.filter((column) => wanted.has(column)));
  });
  const none = button("layergrid-link", "none", "Hide all components that match the filter", () => {
    const unwanted = new Set(matching());
    apply(shown().filter((column) => !unwanted.has(column)));
  });
  const root = element("div", "layergrid-chips", {}, filter, chipBox, all, none);

  const moveChip = (column: number, to: number) => {
    const visible = new Set(shown());
    order = moved(order, order.indexOf(column), to);
    focused = column;
    apply(order.filter((other) => visible.has(other)));
  };

  const columnOf = (target: EventTarget | null): number | null => {
    const chip = (target as Element | null)?.closest<HTMLElement>(".layergrid-chip");
    return chip === null || chip === undefined ? null : Number(chip.dataset.column);
  };
  chipBox.addEventListener("click", (event) => {
    const heading = (event.target as Element).closest<HTMLElement>(".layergrid-chip-group");
    if (heading !== null) {
      const run = groupRuns(order.map(label))[Number(heading.dataset.run)]!;
      toggleColumns(order.slice(run.start, run.end));
      return;
    }
    const column = columnOf(event.target);
    if (column === null) return;
    focused = column;
    if (event.altKey) apply([column]);
    else toggleColumns([column]);
  });
  chipBox.addEventListener("dblclick", (event) => {
    const column = columnOf(event.target);
    if (column !== null) apply([column]);
  });
  chipBox.addEventListener("keydown", (event) => {
    const column = columnOf(event.target);
    if (column === null || (event.key !== "ArrowLeft" && event.key !== "ArrowRight")) return;
    const step = event.key === "ArrowLeft" ? -1 : 1;
    event.preventDefault();
    event.stopPropagation();
    if (event.altKey) moveChip(column, order.indexOf(column) + step);
    else focusChip(order[order.indexOf(column) + step]);
  });
  chipBox.addEventListener("pointerdown", (event) => {
    const column = columnOf(event.target);
    if (column !== null && event.button === 0) dragged = { column, startX: event.clientX, moving: false };
  });
  const onMove = (event: PointerEvent) => {
    if (dragged === null) return;
    if (!dragged.moving && Math.abs(event.clientX - dragged.startX) < DRAG_THRESHOLD) return;
    dragged.moving = true;
    const over = columnOf(document.elementFromPoint(event.clientX, event.clientY));
    if (over !== null && over !== dragged.column) moveChip(dragged.column, order.indexOf(over));
  };
  const onUp = () => {
    if (dragged?.moving) chipBox.addEventListener("click", swallow, { capture: true, once: true });
    if (dragged?.moving) setTimeout(() => chipBox.removeEventListener("click", swallow, { capture: true }));
    dragged = null;
  };
  window.addEventListener("pointermove", onMove);
  window.addEventListener("pointerup", onUp);
  filter.addEventListener("input", () => render());

  const focusChip = (column: number | undefined) => {
    if (column === undefined) return;
    focused = column;
    chipBox.querySelector<HTMLElement>(`[data-column="${column}"]`)?.focus();
  };

  const render = () => {
    const hadFocus = chipBox.contains(
      chipBox.getRootNode() instanceof ShadowRoot
        ? (chipBox.getRootNode() as ShadowRoot).activeElement
        : document.activeElement,
    );
    const visible = new Set(shown());
    const listed = matching();
    const chips = listed.slice(0, MOST_CHIPS);
    toggle(filter, order.length >= FILTER_FROM);
    const tabStop = focused !== null && chips.includes(focused) ? focused : chips[0];
    const changing = (column: number) => ({
      "aria-pressed": visible.has(column) ? "true" : "false",
      tabindex: column === tabStop ? 0 : -1,
    });
    const key = [state!.matrix.components, ...listed];
    if (key.length === standing.length && key.every((part, i) => part === standing[i])) {
      // The same chips stay: a double-click is none where its second click meets another element.
      for (const chip of chipBox.querySelectorAll<HTMLElement>(".layergrid-chip"))
        setAttributes(chip, changing(Number(chip.dataset.column)));
      return;
    }
    standing = key;
    const parts: Node[] = [];
    groupRuns(chips.map(label)).forEach((run, at) => {
      const group = element("span", "layergrid-chip-run");
      if (run.group !== "") {
        const heading = button(
          "layergrid-chip-group",
          shorten(run.group, 24),
          `Show or hide all of ${run.group}`,
          () => {},
        );
        heading.dataset.run = String(at);
        heading.tabIndex = -1;
        group.append(heading);
      }
      for (const column of chips.slice(run.start, run.end)) {
        const full = label(column);
        const chip = element(
          "button",
          "layergrid-chip",
          {
            type: "button",
            ...changing(column),
            "aria-label": full,
            "data-component": full,
            "data-column": column,
            "data-lm-suppress-shortcuts": "true",
            title: `${full}: click to show or hide, double-click to show alone, drag or alt+arrow to move`,
          },
          shorten(splitLabel(full).part, 28),
        );
        group.append(chip);
      }
      parts.push(group);
    });
    if (listed.length > chips.length)
      parts.push(
        element(
          "span",
          "layergrid-muted",
          {},
          `${counted(listed.length - chips.length, "more component")}: filter to see them`,
        ),
      );
    chipBox.replaceChildren(...parts);
    if (hadFocus && focused !== null) focusChip(focused);
  };

  return {
    root,
    draw(next) {
      const changedMatrix = state?.matrix.components !== next.matrix.components;
      const changedShown = state?.columns !== next.columns;
      state = next;
      if (!changedMatrix && !changedShown) return;
      if (changedMatrix || !keepsOrder(order, next.columns))
        order = chipOrder(next.matrix.components.length, Array.from(next.columns));
      const key = [next.matrix.components, next.columns, order];
      if (key.every((part, i) => part === drawnFor[i])) return;
      drawnFor = key;
      toggle(root, next.matrix.components.length > 1);
      setAttributes(all, { disabled: next.columns.length === order.length });
      render();
    },
    destroy() {
      window.removeEventListener("pointermove", onMove);
      window.removeEventListener("pointerup", onUp);
    },
  };
}

function swallow(event: Event): void {
  event.stopPropagation();
  event.preventDefault();
}

/** True where the shown columns stand in the same order among the chips. */
function keepsOrder(order: readonly number[], columns: Int32Array): boolean {
  const visible = new Set(columns);
  const standing = order.filter((column) => visible.has(column));
  return standing.length === columns.length && standing.every((column, at) => column === columns[at]);
}
