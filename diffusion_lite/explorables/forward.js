// @ts-check
import {
  nextSeed,
  scheduleChoice,
  seedValue,
  whole,
} from "./shared/controls.js";
import { floats, lineMixture } from "./shared/data.js";
import {
  SCHEDULES,
  noised,
  normalDensity,
  qSample,
} from "./shared/diffusion.js";
import { axes, curve, dot, picture, swatch, write } from "./shared/drawing.js";
import { clamp, linspace, minus, percent } from "./shared/numbers.js";
import { normals, random } from "./shared/random.js";
import { explorable } from "./shared/stage.js";

/**
 * @typedef {{ t: number, schedule: string, seed: number, guess: number }} State
 * @typedef {ReturnType<typeof worldOf>} World
 */

const T = 1000;
const PIXELS = 64;

// ---- maths (compared with Python in its test) -------------------------------

/** @type {(mixture: Mixture, x: number) => number} */
export const density = ({ weights, means, variances }, x) =>
  weights.reduce(
    (sum, w, k) => sum + w * normalDensity(x, means[k], variances[k]),
    0,
  );

// KL(q || N(0, 1)) in nats, on a fine grid (mixtures.kl_to_normal).
/** @type {(mixture: Mixture) => number} */
export function klToNoise(mixture) {
  const grid = linspace(-12, 12, 2401);
  const step = grid[1] - grid[0];
  return grid.reduce((sum, x) => {
    const q = density(mixture, x);
    const log = Math.log(2 * Math.PI) / 2 + (x * x) / 2;
    return q > 0 ? sum + step * q * (Math.log(q) + log) : sum;
  }, 0);
}

/** @type {(alphaBar: number) => number} */
export const snr = (alphaBar) => alphaBar / (1 - alphaBar);

// p(eight | x_t), Bayes' rule over all pictures (forward.class_probs).
/**
 * @type {(
 *   xt: Vector, alphaBar: number, images: Vector, eight: number[],
 * ) => number}
 */
export function probEight(xt, alphaBar, images, eight) {
  const size = xt.length;
  const root = Math.sqrt(alphaBar);
  const logs = eight.map((_, n) => {
    let distance = 0;
    for (let i = 0; i < size; i++)
      distance += (xt[i] - root * images[n * size + i]) ** 2;
    return -distance / (2 * (1 - alphaBar));
  });
  const most = Math.max(...logs);
  const shares = logs.map((log) => Math.exp(log - most));
  const total = shares.reduce((a, b) => a + b);
  return shares.reduce((sum, s, n) => sum + (eight[n] ? s : 0), 0) / total;
}

// Between the places that Python computed, straight lines in log SNR.
/**
 * @type {(
 *   alphaBar: number, logSnr: number[], accuracy: number[],
 * ) => number}
 */
export function accuracyAt(alphaBar, logSnr, accuracy) {
  const last = logSnr.length - 1;
  const now = Math.log(snr(alphaBar));
  const place = clamp(
    ((now - logSnr[0]) / (logSnr[last] - logSnr[0])) * last,
    0,
    last,
  );
  const below = Math.min(Math.floor(place), last - 1);
  const rise = accuracy[below + 1] - accuracy[below];
  return accuracy[below] + (place - below) * rise;
}

// ---- the figure -------------------------------------------------------------

const LABEL =
  "Live figure: a digit, a cloud of points and a distribution become noise";
const FAR = 3.2; // what is shown of the line and the plane
const LINE = linspace(-FAR, FAR, 161);
const TIMES = linspace(0, T, 101);

/** @type {(x: number) => string} */
const small = (x) =>
  x === 0 ? "0" : x >= 1e-3 && x < 1e4 ? x.toPrecision(3) : x.toExponential(1);

/** @type {(state: State) => boolean} */
const guessed = ({ guess }) => guess >= 0;

