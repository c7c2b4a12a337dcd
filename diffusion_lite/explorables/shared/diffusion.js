// @ts-check
// The forward process, its schedules, and how a network is given the time:
// forward.py, mixtures.py, schedules.py and networks.py once more.

/** @type {(x: number, mean: number, variance: number) => number} */
export const normalDensity = (x, mean, variance) =>
  Math.exp(-((x - mean) ** 2) / (2 * variance)) /
  Math.sqrt(2 * Math.PI * variance);

// x_t from x_0 and eps (forward.q_sample).
/**
 * @template {Vector} A
 * @param {A} x0
 * @param {number} alphaBar
 * @param {Vector} eps
 */
export const qSample = (x0, alphaBar, eps) =>
  /** @type {A} */ (
    x0.map((x, i) => Math.sqrt(alphaBar) * x + Math.sqrt(1 - alphaBar) * eps[i])
  );

// The distribution of x_t where that of x_0 is a mixture (mixtures.noised).
/** @type {(mixture: Mixture, alphaBar: number) => Mixture} */
export const noised = ({ weights, means, variances }, alphaBar) => ({
  weights,
  means: means.map((mean) => Math.sqrt(alphaBar) * mean),
  variances: variances.map((v) => alphaBar * v + 1 - alphaBar),
});

// ---- schedules: alpha_bar_0 to alpha_bar_T

/** @type {(T: number) => Float64Array} */
function linearAlphaBar(T) {
  const log = new Float64Array(1001);
  for (let t = 1; t <= 1000; t++)
    log[t] = log[t - 1] + Math.log1p(-(1e-4 + ((0.02 - 1e-4) * (t - 1)) / 999));
  return Float64Array.from({ length: T + 1 }, (_, t) => {
    const place = (t * 1000) / T;
    const below = Math.min(Math.floor(place), 999);
    return Math.exp(
      log[below] + (place - below) * (log[below + 1] - log[below]),
    );
  });
}

/** @type {(T: number) => Float64Array} */
function cosineAlphaBar(T) {
  const f = (/** @type {number} */ t) =>
    Math.cos(((t / T + 0.008) / 1.008) * (Math.PI / 2)) ** 2;
  const alphaBar = new Float64Array(T + 1).fill(1);
  for (let t = 1; t <= T; t++)
    alphaBar[t] = alphaBar[t - 1] * Math.max(f(t) / f(t - 1), 1 - 0.999);
  return alphaBar;
}

/** @type {Record<string, (T: number) => Float64Array>} */
export const SCHEDULES = { linear: linearAlphaBar, cosine: cosineAlphaBar };

// Sines and cosines that tell a network the time (networks.time_embedding).
/** @type {(t: number, dim: number) => Float64Array} */
export function timeEmbedding(t, dim) {
  const half = dim / 2;
  return Float64Array.from({ length: dim }, (_, i) => {
    const angle = t * Math.exp((-Math.log(10000) * (i % half)) / half);
    return i < half ? Math.sin(angle) : Math.cos(angle);
  });
}
