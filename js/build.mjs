/** Bundle src/index.ts and src/loader.ts into src/layergrid/static/, stamped with the hash of what they came from. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { context, transform } from "esbuild";
import { sourceHash } from "./source_hash.mjs";

const LIMIT_BYTES = 60_000; // gzipped, all files together: promise 2 of the design
const here = dirname(fileURLToPath(import.meta.url));
const outdir = join(here, "../src/layergrid/static");
const watch = process.argv.includes("--watch");

/**
 * anywidget imports the module anew for each grid. The grids of a page share what the first one made of it, under
 * this name of its sources: it is read once, and the code that it has become fast stays so.
 */
const shared = `layergrid ${sourceHash(here).slice(0, 16)}`;
/** In brackets the function is compiled at once; else it would be read twice, which takes 13 ms. */
const wrapped = {
  format: "iife",
  globalName: "bundle",
  banner: { js: "const made = (() => {" },
  footer: {
    js: `return bundle.default; });export default globalThis[Symbol.for(${JSON.stringify(shared)})] ??= made();`,
  },
};

const report = {
  name: "report",
  setup(build) {
    build.onEnd((result) => {
      if (result.errors.length > 0) return;
      mkdirSync(outdir, { recursive: true });
      const names = readdirSync(outdir).filter((name) => name.endsWith(".js"));
      const files = names.map((name) => readFileSync(join(outdir, name)));
      const size = (contents) => contents.reduce((sum, bytes) => sum + bytes.length, 0);
      const gzipped = size(files.map((bytes) => gzipSync(bytes, { level: 9 })));
      console.log(`bundle: ${size(files)} bytes, ${gzipped} gzipped of ${LIMIT_BYTES} allowed`);
      if (gzipped > LIMIT_BYTES && !watch)
        throw new Error(`the bundle is ${gzipped - LIMIT_BYTES} bytes over its limit`);
      writeFileSync(join(outdir, "source-hash.txt"), `${sourceHash(here)}\n`);
    });
  },
};

/** The style sheet travels inside the module, as hosts differ in where they would put a separate one (anywidget#843). */
const styleAsText = {
  name: "style-as-text",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(readFileSync(path, "utf8"), { loader: "css", minify: !watch });
      return { contents: code.trim(), loader: "text" };
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
  outdir,
  define: { SHARED: JSON.stringify(shared) },
};
const loader = await context({ ...common, entryPoints: { loader: "src/loader.ts" } });
const widget = await context({
  ...common,
  entryPoints: { widget: "src/index.ts" },
  ...(watch ? {} : wrapped), // a rebuilt one must not be taken for the one before
  plugins: [styleAsText, report],
});
for (const bundle of [loader, widget])
  if (watch) {
    await bundle.watch();
  } else {
    await bundle.rebuild();
    await bundle.dispose();
  }