// All that the figure shows of a state.
/**
 * @param {{
 *   images: Bytes, eight: number[], num_points: number, points: Bytes,
 *   mixture: unknown, log_snr: number[], accuracy: number[],
 * }} data
 */
function worldOf({ eight, mixture, log_snr: logSnr, accuracy, ...data }) {
  const images = floats(data.images, PIXELS * eight.length, "images");
  const points = floats(data.points, 2 * data.num_points, "points");
  const alphaBars = Object.fromEntries(
    Object.entries(SCHEDULES).map(([name, make]) => [name, make(T)]),
  );
  const alphaBar = (/** @type {State} */ { t, schedule }) =>
    alphaBars[schedule][t];
  const chosen = (/** @type {State} */ { seed }) =>
    Math.floor(random(seed * 7 + 3)() * eight.length);
  const clean = (/** @type {State} */ state) => {
    const from = PIXELS * chosen(state);
    return images.slice(from, from + PIXELS);
  };
  const noisy = (/** @type {State} */ state) =>
    qSample(clean(state), alphaBar(state), normals(PIXELS, 1000 + state.seed));
  return {
    points,
    pointNoise: normals(points.length, 1),
    alphaBar,
    clean,
    noisy,
    mixture: (/** @type {State} */ state) =>
      noised(lineMixture(mixture), alphaBar(state)),
    isEight: (/** @type {State} */ state) => eight[chosen(state)],
    probEight: (/** @type {State} */ state) =>
      state.t
        ? probEight(noisy(state), alphaBar(state), images, eight)
        : eight[chosen(state)],
    rightAt: (/** @type {State} */ { schedule }, /** @type {number} */ t) =>
      t ? accuracyAt(alphaBars[schedule][t], logSnr, accuracy) : 1,
  };
}

/** @type {Control<State>[]} */
const CONTROLS = [
  {
    kind: "range",
    key: "t",
    label: "Step <i>t</i>",
    min: 0,
    max: T,
    start: 100,
    text: (t) => `t = ${t}`,
    main: true,
  },
  {
    label: {
      each: ["I can no longer tell", "Guess again"],
      which: (state) => Number(guessed(state)),
    },
    press: (stage) => {
      const { guess, t } = stage.state;
      stage.set({ guess: guess < 0 ? t : -1 });
    },
    main: true,
  },
  scheduleChoice,
  seedValue,
  { key: "guess", start: -1, read: whole(T) },
  {
    label: "Another picture",
    press: (stage) => stage.set({ ...nextSeed(stage.state), guess: -1 }),
  },
];

/** @type {(world: World) => ViewOptions<State>} */
const pictureView = (world) => ({
  label: (state) => {
    const digit = world.isEight(state) ? "eight" : "three";
    return guessed(state)
      ? `A handwritten ${digit}, and what is left of it after ${state.t} steps`
      : `A handwritten three or eight after ${state.t} steps`;
  },
  title: {
    each: ["A 3 or an 8?", "It was a 3.", "It was an 8."],
    which: (state) => (guessed(state) ? 1 + world.isEight(state) : 0),
  },
  span: 3,
  narrow: 6,
  aspect: 1,
  draw(pen, state) {
    const size = Math.min(pen.width, pen.height);
    picture(pen, world.noisy(state), 0, 0, size);
    if (!guessed(state)) return;
    const [from, part] = [Math.round(size * 0.56), Math.round(size * 0.44)];
    pen.ctx.fillStyle = pen.paper;
    pen.ctx.fillRect(from - 4, from - 4, part + 5, part + 5);
    picture(pen, world.clean(state), from, from, part);
  },
});

