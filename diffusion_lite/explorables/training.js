// @ts-check
import { newNoise, nextSeed, seedValue } from "./shared/controls.js";
import { networks } from "./shared/data.js";
import { timeEmbedding } from "./shared/diffusion.js";
import { swatch, write } from "./shared/drawing.js";
import { clamp, linspace, memo, percent } from "./shared/numbers.js";
import { exactAt, planeMixture } from "./shared/plane.js";
import { normals } from "./shared/random.js";
import { explorable } from "./shared/stage.js";

/**
 * @typedef {{
 *   t: number, denoiser: string, snapshot: number, sampler: string,
 *   seed: number, drops: string, cross: string,
 * }} State
 * @typedef {{
 *   mixture: { weights: number[], means: Bytes, variances: Bytes },
 *   alpha_bar: number[], beta: number[], num_points: number, cover: boolean,
 *   excess: number[], steps: number[],
 *   sizes: [string, number][], weights: Bytes,
 * }} Data
 * @typedef {{ weight: Float64Array, bias: Float64Array }} Layer
 * @typedef {(x: Float32Array, t: number, from: number) => Float32Array} TakeStep
 * @typedef {ReturnType<typeof samplingOf>} Sampling
 * @typedef {{ way: number }} Motion -1 from noise to data, 1 back
 * @typedef {ReturnType<typeof nearModes>} Quality
 * @typedef {{
 *   x: (value: number) => number, y: (value: number) => number,
 *   back: (at: Point) => [x: number, y: number],
 * }} Plane
 */

const EMBEDDED = 32; // numbers that tell the time
const BOUND = 2.5; // x_0 is never guessed to lie further out
const BLOCK = 250; // points that take a step at once
const BUDGET = 7; // milliseconds of computing in a frame
const SECONDS = 5; // from noise to data
const REST = 2.5; // before the cover starts again
const MOST_DROPS = 5;

// ---- denoisers: points are (x, y), (x, y), ... ------------------------------

/** @type {(x: number) => number} */
const silu = (x) => x / (1 + Math.exp(-x));

// The same from a table, with straight lines between: its error is below
// 1e-5, and it takes a third of the time.
const REACH = 16;
const SILU = linspace(-REACH, REACH, 256 * REACH + 1).map(silu);
/** @type {(x: number) => number} */
function quickSilu(x) {
  if (x >= REACH) return x;
  const place = Math.max(0, (x + REACH) * 128);
  const below = place | 0;
  return SILU[below] + (place - below) * (SILU[below + 1] - SILU[below]);
}

// weight x + bias, for one vector x.
/**
 * @type {(
 *   weight: Float64Array, bias: Float64Array, x: Float64Array,
 * ) => Float64Array}
 */
function affine(weight, bias, x) {
  return bias.map((b, o) => {
    let sum = b;
    for (let k = 0; k < x.length; k++) sum += weight[o * x.length + k] * x[k];
    return sum;
  });
}

// The network as it is at step t. All points share t, so the scale and the
// shift that tell each layer the time go into its weights, once.
/** @type {(net: Network, t: number) => (x: Vector) => Float64Array} */
export function mlpAt(net, t) {
  const emb = affine(
    net["time.0.weight"],
    net["time.0.bias"],
    timeEmbedding(t, EMBEDDED),
  ).map(silu);
  const width = emb.length;
  const linears = Object.keys(net).filter((key) => /linear.weight$/.test(key));
  const layers = linears.map((_, i) => {
    const name = `layers.${i}`;
    const film = affine(
      net[`${name}.time.weight`],
      net[`${name}.time.bias`],
      emb,
    );
    const scale = (/** @type {number} */ o) => 1 + film[o];
    const weight = net[`${name}.linear.weight`];
    const bias = net[`${name}.linear.bias`];
    return {
      weight: weight.map((w, i) => w * scale(Math.floor(i / width))),
      bias: bias.map((b, o) => b * scale(o) + film[width + o]),
    };
  });
  return (x) => mlp(net, layers, x);
}

// Rows o and o + 1 of silu(weight h + bias), for four points at once: what is
// fetched is used for several products.
/**
 * @type {(
 *   weight: Float64Array, bias: Float64Array, o: number, h: Float64Array,
 *   out: Float64Array,
 * ) => void}
 */
