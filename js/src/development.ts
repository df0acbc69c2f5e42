/** In development: one file of both bundles, so that a saved source redraws open notebooks. */
import widget from "./index.ts";
import { place } from "./place.ts";
import * as surroundings from "./view/surroundings.ts";

place().surroundings = () => surroundings;

export default widget;
