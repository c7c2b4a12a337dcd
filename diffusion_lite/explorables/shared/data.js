// @ts-check
// What Python hands over (explorable.py), and the checks that it came whole.

/**
 * @type {(
 *   buffer: any, count: number, width: number, name: string,
 * ) => ArrayBuffer}
 */
function bytesOf(buffer, count, width, name) {
  const length = buffer?.byteLength;
  if (length !== count * width)
    throw new Error(
      `${name} must have ${count * width} bytes, got ${length ?? "none"}`,
    );
  const from = buffer.byteOffset ?? 0;
  return (buffer.buffer ?? buffer).slice(from, from + length);
}

// The float32 numbers that explorable.floats sent.
/** @type {(buffer: Bytes, count: number, name?: string) => Float32Array} */
export const floats = (buffer, count, name = "data") =>
  new Float32Array(bytesOf(buffer, count, 4, name));

// The half-precision numbers that explorable.halves sent, as float32.
/** @type {(buffer: Bytes, count: number, name?: string) => Float32Array} */
export function halves(buffer, count, name = "data") {
  const bits = new Uint16Array(bytesOf(buffer, count, 2, name));
  return Float32Array.from(bits, (h) => {
    const exponent = (h >> 10) & 31;
    const fraction = (h & 1023) / 1024;
    const sign = h >> 15 ? -1 : 1;
    if (exponent === 31) throw new Error(`${name} must be finite`);
    return exponent
      ? sign * 2 ** (exponent - 15) * (1 + fraction)
      : sign * 2 ** -14 * fraction;
  });
}

// Networks of one shape, one after another in a buffer of half precision: for
// each, its weights by their names. `sizes` is [name, count], in their order.
/**
 * @type {(
 *   sizes: [string, number][], buffer: Bytes, count?: number,
 * ) => Network[]}
 */
export function networks(sizes, buffer, count = 1) {
  const each = sizes.reduce((sum, [, size]) => sum + size, 0);
  const all = Float64Array.from(halves(buffer, count * each, "weights"));
  let from = 0;
  return Array.from({ length: count }, () =>
    Object.fromEntries(
      sizes.map(([name, size]) => [name, all.subarray(from, (from += size))]),
    ),
  );
}

// A mixture on a line as explorable.line_mixture sent it, if it is one.
/** @type {(mixture: any, count?: number) => Mixture} */
export function lineMixture(mixture, count) {
  const { weights, means, variances } = mixture ?? {};
  const wanted = count ?? weights?.length;
  const good = (/** @type {unknown} */ list) =>
    Array.isArray(list) &&
    list.length === wanted &&
    list.every(Number.isFinite);
  if (!wanted || ![weights, means, variances].every(good))
    throw new Error(
      `mixture must have ${wanted || "some"} weights, means and variances each`,
    );
  if (!(Math.min(...weights, ...variances) > 0))
    throw new Error("mixture must have weights and variances above 0");
  return mixture;
}