function twoRows(weight, bias, o, h, out) {
  const width = bias.length;
  let a = bias[o];
  let b = a;
  let c = a;
  let d = a;
  let e = bias[o + 1];
  let f = e;
  let g = e;
  let i = e;
  for (
    let k = 0, v = o * width, w = v + width;
    k < 4 * width;
    k += 4, v++, w++
  ) {
    const upper = weight[v];
    const lower = weight[w];
    const p = h[k];
    const q = h[k + 1];
    const r = h[k + 2];
    const s = h[k + 3];
    a += upper * p;
    b += upper * q;
    c += upper * r;
    d += upper * s;
    e += lower * p;
    f += lower * q;
    g += lower * r;
    i += lower * s;
  }
  const to = 4 * o;
  out[to] = quickSilu(a);
  out[to + 1] = quickSilu(b);
  out[to + 2] = quickSilu(c);
  out[to + 3] = quickSilu(d);
  out[to + 4] = quickSilu(e);
  out[to + 5] = quickSilu(f);
  out[to + 6] = quickSilu(g);
  out[to + 7] = quickSilu(i);
}

// eps_hat of many points (networks.MLP), four at a time. The width is even.
/** @type {(net: Network, layers: Layer[], x: Vector) => Float64Array} */
function mlp(net, layers, x) {
  const first = net["first.weight"];
  const firstBias = net["first.bias"];
  const last = net["last.weight"];
  const [lastX, lastY] = net["last.bias"];
  const width = firstBias.length;
  const count = x.length / 2;
  const out = new Float64Array(x.length);
  const h = new Float64Array(4 * width);
  const change = new Float64Array(4 * width);
  for (let n = 0; n < count; n += 4) {
    const lanes = Math.min(4, count - n);
    for (let o = 0; o < width; o++)
      for (let p = 0; p < lanes; p++)
        h[4 * o + p] =
          firstBias[o] +
          first[2 * o] * x[2 * (n + p)] +
          first[2 * o + 1] * x[2 * (n + p) + 1];
    for (const { weight, bias } of layers) {
      for (let o = 0; o < width; o += 2) twoRows(weight, bias, o, h, change);
      for (let i = 0; i < h.length; i++) h[i] += change[i];
    }
    for (let p = 0; p < lanes; p++) {
      let [sumX, sumY] = [lastX, lastY];
      for (let k = 0; k < width; k++) {
        sumX += last[k] * h[4 * k + p];
        sumY += last[width + k] * h[4 * k + p];
      }
      out[2 * (n + p)] = sumX;
      out[2 * (n + p) + 1] = sumY;
    }
  }
  return out;
}

// ---- a step from t to t - 1 -------------------------------------------------

// With x_0 clamped (sampling.clamp_x_0), the random step of DDPM
// (sampling.ddpm_step) or, where z is null, the deterministic one of DDIM.
/**
 * @param {Float32Array} x
 * @param {Vector} eps
 * @param {number} t
 * @param {{ alphaBar: Vector, beta: Vector }} schedule
 * @param {Vector | null} z
 * @param {number} [bound]
 */
export function stepBack(x, eps, t, { alphaBar, beta }, z, bound = BOUND) {
  const [root, spread] = [Math.sqrt(alphaBar[t]), Math.sqrt(1 - alphaBar[t])];
  const [rootS, spreadS] = [
    Math.sqrt(alphaBar[t - 1]),
    Math.sqrt(1 - alphaBar[t - 1]),
  ];
  const rootAlpha = Math.sqrt(1 - beta[t]);
  const wobble = (Math.sqrt(beta[t]) * spreadS) / spread;
  return x.map((value, i) => {
    const guess = (value - spread * eps[i]) / root;
    const x0 = clamp(guess, -bound, bound);
    const noise = (value - root * x0) / spread;
    if (!z) return rootS * x0 + spreadS * noise;
    const mean = (value - (beta[t] / spread) * noise) / rootAlpha;
    return mean + wobble * z[i];
  });
}

// ---- trajectories -----------------------------------------------------------

// Positions of many points at every t, made a block at a time; `at[t]` is
// complete for t from `reached` to T.
export class Trajectories {
  /**
   * @param {Float32Array} start
   * @param {number} T
   * @param {TakeStep} take
   */
  constructor(start, T, take) {
    this.T = T;
    this.take = take;
    this.reached = T;
    this.from = 0; // of the step at hand
    this.next = new Float32Array(0);
    /** @type {Float32Array[]} */
    this.at = [];
    this.at[T] = start;
  }

