/** Files from the page: the picture with its labels and color bar, and the table. */
import type { Figure } from "../figure.ts";
import { csvTable } from "../save.ts";
import { pageCaption } from "../turning.ts";

const MARGIN = 16;

function offer(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

const caption = ({ state }: Figure) => pageCaption(state.pages.selectors, state.page, state.title);

function fileName(figure: Figure, ending: string): string {
  const words =
    caption(figure)
      .toLowerCase()
      .match(/[a-z0-9]+/g) ?? [];
  return `${words.slice(0, 8).join("-") || "layergrid"}.${ending}`;
}

export function downloadTable(figure: Figure): void {
  offer(new Blob([csvTable(figure)], { type: "text/csv;charset=utf-8" }), fileName(figure, "csv"));
}

/** The figure as it stands: each canvas and each label is drawn where the page has it. */
export function downloadPicture(figure: Figure, root: HTMLElement): void {
  const ratio = figure.layout.ratio;
  const box = root.getBoundingClientRect();
  const style = getComputedStyle(root);
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil((box.width + 2 * MARGIN) * ratio);
  canvas.height = Math.ceil((box.height + 2 * MARGIN + 24) * ratio);
  const context = canvas.getContext("2d")!;
  context.scale(ratio, ratio);
  context.fillStyle = style.getPropertyValue("--layergrid-background") || "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = style.color;
  context.font = `600 14px ${style.fontFamily}`;
  context.textBaseline = "top";
  context.fillText(caption(figure), MARGIN, MARGIN);
  context.translate(MARGIN - box.left, MARGIN + 24 - box.top);
  for (const source of root.querySelectorAll("canvas")) {
    const at = source.getBoundingClientRect();
    if (at.width > 0 && at.height > 0) context.drawImage(source, at.left, at.top, at.width, at.height);
  }
  for (const label of root.querySelectorAll<HTMLElement>(
    "[class^=layergrid-row-label],.layergrid-column-label,.layergrid-group,.layergrid-tick,.layergrid-axis-name",
  )) {
    drawLabel(context, label);
  }
  canvas.toBlob((blob) => {
    if (blob !== null) offer(blob, fileName(figure, "png"));
  });
}

function drawLabel(context: CanvasRenderingContext2D, label: HTMLElement): void {
  const at = label.getBoundingClientRect();
  const style = getComputedStyle(label);
  context.save();
  context.fillStyle = style.color;
  context.font = `${style.fontSize} ${style.fontFamily}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.translate((at.left + at.right) / 2, (at.top + at.bottom) / 2);
  if (label.classList.contains("layergrid-turned")) context.rotate(-Math.PI / 2);
  context.fillText(label.textContent ?? "", 0, 0);
  context.restore();
}
