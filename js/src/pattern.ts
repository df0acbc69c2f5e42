/** One regular expression for exactly some names: twin of the patterns in recipes.py. */

type Words = readonly string[];

/** Ends of tensor names that are not part of the module's name. */
const PARAMETER = /^(.+)\.(?:weight|bias|kernel|qweight|qzeros|scales|g_idx)$/;
const ONE_NUMBER = /^(\D*)(0|[1-9]\d*)(\D*)$/;

/** `model.layers.3.self_attn.q_proj` for its weight and its bias; other names are a module's already. */
export function moduleName(parameter: string): string {
  return PARAMETER.exec(parameter)?.[1] ?? parameter;
}

/** A pattern, without anchors, that matches each of the names in full and nothing else. */
export function exactPattern(names: readonly string[]): string {
  const byLength = groups(names, (name) => name.split(".").length);
  const products = byLength.flatMap(([, alike]) => productsOf(alike.map((name) => name.split("."))));
  const pattern = products.map((columns) => columns.map(oneOf).join("\\.")).join("|");
  return products.length > 1 ? `(?:${pattern})` : pattern;
}

/** Rows of words as few products of columns: each product lists the words of each column. */
function productsOf(given: readonly Words[]): Words[][] {
  const rows = distinct(given, keyOf);
  const columns = rows[0]!.map((_, at) => distinct(rows.map((row) => row[at]!)));
  if (columns.reduce((size, words) => size * words.length, 1) === rows.length) return [columns];
  let best: { at: number; alike: [string, string[]][] } | null = null;
  for (const [at, column] of columns.entries()) {
    if (column.length === 1) continue;
    // Words of this column that go with the same rest are one product together.
    const rests = groups(rows, (row) => row[at]!);
    const alike = groups(rests, ([, along]) =>
      along
        .map((row) => keyOf(without(row, at)))
        .sort()
        .join("\n"),
    ).map(([rest, together]): [string, string[]] => [rest, together.map(([word]) => word)]);
    if (best === null || alike.length < best.alike.length) best = { at, alike };
  }
  const { at, alike } = best!;
  return alike.flatMap(([, words]) => {
    const rest = rows.filter((row) => row[at] === words[0]).map((row) => without(row, at));
    return productsOf(rest).map((product) => [...product.slice(0, at), words, ...product.slice(at)]);
  });
}

/** A pattern for one of the words; words that differ in one number only share a range of numbers. */
function oneOf(words: Words): string {
  const alternatives = words.filter((word) => !ONE_NUMBER.test(word)).map(escaped);
  const numbered = words.flatMap((word) => {
    const match = ONE_NUMBER.exec(word);
    return match === null ? [] : [{ around: [match[1]!, match[3]!] as const, number: Number(match[2]) }];
  });
  for (const [, alike] of groups(numbered, ({ around }) => around.join("\n"))) {
    const [before, after] = alike[0]!.around;
    alternatives.push(escaped(before) + numberIn(alike.map(({ number }) => number)) + escaped(after));
  }
  return alternatives.length === 1 ? alternatives[0]! : `(?:${alternatives.join("|")})`;
}

function escaped(text: string): string {
  return text.replace(/[.^$*+?{}[\]\\|()]/g, "\\$&");
}

/** A pattern for exactly these numbers: `[3-7]`, `(?:[89]|1[0-2])`. */
function numberIn(numbers: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const number of distinct(numbers).sort((a, b) => a - b)) {
    const last = runs[runs.length - 1];
    if (last !== undefined && number === last[1] + 1) last[1] = number;
    else runs.push([number, number]);
  }
  const parts = runs.flatMap(([low, high]) => ranges(low, high));
  return parts.length === 1 ? parts[0]! : `(?:${parts.join("|")})`;
}

/** Patterns that together match exactly the numbers from low to high. */
function ranges(from: number, high: number): string[] {
  const parts: string[] = [];
  for (let low = from; low <= high; ) {
    // The largest block of 10^k numbers that starts here and ends in time, and how often it repeats.
    let block = 1;
    while (low % (10 * block) === 0 && 10 * block <= low && low + 10 * block - 1 <= high) block *= 10;
    let last = low;
    while (digit(last, block) < 9 && last + 2 * block - 1 <= high) last += block;
    const head = Math.floor(low / (10 * block)) || "";
    parts.push(
      head + digits(digit(low, block), digit(last, block)) + "[0-9]".repeat(String(block).length - 1),
    );
    low = last + block;
  }
  return parts;
}

const digit = (number: number, block: number) => Math.floor(number / block) % 10;

function digits(low: number, high: number): string {
  if (low === high) return String(low);
  return high === low + 1 ? `[${low}${high}]` : `[${low}-${high}]`;
}

const without = (row: Words, at: number): Words => row.filter((_, i) => i !== at);

const keyOf = (words: Words): string => words.join(".");

function distinct<T>(items: readonly T[], key: (item: T) => unknown = (item) => item): T[] {
  return [...new Map(items.map((item) => [key(item), item])).values()];
}

/** Items by key, both in the order they came. */
function groups<K, T>(items: readonly T[], key: (item: T) => K): [K, T[]][] {
  const found = new Map<K, T[]>();
  for (const item of items) {
    const group = found.get(key(item));
    if (group === undefined) found.set(key(item), [item]);
    else group.push(item);
  }
  return [...found];
}
