/** Bundle src/index.ts and src/style.css into src/layergrid/static/, stamped with the hash of what they came from. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { context } from "esbuild";
import { sourceHash } from "./source_hash.mjs";

const LIMIT_BYTES = 60_000; // gzipped, all files together: promise 2 of the design
const here = dirname(fileURLToPath(import.meta.url));
const outdir = join(here, "../src/layergrid/static");
const watch = process.argv.includes("--watch");

const report = {
  name: "report",
  setup(build) {
    build.onEnd((result) => {
      if (result.errors.length > 0) return;
      mkdirSync(outdir, { recursive: true });
      let total = 0;
      for (const name of ["widget.js", "widget.css"]) {
        const bytes = readFileSync(join(outdir, name));
        const gzipped = gzipSync(bytes, { level: 9 }).length;
        total += gzipped;
        console.log(`${name}: ${bytes.length} bytes, ${gzipped} gzipped`);
      }
      console.log(`bundle: ${total} bytes gzipped of ${LIMIT_BYTES} allowed`);
      if (total > LIMIT_BYTES && !watch) throw new Error(`the bundle is ${total - LIMIT_BYTES} bytes over its limit`);
      writeFileSync(join(outdir, "source-hash.txt"), `${sourceHash(here)}\n`);
    });
  },
};

const bundle = await context({
  absWorkingDir: here,
  entryPoints: { widget: "src/index.ts" },
  bundle: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  minify: !watch,
  legalComments: "none",
  outdir,
  plugins: [report],
});
if (watch) {
  await bundle.watch();
} else {
  await bundle.rebuild();
  await bundle.dispose();
}
