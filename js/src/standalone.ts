/** The widget in a saved page: no kernel, no host; the state lies in the page as JSON. */
import type { Model, Traits } from "./model.ts";

type Packed = Record<string, unknown>;
type Listener = (...values: unknown[]) => void;

/** The state that a saved page holds, or null where this is no such page. */
export function savedState(page: Document): Packed | null {
  const stored = page.getElementById("layergrid-state");
  return stored === null ? null : unpackState(JSON.parse(stored.textContent ?? "{}") as Packed);
}

/** Bytes travel as `{base64: text}`; all else as it is. */
export function unpackState(packed: Packed): Packed {
  return Object.fromEntries(
    Object.entries(packed).map(([name, value]) => {
      const text = (value as { base64?: unknown } | null)?.base64;
      if (typeof text !== "string") return [name, value];
      const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
      return [name, new DataView(bytes.buffer)];
    }),
  );
}

/** A model that only this page knows: changes are heard, nothing is saved, and a request is answered by a refusal. */
export function pageModel(state: Packed): Model {
  const listeners = new Map<string, Set<Listener>>();
  const emit = (event: string, ...values: unknown[]) => {
    for (const listener of [...(listeners.get(event) ?? [])]) listener(...values);
  };
  const model = {
    get: (name: string) => state[name],
    set(name: string, value: unknown) {
      if (state[name] === value) return;
      state[name] = value;
      emit(`change:${name}`);
    },
    save_changes() {},
    send(content: unknown) {
      const { id } = content as { id?: number };
      if (id === undefined) return;
      const reply = { kind: "error", id, message: "a saved file holds only the one it was saved with" };
      queueMicrotask(() => emit("msg:custom", reply, []));
    },
    on(event: string, listener: Listener) {
      if (!listeners.has(event)) listeners.set(event, new Set());
      listeners.get(event)!.add(listener);
    },
    off(event: string, listener: Listener) {
      listeners.get(event)?.delete(listener);
    },
  };
  return model as unknown as Model & Traits;
}