  // Go on until it is done or the time is up.
  /** @param {number} milliseconds */
  go(milliseconds) {
    const until = performance.now() + milliseconds;
    while (this.reached > 0 && performance.now() < until) this.block();
    return this.reached === 0;
  }

  block() {
    const t = this.reached;
    const now = this.at[t];
    if (!this.from) this.next = new Float32Array(now.length);
    const to = Math.min(now.length, this.from + 2 * BLOCK);
    this.next.set(
      this.take(now.subarray(this.from, to), t, this.from),
      this.from,
    );
    this.from = to;
    if (to < now.length) return;
    this.at[t - 1] = this.next;
    this.reached = t - 1;
    this.from = 0;
  }

  // Between two steps, on a straight line; no further than it has come.
  /** @param {number} t */
  place(t) {
    const there = Math.max(t, this.reached);
    const later = Math.min(Math.floor(there), this.T);
    const share = there - later;
    const [a, b] = [this.at[later], this.at[Math.min(later + 1, this.T)]];
    return share ? a.map((value, i) => value + share * (b[i] - value)) : a;
  }
}

// The denoiser that a state asks for. It is made ready once for each t.
/**
 * @type {(
 *   data: Data, mixture: PlaneMixture,
 * ) => (state: State) => (x: Vector, t: number) => Vector}
 */
function denoisersOf({ alpha_bar: alphaBar, ...data }, mixture) {
  const { steps } = data;
  const nets = steps.length
    ? networks(data.sizes, data.weights, steps.length)
    : [];
  return ({ denoiser, snapshot }) => {
    const at = memo((/** @type {number} */ t) =>
      denoiser === "network" && nets.length
        ? mlpAt(nets[snapshot], t)
        : exactAt(mixture, alphaBar[t]),
    );
    return (x, t) => at(t)(x);
  };
}

// The noise of the random steps: the same for all denoisers.
/**
 * @type {(
 *   length: number, seed: number,
 * ) => (t: number, from: number, count: number) => Float32Array}
 */
function noiseOf(length, seed) {
  const all = memo((/** @type {number} */ t) =>
    normals(length, seed * 1009 + t),
  );
  return (t, from, count) =>
    t === 1 ? new Float32Array(count) : all(t).subarray(from, from + count);
}

// What makes trajectories, and keeps the last ones: of a cloud of points, and
// of those that the reader has dropped.
/** @param {Data} data */
function samplingOf(data) {
  const { alpha_bar: alphaBar, beta, num_points: count } = data;
  const T = alphaBar.length - 1;
  const mixture = planeMixture(data);
  const denoiserOf = denoisersOf(data, mixture);
  /**
   * @type {(
   *   start: Float32Array, state: State, seed: number,
   * ) => Trajectories}
   */
  const from = (start, state, seed) => {
    const eps = denoiserOf(state);
    const noise = noiseOf(start.length, seed);
    return new Trajectories(start, T, (x, t, from) => {
      const z = state.sampler === "ddim" ? null : noise(t, from, x.length);
      return stepBack(x, eps(x, t), t, { alphaBar, beta }, z);
    });
  };
  const keyOf = (/** @type {State} */ state) => {
    const { denoiser, snapshot, sampler, seed } = state;
    const which = denoiser === "network" ? snapshot : "";
    return [denoiser, which, sampler, seed].join();
  };
  const cloud = (/** @type {State} */ state) =>
    from(normals(2 * count, 7919 * state.seed + 1), state, state.seed);
  const dropped = (/** @type {State} */ state) => {
    const made = from(readDrops(state.drops), state, 500);
    made.go(1000);
    return made;
  };
  return {
    T,
    mixture,
    trained: data.steps.length > 0,
    cloud: memo(cloud, { most: 8, key: keyOf }),
    dropped: memo(dropped, {
      most: 4,
      key: (state) => `${keyOf(state)} ${state.drops}`,
    }),
  };
}

// ---- how good ---------------------------------------------------------------

// The share of points near a mode (three standard deviations), each mode's
// share of all points, and the largest error of one.
/**
 * @type {(
 *   x: Vector, mixture: PlaneMixture,
 * ) => { near: number, off: number, shares: number[] }}
 */
