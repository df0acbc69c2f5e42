/** The traits as seen from the browser: the only module that knows their names. */
import type { AnyModel } from "@anywidget/types";
import { arrangeLut, COLORMAPS, makePalette, type Palette, tableLut } from "./colormap.ts";
import { type OpenedTensor, openedTensor } from "./divisions.ts";
import { createFar, type FarActions, type FarCells } from "./far.ts";
import { createFetcher } from "./fetcher.ts";
import { type Findings, type PackedFindings, unpackFindings } from "./findings.ts";
import { type Label, type Labels, type PackedLabels, type PackedParameters, unpackLabels } from "./labels.ts";
import { createLoading, type Loading } from "./loading.ts";
import { type PageReply, type Request, readReply } from "./messages.ts";
import type { Overview } from "./overview.ts";
import {
  makePages,
  neighbours,
  type PackedSelector,
  type Pages,
  type Position,
  pageAt,
  pageTexts,
  positionAt,
  type Selector,
  selectorBetween,
  unpackSelectors,
} from "./pages.ts";
import type { PaintedCells } from "./raster.ts";
import { remembered } from "./remember.ts";
import { createRequests, type Requests } from "./requests.ts";
import { type Domain, SCALE_KINDS, type ScaleKind } from "./scale.ts";
import type { CellId } from "./selection.ts";
import type { Aggregate } from "./windows.ts";

export interface Traits {
  vmin: number;
  vmax: number;
  center: number;
  scale: ScaleKind;
  cmap: string;
  reverse: boolean;
  levels: number;
  /** Shown components in order, or null for all of them as they come. */
  components: readonly string[] | null;
  /** Shown layers, or null for all. */
  layers: readonly Label[] | null;
  selection: readonly (readonly [Label, string])[];
  origin: "lower" | "upper";
  title: string;
  units: string;
  position: Position;
  scale_over: "page" | "all";
  aggregate: Aggregate;
  _values: DataView;
  _dtype: "f4" | "f8";
  _shape: readonly [number, number];
  _absent: DataView;
  _layers: PackedLabels;
  _components: PackedLabels;
  _parameters: PackedParameters | PagedParameters;
  _axes: readonly [string, string];
  _selectors: readonly PackedSelector[];
  /** The page that `_values` holds; -1 for all of them. */
  _held: number;
  /** Whether the domain is the one that fits the values. */
  _fitted: boolean;
  /** Which of title and units are those of the shown page. */
  _follows: readonly string[];
  _lut: DataView;
  _lut_diverging: boolean;
  _notice: string;
  /** Of a grid of one tensor, what is known before any of it is read; {} or missing for others. */
  _tensor?: OpenedTensor | Record<string, never>;
  /** Whether the tensors of cells can be opened; missing where an older version saved the state. */
  _opens?: boolean;
  /** Missing where an older version saved the state. */
  _findings?: PackedFindings;
  /** Missing or empty where all cells travel with the state. */
  _far?: PackedFar | Record<string, never>;
}

/** Of a large matrix, whose `_values` are those of its overview. */
interface PackedFar {
  /** Cells in a block of the overview. */
  readonly rowFactor: number;
  readonly columnFactor: number;
  readonly version: number;
  /** Type of the cells, where the page is to hold all of them; "" where it asks for what is in view. */
  readonly whole: "f4" | "f8" | "";
}

/** Names that differ from page to page: `of` says which of `pages` each one has. */
interface PagedParameters {
  readonly pages: readonly PackedParameters[];
  readonly of: readonly number[];
}

export type Model = AnyModel<Traits>;

/** The shown page: changes when it is turned, or when Python sends other values. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array | Float64Array;
  readonly absent: Uint8Array | null;
  readonly layers: Labels;
  readonly components: Labels;
  readonly parameters: PackedParameters;
  /** What a row and a column are: "layer" and "component", unless other dims stand there. */
  readonly axes: readonly [string, string];
  /** Where the cells are while they are not all here: `values` is empty then. */
  readonly far: FarMatrix | null;
}

export interface FarMatrix extends FarCells {
  readonly overview: Overview;
}

