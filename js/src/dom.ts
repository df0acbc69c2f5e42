/** Making elements. Text goes in as text: labels come from files that strangers made. */

type Attributes = Readonly<Record<string, string | number | boolean | null>>;

/** How far a pressed pointer moves, in CSS pixels, before it drags. */
export const DRAG_THRESHOLD = 4;

const SVG = "http://www.w3.org/2000/svg";

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (className !== "") made.className = className;
  setAttributes(made, attributes);
  made.append(...children);
  return made;
}

export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Node[]
): SVGElementTagNameMap[K] {
  const made = document.createElementNS(SVG, tag);
  setAttributes(made, attributes);
  made.append(...children);
  return made;
}

export function setAttributes(target: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === false) target.removeAttribute(name);
    else target.setAttribute(name, value === true ? "" : String(value));
  }
}

/** A button whose keys are its own: JupyterLab would delete the cell on "d d"; it asks the focused element only. */
export function button(
  className: string,
  label: string,
  title: string,
  onClick: () => void,
): HTMLButtonElement {
  const made = element(
    "button",
    className,
    { type: "button", title, "data-lm-suppress-shortcuts": "true" },
    label,
  );
  made.addEventListener("click", onClick);
  return made;
}

/** A menu of choices; its parent is what is placed. */
export function menu(
  label: string,
  choices: readonly string[],
  choose: (choice: string) => void,
  named = (choice: string) => choice,
): HTMLElement {
  const select = element(
    "select",
    "layergrid-menu",
    { "aria-label": label, title: label, "data-lm-suppress-shortcuts": "true" },
    ...choices.map((choice) => element("option", "", { value: choice }, named(choice))),
  );
  select.addEventListener("change", () => choose(select.value));
  return element("label", "layergrid-field", {}, select);
}

/** Write text only where it differs: a live region speaks each time it is written to. */
export function setText(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

export function toggle(target: HTMLElement, shown: boolean): void {
  if (target.hidden === shown) target.hidden = !shown;
}

/** A canvas as large as it will be shown, in device pixels. */
export function sizeCanvas(canvas: HTMLCanvasElement, width: number, height: number, ratio: number): void {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  canvas.style.width = `${width / ratio}px`;
  canvas.style.height = `${height / ratio}px`;
}
