import {
  SCHEDULES,
  axes,
  clamp,
  curve,
  dot,
  explorable,
  floats,
  linspace,
  normalDensity,
  normals,
  picture,
  random,
  swatch,
  write,
} from "./explorable.js";

const T = 1000;

// ---- maths (compared with Python in tests/test_explorables.py) --------------

// The mixture's law at alpha_bar (mixtures.noised).
export const noised = ({ weights, means, variances }, alphaBar) => ({
  weights,
  means: means.map((mean) => Math.sqrt(alphaBar) * mean),
  variances: variances.map((v) => alphaBar * v + 1 - alphaBar),
});

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

// x_t from x_0 and eps (forward.q_sample).
export const qSample = (x0, alphaBar, eps) =>
  x0.map((x, i) => Math.sqrt(alphaBar) * x + Math.sqrt(1 - alphaBar) * eps[i]);

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

const LABEL = `Live figure: a digit, a cloud of points and a law on a line become noise`;
const small = (x) =>
  x === 0 ? "0" : x >= 1e-3 && x < 1e4 ? x.toPrecision(3) : x.toExponential(1);
const percent = (share) => `${(100 * share).toFixed(1)} %`;

function render({ model, el }) {
  const { eight, law, log_snr: logSnr, accuracy, ...data } = model.get("data");
  const images = floats(data.images, 64 * eight.length, "images");
  const points = floats(data.points, 2 * data.num_points, "points");
  const { exact, noise } = model.get("colors");
  const cloudNoise = normals(points.length, 1);
  const alphaBars = Object.fromEntries(
    Object.entries(SCHEDULES).map(([name, make]) => [name, make(T)]),
  );
  const left = ({ t, schedule }) => alphaBars[schedule][t];

  const chosen = ({ seed }) =>
    Math.floor(random(seed * 7 + 3)() * eight.length);
  const clean = (state) =>
    images.slice(64 * chosen(state), 64 * chosen(state) + 64);
  const noisy = (state) =>
    qSample(clean(state), left(state), normals(64, 1000 + state.seed));
  const right = (state, t) =>
    t === 0 ? 1 : accuracyAt(alphaBars[state.schedule][t], logSnr, accuracy);

  const controls = [
    {
      kind: "range",
      key: "t",
      label: "Step <i>t</i>",
      min: 0,
      max: T,
      start: 100,
      text: (t) => `t = ${t}`,
    },
    {
      kind: "choice",
      key: "schedule",
      label: "Schedule",
      start: "linear",
      options: [
        ["linear", "linear"],
        ["cosine", "cosine"],
      ],
    },
    {
      key: "seed",
      start: 1,
      read: (v) => (/^\d{1,4}$/.test(v) ? Number(v) : undefined),
    },
    {
      key: "guess",
      start: -1,
      read: (v) => (/^\d{1,4}$/.test(v) && v <= T ? Number(v) : undefined),
    },
    {
      label: "Another picture",
      press: (stage) =>
        stage.set({ seed: (stage.state.seed + 1) % 10000, guess: -1 }),
    },
    {
      label: ({ guess }) =>
        guess < 0 ? "I can no longer tell" : "Guess again",
      press: (stage) =>
        stage.set({ guess: stage.state.guess < 0 ? stage.state.t : -1 }),
    },
  ];

  const xs = linspace(-3.2, 3.2, 161);
  const views = [
    {
      label: ({ t, guess, ...state }) =>
        guess < 0
          ? `A handwritten three or eight after ${t} steps`
          : `A handwritten ${eight[chosen(state)] ? "eight" : "three"}, and what is left of it after ${t} steps`,
      title: ({ guess, ...state }) =>
        guess < 0
          ? "A 3 or an 8?"
          : `It was ${eight[chosen(state)] ? "an 8" : "a 3"}.`,
      span: 3,
      narrow: 6,
      aspect: 1,
      draw(pen, state) {
        const size = Math.min(pen.width, pen.height);
        picture(pen, noisy(state), 0, 0, size);
        if (state.guess < 0) return;
        const [from, part] = [Math.round(size * 0.56), Math.round(size * 0.44)];
        pen.ctx.fillStyle = pen.paper;
        pen.ctx.fillRect(from - 4, from - 4, part + 5, part + 5);
        picture(pen, clean(state), from, from, part);
      },
    },
    {
      label: ({ t }) => `A thousand points of eight modes after ${t} steps`,
      title: "Points",
      span: 3,
      narrow: 6,
      aspect: 1,
      draw(pen, state) {
        const { ctx, width, height } = pen;
        const a = left(state);
        const [keep, add] = [Math.sqrt(a), Math.sqrt(1 - a)];
        const unit = width / 6.4;
        ctx.fillStyle = pen.data;
        ctx.globalAlpha = 0.65;
        for (let i = 0; i < points.length; i += 2) {
          const x = keep * points[i] + add * cloudNoise[i];
          const y = keep * points[i + 1] + add * cloudNoise[i + 1];
          ctx.fillRect(
            width / 2 + unit * x - 1,
            height / 2 - unit * y - 1,
            2,
            2,
          );
        }
        ctx.globalAlpha = 1;
      },
    },
    {
      label: ({ t }) =>
        `The exact density of a law with two modes after ${t} steps, beside the standard normal density`,
      title: `A law on a line ${swatch(exact)}now ${swatch(noise)}pure noise`,
      span: 6,
      narrow: 12,
      height: 150,
      draw(pen, state) {
        const frame = axes(pen, {
          x: [-3.2, 3.2],
          y: [0, 0.75],
          xTicks: [-2, 0, 2],
        });
        const now = noised(law, left(state));
        curve(
          pen,
          frame,
          xs,
          xs.map((x) => normalDensity(x, 0, 1)),
          pen.noise,
          { dash: [5, 4] },
        );
        curve(
          pen,
          frame,
          xs,
          xs.map((x) => density(now, x)),
          pen.exact,
          { fill: 0.15 },
        );
      },
    },
    {
      label: (state) =>
        `How often the best guess of three or eight is right, at each step; ${percent(right(state, state.guess))} at step ${state.guess}`,
      when: ({ guess }) => guess >= 0,
      height: 150,
      draw(pen, state) {
        const frame = axes(pen, {
          x: [0, T],
          y: [0.5, 1],
          xTicks: [0, 250, 500, 750, 1000],
          yTicks: [
            [0.5, "50 %"],
            [0.75, "75 %"],
            [1, "100 %"],
          ],
          xLabel: "step t",
          yLabel: "the best guess is right",
        });
        const ts = linspace(0, T, 101);
        curve(
          pen,
          frame,
          ts,
          ts.map((t) => right(state, t)),
          pen.exact,
        );
        for (const [t, color] of [
          [state.t, pen.ink],
          [state.guess, pen.model],
        ]) {
          dot(pen, frame.x(t), frame.y(right(state, t)), 5, color);
        }
        pen.ctx.fillStyle = pen.ink;
        const words = `${percent(right(state, state.guess))} where you gave up, t = ${state.guess}`;
        write(
          pen,
          words,
          frame.x(state.guess) + 8,
          frame.y(right(state, state.guess)) - 8,
        );
      },
    },
  ];

  const values = (state) => {
    const alphaBar = left(state);
    const told =
      state.guess < 0
        ? []
        : [
            ["best guess is right", percent(right(state, state.t))],
            [
              "p(8 | x<sub>t</sub>)",
              percent(
                state.t === 0
                  ? eight[chosen(state)]
                  : probEight(noisy(state), alphaBar, images, eight),
              ),
            ],
          ];
    return [
      ["ᾱ<sub>t</sub>", small(alphaBar), "alpha bar"],
      [
        "SNR<sub>t</sub>",
        state.t ? small(snr(alphaBar)) : "∞",
        "signal to noise ratio",
      ],
      [
        "KL to noise",
        `${small(Math.max(0, klToNoise(noised(law, alphaBar))))} nats`,
      ],
      ...told,
    ];
  };

  return explorable({
    model,
    el,
    name: "forward",
    label: LABEL,
    controls,
    views,
    values,
  });
}

export default { name: "forward", render };
