/** Calls `make` again only when one of the keys is not the very same as the last time. */
export function remembered<Keys extends readonly unknown[], T>(
  make: (...keys: Keys) => T,
): (...keys: Keys) => T {
  let last: { keys: Keys; made: T } | null = null;
  return (...keys) => {
    if (last === null || keys.some((key, i) => key !== last!.keys[i])) last = { keys, made: make(...keys) };
    return last.made;
  };
}
