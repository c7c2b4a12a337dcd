import {
  clamp,
  explorable,
  floats,
  linspace,
  memo,
  networks,
  nextSeed,
  noiseControls,
  normals,
  percent,
  swatch,
  timeEmbedding,
  write,
} from "./explorable.js";

const EMBEDDED = 32; // numbers that tell the time
const BOUND = 2.5; // x_0 is never guessed to lie further out
const BLOCK = 250; // points that take a step at once
const BUDGET = 7; // milliseconds of walking in a frame
const SECONDS = 5; // a walk from noise to data
const REST = 2.5; // before the cover starts again
const MOST_DROPS = 5;

// ---- denoisers: points are (x, y), (x, y), ... ------------------------------

const silu = (x) => x / (1 + Math.exp(-x));

// The same from a table, with straight lines between: its error is below
// 1e-5, and it takes a third of the time.
const REACH = 16;
const SILU = linspace(-REACH, REACH, 256 * REACH + 1).map(silu);
function quickSilu(x) {
  if (x >= REACH) return x;
  const place = Math.max(0, (x + REACH) * 128);
  const below = place | 0;
  return SILU[below] + (place - below) * (SILU[below + 1] - SILU[below]);
}

// weight x + bias, for one vector x.
function affine(weight, bias, x) {
  return bias.map((b, o) => {
    let sum = b;
    for (let k = 0; k < x.length; k++) sum += weight[o * x.length + k] * x[k];
    return sum;
  });
}

// The network as it is at step t. All points share t, so the scale and the
// shift that tell each layer the time go into its weights, once.
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
    const told = affine(
      net[`${name}.time.weight`],
      net[`${name}.time.bias`],
      emb,
    );
    const scale = (o) => 1 + told[o];
    const weight = net[`${name}.linear.weight`];
    const bias = net[`${name}.linear.bias`];
    return {
      weight: weight.map((w, i) => w * scale(Math.floor(i / width))),
      bias: bias.map((b, o) => b * scale(o) + told[width + o]),
    };
  });
  return (x) => mlp(net, layers, x);
}

// Rows o and o + 1 of silu(weight h + bias), for four points at once: what is
// fetched is used for several products.
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

// E[eps | x_t] of many points (mixtures.optimal_eps).
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

// ---- a step from t to t - 1 -------------------------------------------------

// With x_0 clamped (sampling.clamp_x_0), the random step of DDPM
// (sampling.ddpm_step) or, where z is null, the deterministic one of DDIM.
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

// ---- walks ------------------------------------------------------------------

// Positions at every t, made a block at a time; `at[t]` is complete for t from
// `reached` to T.
export class Walk {
  constructor(start, T, take) {
    Object.assign(this, { T, take, reached: T, from: 0 });
    this.at = [];
    this.at[T] = start;
  }

  // Walk on until it is done or the time is up.
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
  place(t) {
    const there = Math.max(t, this.reached);
    const later = Math.min(Math.floor(there), this.T);
    const share = there - later;
    const [a, b] = [this.at[later], this.at[Math.min(later + 1, this.T)]];
    return share ? a.map((value, i) => value + share * (b[i] - value)) : a;
  }
}

// Makes walks, and keeps the last ones: same start and same noise for all.
function walker(data) {
  const { alpha_bar: alphaBar, beta, num_points: count } = data;
  const T = alphaBar.length - 1;
  const components = data.law.weights.length;
  const law = {
    weights: data.law.weights,
    means: floats(data.law.means, 2 * components, "means"),
    variances: floats(data.law.variances, 2 * components, "variances"),
  };
  const nets = data.steps.length
    ? networks(data.sizes, data.weights, data.steps.length)
    : [];
  const schedule = { alphaBar, beta };
  const denoiserAt = ({ denoiser, snapshot }) => {
    let [last, made] = [];
    return (x, t) => {
      if (t !== last) {
        last = t;
        made =
          denoiser === "network" && nets.length
            ? mlpAt(nets[snapshot], t)
            : exactAt(law, alphaBar[t]);
      }
      return made(x);
    };
  };
  const make = (start, state, seed) => {
    const eps = denoiserAt(state);
    let [last, z] = [];
    const noiseAt = (t, from, length) => {
      if (state.sampler === "ddim") return null;
      if (t === 1) return new Float32Array(length);
      if (last !== t) z = normals(start.length, seed * 1009 + t);
      last = t;
      return z.subarray(from, from + length);
    };
    return new Walk(start, T, (x, t, from) =>
      stepBack(x, eps(x, t), t, schedule, noiseAt(t, from, x.length)),
    );
  };
  const keyOf = ({ denoiser, snapshot, sampler, seed }) =>
    [denoiser, denoiser === "network" ? snapshot : "", sampler, seed].join();
  return {
    T,
    law,
    cloud: memo(
      (state) =>
        make(normals(2 * count, 7919 * state.seed + 1), state, state.seed),
      { most: 8, key: keyOf },
    ),
    paths: memo(
      (state) => {
        const walk = make(readDrops(state.drops), state, 500);
        walk.go(1000);
        return walk;
      },
      { most: 4, key: (state) => `${keyOf(state)} ${state.drops}` },
    ),
  };
}

