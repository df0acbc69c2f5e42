/** The picture, and where it is pointed at. */
import { element } from "../dom.ts";
import type { Figure } from "../figure.ts";
import { type Aim, createAim, type GridGestures } from "./aim.ts";
import { listenToKeys } from "./keyboard.ts";
import { createPicture, type DrawMarks } from "./picture.ts";
import { listenToPointer } from "./pointer.ts";

export interface GridView {
  /** What the picture stands in, and the focusable element with the canvas. */
  readonly frame: HTMLElement;
  readonly plot: HTMLElement;
  readonly canvas: HTMLElement;
  readonly aim: Aim;
  /** Draw the colors, and upon them marks and values once there is something that draws these. */
  draw(figure: Figure, drawMarks: DrawMarks | null, anew: boolean): void;
  focus(): void;
}

export function createGridView(gestures: GridGestures): GridView {
  const picture = createPicture();
  const plot = element(
    "div",
    "layergrid-plot",
    {
      role: "grid",
      tabindex: 0,
      "aria-label": "Grid of layers and components",
      "aria-multiselectable": "true",
      "data-lm-suppress-shortcuts": "true",
    },
    picture.canvas,
  );
  const frame = element("div", "layergrid-plot-frame", {}, plot);
  const aim = createAim(picture.canvas, gestures);
  listenToPointer(plot, aim, gestures);
  listenToKeys(plot, aim, gestures);

  return {
    frame,
    plot,
    canvas: picture.canvas,
    aim,
    draw(figure, drawMarks, anew) {
      const { width, height, ratio } = figure.layout;
      plot.style.width = `${width / ratio}px`;
      plot.style.height = `${height / ratio}px`;
      picture.draw(figure, drawMarks, anew);
      aim.show(figure);
    },
    focus: () => plot.focus({ preventScroll: true }),
  };
}
