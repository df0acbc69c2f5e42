/**
 * What hosts import for a grid whose page probably has the widget's code already; else it is in the grid's state, packed.
 *
 * anywidget imports a widget's module anew for each instance: fifty kilobytes take longer than these few lines.
 */
import type { RenderProps } from "@anywidget/types";
import { place } from "./place.ts";
import type { Traits } from "./traits.ts";
import { runPacked } from "./unpack.ts";

type Props = RenderProps<Traits> & { signal?: AbortSignal };

export default {
  async render(props: Props): Promise<() => void> {
    if (place().picture === undefined) await runPacked(props.model.get("_picture_code"));
    // Removed while its code was loading?
    return props.signal?.aborted === true ? () => {} : place().picture!.render(props);
  },
};
