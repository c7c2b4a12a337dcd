// @ts-check
import { newNoise, onGrid, seedValue } from "./shared/controls.js";
import { lineMixture } from "./shared/data.js";
import { normalDensity } from "./shared/diffusion.js";
import { axes, curve, handle, swatch } from "./shared/drawing.js";
import { linspace, memo, minus, percent } from "./shared/numbers.js";
import { normals } from "./shared/random.js";
import { explorable } from "./shared/stage.js";

/**
 * @typedef {{
 *   path: string, churn: number, start: number, t: number, seed: number,
 * }} State
 * @typedef {{ a: number, s: number, f: number, g2: number }} Rates
 * @typedef {{
 *   quiet: Vector[], noisy: Vector[], own: Vector[], ownNoisy: Vector[],
 *   bent: number,
 * }} Solved
 * @typedef {(state: State) => Solved} Solve
 */

// ---- maths (compared with Python in its test) -------------------------------

const BETA = [0.1, 20];

// a, s, drift and squared diffusion at time t (score.Path).
/** @type {(path: string, t: number) => Rates} */
export function ratesOf(path, t) {
  if (path !== "vp") {
    const left = 1 - t;
    return { a: left, s: t, f: -1 / left, g2: (2 * t) / left };
  }
  const beta = BETA[0] + (BETA[1] - BETA[0]) * t;
  const total = BETA[0] * t + ((BETA[1] - BETA[0]) * t * t) / 2;
  const a = Math.exp(-total / 2);
  return { a, s: Math.sqrt(-Math.expm1(-total)), f: -beta / 2, g2: beta };
}

// The distribution of x_t (score.Path.marginal).
/** @type {(mixture: Mixture, rates: Rates) => Mixture} */
export const marginal = ({ weights, means, variances }, { a, s }) => ({
  weights,
  means: means.map((mean) => a * mean),
  variances: variances.map((v) => a * a * v + s * s),
});

/** @type {(mixture: Mixture, x: number) => number} */
export function density({ weights, means, variances }, x) {
  let sum = 0;
  for (let k = 0; k < weights.length; k++)
    sum += weights[k] * normalDensity(x, means[k], variances[k]);
  return sum;
}

// The score of a mixture at x. Far out the largest exponent is taken off, or
// all parts would be 0; no lists are made, because this runs very often.
/** @type {(mixture: Mixture, x: number) => number} */
export function score({ weights, means, variances }, x) {
  let most = -Infinity;
  for (let k = 0; k < weights.length; k++)
    most = Math.max(most, -((x - means[k]) ** 2) / (2 * variances[k]));
  let [sum, pull] = [0, 0];
  for (let k = 0; k < weights.length; k++) {
    const off = x - means[k];
    const log = (-off * off) / (2 * variances[k]) - most;
    const part = (weights[k] / Math.sqrt(variances[k])) * Math.exp(log);
    sum += part;
    pull -= (part * off) / variances[k];
  }
  return pull / sum;
}

const LATEST = { vp: 1, straight: 0.998 };
const STEPS = 120;

// The times of the way back, closer together near the data.
/** @type {(path: string) => Float64Array} */
export const timesOf = (path) =>
  linspace(1, 0, STEPS + 1).map(
    (u) => (path === "vp" ? LATEST.vp : LATEST.straight) * u * u,
  );

// Follow many starts back at once; `z` are standard normal, a row a step
// (score.euler_maruyama of score.reverse).
/**
 * @type {(
 *   mixture: Mixture, path: string, starts: Vector, churn: number, z: Vector,
 * ) => Float64Array[]}
 */
export function wayBack(mixture, path, starts, churn, z) {
  const times = timesOf(path);
  const n = starts.length;
  let x = Float64Array.from(starts, (u) => ratesOf(path, times[0]).s * u);
  const states = [x];
  for (let i = 0; i < STEPS; i++) {
    const dt = times[i + 1] - times[i];
    const rates = ratesOf(path, times[i]);
    const here = marginal(mixture, rates);
    const pull = ((1 + churn * churn) / 2) * rates.g2;
    const noise = churn * Math.sqrt(rates.g2 * -dt);
    const next = new Float64Array(n);
    for (let j = 0; j < n; j++) {
      const drift = rates.f * x[j] - pull * score(here, x[j]);
      next[j] = x[j] + drift * dt;
      if (churn) next[j] += noise * z[(i * n + j) % z.length];
    }
    states.push((x = next));
  }
  return states;
}