/** All that is drawn. Parts that did not change keep their identity, so that a view may skip them. */
export interface State {
  readonly matrix: Matrix;
  readonly pages: Pages;
  /** Index of the shown page. */
  readonly page: number;
  /** The page of the position, where it is not here and the last one is shown in its place; else null. */
  readonly missing: number | null;
  readonly scaleOver: "page" | "all";
  /** Whether the domain follows from page to page; not where it was set by hand. */
  readonly fitted: boolean;
  /** Shown rows and columns as indices into the matrix; rows in order of layers, whatever the origin. */
  readonly rows: Int32Array;
  readonly columns: Int32Array;
  readonly domain: Domain;
  readonly scale: ScaleKind;
  readonly cmap: string;
  readonly reverse: boolean;
  readonly levels: number;
  readonly diverging: boolean;
  readonly palette: Palette;
  readonly selection: readonly CellId[];
  readonly origin: "lower" | "upper";
  /** What a block shows where cells outnumber pixels. */
  readonly aggregate: Aggregate;
  readonly title: string;
  readonly units: string;
  readonly notice: string;
  /** Of a grid of one tensor, what is known before any of it is read; else null. */
  readonly tensor: OpenedTensor | null;
  /** Whether the tensors of cells can be opened. */
  readonly opens: boolean;
  readonly findings: Findings;
}

/** Twin of MOST_SELECTED in choices.py: more cells than this are not sent as labels. */
export const MOST_SELECTED = 100_000;

/** Value of `_held` where the bytes are those of all pages. */
const ALL_PAGES = -1;
const SAVE_INTERVAL_MS = 60;

/** Little-endian numbers. Copied only where they start at an address that their type cannot read. */
export function readNumbers(view: DataView, dtype: "f4" | "f8"): Float32Array | Float64Array {
  const size = dtype === "f4" ? 4 : 8;
  const length = Math.floor(view.byteLength / size);
  const aligned = view.byteOffset % size === 0;
  const buffer = aligned
    ? view.buffer
    : view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
  const offset = aligned ? view.byteOffset : 0;
  return dtype === "f4" ? new Float32Array(buffer, offset, length) : new Float64Array(buffer, offset, length);
}

/** One bit a cell, least significant first, to one byte a cell; null where no bit is set. */
export function unpackBits(view: DataView, length: number): Uint8Array | null {
  if (view.byteLength === 0) return null;
  return Uint8Array.from({ length }, (_, i) => (view.getUint8(i >> 3) >> (i & 7)) & 1);
}

/** The page that a reply carries, of the shape and labels of another; null where its bytes do not make one. */
function readPage(
  { dtype, parameters }: PageReply,
  [values, absent]: readonly DataView[],
  like: Matrix,
): Matrix | null {
  const cells = readCells({ dtype }, [values!, absent!], like.rows, like.columns);
  return cells === null ? null : { ...like, ...cells, parameters };
}

/** The cells that two buffers carry, values and bits of absent ones; null where these are not as many. */
function readCells(
  { dtype }: { readonly dtype: "f4" | "f8" },
  [values, absent]: readonly DataView[],
  rows: number,
  columns: number,
): PaintedCells | null {
  const length = rows * columns;
  if (values?.byteLength !== length * cellBytes(dtype) || absent === undefined) return null;
  if (absent.byteLength !== 0 && absent.byteLength !== Math.ceil(length / 8)) return null;
  return { rows, columns, values: readNumbers(values, dtype), absent: unpackBits(absent, length) };
}

const cellBytes = (dtype: "f4" | "f8") => (dtype === "f4" ? 4 : 8);

/** The bytes of one page, where `view` holds those of all; all of them where it holds those of one. */
function pageOf(view: DataView, page: number, pageBytes: number): DataView {
  return view.byteLength <= pageBytes
    ? view
    : new DataView(view.buffer, view.byteOffset + page * pageBytes, pageBytes);
}

/** Positions of the shown labels in their order; of all as they come where `shown` is null. Unknown ones are left out. */
function shownPositions(labels: Labels, shown: readonly Label[] | null): Int32Array {
  if (shown === null) return Int32Array.from({ length: labels.length }, (_, i) => i);
  return Int32Array.from(shown.map((label) => labels.indexOf(label)).filter((index) => index >= 0));
}

/** Whether all cells are here. */
function wholeOf(far: FarCells | Loading): boolean {
  return far.progress() === 1;
}

