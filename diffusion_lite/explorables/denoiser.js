// @ts-check
import { newNoise, seedValue, whole } from "./shared/controls.js";
import { floats, networks } from "./shared/data.js";
import { qSample, timeEmbedding } from "./shared/diffusion.js";
import { picture } from "./shared/drawing.js";
import { clamp, memo } from "./shared/numbers.js";
import { normals } from "./shared/random.js";
import { explorable } from "./shared/stage.js";

/**
 * @typedef {{
 *   t: number, pen: string, seed: number, drawing: string, cursor: number,
 * }} State
 * @typedef {Record<"mean" | "variances" | "axes", Float32Array>} Lines
 * @typedef {{ weight: Float64Array, bias: Float64Array }} Reader
 * @typedef {{
 *   alpha_bar: number[], width: number, starts: string[],
 *   sizes: [string, number][], weights: Bytes,
 *   mean: Bytes, variances: Bytes, axes: Bytes, read: Bytes, bias: Bytes,
 * }} Data
 * @typedef {ReturnType<typeof solver>} Solve
 */

const SIZE = 8;
const PIXELS = SIZE * SIZE;
const LEVELS = "0123456789abcdefg";

// ---- the network (networks.py); a picture is channel after channel ----------

// out[o, n] = bias[o] + sum over k of weight[o, k] rows[n, k]. Four rows at a
// time, for each weight is then fetched once for four products.
/**
 * @type {(
 *   weight: Float64Array, bias: Float64Array | null, rows: Float64Array,
 *   size: number,
 * ) => Float64Array}
 */
export function product(weight, bias, rows, size) {
  const [outs, count] = [weight.length / size, rows.length / size];
  const out = new Float64Array(outs * count);
  for (let o = 0; o < outs; o++) {
    const w = o * size;
    const start = bias ? bias[o] : 0;
    let n = 0;
    for (; n + 3 < count; n += 4) {
      let a = start;
      let b = start;
      let c = start;
      let d = start;
      const r = n * size;
      for (let k = 0; k < size; k++) {
        const x = weight[w + k];
        a += x * rows[r + k];
        b += x * rows[r + size + k];
        c += x * rows[r + 2 * size + k];
        d += x * rows[r + 3 * size + k];
      }
      const at = o * count + n;
      out[at] = a;
      out[at + 1] = b;
      out[at + 2] = c;
      out[at + 3] = d;
    }
    for (; n < count; n++) {
      let sum = start;
      for (let k = 0; k < size; k++) sum += weight[w + k] * rows[n * size + k];
      out[o * count + n] = sum;
    }
  }
  return out;
}

// The 3x3 neighbourhood of each place, one a row; beyond the edge it is 0.
/**
 * @type {(
 *   x: Vector, channels: number, side: number, stride: number,
 * ) => Float64Array}
 */
function patches(x, channels, side, stride) {
  const places = side / stride;
  const rows = new Float64Array(places * places * channels * 9);
  let at = 0;
  for (let i = 0; i < side; i += stride)
    for (let j = 0; j < side; j += stride)
      for (let c = 0; c < channels; c++)
        for (let di = -1; di <= 1; di++)
          for (let dj = -1; dj <= 1; dj++, at++) {
            const row = i + di;
            const column = j + dj;
            if (row >= 0 && row < side && column >= 0 && column < side)
              rows[at] = x[(c * side + row) * side + column];
          }
  return rows;
}

/**
 * @type {(
 *   net: Network, name: string, x: Vector, channels: number, side: number,
 *   stride?: number,
 * ) => Float64Array}
 */
export function conv(net, name, x, channels, side, stride = 1) {
  const rows = patches(x, channels, side, stride);
  return product(
    net[`${name}.weight`],
    net[`${name}.bias`],
    rows,
    9 * channels,
  );
}

/**
 * @type {(
 *   net: Network, name: string, rows: Float64Array, size: number,
 * ) => Float64Array}
 */
const linear = (net, name, rows, size) =>
  product(net[`${name}.weight`], net[`${name}.bias`], rows, size);

// Rows for columns: (n, m) becomes (m, n).
/** @type {(x: Float64Array, n: number) => Float64Array} */
function transposed(x, n) {
  const m = x.length / n;
  return x.map((_, i) => x[(i % n) * m + Math.floor(i / n)]);
}

// Normalise groups of eight channels, then scale and shift each channel.
/**
 * @type {(
 *   net: Network, name: string, x: Float64Array, channels: number,
 * ) => Float64Array}
 */
