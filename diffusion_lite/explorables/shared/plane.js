// @ts-check
// A mixture in a plane, and its exact denoiser: mixtures.py once more. Points
// are (x, y), (x, y), ...

import { floats } from "./data.js";

/**
 * @typedef {{ weights: number[], means: Bytes, variances: Bytes }} SentMixture
 */

// The mixture that Python sent, in a plane.
/** @type {(data: { mixture: SentMixture }) => PlaneMixture} */
export function planeMixture({ mixture: { weights, means, variances } }) {
  const count = 2 * weights.length;
  return {
    weights,
    means: floats(means, count, "means"),
    variances: floats(variances, count, "variances"),
  };
}

// E[eps | x_t] of many points (mixtures.optimal_eps).
/**
 * @type {(
 *   mixture: PlaneMixture, alphaBar: number,
 * ) => (x: Vector) => Float64Array}
 */
export function exactAt({ weights, means, variances }, alphaBar) {
  const noise = 1 - alphaBar;
  const root = Math.sqrt(alphaBar);
  const count = weights.length;
  const v = Float64Array.from(variances, (each) => alphaBar * each + noise);
  const log = weights.map(
    (w, k) => Math.log(w) - Math.log(v[2 * k] * v[2 * k + 1]) / 2,
  );
  const fits = new Float64Array(count);
  return (x) => {
    const out = new Float64Array(x.length);
    for (let n = 0; n < x.length; n += 2) {
      let most = -Infinity;
      for (let k = 0; k < count; k++) {
        const dx = x[n] - root * means[2 * k];
        const dy = x[n + 1] - root * means[2 * k + 1];
        fits[k] =
          log[k] - (dx * dx) / (2 * v[2 * k]) - (dy * dy) / (2 * v[2 * k + 1]);
        if (fits[k] > most) most = fits[k];
      }
      let total = 0;
      for (let k = 0; k < count; k++) {
        const far = fits[k] - most;
        if (far < -30) continue;
        const share = Math.exp(far);
        total += share;
        out[n] += (share * (x[n] - root * means[2 * k])) / v[2 * k];
        out[n + 1] +=
          (share * (x[n + 1] - root * means[2 * k + 1])) / v[2 * k + 1];
      }
      out[n] *= Math.sqrt(noise) / total;
      out[n + 1] *= Math.sqrt(noise) / total;
    }
    return out;
  };
}