export function nearModes(x, { weights, means, variances }) {
  const counts = weights.map(() => 0);
  let near = 0;
  for (let n = 0; n < x.length; n += 2) {
    let [best, least] = [0, Infinity];
    for (let k = 0; k < weights.length; k++) {
      const far =
        (x[n] - means[2 * k]) ** 2 / variances[2 * k] +
        (x[n + 1] - means[2 * k + 1]) ** 2 / variances[2 * k + 1];
      if (far < least) [best, least] = [k, far];
    }
    counts[best]++;
    if (least < 9) near++;
  }
  const total = x.length / 2;
  const shares = counts.map((count) => count / total);
  const off = shares.map((share, k) => Math.abs(share - weights[k]));
  return { near: near / total, off: Math.max(...off), shares };
}

// ---- the figure -------------------------------------------------------------

const CALM =
  globalThis.matchMedia?.("(prefers-reduced-motion: reduce)").matches ?? false;
const LABEL = "Live figure: points move from noise to data";
const FAR = 3.1; // what is shown of the plane

/** @type {(x: number) => number} */
const round = (x) => Math.round(100 * clamp(x, -FAR, FAR)) / 100;
const PLACE = /^-?\d(\.\d{1,2})?,-?\d(\.\d{1,2})?$/;

/** @type {(text: string) => Float32Array} */
export function readDrops(text) {
  return Float32Array.from(text.split(";").join(",").split(","), Number);
}

/** @type {(text: unknown) => boolean} */
export const isDrops = (text) =>
  text === "" ||
  (typeof text === "string" &&
    text.split(";").length <= MOST_DROPS &&
    text.split(";").every((place) => PLACE.test(place)));

/** @type {(drops: string, x: number, y: number) => string} */
const withDrop = (drops, x, y) =>
  [...drops.split(";"), `${round(x)},${round(y)}`]
    .filter(Boolean)
    .slice(-MOST_DROPS)
    .join(";");

// Two colours, mixed.
/** @type {(from: string, to: string, share: number) => string} */
function mixed(from, to, share) {
  const part = (/** @type {string} */ hex, /** @type {number} */ i) =>
    parseInt(hex.slice(i, i + 2), 16);
  const parts = [1, 3, 5].map((i) =>
    Math.round(part(from, i) + share * (part(to, i) - part(from, i))),
  );
  return `rgb(${parts.join(" ")})`;
}

// One scale for both axes, or the whole width for the cover.
/** @type {(pen: Pen, cover: boolean) => Plane} */
function planeOf({ width, height }, cover) {
  const up = height / 2 / (cover ? 2.3 : FAR);
  const along = cover ? width / 2 / 2.6 : up;
  return {
    x: (v) => width / 2 + along * v,
    y: (v) => height / 2 - up * v,
    back: ({ x, y }) => [(x - width / 2) / along, (height / 2 - y) / up],
  };
}

/**
 * @type {(
 *   pen: Pen, frame: Plane, x: Vector, color: string, size: number,
 * ) => void}
 */
function drawPoints({ ctx }, frame, x, color, size) {
  ctx.fillStyle = color;
  for (let n = 0; n < x.length; n += 2)
    ctx.fillRect(
      frame.x(x[n]) - size / 2,
      frame.y(x[n + 1]) - size / 2,
      size,
      size,
    );
}

// The modes, numbered on their far side from the middle.
/** @type {(pen: Pen, frame: Plane, mixture: PlaneMixture) => void} */
function drawModes(pen, frame, { weights, means, variances }) {
  const { ctx } = pen;
  ctx.strokeStyle = pen.exact;
  ctx.lineWidth = 1.5;
  for (let k = 0; k < weights.length; k++) {
    const radius = 2.5 * Math.sqrt(variances[2 * k]);
    const [x, y] = [means[2 * k], means[2 * k + 1]];
    ctx.beginPath();
    ctx.arc(frame.x(x), frame.y(y), frame.x(x + radius) - frame.x(x), 0, 7);
    ctx.stroke();
  }
  ctx.fillStyle = pen.ink;
  for (let k = 0; k < weights.length; k++) {
    const beyond = 1 + 0.5 / Math.hypot(means[2 * k], means[2 * k + 1]);
    const x = frame.x(beyond * means[2 * k]);
    write(
      pen,
      String(k + 1),
      x,
      frame.y(beyond * means[2 * k + 1]) + 5,
      "center",
    );
  }
}

