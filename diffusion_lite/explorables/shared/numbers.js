// @ts-check
// Numbers, lists of them, and how they are written.

/** @type {(x: number, low: number, high: number) => number} */
export const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

/** @type {(low: number, high: number, n: number) => Float64Array} */
export const linspace = (low, high, n) =>
  Float64Array.from(
    { length: n },
    (_, i) => low + ((high - low) * i) / (n - 1),
  );

// Remember the last answers, `most` of them, by what they were asked with.
/**
 * @template {unknown[]} A
 * @template R
 * @param {(...asked: A) => R} make
 * @param {{ most?: number, key?: (...asked: A) => unknown }} [options]
 * @returns {(...asked: A) => R}
 */
export function memo(
  make,
  { most = 1, key = (...asked) => asked.join() } = {},
) {
  /** @type {Map<unknown, R>} */
  const kept = new Map();
  return (...asked) => {
    const name = key(...asked);
    const found = kept.has(name)
      ? /** @type {R} */ (kept.get(name))
      : make(...asked);
    kept.delete(name);
    kept.set(name, found); // the last used is the last in the map
    if (kept.size > most) kept.delete(kept.keys().next().value);
    return found;
  };
}

/** @type {(text: string) => string} */
export const minus = (text) => text.replace("-", "−");

/** @type {(share: number) => string} */
export const percent = (share) => `${(100 * share).toFixed(1)} %`;
