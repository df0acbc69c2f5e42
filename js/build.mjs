/** Bundle src/index.ts into src/layergrid/static/widget.js, stamped with the hash of what it came from. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
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
 * anywidget imports the module anew for each grid. The grids of a page share what the first one made of it, under a
 * key of these sources: code that is new to the engine is read anew, and runs several times slower at first.
 */
const shared = watch
  ? { format: "esm" }
  : {
      format: "iife",
      globalName: "bundle",
      banner: { js: "const made = () => {" },
      footer: {
        js: `return bundle.default; };export default globalThis[Symbol.for("layergrid ${sourceHash(here).slice(0, 16)}")] ??= made();`,
      },
    };

const report = {
  name: "report",
  setup(build) {
    build.onEnd((result) => {
      if (result.errors.length > 0) return;
      mkdirSync(outdir, { recursive: true });
      const bytes = readFileSync(join(outdir, "widget.js"));
      const gzipped = gzipSync(bytes, { level: 9 }).length;
      console.log(`bundle: ${bytes.length} bytes, ${gzipped} gzipped of ${LIMIT_BYTES} allowed`);
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

const bundle = await context({
  absWorkingDir: here,
  entryPoints: { widget: "src/index.ts" },
  bundle: true,
  ...shared,
  target: "es2022",
  charset: "utf8",
  minify: !watch,
  legalComments: "none",
  outdir,
  plugins: [styleAsText, report],
});
if (watch) {
  await bundle.watch();
} else {
  await bundle.rebuild();
  await bundle.dispose();
}