export function groupNorm(net, name, x, channels) {
  const [weight, bias] = [net[`${name}.weight`], net[`${name}.bias`]];
  const area = x.length / channels;
  const out = new Float64Array(x.length);
  for (let from = 0; from < x.length; from += 8 * area) {
    const group = x.subarray(from, from + 8 * area);
    const mean = group.reduce((a, b) => a + b) / group.length;
    const variance =
      group.reduce((a, b) => a + (b - mean) ** 2, 0) / group.length;
    const root = Math.sqrt(variance + 1e-5);
    for (let i = 0; i < group.length; i++) {
      const c = Math.floor((from + i) / area);
      out[from + i] = ((group[i] - mean) / root) * weight[c] + bias[c];
    }
  }
  return out;
}

/** @type {(x: Float64Array) => Float64Array} */
const silu = (x) => x.map((v) => v / (1 + Math.exp(-v)));
/** @type {(x: Float64Array, y: Float64Array) => Float64Array} */
const added = (x, y) => x.map((v, i) => v + y[i]);

/**
 * @type {(
 *   net: Network, name: string, x: Float64Array, into: number, out: number,
 *   side: number, emb: Float64Array,
 * ) => Float64Array}
 */
export function resBlock(net, name, x, into, out, side, emb) {
  const film = linear(net, `${name}.time`, emb, emb.length);
  const area = side * side;
  let h = silu(groupNorm(net, `${name}.norm_1`, x, into));
  h = conv(net, `${name}.conv_1`, h, into, side);
  h = groupNorm(net, `${name}.norm_2`, h, out).map((v, i) => {
    const c = Math.floor(i / area);
    return v * (1 + film[c]) + film[out + c];
  });
  h = conv(net, `${name}.conv_2`, silu(h), out, side);
  const shortcut =
    into === out
      ? x
      : linear(net, `${name}.shortcut`, transposed(x, into), into);
  return added(shortcut, h);
}

/**
 * @type {(
 *   net: Network, name: string, x: Float64Array, channels: number,
 * ) => Float64Array}
 */
export function attention(net, name, x, channels) {
  const count = x.length / channels;
  const normed = groupNorm(net, `${name}.norm`, x, channels);
  const places = transposed(normed, channels);
  const qkv = linear(net, `${name}.qkv`, places, channels);
  const [q, k, v] = [0, 1, 2].map((i) =>
    qkv.slice(i * x.length, (i + 1) * x.length),
  );
  const scores = product(
    transposed(q, channels),
    null,
    transposed(k, channels),
    channels,
  );
  const seen = new Float64Array(x.length);
  for (let i = 0; i < count; i++) {
    const row = scores.subarray(i * count, (i + 1) * count);
    const most = Math.max(...row);
    const weights = row.map((score) =>
      Math.exp((score - most) / Math.sqrt(channels)),
    );
    const total = weights.reduce((a, b) => a + b);
    for (let c = 0; c < channels; c++)
      for (let j = 0; j < count; j++)
        seen[i * channels + c] += (weights[j] / total) * v[c * count + j];
  }
  return added(x, linear(net, `${name}.out`, seen, channels));
}

// Twice as high and wide, each place four times.
/** @type {(x: Float64Array, side: number) => Float64Array} */
const upsampled = (x, side) =>
  Float64Array.from({ length: 4 * x.length }, (_, i) => {
    const [row, column] = [Math.floor(i / (2 * side)), i % (2 * side)];
    return x[Math.floor(row / 2) * side + Math.floor(column / 2)];
  });

// eps_hat for one picture x at step t (networks.UNet).
/**
 * @type {(
 *   net: Network, width: number, x: Vector, t: number, side?: number,
 * ) => Float64Array}
 */
export function unet(net, width, x, t, side = SIZE) {
  const half = side / 2;
  let emb = timeEmbedding(t, 2 * width);
  emb = silu(linear(net, "time.0", emb, emb.length));
  emb = silu(linear(net, "time.2", emb, emb.length));
  const first = conv(net, "first", x, 1, side);
  const skip = resBlock(net, "down", first, width, width, side, emb);
  let h = conv(net, "downsample", skip, width, side, 2);
  h = resBlock(net, "middle_1", h, 2 * width, 2 * width, half, emb);
  h = attention(net, "attention", h, 2 * width);
  h = resBlock(net, "middle_2", h, 2 * width, 2 * width, half, emb);
  h = conv(net, "upsample", upsampled(h, half), 2 * width, side);
  const both = new Float64Array(h.length + skip.length);
  both.set(h);
  both.set(skip, h.length);
  h = resBlock(net, "up", both, 2 * width, width, side, emb);
  return conv(net, "last", silu(groupNorm(net, "norm", h, width)), width, side);
}

