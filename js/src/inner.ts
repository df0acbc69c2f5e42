/** The model of an opened tensor, whose messages travel within those of the grid that it was opened from. */
import { localModel } from "./local.ts";
import type { BufferPath, InnerContent, InnerMessage, OpenReply, Packed } from "./messages.ts";
import type { Model } from "./traits.ts";

export interface InnerModel {
  readonly model: Model;
  /** Say farewell: the kernel closes the tensor. */
  close(): void;
}

export function innerModel(outer: Model, { id, state, paths, buffers = [] }: OpenReply): InnerModel {
  const say = (content: InnerContent) => outer.send({ kind: "inner", id, content } satisfies InnerMessage);
  const { model, emit, update } = localModel(withBuffers(state, paths, buffers), {
    save: (changed) => say({ method: "update", state: changed, buffer_paths: [] }),
    send: (content) => say({ method: "custom", content }),
  });
  const receive = (message: unknown, sent: readonly DataView[]) => {
    const said = message as InnerMessage | null;
    if (said?.kind !== "inner" || said.id !== id) return;
    const { content } = said;
    if (content.method === "custom") emit("msg:custom", content.content, sent);
    else update(withBuffers(content.state, content.buffer_paths, sent));
  };
  outer.on("msg:custom", receive);
  return {
    model,
    close() {
      outer.off("msg:custom", receive);
      outer.send({ kind: "close", id });
    },
  };
}

/** A state with its bytes in their places, which are all at its top. */
function withBuffers(
  state: Packed,
  paths: readonly BufferPath[],
  buffers: readonly DataView[],
): Record<string, unknown> {
  const bytes = paths.map(([name], at) => [name, buffers[at]]);
  return { ...state, ...Object.fromEntries(bytes) };
}
