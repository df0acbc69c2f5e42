/**
 * Run tests/js/*.test.ts in Node, and fail where a pure module has too few of its lines run.
 *
 * Every source file is built to one file of its own, with nothing shaken out, so that V8's counts can be carried
 * back to the lines of the TypeScript. Only lines that hold code count: types and comments run nowhere, and as V8
 * reports what did not run, tools that go by its ranges alone take them for covered.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { SourceMap } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const LEAST_COVERED = 0.95; // of the lines of each pure module
/** Not pure: what joins model and page, and what touches the DOM (tested in browsers). */
const NOT_PURE = [
  ...["index.ts", "development.ts", "loader.ts", "place.ts", "rest.ts", "shared.ts", "unpack.ts"],
  ...["dom.ts", "theme.ts", "css.d.ts"],
];

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..");
const outdir = join(here, "build");
const countsdir = join(outdir, "counts");

const typescriptIn = (folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"))
    .map((name) => join(folder, name));

/** Import the file that another source is built to, instead of a copy of it. */
const oneFileEach = {
  name: "one-file-each",
  setup(made) {
    made.onResolve({ filter: /^\..*\.ts$/ }, ({ path, kind }) =>
      kind === "entry-point" ? undefined : { path: path.replace(/\.ts$/, ".js"), external: true },
    );
  },
};

/** Style sheets are of no use here. */
const noStyle = {
  name: "no-style",
  setup(made) {
    made.onLoad({ filter: /\.css$/ }, () => ({ contents: "", loader: "text" }));
  },
};

rmSync(outdir, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: [...typescriptIn("js/src"), ...typescriptIn("js/src/view"), ...typescriptIn("tests/js")],
  outbase: root,
  outdir,
  bundle: true,
  treeShaking: false,
  packages: "external",
  format: "esm",
  platform: "node",
  target: "node20",
  sourcemap: "linked",
  plugins: [oneFileEach, noStyle],
});

const only = process.argv.slice(2); // names of modules: `npm test -- scale layout`
const tests = readdirSync(join(outdir, "tests/js"))
  .filter((name) => name.endsWith(".test.js"))
  .filter((name) => only.length === 0 || only.includes(name.slice(0, -".test.js".length)))
  .map((name) => join(outdir, "tests/js", name));
if (tests.length === 0)
  throw new Error(`no test file in tests/js is named ${only.join(" or ") || "*.test.ts"}`);
const { status } = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...tests], {
  cwd: root,
  stdio: "inherit",
  env: { ...process.env, NODE_V8_COVERAGE: countsdir },
});

const pure = typescriptIn("js/src").filter((file) => !NOT_PURE.includes(relative("js/src", file)));
const poor = only.length === 0 ? pure.map(reportCoverage).filter((covered) => covered < LEAST_COVERED) : [];
if (poor.length > 0) console.log(`${poor.length} modules have less than ${100 * LEAST_COVERED} % covered`);
process.exitCode = status === 0 && poor.length === 0 ? 0 : 1;

/** Print the covered share of a module's lines, and which lines are not. */
function reportCoverage(file) {
  const lines = linesRun(join(outdir, file.replace(/\.ts$/, ".js")));
  const missed = [...lines].filter(([, run]) => !run).map(([line]) => line + 1);
  const share = lines.size === 0 ? 0 : 1 - missed.length / lines.size;
  const said = missed.length === 0 ? "" : `  not run: ${missed.sort((a, b) => a - b).join(", ")}`;
  console.log(`${(100 * share).toFixed(1).padStart(6)} % of ${file}${said}`);
  return share;
}

/** Source line (from 0) -> whether all of it ran in one test file or another. */
function linesRun(file) {
  const text = readFileSync(file, "utf8");
  const ran = new Uint8Array(text.length);
  for (const counts of countsOf(file)) {
    const here = new Uint8Array(text.length).fill(1);
    // Outer ranges come first; an inner one corrects them.
    for (const { ranges } of counts)
      for (const { startOffset, endOffset, count } of ranges)
        here.fill(count > 0 ? 1 : 0, startOffset, endOffset);
    here.forEach((run, at) => {
      ran[at] |= run;
    });
  }
  const map = new SourceMap(JSON.parse(readFileSync(`${file}.map`, "utf8")));
  const lines = new Map();
  let start = 0;
  text.split("\n").forEach((line, generatedLine) => {
    for (let column = 0; column < line.length; column++) {
      const entry = map.findEntry(generatedLine, column);
      const begins = entry.generatedLine === generatedLine && entry.generatedColumn === column;
      if (!begins || !entry.originalSource.endsWith(".ts") || /[\s})\];,]/.test(line[column])) continue;
      const run = ran[start + column] === 1;
      lines.set(entry.originalLine, (lines.get(entry.originalLine) ?? true) && run);
    }
    start += line.length + 1;
  });
  return lines;
}

/** What V8 counted in a file, once for each process that loaded it. */
function countsOf(file) {
  return readdirSync(countsdir).flatMap((name) =>
    JSON.parse(readFileSync(join(countsdir, name), "utf8"))
      .result.filter(({ url }) => url.startsWith("file:") && fileURLToPath(url) === file)
      .map(({ functions }) => functions),
  );
}