// The lines from the same starts to where the straight path's flow has taken
// them: on a line, what a flow trained on these pairs does.
/** @type {(states: Vector[], times: Vector) => Float64Array[]} */
export function straightened(states, times) {
  const [first, last] = [states[0], states[states.length - 1]];
  return Array.from(states, (_, i) =>
    Float64Array.from(
      first,
      (x, j) => last[j] + ((x - last[j]) * times[i]) / times[0],
    ),
  );
}

// How far from straight: a mean with these weights (score.straightness).
/** @type {(states: Vector[], times: Vector, weights: Vector) => number} */
export function straightness(states, times, weights) {
  const last = states.length - 1;
  let [sum, total] = [0, 0];
  for (let j = 0; j < weights.length; j++) {
    const chord = (states[last][j] - states[0][j]) / (times[last] - times[0]);
    for (let i = 0; i < last; i++) {
      const dt = times[i + 1] - times[i];
      const bend = chord - (states[i + 1][j] - states[i][j]) / dt;
      sum += weights[j] * bend * bend * Math.abs(dt);
    }
    total += weights[j];
  }
  return sum / total;
}

// ---- what is seen of a state ------------------------------------------------

const LABEL =
  "Live figure: trajectories from noise to data, with and without noise put " +
  "back, and the exact density";
const FAR = 3.2;
const MANY = 240;
const SHOWN = 7;
const GRID = linspace(-3, 3, 41);
const GAUSS = GRID.map((z) => Math.exp((-z * z) / 2));
const BINS = 30;

/** @type {(state: State) => boolean} */
const noisy = ({ path }) => path !== "reflow";

// The path whose density the states have: after a reflow that of the lines.
/** @type {(state: State) => string} */
const ground = ({ path }) => (path === "vp" ? "vp" : "straight");

// Where the trajectories start, and the noise of their steps.
const noise = memo((/** @type {number} */ seed) => ({
  starts: normals(MANY, seed),
  z: normals(STEPS * MANY, seed + 5000),
  own: normals(STEPS, seed + 9000),
}));

// Trajectories: the first is the reader's own, from `start`. The others are
// followed anew only when something changes that they depend on.
/** @type {(mixture: Mixture) => Solve} */
function solver(mixture) {
  const flow = (/** @type {string} */ path, /** @type {Vector} */ starts) => {
    const base = path === "vp" ? "vp" : "straight";
    const states = wayBack(mixture, base, starts, 0, GRID);
    return path === "reflow" ? straightened(states, timesOf(base)) : states;
  };
  const bent = memo(
    (/** @type {string} */ path) => {
      const times = timesOf(path === "vp" ? "vp" : "straight");
      return straightness(flow(path, GRID), times, GAUSS);
    },
    { most: 3 },
  );
  const followed = (
    /** @type {State} */ { path, churn },
    /** @type {Vector} */ starts,
    /** @type {Vector} */ z,
  ) =>
    path === "reflow"
      ? flow(path, starts)
      : wayBack(mixture, path, starts, churn, z);
  const crowd = memo(
    (/** @type {State} */ state) => {
      const { starts, z } = noise(state.seed);
      return followed(state, starts, z);
    },
    { key: ({ path, churn, seed }) => [path, churn, seed].join() },
  );
  const quiet = memo((/** @type {string} */ path, /** @type {number} */ seed) =>
    flow(path, noise(seed).starts.slice(0, SHOWN)),
  );
  return memo(
    (/** @type {State} */ state) => {
      const one = Float64Array.of(state.start);
      return {
        quiet: quiet(state.path, state.seed),
        noisy: crowd(state),
        own: flow(state.path, one),
        ownNoisy: followed(state, one, noise(state.seed).own),
        bent: bent(state.path),
      };
    },
    {
      key: ({ path, churn, start, seed }) => [path, churn, start, seed].join(),
    },
  );
}

// The step at which the time is, or the next one.
/** @type {(state: State) => number} */
function indexOf(state) {
  const times = timesOf(ground(state));
  const found = times.findIndex((t) => t <= state.t + 1e-9);
  return found < 0 ? STEPS : found;
}

// ---- drawing ----------------------------------------------------------------

const [COLUMNS, ROWS] = [60, 40];

// The density of x_t at places of a grid, each time's scaled to its highest.
/** @type {(mixture: Mixture, path: string) => Float64Array[]} */
const shades = memo(
  (/** @type {Mixture} */ mixture, /** @type {string} */ path) =>
    Array.from({ length: COLUMNS }, (_, i) => {
      const t = Math.min(0.998, (i + 0.5) / COLUMNS);
      const here = marginal(mixture, ratesOf(path, t));
      const step = FAR / ROWS;
      const values = linspace(-FAR + step, FAR - step, ROWS).map((x) =>
        density(here, x),
      );
      const most = Math.max(...values);
      return values.map((value) => value / most);
    }),
  { most: 2, key: (mixture, path) => path },
);

