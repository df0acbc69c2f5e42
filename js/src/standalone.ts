/** The widget in a saved page: no kernel, no host; the state lies in the page as JSON. */
import { localModel } from "./local.ts";
import type { Model } from "./traits.ts";

type Packed = Record<string, unknown>;

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

/** A model that only this page knows: nothing is saved, and a request is answered by a refusal. */
export function pageModel(state: Packed): Model {
  const { model, emit } = localModel(state, {
    save() {},
    send(content) {
      const { id } = content as { id?: number };
      if (id === undefined) return;
      const reply = { kind: "error", id, message: "a saved file holds only the one it was saved with" };
      queueMicrotask(() => emit("msg:custom", reply, []));
    },
  });
  return model;
}