/** A reader of the state of one model; `changed` runs when cells have arrived that were asked for. */
export function stateReader(model: Model, changed: () => void = () => {}): () => State {
  const empty = new DataView(new ArrayBuffer(0));
  const readLayers = remembered((packed: PackedLabels) => unpackLabels(packed, false));
  const readComponents = remembered((packed: PackedLabels) => unpackLabels(packed, true));
  const readSelectors = remembered(unpackSelectors);
  let nextId = firstId();
  const actions: FarActions = {
    send(request) {
      const id = nextId++;
      model.send({ ...request, id });
      return id;
    },
    cancel: (id) => model.send({ kind: "cancel", id }),
    changed,
  };
  const readFar = remembered((far: PackedFar, rows: number, columns: number): FarCells | Loading =>
    far.whole === ""
      ? createFar({ rows, columns }, far.version, readCells, actions)
      : createLoading({ rows, columns }, far.whole, far.version, readCells, actions),
  );
  const readPages = remembered(
    (
      selectors: readonly Selector[],
      held: number,
      values: DataView,
      dtype: Traits["_dtype"],
      shape: readonly [number, number],
      absent: DataView,
      layers: Labels,
      components: Labels,
      parameters: Traits["_parameters"],
      axes: Traits["_axes"],
      packedFar: PackedFar | null,
      _whole: unknown,
    ): Pages => {
      const [rows, columns] = shape;
      if (packedFar !== null) {
        const { rowFactor, columnFactor } = packedFar;
        const cells = readCells(
          { dtype },
          [values, absent],
          Math.ceil(rows / rowFactor),
          Math.ceil(columns / columnFactor),
        )!;
        const overview = { cells, rowFactor, columnFactor };
        const far = readFar(packedFar, rows, columns);
        far.look(overview);
        const whole = "whole" in far ? far.whole() : null;
        const names = { layers, components, parameters: parameters as PackedParameters, axes };
        const none = { rows, columns, values: new Float32Array(0), absent: null };
        const matrix =
          whole === null
            ? { ...none, ...names, far: { ...far, overview } }
            : { ...whole, ...names, far: null };
        return makePages(selectors, () => matrix);
      }
      return makePages(selectors, (page) => {
        if (held !== ALL_PAGES && page !== held) return null;
        return {
          rows,
          columns,
          values: readNumbers(pageOf(values, page, cellBytes(dtype) * rows * columns), dtype),
          absent: unpackBits(pageOf(absent, page, Math.ceil((rows * columns) / 8)), rows * columns),
          layers,
          components,
          far: null,
          parameters: "of" in parameters ? parameters.pages[parameters.of[page]!]! : parameters,
          axes,
        };
      });
    },
  );
  const readRows = remembered(shownPositions);
  const readColumns = remembered(shownPositions);
  const readPalette = remembered((cmap: string, lut: DataView, reverse: boolean, levels: number) => {
    const sent = lut.byteLength > 0 ? new Uint8Array(lut.buffer, lut.byteOffset, lut.byteLength) : null;
    const base = sent ?? tableLut((COLORMAPS[cmap] ?? Object.values(COLORMAPS)[0]!).stops);
    return makePalette(arrangeLut(base, reverse, levels));
  });
  const readSelection = remembered((matrix: Matrix, selection: Traits["selection"]): CellId[] =>
    selection.flatMap(([layer, component]) => {
      const row = matrix.layers.indexOf(layer);
      const column = matrix.components.indexOf(component);
      return row >= 0 && column >= 0 ? [row * matrix.columns + column] : [];
    }),
  );
  const readFindings = remembered(unpackFindings);
  const noFindings: PackedFindings = {};
  const readDomain = remembered(
    (low: number, high: number, center: number): Domain => ({ low, high, center }),
  );

  let shown: { pages: Pages; page: number; matrix: Matrix } | null = null;

  return () => {
    const selectors = readSelectors(model.get("_selectors"));
    const held = model.get("_held");
    const far = model.get("_far");
    const packedFar = far !== undefined && "version" in far ? (far as PackedFar) : null;
    const pages = readPages(
      selectors,
      held,
      model.get("_values"),
      model.get("_dtype"),
      model.get("_shape"),
      model.get("_absent") ?? empty,
      readLayers(model.get("_layers")),
      readComponents(model.get("_components")),
      model.get("_parameters"),
      model.get("_axes"),
      packedFar,
      // Once all cells are here, the matrix is like any other.
      packedFar === null ? null : wholeOf(readFar(packedFar, ...model.get("_shape"))),
    );
    let page = pageAt(selectors, model.get("position"));
    let matrix = pages.at(page);
    const missing = matrix === null ? page : null;
    // The old page stays in sight until the new one is here.
    if (matrix === null && shown?.pages === pages) ({ page, matrix } = shown);
    else if (matrix === null) [page, matrix] = [held, pages.at(held)!];
    shown = { pages, page, matrix };
    const texts = pageTexts(selectors, page);
    const follows = model.get("_follows");
    const text = (name: "title" | "units", at: 0 | 1) =>
      texts !== null && follows.includes(name) ? texts[at] : model.get(name);
    const cmap = model.get("cmap");
    const builtin = COLORMAPS[cmap];
    const lut = builtin === undefined ? (model.get("_lut") ?? empty) : empty;
    const kind = model.get("scale");
    return {
      matrix,
      pages,
      page,
      missing,
      scaleOver: model.get("scale_over"),
      fitted: model.get("_fitted"),
      rows: readRows(matrix.layers, model.get("layers")),
      columns: readColumns(matrix.components, model.get("components")),
      domain: readDomain(model.get("vmin"), model.get("vmax"), model.get("center")),
      scale: SCALE_KINDS.includes(kind) ? kind : "linear",
      cmap,
      reverse: model.get("reverse"),
      levels: model.get("levels"),
      diverging: builtin === undefined ? model.get("_lut_diverging") : builtin.kind === "diverging",
      palette: readPalette(cmap, lut, model.get("reverse"), model.get("levels")),
      selection: readSelection(matrix, model.get("selection")),
      origin: model.get("origin"),
      aggregate: model.get("aggregate") ?? "mean",
      title: text("title", 0),
      units: text("units", 1),
      notice: model.get("_notice"),
      tensor: openedTensor(model.get("_tensor")),
      opens: model.get("_opens") ?? false,
      findings: readFindings(model.get("_findings") ?? noFindings, page, matrix.rows, matrix.columns),
    };
  };
}

