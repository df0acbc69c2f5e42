/** Light or dark: there is no common signal among notebook hosts, so the background behind the widget decides. */

/** True where the first opaque background at or above the element is darker than middle gray. */
export function isDark(element: Element): boolean {
  for (let at: Element | null = element; at !== null; at = parentAcrossShadow(at)) {
    const color = parseColor(getComputedStyle(at).backgroundColor);
    if (color !== null && color.alpha > 0.5) return luma(color) < 128;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

interface Color {
  readonly red: number;
  readonly green: number;
  readonly blue: number;
  readonly alpha: number;
}

/** `rgb()` and `rgba()`, the forms of computed colors; null for others. */
export function parseColor(text: string): Color | null {
  const match = /^rgba?\(([^)]+)\)$/.exec(text);
  if (match === null) return null;
  const [red = 0, green = 0, blue = 0, alpha = 1] = match[1]!.split(/[\s,/]+/).map(Number);
  return { red, green, blue, alpha };
}

function luma({ red, green, blue }: Color): number {
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}

function parentAcrossShadow(element: Element): Element | null {
  if (element.parentElement !== null) return element.parentElement;
  const root = element.getRootNode();
  return root instanceof ShadowRoot ? root.host : null;
}

/** Calls back when the page may have changed its theme, until stopped. */
export function watchTheme(changed: () => void): () => void {
  const observer = new MutationObserver(changed);
  const options = {
    attributes: true,
    attributeFilter: ["class", "style", "data-theme", "data-jp-theme-light", "data-jp-theme-name"],
  };
  observer.observe(document.documentElement, options);
  observer.observe(document.body, options);
  const query = matchMedia("(prefers-color-scheme: dark)");
  query.addEventListener("change", changed);
  return () => {
    observer.disconnect();
    query.removeEventListener("change", changed);
  };
}