// ---- the guesses ------------------------------------------------------------

// The x_0 that a guess of the noise implies (parameterization.x_0_from_eps).
/** @type {(xt: Vector, alphaBar: number, eps: Vector) => Vector} */
export const x0FromEps = (xt, alphaBar, eps) =>
  xt.map(
    (x, i) => (x - Math.sqrt(1 - alphaBar) * eps[i]) / Math.sqrt(alphaBar),
  );

// The best linear guess of x_0: along each main direction of the data, the
// part of x_t that the data account for.
/** @type {(xt: Vector, alphaBar: number, lines: Lines) => Float64Array} */
export function linearGuess(xt, alphaBar, { mean, variances, axes }) {
  const root = Math.sqrt(alphaBar);
  const out = Float64Array.from(mean);
  variances.forEach((variance, k) => {
    const axis = axes.subarray(k * xt.length, (k + 1) * xt.length);
    const seen = axis.reduce(
      (sum, a, i) => sum + a * (xt[i] - root * mean[i]),
      0,
    );
    const gain = (root * variance) / (alphaBar * variance + 1 - alphaBar);
    axis.forEach((a, i) => (out[i] += gain * seen * a));
  });
  return out;
}

/** @type {(x: Vector) => Vector} */
const inRange = (x) => x.map((v) => clamp(v, -1, 1));

/** @type {(x: Vector, y: Vector) => number} */
export const rms = (x, y) =>
  Math.sqrt(x.reduce((sum, v, i) => sum + (v - y[i]) ** 2, 0) / x.length);

// How probable each digit is in a picture (denoiser.digit_reader).
/** @type {(x: Vector, reader: Reader) => Float64Array} */
export function probabilities(x, { weight, bias }) {
  const logits = product(weight, bias, Float64Array.from(x), x.length);
  const most = Math.max(...logits);
  const parts = logits.map((logit) => Math.exp(logit - most));
  const total = parts.reduce((a, b) => a + b);
  return parts.map((part) => part / total);
}

/** @type {(probs: Float64Array) => string} */
export function reading(probs) {
  const most = Math.max(...probs);
  return `${probs.indexOf(most)}, ${Math.round(100 * most)} %`;
}

// ---- drawing with a pen -----------------------------------------------------

/** @type {(text: string) => boolean} */
export const isDrawing = (text) => /^[0-9a-g]{64}$/.test(text);
/** @type {(text: string) => number[]} */
const toLevels = (text) => Array.from(text, (c) => LEVELS.indexOf(c));
/** @type {(levels: number[]) => string} */
const toText = (levels) => levels.map((level) => LEVELS[level]).join("");
/** @type {(text: string) => Float64Array} */
const toPixels = (text) => Float64Array.from(toLevels(text), (l) => l / 8 - 1);

// A stroke from one place to another, in pixels: ink where the pen is, and
// less beside it; or paper, if it rubs out.
/** @type {(text: string, from: Point, to: Point, rub: boolean) => string} */
export function stroke(text, from, to, rub) {
  const levels = toLevels(text);
  const steps = Math.ceil(4 * Math.hypot(to.x - from.x, to.y - from.y)) + 1;
  for (let step = 0; step <= steps; step++) {
    const x = from.x + ((to.x - from.x) * step) / steps;
    const y = from.y + ((to.y - from.y) * step) / steps;
    levels.forEach((level, i) => {
      const across = Math.abs((i % SIZE) + 0.5 - x);
      const down = Math.abs(Math.floor(i / SIZE) + 0.5 - y);
      const under = Math.max(across, down) <= 0.5;
      const beside = clamp(1.45 - Math.hypot(across, down), 0, 1);
      const ink = under ? 16 : Math.round(16 * beside);
      levels[i] = rub ? Math.min(level, 16 - ink) : Math.max(level, ink);
    });
  }
  return toText(levels);
}

// ---- the figure -------------------------------------------------------------

const LABEL =
  "Live figure: draw a digit, add noise, and see what two denoisers make of it";
const LEAST_SIGNAL = 0.005; // with less, dividing by it shows rounding errors

