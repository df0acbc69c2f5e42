/** What the numbers show: a list whose lines outline their cells when pointed at, and select them when clicked. */
import { button, element, menu, setAttributes, setText, toggle } from "../dom.ts";
import {
  type Box,
  cellsOf,
  columnsOf,
  countText,
  type Finding,
  type Findings,
  isSelected,
  kindsOf,
  matching,
  statementParts,
} from "../findings.ts";
import { counted, shorten } from "../format.ts";
import type { State } from "../model.ts";
import { remembered } from "../remember.ts";
import type { CellId } from "../selection.ts";

/** Asked for only after the page has rested so long: nothing is computed between two frames of an update or a drag. */
const QUIET_MS = 1200;

export interface FindingsActions {
  /** Outline the cells of these boxes; none where there are none. */
  outline(boxes: readonly Box[]): void;
  select(cells: readonly CellId[]): void;
  /** Have the kernel compute them; resolves when they have arrived. */
  ask(): Promise<unknown>;
  /** Whether there is a kernel at all: a saved page has none. */
  readonly hasKernel: boolean;
}

export interface FindingsView {
  readonly root: HTMLElement;
  draw(state: State, findings: Findings): void;
  destroy(): void;
}

export function createFindings(actions: FindingsActions): FindingsView {
  const count = element("span", "layergrid-findings-count");
  const kinds = filterMenu("Kind of finding", () => redraw());
  const components = filterMenu("Component of the findings", () => redraw());
  const every = button("layergrid-link", "show all", "List the findings about other cells too", () => {
    ignored = state!.selection;
    redraw();
  });
  const list = element("ul", "layergrid-findings-list");
  const note = element("p", "layergrid-findings-note");
  const request = button("layergrid-link", "", "", () => ask(findings!));
  const root = element(
    "div",
    "layergrid-findings",
    { role: "group", "aria-label": "Findings", hidden: true },
    element("div", "layergrid-findings-head", {}, count, every, kinds.root, components.root),
    list,
    note,
    request,
  );

  let state: State | null = null;
  let findings: Findings | null = null;
  let listed: readonly Finding[] = [];
  /** The selection that the list is not narrowed to, as the reader has asked for all. */
  let ignored: readonly CellId[] | null = null;
  let asked: Findings | null = null;
  let pending = false;
  let problem = "";
  let outlined = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let standing: readonly Finding[] = [];

  const redraw = () => {
    if (state !== null) render(state, findings!);
  };
  const ask = (findings: Findings) => {
    asked = findings;
    pending = true;
    problem = "";
    redraw();
    actions
      .ask()
      .catch((error: Error) => {
        problem = error.message;
      })
      .finally(() => {
        pending = false;
        redraw();
      });
  };
  const askOnceQuiet = (findings: Findings) => {
    clearTimeout(timer);
    if (findings.status !== "waiting" || !actions.hasKernel || asked === findings) return;
    timer = setTimeout(() => ask(findings), QUIET_MS);
  };

  const lineOf = (target: EventTarget | null): HTMLElement | null =>
    (target as Element | null)?.closest?.<HTMLElement>(".layergrid-finding") ?? null;
  const outlineOf = (target: EventTarget | null) => {
    const line = lineOf(target);
    outlined = line !== null;
    actions.outline(line === null ? [] : listed[Number(line.dataset.at)]!.boxes);
  };
  const focused = () => {
    const { activeElement } = list.getRootNode() as Document | ShadowRoot;
    return list.contains(activeElement) ? activeElement : null;
  };
  list.addEventListener("pointerover", (event) => outlineOf(event.target));
  list.addEventListener("pointerleave", () => outlineOf(focused()));
  list.addEventListener("focusin", (event) => outlineOf(event.target));
  list.addEventListener("focusout", () => outlineOf(null));
  list.addEventListener("click", (event) => {
    const line = lineOf(event.target);
    if (line === null) return;
    const { boxes } = listed[Number(line.dataset.at)]!;
    const { selection, matrix } = state!;
    moveTabStop(line);
    actions.select(isSelected(boxes, selection, matrix.columns) ? [] : cellsOf(boxes, matrix.columns));
  });
  list.addEventListener("keydown", (event) => {
    const lines = [...list.querySelectorAll<HTMLElement>(".layergrid-finding")];
    const at = lines.indexOf(lineOf(event.target)!);
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: lines.length - 1 }[event.key];
    if (to === undefined || lines[to] === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    moveTabStop(lines[to]);
    lines[to].focus();
  });
  /** One tab stop for the list; arrows move within it. */
  const moveTabStop = (line: HTMLElement) => {
    for (const other of list.querySelectorAll<HTMLElement>(".layergrid-finding")) other.tabIndex = -1;
    line.tabIndex = 0;
  };

  const choices = remembered((findings: Findings, labels: State["matrix"]["components"]) => {
    kinds.offer([["", "all kinds"], ...kindsOf(findings.findings).map((kind) => [kind, kind] as const)]);
    components.offer([
      ["", "all components"],
      ...columnsOf(findings.findings).map(
        (column) => [String(column), shorten(String(labels.at(column)), 28)] as const,
      ),
    ]);
  });
  const chosen = remembered(
    (
      findings: Findings,
      kind: string,
      column: string,
      cells: readonly CellId[],
      rows: Int32Array,
      columns: Int32Array,
      stride: number,
    ) =>
      matching(
        findings.findings,
        {
          kind: kind === "" ? null : kind,
          column: column === "" ? null : Number(column),
          cells,
          rows,
          columns,
        },
        stride,
      ),
  );

  const render = ({ selection, matrix, rows, columns }: State, findings: Findings) => {
    toggle(root, findings.status !== "off");
    if (findings.status === "off") return;
    const all = findings.findings;
    choices(findings, matrix.components);
    toggle(kinds.root, all.length > 1);
    toggle(components.root, all.length > 1);
    // Those just selected by a click on their finding narrow nothing: the list would jump under the pointer.
    const own = all.some(({ boxes }) => isSelected(boxes, selection, matrix.columns));
    const narrowing = selection.length > 0 && selection !== ignored && !own;
    listed = chosen(
      findings,
      kinds.value(),
      components.value(),
      narrowing ? selection : none,
      rows,
      columns,
      matrix.columns,
    );
    toggle(count, all.length > 0);
    setText(count, countText(listed.length, all.length, narrowing ? about(selection, matrix) : ""));
    toggle(every, narrowing && listed.length < all.length);
    renderList();
    for (const line of list.querySelectorAll<HTMLElement>(".layergrid-finding"))
      setAttributes(line, {
        "aria-pressed": String(isSelected(listed[Number(line.dataset.at)]!.boxes, selection, matrix.columns)),
      });
    list.classList.toggle("layergrid-former", findings.status === "waiting");
    const text = words(findings, {
      cells: matrix.rows * matrix.columns,
      pending,
      problem,
      hasKernel: actions.hasKernel,
    });
    setText(note, text);
    toggle(note, text !== "");
    const asking = { large: "find what stands out", failed: "try again" }[findings.status as string];
    toggle(request, asking !== undefined && actions.hasKernel && !pending);
    setText(request, asking ?? "");
  };

  const renderList = () => {
    toggle(list, listed.length > 0);
    if (listed === standing) return;
    standing = listed;
    if (outlined) outlineOf(null);
    list.replaceChildren(
      ...listed.map(({ kind, statement }, at) =>
        element(
          "li",
          "",
          {},
          element(
            "button",
            "layergrid-finding",
            {
              type: "button",
              tabindex: at === 0 ? 0 : -1,
              "data-at": at,
              "data-kind": kind,
              "data-lm-suppress-shortcuts": "true",
            },
            ...statementNodes(statement),
          ),
        ),
      ),
    );
  };

  return {
    root,
    draw(next, found) {
      if (found !== findings) problem = "";
      [state, findings] = [next, found];
      render(next, found);
      askOnceQuiet(found);
    },
    destroy() {
      clearTimeout(timer);
    },
  };
}