/**
 * @type {(
 *   pen: Pen, frame: Plane, path: Trajectories, n: number, color: string,
 * ) => void}
 */
function drawPath(pen, frame, { T, at }, n, color) {
  const { ctx } = pen;
  ctx.beginPath();
  for (let t = T; t >= 0; t--)
    ctx.lineTo(frame.x(at[t][n]), frame.y(at[t][n + 1]));
  ctx.lineWidth = 4;
  ctx.strokeStyle = pen.paper;
  ctx.stroke();
  ctx.lineWidth = 2;
  ctx.strokeStyle = color;
  ctx.stroke();
  const [x, y] = at[0].subarray(n, n + 2);
  ctx.beginPath();
  ctx.arc(frame.x(x), frame.y(y), 5, 0, 7);
  ctx.fillStyle = color;
  ctx.fill();
  ctx.lineWidth = 1.5;
  ctx.strokeStyle = pen.paper;
  ctx.stroke();
}

/**
 * @type {(
 *   pen: Pen, frame: Plane, state: State, sampling: Sampling,
 * ) => void}
 */
function drawDrops(pen, frame, state, sampling) {
  if (!state.drops) return;
  const { ctx } = pen;
  const starts = readDrops(state.drops);
  const kinds = sampling.trained
    ? [
        ["exact", pen.exact],
        ["network", pen.model],
      ]
    : [["exact", pen.exact]];
  for (let n = 0; n < starts.length; n += 2) {
    for (const [denoiser, color] of kinds)
      drawPath(pen, frame, sampling.dropped({ ...state, denoiser }), n, color);
    ctx.beginPath();
    ctx.arc(frame.x(starts[n]), frame.y(starts[n + 1]), 5, 0, 7);
    ctx.fillStyle = pen.paper;
    ctx.fill();
    ctx.lineWidth = 2;
    ctx.strokeStyle = pen.ink;
    ctx.stroke();
  }
}

/** @type {(pen: Pen, frame: Plane, place: Iterable<number>) => void} */
function drawCross({ ctx, ink }, frame, [x, y]) {
  ctx.strokeStyle = ink;
  ctx.lineWidth = 2;
  ctx.beginPath();
  for (const [dx, dy] of [
    [8, 0],
    [0, 8],
  ]) {
    ctx.moveTo(frame.x(x) - dx, frame.y(y) - dy);
    ctx.lineTo(frame.x(x) + dx, frame.y(y) + dy);
  }
  ctx.stroke();
}

/** @type {Record<string, [number, number]>} */
const MOVES = {
  ArrowLeft: [-0.2, 0],
  ArrowRight: [0.2, 0],
  ArrowUp: [0, 0.2],
  ArrowDown: [0, -0.2],
};

// Arrows move a cross, Enter drops a point there.
/** @type {(key: string, state: State) => Partial<State> | undefined} */
function keys(key, { cross, drops }) {
  const [x, y] = cross ? readDrops(cross) : [0, 0];
  if (key === "Enter" || key === " ")
    return { drops: withDrop(drops, x, y), cross: `${round(x)},${round(y)}` };
  if (!MOVES[key]) return undefined;
  const [dx, dy] = MOVES[key];
  return { cross: `${round(x + dx)},${round(y + dy)}` };
}

/**
 * @type {(
 *   pen: Pen, frame: Plane, state: State, stage: Stage<State>,
 *   sampling: Sampling,
 * ) => void}
 */
function drawCloud(pen, frame, state, stage, sampling) {
  const { t, denoiser } = state;
  const cloud = sampling.cloud(state);
  if (!cloud.go(BUDGET)) stage.redraw();
  stage.root.setAttribute("aria-busy", String(cloud.reached > t));
  const end =
    denoiser === "network" && sampling.trained ? pen.model : pen.exact;
  const color = mixed(pen.noise, end, 1 - t / sampling.T);
  pen.ctx.globalAlpha = 0.75;
  drawPoints(pen, frame, cloud.place(t), color, 2.4);
  pen.ctx.globalAlpha = 1;
}

/** @type {(state: State) => string} */
const sayPlane = ({ t }) =>
  `Points in a plane at t = ${Math.round(t)}, on their way from noise to data`;

/** @type {(sampling: Sampling) => ViewOptions<State, Plane>} */
const coverView = (sampling) => ({
  label: sayPlane,
  height: 260,
  draw(pen, state, stage) {
    const frame = planeOf(pen, true);
    drawCloud(pen, frame, state, stage, sampling);
    return frame;
  },
});