/** @type {(at: number) => Record<string, number>} */
const cursorMoves = (at) => ({
  ArrowLeft: at % SIZE ? at - 1 : at,
  ArrowRight: at % SIZE < SIZE - 1 ? at + 1 : at,
  ArrowUp: at >= SIZE ? at - SIZE : at,
  ArrowDown: at < PIXELS - SIZE ? at + SIZE : at,
});

/** @type {(at: number) => Point} */
const centre = (at) => ({
  x: (at % SIZE) + 0.5,
  y: Math.floor(at / SIZE) + 0.5,
});

// All that follows from a state; the last answer is kept for every view.
/** @param {Data} data */
function solver(data) {
  const { alpha_bar: alphaBars, width } = data;
  const net = networks(data.sizes, data.weights)[0];
  const lines = {
    mean: floats(data.mean, PIXELS, "mean"),
    variances: floats(data.variances, PIXELS, "variances"),
    axes: floats(data.axes, PIXELS * PIXELS, "axes"),
  };
  const reader = {
    weight: Float64Array.from(floats(data.read, 10 * PIXELS, "read")),
    bias: Float64Array.from(floats(data.bias, 10, "bias")),
  };
  const read = (/** @type {Vector} */ x) => reading(probabilities(x, reader));
  const solve = (/** @type {State} */ { drawing, t, seed }) => {
    const x0 = toPixels(drawing);
    const alphaBar = alphaBars[t];
    const xt = qSample(x0, alphaBar, normals(PIXELS, seed));
    const eps = unet(net, width, xt, t);
    const network = inRange(x0FromEps(xt, alphaBar, eps));
    const line = inRange(linearGuess(xt, alphaBar, lines));
    const readings = [x0, line, network].map(read);
    return { x0, xt, network, line, alphaBar, readings };
  };
  return memo(solve, {
    key: ({ drawing, t, seed }) => [drawing, t, seed].join(),
  });
}

const BORDER = 4; // half of it in colour, half in the page's own

// A picture in a frame of the colour that tells what it is.
/** @type {(pen: Pen, pixels: Vector, color: string) => { size: number }} */
function framed(pen, pixels, color) {
  const { ctx } = pen;
  const size = Math.floor(Math.min(pen.width, pen.height));
  ctx.fillStyle = color;
  ctx.fillRect(0, 0, size, size);
  ctx.fillStyle = pen.paper;
  ctx.fillRect(BORDER / 2, BORDER / 2, size - BORDER, size - BORDER);
  picture(pen, pixels, BORDER, BORDER, size - 2 * BORDER);
  return { size: size - 2 * BORDER };
}

// The edges of the squares that can be painted.
/** @type {(pen: Pen, size: number) => void} */
function grid({ ctx, noise }, size) {
  ctx.save();
  ctx.fillStyle = noise;
  ctx.globalAlpha = 0.4;
  for (let i = 1; i < SIZE; i++) {
    const at = BORDER + Math.round((i * size) / SIZE);
    ctx.fillRect(at, BORDER, 1, size);
    ctx.fillRect(BORDER, at, size, 1);
  }
  ctx.restore();
}

/** @type {(solve: Solve) => ViewOptions<State>} */
function drawingView(solve) {
  return {
    title: "Draw here",
    label: ({ cursor, drawing }) => {
      const { x, y } = centre(Math.max(cursor, 0));
      return (
        `A grid of 8 by 8 to draw on. Arrows move to a square, space paints it. ` +
        `Row ${Math.ceil(y)}, column ${Math.ceil(x)}, ` +
        `ink ${LEVELS.indexOf(drawing[Math.max(cursor, 0)])} of 16`
      );
    },
    span: 3,
    aspect: 1,
    draw(pen, state) {
      const { size } = framed(pen, solve(state).x0, pen.data);
      grid(pen, size);
      if (state.cursor >= 0) drawCursor(pen, size / SIZE, state.cursor);
      return { size };
    },
    keys,
    drag,
  };
}

/** @type {(pen: Pen, cell: number, cursor: number) => void} */
function drawCursor({ ctx, data }, cell, cursor) {
  const { x, y } = centre(cursor);
  ctx.lineWidth = 3;
  ctx.strokeStyle = data;
  const [left, top] = [(x - 0.5) * cell, (y - 0.5) * cell];
  ctx.strokeRect(BORDER + left, BORDER + top, cell, cell);
}