const DRAWN: readonly (keyof Traits)[] = [
  "vmin",
  "vmax",
  "center",
  "scale",
  "cmap",
  "reverse",
  "levels",
  "components",
  "layers",
  "selection",
  "origin",
  "title",
  "units",
  "position",
  "scale_over",
  "aggregate",
  "_values",
  "_absent",
  "_layers",
  "_components",
  "_parameters",
  "_selectors",
  "_held",
  "_far",
  "_follows",
  "_lut",
  "_notice",
  "_findings",
];

export interface Changes {
  vmin?: number;
  vmax?: number;
  center?: number;
  scale?: ScaleKind;
  cmap?: string;
  reverse?: boolean;
  levels?: number;
  components?: readonly string[] | null;
  layers?: readonly Label[] | null;
  position?: Position;
  scale_over?: "page" | "all";
  aggregate?: Aggregate;
  /** Whether the limits among these changes fit the values; else they are set by hand. */
  _fitted?: boolean;
  _notice?: string;
}

const LIMITS = ["vmin", "vmax", "center"] as const;

/** The changes that make a domain the one in force, and let it follow the pages. */
export function fittingLimits({ low, high, center }: Domain): Changes {
  return { vmin: low, vmax: high, center, _fitted: true };
}

/** Every view of a widget, in whatever window, hears all replies: their ids must differ. */
const firstId = () => Math.floor(Math.random() * 2 ** 40);

export interface Binding {
  /** Change traits: in every view at once, in Python at most every 60 ms, the last value always. */
  change(changes: Changes): void;
  select(cells: readonly CellId[]): void;
  /** Show another page, at once or when it is here; a domain that fits follows it. */
  turn(page: number): void;
  /** Ask for the pages next to the shown one, where they are not here. */
  lookAhead(): void;
  /** The page that is awaited (null where none is), and why it is not here, in words. */
  awaited(): { readonly page: number | null; readonly trouble: string };
  send(request: Request): void;
  readonly ask: Requests["ask"];
  stop(): void;
}

/**
 * Bind the model: `changed` runs whenever something drawn has changed, from here or from Python.
 *
 * What was changed here and not yet saved wins over what arrives meanwhile. ipywidgets 8 echoes every saved
 * value back; an echo of an older one would make a dragged slider jump (ipywidgets#3195, #3394).
 */
