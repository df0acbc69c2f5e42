/**
 * What hosts import for a grid whose page probably has the widget's code already; else the code is in its state.
 *
 * anywidget imports a widget's module anew for each instance, and a hundred kilobytes take 11 ms, these few lines 4.
 */
import type { RenderProps } from "@anywidget/types";

/** The one trait that is of use here; all others are read by the code that it holds. */
type Props = RenderProps<{ _code: DataView }> & { signal?: AbortSignal };

interface Widget {
  render(props: Props): () => void;
}

/** Under what name the code is on the page, see build.mjs; other versions of layergrid have others. */
declare const SHARED: string;

async function widget(model: Props["model"]): Promise<Widget> {
  const page = globalThis as unknown as Record<symbol, Widget | undefined>;
  const here = page[Symbol.for(SHARED)];
  if (here !== undefined) return here;
  const { buffer, byteOffset, byteLength } = model.get("_code");
  const bytes = new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
  const url = URL.createObjectURL(new Blob([bytes], { type: "text/javascript" }));
  try {
    return ((await import(url)) as { default: Widget }).default;
  } finally {
    URL.revokeObjectURL(url);
  }
}

export default {
  async render(props: Props): Promise<() => void> {
    const { render } = await widget(props.model);
    return props.signal?.aborted === true ? () => {} : render(props); // removed while its code was loading
  },
};
