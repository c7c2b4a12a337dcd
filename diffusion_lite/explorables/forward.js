import {
  SCHEDULES,
  axes,
  clamp,
  curve,
  dot,
  explorable,
  floats,
  lineLaw,
  linspace,
  minus,
  nextSeed,
  noiseControls,
  noised,
  normalDensity,
  normals,
  percent,
  picture,
  qSample,
  random,
  scheduleChoice,
  swatch,
  whole,
  write,
} from "./explorable.js";

const T = 1000;
const PIXELS = 64;

// ---- maths (compared with Python in tests/test_explorables_forward.py) --------------

export const density = ({ weights, means, variances }, x) =>
  weights.reduce(
    (sum, w, k) => sum + w * normalDensity(x, means[k], variances[k]),
    0,
  );

// KL(q || N(0, 1)) in nats, on a fine grid (mixtures.kl_to_normal).
export function klToNoise(law) {
  const grid = linspace(-12, 12, 2401);
  const step = grid[1] - grid[0];
  return grid.reduce((sum, x) => {
    const q = density(law, x);
    const log = Math.log(2 * Math.PI) / 2 + (x * x) / 2;
    return q > 0 ? sum + step * q * (Math.log(q) + log) : sum;
  }, 0);
}

export const snr = (alphaBar) => alphaBar / (1 - alphaBar);

// p(eight | x_t), Bayes' rule over all pictures (forward.class_probs).
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
  "Live figure: a digit, a cloud of points and a law on a line become noise";
const FAR = 3.2; // what is shown of the line and the plane
const LINE = linspace(-FAR, FAR, 161);
const TIMES = linspace(0, T, 101);

const small = (x) =>
  x === 0 ? "0" : x >= 1e-3 && x < 1e4 ? x.toPrecision(3) : x.toExponential(1);

const guessed = ({ guess }) => guess >= 0;

// All that the figure shows of a state.
function worldOf({ eight, law, log_snr: logSnr, accuracy, ...data }) {
  const images = floats(data.images, PIXELS * eight.length, "images");
  const points = floats(data.points, 2 * data.num_points, "points");
  const alphaBars = Object.fromEntries(
    Object.entries(SCHEDULES).map(([name, make]) => [name, make(T)]),
  );
  const alphaBar = ({ t, schedule }) => alphaBars[schedule][t];
  const chosen = ({ seed }) =>
    Math.floor(random(seed * 7 + 3)() * eight.length);
  const clean = (state) => {
    const from = PIXELS * chosen(state);
    return images.slice(from, from + PIXELS);
  };
  const noisy = (state) =>
    qSample(clean(state), alphaBar(state), normals(PIXELS, 1000 + state.seed));
  return {
    points,
    pointNoise: normals(points.length, 1),
    alphaBar,
    clean,
    noisy,
    law: (state) => noised(lineLaw(law), alphaBar(state)),
    isEight: (state) => eight[chosen(state)],
    probEight: (state) =>
      state.t
        ? probEight(noisy(state), alphaBar(state), images, eight)
        : eight[chosen(state)],
    rightAt: ({ schedule }, t) =>
      t ? accuracyAt(alphaBars[schedule][t], logSnr, accuracy) : 1,
  };
}

const CONTROLS = [
  {
    kind: "range",
    key: "t",
    label: "Step <i>t</i>",
    min: 0,
    max: T,
    start: 100,
    text: (t) => `t = ${t}`,
  },
  scheduleChoice,
  noiseControls[1],
  { key: "guess", start: -1, read: whole(T) },
  {
    label: "Another picture",
    press: (stage) => stage.set({ ...nextSeed(stage.state), guess: -1 }),
  },
  {
    label: (state) => (guessed(state) ? "Guess again" : "I can no longer tell"),
    press: (stage) => {
      const { guess, t } = stage.state;
      stage.set({ guess: guess < 0 ? t : -1 });
    },
  },
];

const pictureView = (world) => ({
  label: (state) => {
    const digit = world.isEight(state) ? "eight" : "three";
    return guessed(state)
      ? `A handwritten ${digit}, and what is left of it after ${state.t} steps`
      : `A handwritten three or eight after ${state.t} steps`;
  },
  title: (state) => {
    if (!guessed(state)) return "A 3 or an 8?";
    return world.isEight(state) ? "It was an 8." : "It was a 3.";
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

const lineView = (world, { exact, noise }) => ({
  label: ({ t }) =>
    `The exact density of a law with two modes after ${t} steps, beside the ` +
    "standard normal density",
  title: `A law on a line ${swatch(exact)}now ${swatch(noise)}pure noise`,
  span: 6,
  height: 150,
  draw(pen, state) {
    const frame = axes(pen, {
      x: [-FAR, FAR],
      y: [0, 0.75],
      xTicks: [[-2, minus("-2")], 0, 2],
    });
    const law = world.law(state);
    const noise = LINE.map((x) => normalDensity(x, 0, 1));
    const now = LINE.map((x) => density(law, x));
    curve(pen, frame, LINE, noise, pen.noise, { dash: [5, 4] });
    curve(pen, frame, LINE, now, pen.exact, { fill: 0.15 });
  },
});

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
    const right = (t) => world.rightAt(state, t);
    const { guess, t } = state;
    curve(pen, frame, TIMES, TIMES.map(right), pen.exact);
    dot(pen, frame.x(t), frame.y(right(t)), 5, pen.ink);
    dot(pen, frame.x(guess), frame.y(right(guess)), 5, pen.model);
    const words = `${percent(right(guess))} where you gave up, t = ${guess}`;
    pen.ctx.fillStyle = pen.ink;
    write(pen, words, frame.x(guess) + 8, frame.y(right(guess)) - 8);
  },
});

const valuesOf = (world) => (state) => {
  const alphaBar = world.alphaBar(state);
  const ratio = state.t ? small(snr(alphaBar)) : "∞";
  const far = Math.max(0, klToNoise(world.law(state)));
  const told = [
    ["best guess is right", percent(world.rightAt(state, state.t))],
    ["p(8 | x<sub>t</sub>)", percent(world.probEight(state))],
  ];
  return [
    ["ᾱ<sub>t</sub>", small(alphaBar), "alpha bar"],
    ["SNR<sub>t</sub>", ratio, "signal to noise ratio"],
    ["KL to noise", `${small(far)} nats`],
    ...(guessed(state) ? told : []),
  ];
};

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