/** @type {(world: World) => ViewOptions<State>} */
const cloudView = (world) => ({
  label: ({ t }) => `A thousand points of eight modes after ${t} steps`,
  title: "Points",
  span: 3,
  narrow: 6,
  aspect: 1,
  draw({ ctx, width, height, data }, state) {
    const now = qSample(world.points, world.alphaBar(state), world.pointNoise);
    const unit = width / (2 * FAR);
    ctx.fillStyle = data;
    ctx.globalAlpha = 0.65;
    for (let i = 0; i < now.length; i += 2) {
      const [x, y] = [unit * now[i], unit * now[i + 1]];
      ctx.fillRect(width / 2 + x - 1, height / 2 - y - 1, 2, 2);
    }
    ctx.globalAlpha = 1;
  },
});

/** @type {(world: World, colors: Colors) => ViewOptions<State>} */
const lineView = (world, { exact, noise }) => ({
  label: ({ t }) =>
    `The exact density of two modes on a line after ${t} steps, beside the ` +
    "standard normal density",
  title: `A distribution ${swatch(exact)}now ${swatch(noise)}pure noise`,
  span: 6,
  height: 150,
  draw(pen, state) {
    const frame = axes(pen, {
      x: [-FAR, FAR],
      y: [0, 0.75],
      xTicks: [[-2, minus("-2")], 0, 2],
    });
    const mixture = world.mixture(state);
    const noise = LINE.map((x) => normalDensity(x, 0, 1));
    const now = LINE.map((x) => density(mixture, x));
    curve(pen, frame, LINE, noise, pen.noise, { dash: [5, 4] });
    curve(pen, frame, LINE, now, pen.exact, { fill: 0.15 });
  },
});

/** @type {(world: World) => ViewOptions<State>} */
const guessView = (world) => ({
  label: (state) =>
    "How often the best guess of three or eight is right, at each step; " +
    `${percent(world.rightAt(state, state.guess))} at step ${state.guess}`,
  when: guessed,
  height: 150,
  draw(pen, state) {
    const frame = axes(pen, {
      x: [0, T],
      y: [0.5, 1],
      xTicks: [0, 250, 500, 750, 1000],
      yTicks: [0.5, 0.75, 1].map((share) => [share, `${100 * share} %`]),
      xLabel: "step t",
      yLabel: "the best guess is right",
    });
    const right = (/** @type {number} */ t) => world.rightAt(state, t);
    const { guess, t } = state;
    curve(pen, frame, TIMES, TIMES.map(right), pen.exact);
    dot(pen, frame.x(t), frame.y(right(t)), 5, pen.ink);
    dot(pen, frame.x(guess), frame.y(right(guess)), 5, pen.model);
    const words = `${percent(right(guess))} where you gave up, t = ${guess}`;
    pen.ctx.fillStyle = pen.ink;
    write(pen, words, frame.x(guess) + 8, frame.y(right(guess)) - 8);
  },
});

/** @type {(world: World) => (state: State) => Value[]} */
const valuesOf = (world) => (state) => {
  const alphaBar = world.alphaBar(state);
  const ratio = state.t ? small(snr(alphaBar)) : "∞";
  const far = Math.max(0, klToNoise(world.mixture(state)));
  const told = (/** @type {(state: State) => number} */ share) =>
    guessed(state) ? percent(share(state)) : "?";
  return [
    ["ᾱ<sub>t</sub>", small(alphaBar), "alpha bar"],
    ["SNR<sub>t</sub>", ratio, "signal to noise ratio"],
    ["KL to noise", `${small(far)} nats`],
    ["best guess is right", told(() => world.rightAt(state, state.t))],
    ["p(8 | x<sub>t</sub>)", told(world.probEight), "probability of an 8"],
  ];
};

/** @type {(place: Place) => () => void} */
function render({ model, el }) {
  const world = worldOf(model.get("data"));
  return explorable({
    model,
    el,
    name: "forward",
    label: LABEL,
    controls: CONTROLS,
    views: [
      pictureView(world),
      cloudView(world),
      lineView(world, model.get("colors")),
      guessView(world),
    ],
    values: valuesOf(world),
  });
}

export default { name: "forward", render };