/** @type {(pen: Pen, frame: Frame, mixture: Mixture, path: string) => void} */
function shade({ ctx, exact }, { x, y }, mixture, path) {
  const high = (2 * FAR) / ROWS;
  ctx.save();
  ctx.fillStyle = exact;
  shades(mixture, path).forEach((values, i) => {
    const [from, to] = [x((i + 1) / COLUMNS), x(i / COLUMNS)];
    values.forEach((value, j) => {
      if (value < 0.02) return;
      ctx.globalAlpha = 0.5 * value;
      const top = y(-FAR + (j + 1) * high);
      ctx.fillRect(from, top, to - from, y(-FAR + j * high) - top);
    });
  });
  ctx.restore();
}

// The velocity of the flow, as strokes of one length.
/** @type {(pen: Pen, frame: Frame, mixture: Mixture, path: string) => void} */
function drawField({ ctx, noise }, { x, y }, mixture, path) {
  ctx.save();
  ctx.strokeStyle = noise;
  ctx.lineWidth = 1.2;
  ctx.beginPath();
  for (const t of linspace(0.96, 0.04, 17)) {
    const rates = ratesOf(path, t);
    const here = marginal(mixture, rates);
    for (const place of linspace(-2.8, 2.8, 11)) {
      const v = rates.f * place - (rates.g2 / 2) * score(here, place);
      const [right, down] = [
        x(t - 1e-3) - x(t),
        y(place - 1e-3 * v) - y(place),
      ];
      const half = 7 / Math.hypot(right, down);
      ctx.moveTo(x(t) - half * right, y(place) - half * down);
      ctx.lineTo(x(t) + half * right, y(place) + half * down);
    }
  }
  ctx.stroke();
  ctx.restore();
}

/** @type {(mixture: Mixture) => (pen: Pen, s: State, o: Solved) => Frame} */
const drawPlane = (mixture) => (pen, state, solved) => {
  const path = ground(state);
  const times = timesOf(path);
  const frame = axes(pen, {
    x: [1, 0],
    y: [-FAR, FAR],
    xTicks: [[1, "1 (noise)"], 0.75, 0.5, 0.25, [0, "0 (data)"]],
    yTicks: [[-2, minus("-2")], 0, 2],
  });
  shade(pen, frame, mixture, path);
  if (noisy(state)) drawField(pen, frame, mixture, path);
  /** @type {[Vector[], string, number][]} */
  const tracks = [
    [solved.noisy, pen.model, 1],
    [solved.quiet, pen.data, 1],
    [solved.ownNoisy, pen.model, 3],
    [solved.own, pen.data, 3],
  ];
  for (const [states, color, width] of tracks)
    for (let j = 0; j < Math.min(SHOWN, states[0].length); j++) {
      const ys = states.map((x) => x[j]);
      if (noisy(state) || color === pen.data)
        curve(pen, frame, times, ys, color, { width });
    }
  const place = frame.x(times[indexOf(state)]);
  pen.ctx.fillStyle = pen.ink;
  pen.ctx.fillRect(place - 0.5, frame.top, 1, frame.bottom - frame.top);
  handle(pen, frame.x(1), frame.y(state.start), pen.data);
  return frame;
};

// How many of the points lie in each bin, as a density.
/** @type {(points: Vector) => Float64Array} */
export function histogram(points) {
  const counts = new Float64Array(BINS);
  const wide = (2 * FAR) / BINS;
  for (const x of points) {
    const bin = Math.floor((x + FAR) / wide);
    if (bin >= 0 && bin < BINS) counts[bin] += 1 / (points.length * wide);
  }
  return counts;
}

/** @type {(mixture: Mixture) => (pen: Pen, s: State, o: Solved) => Frame} */
const drawDensity = (mixture) => (pen, state, solved) => {
  const i = indexOf(state);
  const t = timesOf(ground(state))[i];
  const here = marginal(mixture, ratesOf(ground(state), t));
  const xs = linspace(-FAR, FAR, 241);
  const frame = axes(pen, {
    x: [-FAR, FAR],
    y: [0, 0.95],
    xTicks: [[-2, minus("-2")], 0, 2],
    xLabel: "x at this time",
  });
  const { ctx } = pen;
  ctx.fillStyle = pen.model;
  ctx.globalAlpha = 0.45;
  histogram(solved.noisy[i]).forEach((value, k) => {
    const wide = (2 * FAR) / BINS;
    const left = frame.x(-FAR + k * wide);
    const top = frame.y(Math.min(value, 0.95));
    ctx.fillRect(left, top, frame.x(wide) - frame.x(0), frame.bottom - top);
  });
  ctx.globalAlpha = 1;
  const ys = xs.map((x) => density(here, x));
  curve(pen, frame, xs, ys, pen.exact);
  return frame;
};