/** @type {(sampling: Sampling) => ViewOptions<State, Plane>} */
const planeView = (sampling) => ({
  label: (state) =>
    `${sayPlane(state)}. Arrows move a cross, Enter drops a point. ` +
    `Dropped: ${state.drops || "none"}`,
  span: 8,
  height: 360,
  draw(pen, state, stage) {
    const frame = planeOf(pen, false);
    drawModes(pen, frame, sampling.mixture);
    drawCloud(pen, frame, state, stage, sampling);
    drawDrops(pen, frame, state, sampling);
    if (state.cross) drawCross(pen, frame, readDrops(state.cross));
    if (state.t === sampling.T) {
      pen.ctx.fillStyle = pen.ink;
      write(pen, "click to drop a point", 8, pen.height - 8);
    }
    return frame;
  },
  keys,
  tap: (point, { drops }, frame) => ({
    drops: withDrop(drops, ...frame.back(point)),
    cross: "",
  }),
});

// Play in one direction; pressed again, pause.
/**
 * @type {(
 *   sampling: Sampling, motion: Motion, way: number,
 * ) => Button<State>["press"]}
 */
const play =
  ({ T }, motion, way) =>
  (stage) => {
    const { t } = stage.state;
    if (stage.playing && (way < 0 || motion.way > 0)) {
      stage.pause();
      return stage.set({ t: Math.round(t) });
    }
    motion.way = way;
    if (way < 0 && t <= 0) stage.set({ t: T });
    if (way > 0 && t >= T) stage.set({ t: 0 });
    return stage.play();
  };

/** @type {(sampling: Sampling, motion: Motion) => Button<State>} */
const playButton = (sampling, motion) => ({
  main: true,
  label: {
    each: ["Play", "Pause"],
    which: (_, stage) => Number(stage.playing),
  },
  press: play(sampling, motion, -1),
});

/** @type {(T: number, start: number) => RangeControl<State>} */
const timeSlider = (T, start) => ({
  kind: "range",
  key: "t",
  label: "Step <i>t</i>",
  min: 0,
  max: T,
  start,
  text: (t) => `t = ${Math.round(t)}`,
  main: true,
});

/** @type {(sampling: Sampling, motion: Motion) => Control<State>[]} */
const controlsOfCover = (sampling, motion) => [
  playButton(sampling, motion),
  timeSlider(sampling.T, CALM ? 0 : sampling.T),
  seedValue,
  ...fixed({ denoiser: "exact", sampler: "ddpm" }),
];

/** @type {(steps: number[]) => Control<State>[]} */
function denoiserControls(steps) {
  if (!steps.length) return fixed({ denoiser: "exact" });
  return [
    {
      kind: "choice",
      key: "denoiser",
      label: "Denoiser",
      start: "network",
      options: [
        ["network", "network"],
        ["exact", "exact"],
      ],
    },
    ...(steps.length > 1 ? [trained(steps)] : fixed({ snapshot: 0 })),
  ];
}

/**
 * @type {(
 *   data: Data, sampling: Sampling, motion: Motion,
 * ) => Control<State>[]}
 */
const controlsOf = ({ steps }, sampling, motion) => [
  playButton(sampling, motion),
  { label: "Backwards", press: play(sampling, motion, 1), main: true },
  timeSlider(sampling.T, sampling.T),
  ...denoiserControls(steps),
  {
    kind: "choice",
    key: "sampler",
    label: "Steps",
    start: "ddpm",
    options: [
      ["ddpm", "random (DDPM)"],
      ["ddim", "deterministic (DDIM)"],
    ],
  },
  newNoise,
  seedValue,
  { key: "drops", start: "", read: (v) => (isDrops(v) && v ? v : undefined) },
  {
    key: "cross",
    start: "",
    read: (v) => (PLACE.test(v) ? v : undefined),
  },
];

/** @type {(steps: number[]) => RangeControl<State>} */
const trained = (steps) => ({
  kind: "range",
  key: "snapshot",
  label: "Trained",
  min: 0,
  max: steps.length - 1,
  start: steps.length - 1,
  text: (n) => `${steps[n].toLocaleString("en")} steps`,
});

