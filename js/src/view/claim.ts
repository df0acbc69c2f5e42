/** A sentence about the grid, held against its numbers by the kernel: the verdict, why, and the cells outlined. */
import { button, element, setAttributes, setText, toggle } from "../dom.ts";
import { type Box, cellsOf, isSelected, unpackBoxes } from "../findings.ts";
import { type ClaimReply, LONGEST_CLAIM } from "../messages.ts";
import type { State } from "../model.ts";
import type { CellId } from "../selection.ts";
import { statementNodes } from "./findings.ts";

export interface ClaimActions {
  /** Outline the cells of these boxes; none where there are none. */
  outline(boxes: readonly Box[]): void;
  select(cells: readonly CellId[]): void;
  check(claim: string): Promise<ClaimReply>;
  /** Whether there is a kernel at all: a saved page has none. */
  readonly hasKernel: boolean;
}

export interface ClaimView {
  readonly root: HTMLElement;
  /** `wanted`: whether findings are, and so claims. */
  draw(state: State, wanted: boolean): void;
}

export function createClaim(actions: ClaimActions): ClaimView {
  const input = element("input", "layergrid-claim-text", {
    type: "text",
    maxlength: LONGEST_CLAIM,
    autocomplete: "off",
    "aria-label": "Check a claim about the grid",
    enterkeyhint: "send",
    hidden: !actions.hasKernel,
    "data-lm-suppress-shortcuts": "true",
  });
  const answer = button("layergrid-answer", "", "Select the cells that it rests on", () => {
    const { selection, matrix } = state!;
    actions.select(isSelected(boxes, selection, matrix.columns) ? [] : cellsOf(boxes, matrix.columns));
  });
  const note = element("p", "layergrid-claim-note");
  const said = element("div", "", { role: "status" }, answer, note);
  const root = element("div", "layergrid-claim", {}, input, said);
  let state: State | null = null;
  let boxes: readonly Box[] = [];
  let asked = 0;
  let matrix: State["matrix"] | null = null;

  const say = (text: string) => {
    setText(note, text);
    toggle(note, text !== "");
  };
  const showAnswer = ({ verdict, statement }: ClaimReply) => {
    answer.replaceChildren(
      element("span", "layergrid-verdict", { "data-verdict": verdict }, verdict),
      " ",
      ...statementNodes(statement),
    );
    toggle(answer, true);
    markAnswer();
  };
  const markAnswer = () => {
    const { selection, matrix } = state!;
    setAttributes(answer, {
      "aria-pressed": String(isSelected(boxes, selection, matrix.columns)),
      disabled: boxes.length === 0,
    });
  };
  const outline = () => actions.outline(boxes);
  const stopOutlining = () => actions.outline([]);
  const clear = () => {
    if (boxes.length > 0) stopOutlining();
    boxes = [];
    toggle(answer, false);
    say("");
  };

  // No form: JupyterLab takes Enter for itself before a form would be submitted.
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    const claim = input.value.trim();
    const mine = ++asked;
    const about = state!.matrix;
    clear();
    if (claim === "") return;
    say("The kernel was asked; it may answer only after a running cell.");
    actions.check(claim).then(
      (reply) => {
        if (mine !== asked) return;
        clear();
        if (about !== state!.matrix) return say("Other values have come meanwhile; ask again.");
        boxes = unpackBoxes(reply.boxes, about.rows, about.columns);
        showAnswer(reply);
        if (root.contains(focusedIn(root))) outline();
      },
      (error: Error) => {
        if (mine === asked) say(error.message);
      },
    );
  });
  for (const part of [input, answer]) {
    part.addEventListener("focus", outline);
    part.addEventListener("blur", stopOutlining);
  }
  answer.addEventListener("pointerenter", outline);
  answer.addEventListener("pointerleave", () => {
    if (!root.contains(focusedIn(root))) stopOutlining();
  });

  clear();
  say(actions.hasKernel ? "" : "Checking a claim needs the kernel, and a saved page has none.");
  return {
    root,
    draw(next, wanted) {
      state = next;
      toggle(root, wanted);
      if (matrix !== next.matrix) {
        // An answer is about the values that it was asked of.
        if (matrix !== null && actions.hasKernel && !answer.hidden) clear();
        matrix = next.matrix;
        setAttributes(input, { placeholder: `Check a claim: “${example(matrix)}”` });
      }
      markAnswer();
    },
  };
}

/** A sentence that can be checked, with names of this grid; a bare number would pass for a layer. */
function example({ components }: State["matrix"]): string {
  const named = (at: number) => String(components.at(at)).replace(/^\d+$/, "component $&");
  const last = components.length - 1;
  return last > 0 ? `${named(0)} and ${named(last)} are inverse` : `${named(0)} rises with layer`;
}

function focusedIn(node: Node): Element | null {
  return (node.getRootNode() as Document | ShadowRoot).activeElement;
}
