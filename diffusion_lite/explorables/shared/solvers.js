// @ts-check
// Solvers of the probability-flow ODE, and its exact end: solvers.py once more.
// All run on y = x_t / a and sigma = s / a, where dy/dsigma is eps.

import { exactAt } from "./plane.js";

/**
 * @typedef {Float64Array} Points x, y, x, y, ...
 * @typedef {(y: Points, sigma: number) => Points} Eps
 * @typedef {{
 *   y: Points, from: number, to: number, e: Points, eps: Eps,
 *   old?: { y: Points, from: number, e: Points }, middle: number, z: Vector,
 * }} Step from and to are sigmas, e is the answer at y
 * @typedef {{ at: Points[], used: number[] }} Run states x_t, passes
 */

// a x + b y
/** @type {(a: number, x: Points, b: number, y: Vector) => Points} */
export const sum = (a, x, b, y) => x.map((value, i) => a * value + b * y[i]);

// E[eps | y] of a mixture (mixtures.optimal_eps).
/** @type {(mixture: PlaneMixture) => Eps} */
export const epsOf = (mixture) => (y, sigma) => {
  const alphaBar = 1 / (1 + sigma * sigma);
  const root = Math.sqrt(alphaBar);
  return exactAt(mixture, alphaBar)(y.map((value) => root * value));
};

/** @type {(step: Step) => Points} */
const euler = ({ y, from, to, e }) => sum(1, y, to - from, e);

/** @type {Record<string, (step: Step) => Float64Array>} */
const STEPS = {
  ddim: euler,
  heun(step) {
    const { y, from, to, e, eps } = step;
    const next = euler(step);
    if (!to) return next;
    return sum(1, y, (to - from) / 2, sum(1, e, 1, eps(next, to)));
  },
  midpoint(step) {
    const { y, from, to, e, eps, middle } = step;
    const next = euler(step);
    if (!to) return next;
    const there = eps(sum(1, y, middle - from, e), middle);
    const share = Math.log(from / middle) / Math.log(from / to);
    return sum(1, next, (to - from) / (2 * share), sum(1, there, -1, e));
  },
  bashforth(step) {
    const { from, to, e, old } = step;
    const next = euler(step);
    if (!old) return next;
    const bend = (to - from) ** 2 / (2 * (from - old.from));
    return sum(1, next, bend, sum(1, e, -1, old.e));
  },
  multistep({ y, from, to, e, old }) {
    let x0 = sum(1, y, -from, e);
    if (old && to) {
      const share = Math.log(old.from / from) / Math.log(from / to);
      const before = sum(1, old.y, -old.from, old.e);
      x0 = sum(1 + 1 / (2 * share), x0, -1 / (2 * share), before);
    }
    return sum(to / from, y, 1 - to / from, x0);
  },
  random({ y, from, to, e, z }) {
    const still = sum(1, y, (to * to) / from - from, e);
    return sum(1, still, (to / from) * Math.sqrt(from * from - to * to), z);
  },
};

// The sigma of every step, from alpha_bar.
/** @type {(alphaBar: Vector) => Points} */
export const sigmasOf = (alphaBar) =>
  Float64Array.from(alphaBar, (share) => Math.sqrt((1 - share) / share));

// The sigma, of a step, nearest half the log SNR between steps u and t.
/** @type {(sigmas: Vector, u: number, t: number) => number} */
function middleOf(sigmas, u, t) {
  if (!u) return 0;
  const half = Math.sqrt(sigmas[u] * sigmas[t]);
  const far = (/** @type {number} */ s) => Math.abs(Math.log(sigmas[s] / half));
  let best = u;
  for (let s = u + 1; s < t; s++) if (far(s) < far(best)) best = s;
  return sigmas[best];
}

// A solver's states x_t at all times, and the passes that it had used there.
/**
 * @type {(
 *   solver: string, eps: Eps, x: Vector, times: number[], sigmas: Vector,
 *   noise?: (step: number) => Vector,
 * ) => Run}
 */
export function run(solver, eps, x, times, sigmas, noise = () => []) {
  let passes = 0;
  /** @type {Eps} */
  const counted = (y, sigma) => {
    passes++;
    return eps(y, sigma);
  };
  const a = times.map((t) => 1 / Math.hypot(1, sigmas[t]));
  /** @type {Points} */
  let y = Float64Array.from(x, (value) => value / a[0]);
  /** @type {Step["old"]} */
  let old;
  const [at, used] = [[Float64Array.from(x)], [0]];
  for (let i = 1; i < times.length; i++) {
    const [from, to] = [sigmas[times[i - 1]], sigmas[times[i]]];
    const e = counted(y, from);
    const middle = middleOf(sigmas, times[i], times[i - 1]);
    const z = solver === "random" ? noise(i) : [];
    const step = { y, from, to, e, eps: counted, old, middle, z };
    old = { y, from, e };
    y = STEPS[solver](step);
    at.push(y.map((value) => a[i] * value));
    used.push(passes);
  }
  return { at, used };
}

const BEND = 0.2; // below this sigma the flow's steps are even, above they grow

// The exact flow's states x_t, by Runge and Kutta's fourth order.
/** @type {(eps: Eps, x: Vector, sigma: number, n?: number) => Points[]} */
export function exactFlow(eps, x, sigma, n = 80) {
  const high = Math.asinh(sigma / BEND);
  const sigmaAt = (/** @type {number} */ i) =>
    BEND * Math.sinh(high * (1 - i / n));
  const slope = (/** @type {Points} */ y, /** @type {number} */ i) => {
    const speed = (-high / n) * Math.hypot(BEND, sigmaAt(i));
    return eps(y, sigmaAt(i)).map((e) => speed * e);
  };
  /** @type {Points} */
  let y = Float64Array.from(x, (value) => value * Math.hypot(1, sigma));
  const states = [Float64Array.from(x)];
  for (let i = 0; i < n; i++) {
    const first = slope(y, i);
    const second = slope(sum(1, y, 0.5, first), i + 0.5);
    const third = slope(sum(1, y, 0.5, second), i + 0.5);
    const fourth = slope(sum(1, y, 1, third), i + 1);
    const inner = sum(1 / 3, second, 1 / 3, third);
    y = sum(1, sum(1, y, 1, inner), 1 / 6, sum(1, first, 1, fourth));
    states.push(y.map((value) => value / Math.hypot(1, sigmaAt(i + 1))));
  }
  return states;
}

// The root of the mean squared distance between points.
/** @type {(x: Vector, y: Vector) => number} */
export const distance = (x, y) =>
  Math.sqrt(
    x.reduce((sum, value, i) => sum + (value - y[i]) ** 2, 0) / (x.length / 2),
  );

/** @type {<A>(list: A[]) => A} */
export const last = (list) => list[list.length - 1];

// Where the points are after k passes: a step is taken in its last pass, on a
// line.
/** @type {(run: Run, k: number) => Points} */
export function placeAt({ at, used }, k) {
  const next = used.findIndex((passes) => passes > k);
  if (next < 0) return last(at);
  const share = Math.max(0, k + 1 - used[next]);
  return sum(1 - share, at[next - 1], share, at[next]);
}
