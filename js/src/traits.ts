/** The traits as they travel: their names and types, and which of them are drawn. */
import type { AnyModel } from "@anywidget/types";
import type { Dtype } from "./cells.ts";
import type { PackedFindings } from "./findings.ts";
import type { Label, PackedLabels, PackedParameters } from "./labels.ts";
import type { OpenedTensor } from "./opened.ts";
import type { PackedSelector, Position } from "./pages.ts";
import type { ScaleKind } from "./scale.ts";
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
  /** The code, packed; that of the picture is missing or empty where the module is that itself. */
  _picture_code: DataView;
  _surroundings_code: DataView;
  _values: DataView;
  _dtype: Dtype;
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
export interface PackedFar {
  /** Cells in a block of the overview. */
  readonly rowFactor: number;
  readonly columnFactor: number;
  readonly version: number;
  /** Type of the cells, where the page is to hold all of them; "" where it asks for what is in view. */
  readonly whole: Dtype | "";
}

/** Names that differ from page to page: `of` says which of `pages` each one has. */
interface PagedParameters {
  readonly pages: readonly PackedParameters[];
  readonly of: readonly number[];
}

export type Model = AnyModel<Traits>;

/** Those whose change changes what is drawn. */
export const DRAWN: readonly (keyof Traits)[] = [
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