// ---- words ------------------------------------------------------------------

/** @type {(x: number) => string} */
const two = (x) => minus(x.toFixed(2));

/** @type {(solved: Solved) => number} */
const leftShare = ({ noisy }) => {
  const ends = noisy[STEPS];
  return ends.reduce((sum, x) => sum + Number(x < 0.45), 0) / ends.length;
};

/** @type {(state: State, solved: Solved) => string} */
const sayPlane = (state, { own, ownNoisy }) => {
  const start = two(state.start);
  const quiet = two(own[STEPS][0]);
  const other = `${two(state.churn)} put back at ${two(ownNoisy[STEPS][0])}`;
  return noisy(state)
    ? `From ${start} the trajectory without noise ends at ${quiet}, the one ` +
        `with noise ${other}`
    : `From ${start} the trajectory goes straight to ${quiet}`;
};

/** @type {(state: State, solved: Solved) => string} */
const sayDensity = ({ t }, solved) =>
  `The exact density at time ${two(t)} and a histogram of ${MANY} ` +
  `trajectories; ${percent(leftShare(solved))} of them end in the left mode`;

/** @type {(state: State, solved: Solved) => Value[]} */
const valuesOf = (state, solved) => [
  [
    "straightness <i>S</i> of the flow",
    solved.bent.toFixed(3),
    "straightness of the flow",
  ],
  ["end without noise", two(solved.own[STEPS][0])],
  ["end with noise", two(solved.ownNoisy[STEPS][0])],
  ["in the left mode", `${percent(leftShare(solved))} (exact 70.0 %)`],
];

// ---- the figure -------------------------------------------------------------

/** @type {ChoiceControl<State>} */
const PATH = {
  kind: "choice",
  key: "path",
  label: "Path",
  start: "vp",
  main: true,
  options: [
    ["vp", "VP"],
    ["straight", "straight"],
    ["reflow", "after one reflow"],
  ],
};

/** @type {RangeControl<State>} */
const CHURN = {
  kind: "range",
  key: "churn",
  label: "Noise put back, <i>c</i>",
  min: 0,
  max: 2,
  step: 0.05,
  start: 1,
  main: true,
  text: two,
};

/** @type {RangeControl<State>} */
const START = {
  kind: "range",
  key: "start",
  label: "Noise of the thick one",
  min: -2.5,
  max: 2.5,
  step: 0.05,
  start: 0.35,
  text: two,
};

/** @type {RangeControl<State>} */
const TIME = {
  kind: "range",
  key: "t",
  label: "Time of the histogram",
  min: 0,
  max: 1,
  step: 0.01,
  start: 0,
  text: two,
};

const WHOLE = 'style="display: inline-block; margin-right: 0.7em"';

/** @type {(colors: Colors) => string} */
const legend = ({ data, model, exact }) =>
  [
    [exact, "exact density"],
    [data, "without noise"],
    [model, "noise put back"],
  ]
    .map(([color, text]) => `<span ${WHOLE}>${swatch(color)}${text}</span>`)
    .join(" ");

/** @type {(place: Place) => () => void} */
function render({ model, el }) {
  const mixture = lineMixture(model.get("data").mixture, 2);
  const solve = solver(mixture);
  const plane = drawPlane(mixture);
  const below = drawDensity(mixture);
  return explorable({
    model,
    el,
    name: "score",
    label: LABEL,
    controls: [PATH, CHURN, START, TIME, newNoise, seedValue],
    views: [
      {
        label: (/** @type {State} */ state) => sayPlane(state, solve(state)),
        title: legend(model.get("colors")),
        height: 270,
        draw: (pen, state) => plane(pen, state, solve(state)),
        drag: {
          down: (at, { start }, { x, y }) =>
            Math.hypot(at.x - x(1), at.y - y(start)) < 26
              ? { off: at.y - y(start) }
              : undefined,
          move: ({ off }, at, state, { y }) => ({
            start: onGrid(y.invert(at.y - off), START),
          }),
        },
      },
      {
        label: (/** @type {State} */ state) => sayDensity(state, solve(state)),
        height: 130,
        draw: (pen, state) => below(pen, state, solve(state)),
      },
    ],
    values: (state) => valuesOf(state, solve(state)),
  });
}

export default { name: "score", render };
