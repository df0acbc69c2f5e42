/**
 * The modules that both bundles use. They exist once on a page: in the bundle of the picture, which gives them to
 * the other one. build.mjs reads this list, and fails where a module that is not in it would be in both.
 */
export * as cells from "./cells.ts";
export * as colormap from "./colormap.ts";
export * as dom from "./dom.ts";
export * as labels from "./labels.ts";
export * as layout from "./layout.ts";
export * as local from "./local.ts";
export * as overview from "./overview.ts";
export * as pages from "./pages.ts";
export * as pyramid from "./pyramid.ts";
export * as raster from "./raster.ts";
export * as remember from "./remember.ts";
export * as room from "./room.ts";
export * as scale from "./scale.ts";
export * as selection from "./selection.ts";
export * as statistics from "./statistics.ts";
export * as windows from "./windows.ts";
