/** What the reader does, to the traits: set here at once, and saved for Python a little later. */
import type { Request } from "./messages.ts";
import type { State } from "./model.ts";
import type { CellId } from "./selection.ts";
import { type Changes, DRAWN, type Model, type Traits } from "./traits.ts";

const SAVE_INTERVAL_MS = 60;
const LIMITS = ["vmin", "vmax", "center"] as const;

export interface Binding {
  /** Change traits: in every view at once, in Python at most every 60 ms, the last value always. */
  change(changes: Changes): void;
  select(cells: readonly CellId[]): void;
  send(request: Request): void;
  stop(): void;
}

/**
 * Bind the model: `changed` runs whenever something drawn has changed, from here or from Python; `whole` with values,
 * which come in one message with all that belongs to them.
 *
 * What was changed here and not yet saved wins over what arrives meanwhile. ipywidgets 8 echoes every saved
 * value back; an echo of an older one would make a dragged slider jump (ipywidgets#3195, #3394).
 */
export function bindModel(model: Model, readState: () => State, changed: (whole: boolean) => void): Binding {
  const unsaved = new Map<keyof Traits, unknown>();
  let timer: ReturnType<typeof setTimeout> | null = null;
  let savedAt = -Infinity;

  const save = () => {
    timer = null;
    savedAt = performance.now();
    unsaved.clear();
    model.save_changes();
  };
  const write = (name: keyof Traits, value: unknown) => {
    unsaved.set(name, value);
    model.set(name, value as never);
  };
  const saveSoon = () => {
    if (timer !== null) return;
    const wait = savedAt + SAVE_INTERVAL_MS - performance.now();
    if (wait <= 0) save();
    else timer = setTimeout(save, wait);
  };
  const change = (changes: Changes) => {
    for (const [name, value] of Object.entries(changes)) write(name as keyof Traits, value);
    const limits = LIMITS.some((name) => name in changes);
    if (limits && !("_fitted" in changes)) write("_fitted", false);
    saveSoon();
  };
  const listeners = DRAWN.map((name) => {
    const listener = () => {
      if (unsaved.has(name) && model.get(name) !== unsaved.get(name))
        model.set(name, unsaved.get(name) as never);
      else changed(name === "_values");
    };
    model.on(`change:${name}`, listener);
    return () => model.off(`change:${name}`, listener);
  });

  return {
    change,
    select(cells) {
      const { matrix } = readState();
      write(
        "selection",
        cells.map((cell) => [
          matrix.layers.at(Math.floor(cell / matrix.columns)),
          String(matrix.components.at(cell % matrix.columns)),
        ]),
      );
      saveSoon();
    },
    send(request) {
      model.send(request);
    },
    stop() {
      for (const remove of listeners) remove();
      if (timer !== null) {
        clearTimeout(timer);
        save();
      }
    },
  };
}
