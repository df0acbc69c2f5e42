/** The widget: joins the model and its page; nothing else. */
import type { RenderProps } from "@anywidget/types";
import { pageModel, savedState } from "./standalone.ts";
import type { Traits } from "./traits.ts";
import { createPage } from "./view/page.ts";

const state = savedState(document);
if (state !== null) createPage(pageModel(state), document.getElementById("layergrid")!, false);

export default {
  render: ({ model, el }: RenderProps<Traits>) => createPage(model, el, true).destroy,
};
