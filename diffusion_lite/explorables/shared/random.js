// @ts-check
// Random numbers that a seed decides.

// Evenly distributed numbers in [0, 1): mulberry32.
/** @type {(seed: number) => () => number} */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 4294967296;
  };
}

// Normal numbers, by Box and Muller's method.
/** @type {(count: number, seed: number) => Float32Array} */
export function normals(count, seed) {
  const uniform = random(seed);
  return Float32Array.from({ length: count }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    return radius * Math.cos(2 * Math.PI * uniform());
  });
}
