/** The widget: joins the model and the page; nothing else. */
import type { RenderProps } from "@anywidget/types";
import { bindModel, type Model, stateReader, type Traits } from "./model.ts";
import { pageModel, savedState } from "./standalone.ts";
import { createPage } from "./view/page.ts";

function draw(model: Model, el: HTMLElement, hasKernel: boolean): () => void {
  const readState = stateReader(model, () => page.request());
  const binding = bindModel(model, readState, () => page.request());
  const page = createPage(el, readState, binding, hasKernel);
  page.drawNow();
  return () => {
    page.destroy();
    binding.stop();
  };
}

const state = savedState(document);
if (state !== null) draw(pageModel(state), document.getElementById("layergrid")!, false);

export default {
  render: ({ model, el }: RenderProps<Traits>) => draw(model, el, true),
};
