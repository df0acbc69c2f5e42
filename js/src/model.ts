/** The state to draw, read from the traits. */
import { cellBytes, pageOf, readCells, readNumbers, unpackBits } from "./cells.ts";
import { arrangeLut, COLORMAPS, makePalette, type Palette, tableLut } from "./colormap.ts";
import type { PackedFindings } from "./findings.ts";
import { type Label, type Labels, type PackedLabels, type PackedParameters, unpackLabels } from "./labels.ts";
import type { OpenedTensor } from "./opened.ts";
import { type FarCells, type Overview, overviewAlone } from "./overview.ts";
import { makePages, type Pages, pageAt, pageTexts, type Selector, unpackSelectors } from "./pages.ts";
import { remembered } from "./remember.ts";
import { type Domain, SCALE_KINDS, type ScaleKind } from "./scale.ts";
import type { CellId } from "./selection.ts";
import type { Model, PackedFar, Traits } from "./traits.ts";
import type { Aggregate } from "./windows.ts";

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
  readonly findings: PackedFindings;
}

/** Value of `_held` where the bytes are those of all pages. */
const ALL_PAGES = -1;

/** Positions of the shown labels in their order; of all as they come where `shown` is null. Unknown ones are left out. */
function shownPositions(labels: Labels, shown: readonly Label[] | null): Int32Array {
  if (shown === null) return Int32Array.from({ length: labels.length }, (_, i) => i);
  return Int32Array.from(shown.map((label) => labels.indexOf(label)).filter((index) => index >= 0));
}

function openedTensor(packed: Traits["_tensor"]): OpenedTensor | null {
  return packed !== undefined && "dtype" in packed ? (packed as OpenedTensor) : null;
}

/** Makes what gives the cells of a large matrix of that shape. */
export type FarMaker = (
  shape: { readonly rows: number; readonly columns: number },
  far: PackedFar,
) => FarCells;

/** A reader of the state of one model; the cells of a large matrix come from what `farMaker` gives at the time. */
export function stateReader(model: Model, farMaker: () => FarMaker = () => overviewAlone): () => State {
  const empty = new DataView(new ArrayBuffer(0));
  const readLayers = remembered((packed: PackedLabels) => unpackLabels(packed, false));
  const readComponents = remembered((packed: PackedLabels) => unpackLabels(packed, true));
  const readSelectors = remembered(unpackSelectors);
  const readFar = remembered((make: FarMaker, far: PackedFar, rows: number, columns: number) =>
    make({ rows, columns }, far),
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
      makeFar: FarMaker,
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
        const far = readFar(makeFar, packedFar, rows, columns);
        far.look(overview);
        const whole = far.whole();
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
      farMaker(),
      // Once all cells are here, the matrix is like any other.
      packedFar === null ? null : readFar(farMaker(), packedFar, ...model.get("_shape")).progress() === 1,
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
      findings: model.get("_findings") ?? noFindings,
    };
  };
}
