/** A model as a widget has it, whose state lies in this page. */
import type { Model } from "./traits.ts";

type Listener = (...values: unknown[]) => void;

export interface Outlets {
  /** What was set since the last time is to be saved. */
  save(changed: Record<string, unknown>): void;
  send(content: unknown): void;
}

export interface LocalModel {
  readonly model: Model;
  emit(event: string, ...values: unknown[]): void;
  /** Take in values from elsewhere: heard, and not saved. */
  update(values: Readonly<Record<string, unknown>>): void;
}

export function localModel(state: Record<string, unknown>, outlets: Outlets): LocalModel {
  const listeners = new Map<string, Set<Listener>>();
  const emit = (event: string, ...values: unknown[]) => {
    for (const listener of [...(listeners.get(event) ?? [])]) listener(...values);
  };
  let changed: Record<string, unknown> = {};
  const model = {
    get: (name: string) => state[name],
    set(name: string, value: unknown) {
      if (state[name] === value) return;
      changed[name] = value;
      state[name] = value;
      emit(`change:${name}`);
    },
    save_changes() {
      const saved = changed;
      changed = {};
      if (Object.keys(saved).length > 0) outlets.save(saved);
    },
    send: (content: unknown) => outlets.send(content),
    on(event: string, listener: Listener) {
      if (!listeners.has(event)) listeners.set(event, new Set());
      listeners.get(event)!.add(listener);
    },
    off(event: string, listener: Listener) {
      listeners.get(event)?.delete(listener);
    },
  };
  return {
    model: model as unknown as Model,
    emit,
    update(values) {
      // All of them first: who hears of one may read the others.
      const names = Object.keys(values).filter((name) => state[name] !== values[name]);
      Object.assign(state, values);
      for (const name of names) emit(`change:${name}`);
    },
  };
}