/** A statement with its evidence in muted ink. */
export function statementNodes(statement: string): (Node | string)[] {
  return statementParts(statement).map((part) =>
    part.startsWith("(") ? element("span", "layergrid-evidence", {}, part) : part,
  );
}

const none: readonly CellId[] = [];

/** A menu whose choices change; the chosen one stays if it is still among them, else the first is. */
function filterMenu(label: string, choose: () => void) {
  const root = menu(label, [], choose);
  const select = root.querySelector("select")!;
  return {
    root,
    value: () => select.value,
    offer(choices: readonly (readonly [string, string])[]) {
      const { value } = select;
      select.replaceChildren(...choices.map(([name, text]) => element("option", "", { value: name }, text)));
      select.value = choices.some(([name]) => name === value) ? value : choices[0]![0];
    },
  };
}

/** What a list narrowed to the selection holds. */
function about(selection: readonly CellId[], matrix: State["matrix"]): string {
  if (selection.length > 1) return `the ${counted(selection.length, "selected cell")}`;
  const cell = selection[0]!;
  const layer = matrix.layers.at(Math.floor(cell / matrix.columns));
  return `${matrix.axes[0]} ${layer}, ${matrix.components.at(cell % matrix.columns)}`;
}

/** What is said below the list: why it is empty, old or short, and what was not tried. */
export function words(
  { status, message, findings, more, notes }: Findings,
  place: { cells: number; pending: boolean; problem: string; hasKernel: boolean },
): string {
  const now: Record<Exclude<Findings["status"], "ready" | "off">, string> = {
    waiting: !place.hasKernel
      ? "Findings were not computed before this page was saved."
      : findings.length === 0
        ? "Findings come from the kernel as soon as it is free."
        : "These are of the values before; new ones come from the kernel as soon as it is free.",
    large: place.pending
      ? `The kernel was asked; ${counted(place.cells, "cell")} take a while.`
      : `A grid of ${counted(place.cells, "cell")} is searched for findings on request only.`,
    failed: message,
  };
  if (place.problem !== "") return place.problem;
  if (status !== "ready") return status === "off" ? "" : now[status];
  const empty = findings.length === 0 && notes.length === 0 ? ["Nothing here is told from noise."] : [];
  const rest = more > 0 ? [`${counted(more, "weaker one")} more: grid.insights has all.`] : [];
  return [...empty, ...rest, ...notes].join("\n");
}