// Values that no control of this figure changes.
/** @type {(values: Partial<State>) => Hidden<State>[]} */
const fixed = (values) =>
  Object.entries(values).map(([key, start]) => ({
    key,
    start,
    read: () => undefined,
  }));

// A frame of play: a little further on the way.
/**
 * @type {(
 *   sampling: Sampling, motion: Motion, cover: boolean,
 * ) => Figure<State>["tick"]}
 */
function ticker(sampling, motion, cover) {
  const { T } = sampling;
  let resting = 0;
  return (seconds, state, stage) => {
    const { t } = state;
    const { way } = motion;
    const ready = Math.min(t, sampling.cloud(state).reached);
    const next = clamp(t + (way * T * seconds) / SECONDS, ready, T);
    if (next !== (way < 0 ? 0 : T)) return { t: next };
    if (!cover) {
      if (t === next) stage.pause();
      return { t: next };
    }
    resting += seconds;
    if (resting < REST) return { t: next };
    resting = 0;
    return { t: T, ...nextSeed(state) };
  };
}

// How good the points on show are.
/** @type {(sampling: Sampling) => (state: State) => Quality} */
function qualityOf(sampling) {
  const quality = memo(
    (/** @type {Float32Array} */ points) => nearModes(points, sampling.mixture),
    { key: (points) => points },
  );
  return (state) => quality(sampling.cloud(state).place(state.t));
}

// Each mode's share of the points, beside its share of the mixture.
/**
 * @type {(
 *   quality: (state: State) => Quality, mixture: PlaneMixture,
 *   colors: Colors,
 * ) => ViewOptions<State>}
 */
function sharesView(quality, { weights }, { model: orange, exact: green }) {
  const most = 1.6 * Math.max(...weights);
  return {
    title: `Shares: ${swatch(green)}mixture ${swatch(orange)}points`,
    label: (state) => {
      const shares = quality(state).shares.map(
        (share, k) =>
          `${k + 1}: ${percent(share)}, the mixture has ${percent(weights[k])}`,
      );
      return `The share of each mode. ${shares.join("; ")}`;
    },
    span: 4,
    narrow: 12,
    height: 24 * weights.length + 8,
    draw(pen, state) {
      const { shares } = quality(state);
      const along = (pen.width - 24) / most;
      weights.forEach((weight, k) => {
        const y = 24 * k + 4;
        pen.ctx.fillStyle = pen.ink;
        write(pen, String(k + 1), 2, y + 14);
        pen.ctx.fillStyle = pen.exact;
        pen.ctx.fillRect(20, y, along * weight, 9);
        pen.ctx.fillStyle =
          state.denoiser === "network" ? pen.model : pen.exact;
        pen.ctx.globalAlpha = state.denoiser === "network" ? 1 : 0.55;
        pen.ctx.fillRect(20, y + 9, along * Math.min(shares[k], most), 9);
        pen.ctx.globalAlpha = 1;
      });
    },
  };
}

/**
 * @type {(
 *   quality: (state: State) => Quality, data: Data,
 * ) => (state: State) => Value[]}
 */
const valuesOf =
  (quality, { excess }) =>
  (state) => {
    const { near, off } = quality(state);
    /** @type {Value[]} */
    const shown = [
      ["near a mode", percent(near)],
      ["largest error of a share", percent(off)],
    ];
    if (excess.length) {
      const above = state.denoiser === "network" ? excess[state.snapshot] : 0;
      shown.push(["loss above the floor", above.toFixed(4)]);
    }
    return shown;
  };

/** @type {(place: Place) => () => void} */
function render({ model, el }) {
  /** @type {Data} */
  const data = model.get("data");
  const sampling = samplingOf(data);
  const motion = { way: -1 };
  const place = { model, el, name: "training", label: LABEL };
  if (data.cover) {
    const asked = Object.keys(model.get("state") ?? {}).length;
    return explorable({
      ...place,
      controls: controlsOfCover(sampling, motion),
      views: [coverView(sampling)],
      tick: ticker(sampling, motion, true),
      playing: !CALM && !asked,
    });
  }
  const quality = qualityOf(sampling);
  return explorable({
    ...place,
    controls: controlsOf(data, sampling, motion),
    views: [
      planeView(sampling),
      sharesView(quality, sampling.mixture, model.get("colors")),
    ],
    values: valuesOf(quality, data),
    tick: ticker(sampling, motion, false),
  });
}

export default { name: "training", render };