// ---- how good ---------------------------------------------------------------

// The share of points near a mode (three standard deviations), each mode's
// share of all points, and the largest error of one.
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
const LABEL = "Live figure: points walk from noise to data";
const FAR = 3.1; // what is shown of the plane

const round = (x) => Math.round(100 * clamp(x, -FAR, FAR)) / 100;
const PLACE = /^-?\d(\.\d{1,2})?,-?\d(\.\d{1,2})?$/;

export function readDrops(text) {
  return Float32Array.from(text.split(";").join(",").split(","), Number);
}

export const isDrops = (text) =>
  text === "" ||
  (typeof text === "string" &&
    text.split(";").length <= MOST_DROPS &&
    text.split(";").every((place) => PLACE.test(place)));

const dropped = (drops, x, y) =>
  [...drops.split(";"), `${round(x)},${round(y)}`]
    .filter(Boolean)
    .slice(-MOST_DROPS)
    .join(";");

// Two colours, mixed.
function mixed(from, to, share) {
  const part = (hex, i) => parseInt(hex.slice(i, i + 2), 16);
  const parts = [1, 3, 5].map((i) =>
    Math.round(part(from, i) + share * (part(to, i) - part(from, i))),
  );
  return `rgb(${parts.join(" ")})`;
}

// One scale for both axes, or the whole width for the cover.
function frameOf({ width, height }, cover) {
  const up = height / 2 / (cover ? 2.3 : FAR);
  const along = cover ? width / 2 / 2.6 : up;
  return {
    x: (v) => width / 2 + along * v,
    y: (v) => height / 2 - up * v,
    back: ({ x, y }) => [(x - width / 2) / along, (height / 2 - y) / up],
  };
}

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

function drawPath(pen, frame, walk, n, color) {
  const { ctx } = pen;
  for (const [width, ink] of [
    [4, pen.paper],
    [2, color],
  ]) {
    ctx.beginPath();
    for (let t = walk.T; t >= 0; t--)
      ctx.lineTo(frame.x(walk.at[t][n]), frame.y(walk.at[t][n + 1]));
    ctx.lineWidth = width;
    ctx.strokeStyle = ink;
    ctx.stroke();
  }
  const [x, y] = walk.at[0].subarray(n, n + 2);
  ctx.beginPath();
  ctx.arc(frame.x(x), frame.y(y), 5, 0, 7);
  ctx.fillStyle = color;
  ctx.fill();
  ctx.lineWidth = 1.5;
  ctx.strokeStyle = pen.paper;
  ctx.stroke();
}

function drawDrops(pen, frame, state, walks, hasNetwork) {
  if (!state.drops) return;
  const { ctx } = pen;
  const starts = readDrops(state.drops);
  const kinds = hasNetwork
    ? [
        ["exact", pen.exact],
        ["network", pen.model],
      ]
    : [["exact", pen.exact]];
  for (let n = 0; n < starts.length; n += 2) {
    for (const [denoiser, color] of kinds)
      drawPath(pen, frame, walks.paths({ ...state, denoiser }), n, color);
    ctx.beginPath();
    ctx.arc(frame.x(starts[n]), frame.y(starts[n + 1]), 5, 0, 7);
    ctx.fillStyle = pen.paper;
    ctx.fill();
    ctx.lineWidth = 2;
    ctx.strokeStyle = pen.ink;
    ctx.stroke();
  }
}

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

const MOVES = {
  ArrowLeft: [-0.2, 0],
  ArrowRight: [0.2, 0],
  ArrowUp: [0, 0.2],
  ArrowDown: [0, -0.2],
};

// Arrows move a cross, Enter drops a point there.
function keys(key, { cross, drops }) {
  const [x, y] = cross ? readDrops(cross) : [0, 0];
  if (key === "Enter" || key === " ")
    return { drops: dropped(drops, x, y), cross: `${round(x)},${round(y)}` };
  if (!MOVES[key]) return undefined;
  const [dx, dy] = MOVES[key];
  return { cross: `${round(x + dx)},${round(y + dy)}` };
}

