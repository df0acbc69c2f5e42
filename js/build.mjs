/**
 * Bundle js/src into src/layergrid/static/, stamped with the hash of what it came from.
 *
 * picture.js is all that a first picture needs, surroundings.js everything else, and loader.js takes both from a page
 * that has them. With --watch, picture.js holds all of it, so that a saved source redraws open notebooks.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build as bundled, context } from "esbuild";
import { sourceHash } from "./source_hash.mjs";

const LIMIT_BYTES = 60_000; // gzipped, all files together: promise 2 of the design
const here = dirname(fileURLToPath(import.meta.url));
const outdir = join(here, "../src/layergrid/static");
const watch = process.argv.includes("--watch");

/** The place on a page where its grids meet (js/src/place.ts); other sources have another. */
const placeName = JSON.stringify(`layergrid ${sourceHash(here).slice(0, 16)}`);
const place = `(globalThis[Symbol.for(${placeName})] ??= {})`;

/**
 * Whoever comes first puts the code in its place, for all grids of the page. In brackets a function is compiled at
 * once; else it would be read twice, which takes 13 ms.
 */
const wrapped = (banner, footer) => ({
  format: "iife",
  globalName: "bundle",
  banner: { js: banner },
  footer: { js: footer },
});
const pictureWrap = wrapped(
  "const made = (() => {",
  `return bundle.default; });export default ${place}.picture ??= made();`,
);
const surroundingsWrap = wrapped(`${place}.surroundings ??= ((shared) => {`, "return bundle; });");

/** Name of a module in js/src/shared.ts -> its file there. */
const sharedFiles = new Map(
  Array.from(
    readFileSync(join(here, "src/shared.ts"), "utf8").matchAll(/^export \* as (\w+) from "\.\/(.+)";$/gm),
    ([, name, file]) => [`src/${file}`, name],
  ),
);

/** The surroundings take the shared modules from those who call them, instead of bringing copies. */
const sharedOnce = {
  name: "shared-once",
  setup(build) {
    build.onResolve({ filter: /^\..*\.ts$/ }, ({ path, resolveDir }) => {
      const file = relative(here, join(resolveDir, path)).replaceAll("\\", "/");
      return sharedFiles.has(file) ? { path: file, namespace: "shared" } : undefined;
    });
    build.onLoad({ filter: /./, namespace: "shared" }, ({ path }) => {
      const source = readFileSync(join(here, path), "utf8");
      const names = Array.from(source.matchAll(/^export (?:function|const) (\w+)/gm), ([, name]) => name);
      return { contents: `export const { ${names.join(", ")} } = shared.${sharedFiles.get(path)};` };
    });
  },
};

/** The style sheet travels inside the module, as hosts differ in where they would put a separate one (anywidget#843). */
const styleAsText = {
  name: "style-as-text",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const made = await bundled({
        entryPoints: [path],
        bundle: true,
        minify: !watch,
        write: false,
        metafile: true,
      });
      return {
        contents: made.outputFiles[0].text.trim(),
        loader: "text",
        watchFiles: Object.keys(made.metafile.inputs),
      };
    });
  },
};

/** The stops of each colormap as one text: the marks around 429 colors would be two fifths of the table. */
const compactColors = {
  name: "compact-colors",
  setup(build) {
    build.onLoad({ filter: /colormaps\.json$/ }, ({ path }) => {
      const maps = Object.entries(JSON.parse(readFileSync(path, "utf8")));
      const packed = maps.map(([name, { kind, stops }]) => [name, kind, stops.join("").replaceAll("#", "")]);
      const contents = `export default Object.fromEntries(${JSON.stringify(packed)}.map(([name, kind, stops]) =>
        [name, { kind, stops: stops.match(/.{6}/g).map((stop) => "#" + stop) }]));`;
      return { contents, loader: "js" };
    });
  },
};

const common = {
  absWorkingDir: here,
  bundle: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  minify: !watch,
  legalComments: "none",
  metafile: true,
  outdir,
  define: { PLACE: placeName },
  plugins: [styleAsText, compactColors],
};
const bundles = [
  await context({ ...common, entryPoints: { loader: "src/loader.ts" } }),
  await context({
    ...common,
    entryPoints: { picture: watch ? "src/development.ts" : "src/index.ts" },
    ...(watch ? {} : pictureWrap), // a rebuilt one must not be taken for the one before
  }),
  await context({
    ...common,
    entryPoints: { surroundings: "src/view/surroundings.ts" },
    plugins: [styleAsText, sharedOnce],
    ...surroundingsWrap,
  }),
];

/** Both bundles with a module of its own would have two of what it remembers, and travel larger than need be. */
function checkShared(picture, surroundings) {
  const twice = Object.keys(surroundings.inputs).filter(
    (file) => file.startsWith("src/") && file in picture.inputs,
  );
  if (twice.length > 0)
    throw new Error(`${twice.join(", ")} would be in both bundles: list it in js/src/shared.ts`);
}

function checkSize() {
  const files = readdirSync(outdir).filter((name) => name.endsWith(".js"));
  const bytes = files.map((name) => readFileSync(join(outdir, name)));
  const gzipped = bytes.map((file) => gzipSync(file, { level: 9 }).length);
  files.forEach((name, at) => {
    console.log(`${name}: ${bytes[at].length} bytes, ${gzipped[at]} gzipped`);
  });
  const total = gzipped.reduce((sum, size) => sum + size, 0);
  console.log(`all bundles: ${total} bytes gzipped of ${LIMIT_BYTES} allowed`);
  if (total > LIMIT_BYTES) throw new Error(`the bundles are ${total - LIMIT_BYTES} bytes over their limit`);
}

rmSync(outdir, { recursive: true, force: true });
mkdirSync(outdir, { recursive: true });
const stamp = () => writeFileSync(join(outdir, "source-hash.txt"), `${sourceHash(here)}\n`);
if (watch) {
  for (const bundle of bundles) await bundle.watch();
} else {
  const [, picture, surroundings] = await Promise.all(bundles.map((bundle) => bundle.rebuild()));
  await Promise.all(bundles.map((bundle) => bundle.dispose()));
  checkShared(picture.metafile, surroundings.metafile);
  checkSize();
  stamp();
}
