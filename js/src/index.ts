/** The widget: joins the model and the page; nothing else. */
import type { RenderProps } from "@anywidget/types";
import { bindModel, stateReader, type Traits } from "./model.ts";
import { createPage } from "./view/page.ts";

function render({ model, el }: RenderProps<Traits>): () => void {
  const readState = stateReader(model);
  const binding = bindModel(model, readState, () => page.request());
  const page = createPage(el, readState, binding);
  page.drawNow();
  return () => {
    page.destroy();
    binding.stop();
  };
}

export default { render };