export function bindModel(model: Model, readState: () => State, changed: () => void): Binding {
  const unsaved = new Map<keyof Traits, unknown>();
  let timer: ReturnType<typeof setTimeout> | null = null;
  let savedAt = -Infinity;

  const save = () => {
    timer = null;
    savedAt = performance.now();
    unsaved.clear();
    model.save_changes();
  };
  const write = (name: keyof Traits, value: unknown) => {
    unsaved.set(name, value);
    model.set(name, value as never);
  };
  const saveSoon = () => {
    if (timer !== null) return;
    const wait = savedAt + SAVE_INTERVAL_MS - performance.now();
    if (wait <= 0) save();
    else timer = setTimeout(save, wait);
  };
  const change = (changes: Changes) => {
    for (const [name, value] of Object.entries(changes)) write(name as keyof Traits, value);
    const limits = LIMITS.some((name) => name in changes);
    if (limits && !("_fitted" in changes)) write("_fitted", false);
    saveSoon();
  };
  const turnNow = (page: number, sent: Domain | null) => {
    const { pages, page: before, fitted, scaleOver } = readState();
    const domain = fitted ? (pages.domain(page, scaleOver) ?? sent) : null;
    change({
      position: positionAt(pages.selectors, page),
      ...(domain === null ? {} : fittingLimits(domain)),
    });
    fetcher.ahead(neighbours(pages.selectors, page, selectorBetween(pages.selectors, before, page)));
  };
  const fetcher = createFetcher(
    {
      send: (request) => model.send(request),
      isHere: (page) => readState().pages.at(page) !== null,
      keep(reply, buffers) {
        const { pages, matrix: like } = readState();
        const matrix = readPage(reply, buffers, like);
        if (matrix !== null) pages.add(reply.page, matrix);
        return matrix !== null;
      },
      arrived(page, { domain }) {
        if (readState().missing === page) changed();
        else turnNow(page, domain === null ? null : { low: domain[0], high: domain[1], center: domain[2] });
      },
      changed,
    },
    firstId(),
  );
  const requests = createRequests((request) => model.send(request), firstId());
  const receive = (content: unknown, buffers: readonly DataView[]) => {
    const reply = readReply(content);
    if (reply === null) return;
    const carries = reply.kind === "open" || reply.kind === "summary" || reply.kind === "spectrum";
    requests.receive(carries ? { ...reply, buffers } : reply);
    if (reply.kind === "page" || reply.kind === "error") fetcher.receive(reply, buffers);
    if (reply.kind === "window" || reply.kind === "error") readState().matrix.far?.receive(reply, buffers);
  };
  const wantMissing = () => {
    const { missing } = readState();
    if (missing !== null && missing !== fetcher.awaited()) fetcher.want(missing);
  };
  model.on("msg:custom", receive);
  const listeners = DRAWN.map((name) => {
    const listener = () => {
      if (name === "_values" || name === "_selectors") fetcher.reset();
      if (name === "position") wantMissing();
      if (unsaved.has(name) && model.get(name) !== unsaved.get(name))
        model.set(name, unsaved.get(name) as never);
      else changed();
    };
    model.on(`change:${name}`, listener);
    return () => model.off(`change:${name}`, listener);
  });

  return {
    change,
    turn(page) {
      if (readState().pages.at(page) === null) return fetcher.want(page);
      fetcher.drop();
      turnNow(page, null);
    },
    lookAhead() {
      const { pages, page } = readState();
      wantMissing();
      fetcher.ahead(neighbours(pages.selectors, page, selectorBetween(pages.selectors, page, page)));
    },
    awaited: () => ({ page: fetcher.awaited(), trouble: fetcher.trouble() }),
    select(cells) {
      const { matrix } = readState();
      write(
        "selection",
        cells.map((cell) => [
          matrix.layers.at(Math.floor(cell / matrix.columns)),
          String(matrix.components.at(cell % matrix.columns)),
        ]),
      );
      saveSoon();
    },
    send(request) {
      model.send(request);
    },
    ask: requests.ask,
    stop() {
      for (const remove of listeners) remove();
      model.off("msg:custom", receive);
      fetcher.stop();
      readState().matrix.far?.stop();
      requests.stop();
      if (timer !== null) {
        clearTimeout(timer);
        save();
      }
    },
  };
}
