/** The cells of a large matrix that the page is to hold: all of them arrive, a band of rows at a time, the first first. */
import type { Dtype } from "./cells.ts";
import { type FarActions, GONE, notHad, undamaged } from "./far.ts";
import { type FarCells, fillCoarse, type Overview, overlay, roomMaker } from "./overview.ts";
import { makePyramid } from "./pyramid.ts";
import { createQueue } from "./queue.ts";
import type { PaintedCells } from "./raster.ts";
import { blocksOf } from "./windows.ts";

/** Cells of a band: just below 4 MB of float32. */
const BAND_CELLS = 1_000_000;
const PATIENCE_MS = 5000;

export function createLoading(
  shape: { readonly rows: number; readonly columns: number },
  dtype: Dtype,
  version: number,
  actions: FarActions,
): FarCells {
  const { rows, columns } = shape;
  const length = rows * columns;
  const cells: { rows: number; columns: number; values: Float32Array | Float64Array; absent: Uint8Array } = {
    ...shape,
    values: dtype === "f4" ? new Float32Array(length) : new Float64Array(length),
    absent: new Uint8Array(length),
  };
  let someAbsent = false;
  let pyramid = makePyramid({ ...cells, absent: null }, 0);
  const bandRows = Math.max(1, Math.floor(BAND_CELLS / columns));
  const early = new Map<number, PaintedCells>(); // bands that arrived before those below them
  const roomFor = roomMaker();
  let overview: Overview;
  let there = 0;
  let begun = false;
  let stopped = false;
  let trouble = "";

  const say = (text: string) => {
    if (text === trouble) return;
    trouble = text;
    actions.changed();
  };
  const rowsFrom = (row: number) => Math.min(bandRows, rows - row);
  const take = (band: PaintedCells, row: number) => {
    cells.values.set(band.values, row * columns);
    if (band.absent !== null) {
      cells.absent.set(band.absent, row * columns);
      // Levels made so far knew of no absent cells: those of the rows that are here are made anew.
      if (!someAbsent) pyramid = makePyramid(cells, there);
      someAbsent = true;
    }
    there = row + band.rows;
    pyramid.arrived(there);
  };
  const fail = (words: string) => {
    stopped = true;
    queue.stop();
    say(words);
  };
  const queue = createQueue<number, PaintedCells>(
    {
      key: (row) => row,
      ask(row, giveUp) {
        const bottom = row + rowsFrom(row);
        const level = { rowFactor: 1, columnFactor: 1, aggregate: "mean", center: 0 } as const;
        const question = {
          kind: "window",
          version,
          top: row,
          bottom,
          left: 0,
          right: columns,
          ...level,
        } as const;
        return actions.ask(question, bottom - row, columns, giveUp).then(undamaged);
      },
      arrived(row, band) {
        early.set(row, band);
        for (let next = early.get(there); next !== undefined; next = early.get(there)) {
          early.delete(there);
          take(next, there);
        }
        trouble = "";
        actions.changed();
      },
      failed: (_, message) => fail(notHad(message)),
      late: () => say(GONE),
    },
    PATIENCE_MS,
    { triesTwice: true },
  );
  const begin = () => {
    begun = true;
    const bands = Array.from({ length: Math.ceil(rows / bandRows) }, (_, band) => band * bandRows);
    queue.want(bands.filter((row) => row >= there && !early.has(row)));
  };

  return {
    look(next) {
      overview = next;
    },
    whole: () => (there < rows ? null : { ...cells, absent: someAbsent ? cells.absent : null }),
    window(window, rowFactor, columnFactor, aggregate, center) {
      if (!begun) begin();
      const blocks = blocksOf(shape, window, rowFactor, columnFactor);
      const made = roomFor(blocks, overview);
      const sharp = pyramid.window(window, rowFactor, columnFactor, aggregate, center);
      overlay(made, blocks, sharp, blocks.top, blocks.left);
      const rest = { ...blocks, top: blocks.top + sharp.rows };
      fillCoarse(made, blocks, rest, overview, rowFactor, columnFactor);
      return made;
    },
    at: (row, column) => (row < there ? cells.values[row * columns + column] : undefined),
    version: () => there,
    trouble: () => trouble,
    progress: () => (stopped ? null : there / rows),
    retry() {
      stopped = false;
      say("");
      begin();
    },
    cancel: () => fail("Loading was stopped: coarse colors are those of the overview."),
    stop() {
      stopped = true;
      queue.stop();
    },
  };
}
