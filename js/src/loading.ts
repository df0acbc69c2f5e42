/** The cells of a large matrix that the page is to hold: all of them arrive, a band of rows at a time, the first first. */
import { type FarActions, GONE, type ReadCells } from "./far.ts";
import { coarse, type FarCells, type Overview, overlay } from "./overview.ts";
import { makePyramid } from "./pyramid.ts";
import type { PaintedCells } from "./raster.ts";
import { blocksOf } from "./windows.ts";

/** Cells of a band: just below 4 MB of float32. */
const BAND_CELLS = 1_000_000;
const MOST_IN_FLIGHT = 2;
const PATIENCE_MS = 5000;

export function createLoading(
  shape: { readonly rows: number; readonly columns: number },
  dtype: "f4" | "f8",
  version: number,
  readCells: ReadCells,
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
  const inFlight = new Map<number, number>(); // id -> first row
  const early = new Map<number, PaintedCells>(); // bands that arrived before those below them
  let overview: Overview;
  let asked = 0; // rows
  let there = 0;
  let begun = false;
  let stopped = false;
  let trouble = "";
  let timer: ReturnType<typeof setTimeout> | null = null;

  const say = (text: string) => {
    if (text === trouble) return;
    trouble = text;
    actions.changed();
  };
  const rowsFrom = (row: number) => Math.min(bandRows, rows - row);
  const settle = () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
  };
  const ask = (row: number) => {
    try {
      const id = actions.send({
        kind: "window",
        version,
        top: row,
        bottom: row + rowsFrom(row),
        left: 0,
        right: columns,
        rowFactor: 1,
        columnFactor: 1,
        aggregate: "mean",
        center: 0,
      });
      inFlight.set(id, row);
    } catch (error) {
      stopped = true;
      say(
        `The kernel cannot be asked for the cells (${String(error)}). Coarse colors are those of the overview.`,
      );
    }
  };
  const pump = () => {
    begun = true;
    while (!stopped && inFlight.size < MOST_IN_FLIGHT && asked < rows) {
      const row = asked;
      asked += rowsFrom(row);
      ask(row);
    }
    settle();
    if (inFlight.size > 0) timer = setTimeout(() => say(GONE), PATIENCE_MS);
  };
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
    settle();
    say(words);
  };

  return {
    look(next) {
      overview = next;
    },
    whole: () => (there < rows ? null : { ...cells, absent: someAbsent ? cells.absent : null }),
    window(window, rowFactor, columnFactor, aggregate, center) {
      if (!begun) pump();
      const blocks = blocksOf(shape, window, rowFactor, columnFactor);
      const made = coarse(overview, blocks, rowFactor, columnFactor);
      const sharp = pyramid.window(window, rowFactor, columnFactor, aggregate, center);
      overlay(made, blocks, sharp, blocks.top, blocks.left);
      return made;
    },
    at: (row, column) => (row < there ? cells.values[row * columns + column] : undefined),
    version: () => there,
    trouble: () => trouble,
    progress: () => (stopped ? null : there / rows),
    cancel() {
      for (const id of inFlight.keys()) actions.cancel(id);
      inFlight.clear();
      fail("Loading was stopped: coarse colors are those of the overview.");
    },
    receive(reply, buffers) {
      const row = inFlight.get(reply.id);
      if (row === undefined) return;
      inFlight.delete(reply.id);
      if (reply.kind === "error") return fail(`The cells could not be had: ${reply.message}`);
      const band = readCells(reply, buffers, rowsFrom(row), columns);
      if (band === null) return fail("The cells could not be had: a reply is damaged.");
      early.set(row, band);
      for (let next = early.get(there); next !== undefined; next = early.get(there)) {
        early.delete(there);
        take(next, there);
      }
      trouble = "";
      pump();
      actions.changed();
    },
    stop() {
      stopped = true;
      settle();
      for (const id of inFlight.keys()) actions.cancel(id);
      inFlight.clear();
    },
  };
}
