/** The widget: joins the model and what stands in its place; nothing else. */
import type { RenderProps } from "@anywidget/types";
import type { Traits } from "./model.ts";
import { pageModel, savedState } from "./standalone.ts";
import { createStage } from "./view/stage.ts";

const state = savedState(document);
if (state !== null) createStage(pageModel(state), document.getElementById("layergrid")!, false);

export default {
  render: ({ model, el }: RenderProps<Traits>) => createStage(model, el, true).destroy,
};