/** @type {(key: string, state: State) => Partial<State> | undefined} */
function keys(key, { cursor, drawing, pen }) {
  if (key === " " || key === "Enter") {
    const at = centre(Math.max(cursor, 0));
    const drawn = stroke(drawing, at, at, pen === "rub");
    return { drawing: drawn, cursor: Math.max(cursor, 0) };
  }
  const moves = cursorMoves(cursor);
  if (!(key in moves)) return undefined;
  return { cursor: cursor < 0 ? 0 : moves[key] };
}

// Where a point of the canvas is, in pixels of the picture.
/** @type {(at: Point, picture: { size: number }) => Point} */
const place = ({ x, y }, { size }) => ({
  x: ((x - BORDER) * SIZE) / size,
  y: ((y - BORDER) * SIZE) / size,
});

/** @type {ViewOptions<State, { size: number }, { last: Point }>["drag"]} */
const drag = {
  touch: "none",
  cursor: "crosshair",
  down: (at, state, frame) => ({ last: place(at, frame) }),
  move(held, at, { drawing, pen }, frame) {
    const from = held.last;
    held.last = place(at, frame);
    return {
      drawing: stroke(drawing, from, held.last, pen === "rub"),
      cursor: -1,
    };
  },
};

/**
 * @param {string} title
 * @param {keyof Colors} color
 * @param {Words<State>} label
 * @param {(state: State) => Vector} pixels
 * @returns {ViewOptions<State>}
 */
const shown = (title, color, label, pixels) => ({
  title,
  label,
  span: 3,
  narrow: 4,
  aspect: 1,
  draw(pen, state) {
    framed(pen, pixels(state), pen[color]);
  },
});

/** @type {(starts: string[], latest: number) => Control<State>[]} */
const controlsOf = (starts, latest) => [
  {
    kind: "range",
    key: "t",
    label: "Noise, step <i>t</i>",
    min: 1,
    max: latest,
    start: Math.round(0.45 * latest),
    text: (t) => `t = ${t}`,
    main: true,
  },
  {
    label: "Another digit",
    main: true,
    press: (stage) => {
      const now = starts.indexOf(stage.state.drawing);
      stage.set({ drawing: starts[(now + 1) % starts.length] });
    },
  },
  {
    kind: "choice",
    key: "pen",
    label: "Pen",
    start: "ink",
    options: [
      ["ink", "ink"],
      ["rub", "rubber"],
    ],
  },
  {
    label: "Clear",
    press: (stage) => stage.set({ drawing: LEVELS[0].repeat(PIXELS) }),
  },
  newNoise,
  seedValue,
  {
    key: "drawing",
    start: starts[3],
    read: (value) => (isDrawing(value) ? value : undefined),
  },
  {
    key: "cursor",
    start: -1,
    read: whole(PIXELS - 1),
  },
];

/** @type {(solve: Solve) => ViewOptions<State>[]} */
const viewsOf = (solve) => [
  drawingView(solve),
  shown(
    "In noise",
    "noise",
    ({ t }) => `The drawing at step ${t}, in noise`,
    (state) => solve(state).xt,
  ),
  shown(
    "Best linear",
    "exact",
    "The drawing as the best linear denoiser estimates it",
    (state) => solve(state).line,
  ),
  shown(
    "Network",
    "model",
    "The drawing as the network estimates it",
    (state) => solve(state).network,
  ),
];

/** @type {(solve: Solve) => (state: State) => Value[]} */
const valuesOf = (solve) => (state) => {
  const { x0, line, network, alphaBar, readings } = solve(state);
  return [
    ["ᾱ<sub>t</sub>", alphaBar.toFixed(3), "alpha bar"],
    ["drawing: read as", readings[0]],
    ["best linear: error", rms(line, x0).toFixed(2)],
    ["read as", readings[1], "best linear: read as"],
    ["network: error", rms(network, x0).toFixed(2)],
    ["read as", readings[2], "network: read as"],
  ];
};

/** @type {(place: Place) => () => void} */
function render({ model, el }) {
  /** @type {Data} */
  const data = model.get("data");
  const solve = solver(data);
  const latest = data.alpha_bar.findLastIndex((a) => a >= LEAST_SIGNAL);
  return explorable({
    model,
    el,
    name: "denoiser",
    label: LABEL,
    controls: controlsOf(data.starts, latest),
    views: viewsOf(solve),
    values: valuesOf(solve),
  });
}

export default { name: "denoiser", render };