function planeView(walks, { cover, steps }) {
  const color = (pen, { t, denoiser }) => {
    const end = denoiser === "network" && steps.length ? pen.model : pen.exact;
    return mixed(pen.noise, end, 1 - t / walks.T);
  };
  const view = {
    label: ({ t, drops }) =>
      `Points in a plane at t = ${Math.round(t)}, on their way from noise to data` +
      (cover
        ? ""
        : `. Arrows move a cross, Enter drops a point. Dropped: ${drops || "none"}`),
    draw(pen, state, stage) {
      const frame = frameOf(pen, cover);
      const walk = walks.cloud(state);
      if (!walk.go(BUDGET)) stage.redraw();
      stage.root.setAttribute("aria-busy", walk.reached > state.t);
      if (!cover) drawModes(pen, frame, walks.law);
      pen.ctx.globalAlpha = 0.75;
      drawPoints(pen, frame, walk.place(state.t), color(pen, state), 2.4);
      pen.ctx.globalAlpha = 1;
      if (cover) return frame;
      drawDrops(pen, frame, state, walks, steps.length);
      if (state.cross) drawCross(pen, frame, readDrops(state.cross));
      if (state.t === walks.T) {
        pen.ctx.fillStyle = pen.ink;
        write(pen, "click to drop a point", 8, pen.height - 8);
      }
      return frame;
    },
  };
  if (cover) return { ...view, height: 260 };
  const tap = (point, { drops }, frame) => ({
    drops: dropped(drops, ...frame.back(point)),
    cross: "",
  });
  return { ...view, span: 8, height: 360, keys, tap };
}

function controlsOf({ steps, cover }, T) {
  const play = (way) => (stage) => {
    const { t } = stage.state;
    if (stage.playing && (way < 0 || stage.way > 0)) {
      stage.pause();
      return stage.set({ t: Math.round(t) });
    }
    stage.way = way;
    if (way < 0 && t <= 0) stage.set({ t: T });
    if (way > 0 && t >= T) stage.set({ t: 0 });
    return stage.play();
  };
  const time = {
    kind: "range",
    key: "t",
    label: "Step <i>t</i>",
    min: 0,
    max: T,
    start: cover && CALM ? 0 : T,
    text: (t) => `t = ${Math.round(t)}`,
  };
  const playing = {
    label: (_, stage) => (stage.playing ? "Pause" : "Play"),
    press: play(-1),
  };
  const [newNoise, seed] = noiseControls;
  if (cover)
    return [
      playing,
      time,
      seed,
      ...fixed({ denoiser: "exact", sampler: "ddpm" }),
    ];
  const network = steps.length
    ? [
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
      ]
    : fixed({ denoiser: "exact" });
  return [
    playing,
    { label: "Backwards", press: play(1) },
    time,
    ...network,
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
    seed,
    { key: "drops", start: "", read: (v) => (isDrops(v) && v ? v : undefined) },
    {
      key: "cross",
      start: "",
      read: (v) => (PLACE.test(v) ? v : undefined),
    },
  ];
}

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
const fixed = (values) =>
  Object.entries(values).map(([key, start]) => ({
    key,
    start,
    read: () => undefined,
  }));

// A frame of play: a little further on the way.
function ticker(walks, cover) {
  const { T } = walks;
  let resting = 0;
  return (seconds, state, stage) => {
    const { t } = state;
    const way = stage.way ?? -1;
    const ready = Math.min(t, walks.cloud(state).reached);
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
function judge(walks) {
  const judged = memo((points) => nearModes(points, walks.law), {
    key: (points) => points,
  });
  return (state) => judged(walks.cloud(state).place(state.t));
}

// Each mode's share of the points, beside its share of the law.
function sharesView(judged, { weights }, orange, green) {
  const most = 1.6 * Math.max(...weights);
  return {
    title: `Shares: ${swatch(green)}law ${swatch(orange)}points`,
    label: (state) => {
      const shares = judged(state).shares.map(
        (share, k) =>
          `${k + 1}: ${percent(share)}, the law has ${percent(weights[k])}`,
      );
      return `The share of each mode. ${shares.join("; ")}`;
    },
    span: 4,
    narrow: 12,
    height: 24 * weights.length + 8,
    draw(pen, state) {
      const { shares } = judged(state);
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

function valuesOf(judged, { cover, excess }) {
  if (cover) return undefined;
  return (state) => {
    const { near, off } = judged(state);
    const shown = [
      ["near a mode", percent(near)],
      ["largest error of a share", percent(off)],
    ];
    if (state.denoiser === "network" && excess.length)
      shown.push(["loss above the floor", excess[state.snapshot].toFixed(4)]);
    return shown;
  };
}

function render({ model, el }) {
  const data = model.get("data");
  const { cover } = data;
  const walks = walker(data);
  const judged = judge(walks);
  const { model: orange, exact } = model.get("colors");
  const plane = planeView(walks, data);
  const shares = sharesView(judged, walks.law, orange, exact);
  const asked = Object.keys(model.get("state") ?? {}).length;
  return explorable({
    model,
    el,
    name: "training",
    label: LABEL,
    controls: controlsOf(data, walks.T),
    views: cover ? [plane] : [plane, shares],
    values: valuesOf(judged, data),
    tick: ticker(walks, cover),
    playing: cover && !CALM && !asked,
  });
}

export default { name: "training", render };
