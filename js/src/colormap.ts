/** Colormaps: the table shared with Python, and the 256 colors that a choice of map, direction and levels gives. */
import table from "../../src/layergrid/colormaps.json";

export interface Colormap {
  readonly kind: "diverging" | "sequential";
  readonly stops: readonly string[];
}

/** Packed little-endian RGBA, as a Uint32Array over ImageData sees it. */
export type PackedColor = number;

export const COLORMAPS = table as unknown as Readonly<Record<string, Colormap>>;
export const LUT_SIZE = 256;

/** Where a cell stands if not within the scale; its index in `Palette.colors` counted from `LUT_SIZE`. */
export const SPECIAL = {
  below: 0,
  above: 1,
  nan: 2,
  positiveInfinity: 3,
  negativeInfinity: 4,
  absent: 5,
} as const;
export type Special = keyof typeof SPECIAL;

/** The colors of the scale, then those of the special cases in the order of `SPECIAL`. */
export interface Palette {
  readonly colors: Uint32Array;
}

const NAN_GRAY = [150, 150, 150] as const;
const POSITIVE_INFINITY_PINK = [214, 39, 140] as const;
const NEGATIVE_INFINITY_TEAL = [0, 128, 110] as const;
const OFF_SCALE_SHADE = 0.55;
const DARK = 64; // luma, of 255

/** The 256 x 3 bytes of a table entry, linear in sRGB between its stops. */
export function tableLut(stops: readonly string[]): Uint8Array {
  const rgb = stops.map((stop) => [1, 3, 5].map((at) => Number.parseInt(stop.slice(at, at + 2), 16)));
  const lut = new Uint8Array(LUT_SIZE * 3);
  for (let i = 0; i < LUT_SIZE; i++) {
    const at = (i / (LUT_SIZE - 1)) * (rgb.length - 1);
    const before = Math.min(Math.floor(at), rgb.length - 2);
    for (let channel = 0; channel < 3; channel++) {
      const start = rgb[before]![channel]!;
      const end = rgb[before + 1]![channel]!;
      lut[i * 3 + channel] = Math.floor(start + (at - before) * (end - start) + 0.5);
    }
  }
  return lut;
}

/** Reverse a map and cut it into `levels` flat steps (fewer than 2: continuous); both ends keep their color. */
export function arrangeLut(lut: Uint8Array, reverse: boolean, levels: number): Uint8Array {
  const arranged = new Uint8Array(lut.length);
  for (let i = 0; i < LUT_SIZE; i++) {
    let from = i;
    if (levels >= 2) from = Math.round((Math.floor((i * levels) / LUT_SIZE) / (levels - 1)) * (LUT_SIZE - 1));
    if (reverse) from = LUT_SIZE - 1 - from;
    arranged.set(lut.subarray(from * 3, from * 3 + 3), i * 3);
  }
  return arranged;
}

export function makePalette(lut: Uint8Array): Palette {
  const colors = new Uint32Array(LUT_SIZE + Object.keys(SPECIAL).length);
  for (let i = 0; i < LUT_SIZE; i++) colors[i] = pack(lut[i * 3]!, lut[i * 3 + 1]!, lut[i * 3 + 2]!);
  colors[LUT_SIZE + SPECIAL.below] = pack(...offScale(lut.subarray(0, 3)));
  colors[LUT_SIZE + SPECIAL.above] = pack(...offScale(lut.subarray(-3)));
  colors[LUT_SIZE + SPECIAL.nan] = pack(...NAN_GRAY);
  colors[LUT_SIZE + SPECIAL.positiveInfinity] = pack(...POSITIVE_INFINITY_PINK);
  colors[LUT_SIZE + SPECIAL.negativeInfinity] = pack(...NEGATIVE_INFINITY_TEAL);
  colors[LUT_SIZE + SPECIAL.absent] = 0; // transparent: the page shows through
  return { colors };
}

/** An end's color darkened, or lightened where it is dark: it must not be taken for a color of the map. */
function offScale(end: Uint8Array): [number, number, number] {
  const [red, green, blue] = end as unknown as [number, number, number];
  const lift = 0.299 * red + 0.587 * green + 0.114 * blue < DARK ? 255 * (1 - OFF_SCALE_SHADE) : 0;
  const shade = (channel: number) => Math.floor(channel * OFF_SCALE_SHADE + lift + 0.5);
  return [shade(red), shade(green), shade(blue)];
}

function pack(red: number, green: number, blue: number): PackedColor {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

export function cssColor(packed: PackedColor): string {
  if (packed >>> 24 === 0) return "transparent";
  return `rgb(${packed & 255},${(packed >> 8) & 255},${(packed >> 16) & 255})`;
}

/** True where black ink reads better than white, by the contrast ratio of WCAG 2. */
export function wantsDarkInk(packed: PackedColor): boolean {
  const linear = (byte: number) =>
    byte / 255 <= 0.04045 ? byte / 255 / 12.92 : ((byte / 255 + 0.055) / 1.055) ** 2.4;
  const luminance =
    0.2126 * linear(packed & 255) +
    0.7152 * linear((packed >> 8) & 255) +
    0.0722 * linear((packed >> 16) & 255);
  return luminance > 0.179; // where both contrasts are equal
}
