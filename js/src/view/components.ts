/** The component selector: chips in groups; click toggles, double-click or alt-click shows only that one. */
import { button, element, setAttributes, toggle } from "../dom.ts";
import { counted, shorten } from "../format.ts";
import { groupRuns, splitLabel } from "../labels.ts";
import type { Matrix, State } from "../model.ts";
import { moved } from "../selection.ts";

const FILTER_FROM = 21;
const MOST_CHIPS = 240;
const COLLAPSED_FROM = 17;
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
  let runs: readonly (readonly number[])[] = []; // columns of each group in sight
  let stops: readonly number[] = []; // the first column of each chip

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

  const chipOf = (target: EventTarget | null) =>
    (target as Element | null)?.closest<HTMLElement>(".layergrid-chip") ?? null;
  const columnOf = (target: EventTarget | null): number | null => {
    const chip = chipOf(target);
    return chip === null ? null : Number(chip.dataset.column);
  };
  /** The columns that a chip stands for: those of its group where it is the only one of it. */
  const columnsOf = (chip: HTMLElement): readonly number[] =>
    chip.dataset.run === undefined ? [Number(chip.dataset.column)] : runs[Number(chip.dataset.run)]!;
  chipBox.addEventListener("click", (event) => {
    const heading = (event.target as Element).closest<HTMLElement>(".layergrid-chip-group");
    if (heading !== null) {
      toggleColumns(runs[Number(heading.dataset.run)]!);
      return;
    }
    const chip = chipOf(event.target);
    if (chip === null) return;
    focused = Number(chip.dataset.column);
    if (event.altKey) apply(columnsOf(chip));
    else toggleColumns(columnsOf(chip));
  });
  chipBox.addEventListener("dblclick", (event) => {
    const chip = chipOf(event.target);
    if (chip !== null) apply(columnsOf(chip));
  });
  chipBox.addEventListener("keydown", (event) => {
    const chip = chipOf(event.target);
    if (chip === null || (event.key !== "ArrowLeft" && event.key !== "ArrowRight")) return;
    const step = event.key === "ArrowLeft" ? -1 : 1;
    event.preventDefault();
    event.stopPropagation();
    const column = Number(chip.dataset.column);
    if (!event.altKey) focusChip(stops[stops.indexOf(column) + step]);
    else if (chip.dataset.run === undefined) moveChip(column, order.indexOf(column) + step);
  });
  chipBox.addEventListener("pointerdown", (event) => {
    const chip = chipOf(event.target);
    if (chip === null || chip.dataset.run !== undefined || event.button !== 0) return;
    dragged = { column: Number(chip.dataset.column), startX: event.clientX, moving: false };
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
    const filtered = filter.value.trim() !== "";
    const groups = groupRuns(listed.map(label));
    runs = groups.map((run) => listed.slice(run.start, run.end));
    // A chip for each of 256 experts would push the picture out of sight: their group has one, and the filter finds each.
    const collapsed = (at: number) =>
      !filtered && groups[at]!.group !== "" && runs[at]!.length >= COLLAPSED_FROM;
    const chips = runs.map((columns, at) => (collapsed(at) ? columns.slice(0, 1) : columns));
    stops = chips.flat().slice(0, MOST_CHIPS);
    toggle(filter, order.length >= FILTER_FROM);
    const tabStop = focused !== null && stops.includes(focused) ? focused : stops[0];
    const changing = (column: number, columns: readonly number[]) => {
      const count = columns.filter((other) => visible.has(other)).length;
      return {
        "aria-pressed": count === 0 ? "false" : count === columns.length ? "true" : "mixed",
        tabindex: column === tabStop ? 0 : -1,
      };
    };
    const key = [state!.matrix.components, filtered, ...listed];
    if (key.length === standing.length && key.every((part, i) => part === standing[i])) {
      // The same chips stay: a double-click is none where its second click meets another element.
      for (const chip of chipBox.querySelectorAll<HTMLElement>(".layergrid-chip"))
        setAttributes(chip, changing(Number(chip.dataset.column), columnsOf(chip)));
      return;
    }
    standing = key;
    const parts: Node[] = [];
    let left = MOST_CHIPS;
    groups.forEach(({ group }, at) => {
      const shownChips = chips[at]!.slice(0, left);
      left -= shownChips.length;
      if (shownChips.length === 0) return;
      const box = element("span", "layergrid-chip-run");
      if (group !== "" && !collapsed(at)) {
        const heading = button(
          "layergrid-chip-group",
          shorten(group, 24),
          `Show or hide all of ${group}`,
          () => {},
        );
        heading.dataset.run = String(at);
        heading.tabIndex = -1;
        box.append(heading);
      }
      for (const column of shownChips) {
        const full = collapsed(at) ? group : label(column);
        const moves = collapsed(at) ? "" : ", drag or alt+arrow to move";
        const chip = element(
          "button",
          "layergrid-chip",
          {
            type: "button",
            ...changing(column, collapsed(at) ? runs[at]! : [column]),
            "aria-label": collapsed(at) ? `${full}, ${counted(runs[at]!.length, "column")}` : full,
            "data-component": full,
            "data-column": column,
            "data-run": collapsed(at) ? at : null,
            "data-lm-suppress-shortcuts": "true",
            title: `${full}: click to show or hide, double-click to show alone${moves}`,
          },
          collapsed(at) ? `${shorten(full, 24)} × ${runs[at]!.length}` : shorten(splitLabel(full).part, 28),
        );
        box.append(chip);
      }
      parts.push(box);
    });
    const unseen = chips.flat().length - stops.length;
    if (unseen > 0)
      parts.push(
        element("span", "layergrid-muted", {}, `${counted(unseen, "more component")}: filter to see them`),
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
