/** One hash over everything a bundle is made from; twin of source_hash in hatch_build.py. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";

export function sourceHash(folder) {
  const src = readdirSync(join(folder, "src"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const files = [
    ...src,
    ...["build.mjs", "package-lock.json", "tsconfig.json"].map((name) => join(folder, name)),
  ];
  const names = files.map((file) => relative(folder, file).split(sep).join("/")).sort();
  const hash = createHash("sha256");
  for (const name of names)
    hash
      .update(`${name}\0`)
      .update(readFileSync(join(folder, name)))
      .update("\0");
  return hash.digest("hex");
}
