import {
  clamp,
  explorable,
  floats,
  memo,
  networks,
  noiseControls,
  normals,
  picture,
  qSample,
  timeEmbedding,
  whole,
} from "./explorable.js";

const SIZE = 8;
const PIXELS = SIZE * SIZE;
const LEVELS = "0123456789abcdefg";

// ---- the network (networks.py); a picture is channel after channel ----------

// out[o, n] = bias[o] + sum over k of weight[o, k] rows[n, k]. Four rows at a
// time, for each weight is then fetched once for four products.
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

export function conv(net, name, x, channels, side, stride = 1) {
  const rows = patches(x, channels, side, stride);
  return product(
    net[`${name}.weight`],
    net[`${name}.bias`],
    rows,
    9 * channels,
  );
}

const linear = (net, name, rows, size) =>
  product(net[`${name}.weight`], net[`${name}.bias`], rows, size);

// Rows for columns: (n, m) becomes (m, n).
function turned(x, n) {
  const m = x.length / n;
  return x.map((_, i) => x[(i % n) * m + Math.floor(i / n)]);
}

// Normalise groups of eight channels, then scale and shift each channel.
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

const silu = (x) => x.map((v) => v / (1 + Math.exp(-v)));
const added = (x, y) => x.map((v, i) => v + y[i]);

export function resBlock(net, name, x, into, out, side, emb) {
  const told = linear(net, `${name}.time`, emb, emb.length);
  const area = side * side;
  let h = silu(groupNorm(net, `${name}.norm_1`, x, into));
  h = conv(net, `${name}.conv_1`, h, into, side);
  h = groupNorm(net, `${name}.norm_2`, h, out).map((v, i) => {
    const c = Math.floor(i / area);
    return v * (1 + told[c]) + told[out + c];
  });
  h = conv(net, `${name}.conv_2`, silu(h), out, side);
  const short =
    into === out ? x : linear(net, `${name}.shortcut`, turned(x, into), into);
  return added(short, h);
}

export function attention(net, name, x, channels) {
  const count = x.length / channels;
  const places = turned(groupNorm(net, `${name}.norm`, x, channels), channels);
  const qkv = linear(net, `${name}.qkv`, places, channels);
  const [q, k, v] = [0, 1, 2].map((i) =>
    qkv.slice(i * x.length, (i + 1) * x.length),
  );
  const fits = product(
    turned(q, channels),
    null,
    turned(k, channels),
    channels,
  );
  const seen = new Float64Array(x.length);
  for (let i = 0; i < count; i++) {
    const row = fits.subarray(i * count, (i + 1) * count);
    const most = Math.max(...row);
    const looks = row.map((fit) =>
      Math.exp((fit - most) / Math.sqrt(channels)),
    );
    const total = looks.reduce((a, b) => a + b);
    for (let c = 0; c < channels; c++)
      for (let j = 0; j < count; j++)
        seen[i * channels + c] += (looks[j] / total) * v[c * count + j];
  }
  return added(x, linear(net, `${name}.out`, seen, channels));
}

// Twice as high and wide, each place four times.
const grown = (x, side) =>
  Float64Array.from({ length: 4 * x.length }, (_, i) => {
    const [row, column] = [Math.floor(i / (2 * side)), i % (2 * side)];
    return x[Math.floor(row / 2) * side + Math.floor(column / 2)];
  });

// eps_hat for one picture x at step t (networks.UNet).
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
  h = conv(net, "upsample", grown(h, half), 2 * width, side);
  const both = new Float64Array(h.length + skip.length);
  both.set(h);
  both.set(skip, h.length);
  h = resBlock(net, "up", both, 2 * width, width, side, emb);
  return conv(net, "last", silu(groupNorm(net, "norm", h, width)), width, side);
}

// ---- the guesses ------------------------------------------------------------

// The x_0 that a guess of the noise implies (parameterization.x_0_from_eps).
export const x0FromEps = (xt, alphaBar, eps) =>
  xt.map(
    (x, i) => (x - Math.sqrt(1 - alphaBar) * eps[i]) / Math.sqrt(alphaBar),
  );

// The best linear guess of x_0: along each main direction of the data, the
// part of x_t that the data account for.
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

const inRange = (x) => x.map((v) => clamp(v, -1, 1));

export const rms = (x, y) =>
  Math.sqrt(x.reduce((sum, v, i) => sum + (v - y[i]) ** 2, 0) / x.length);

// ---- drawing with a pen -----------------------------------------------------

export const isDrawing = (text) => /^[0-9a-g]{64}$/.test(text);
const toLevels = (text) => Array.from(text, (c) => LEVELS.indexOf(c));
const toText = (levels) => levels.map((level) => LEVELS[level]).join("");
const toPixels = (text) => Float64Array.from(toLevels(text), (l) => l / 8 - 1);

// A stroke from one place to another, in pixels: ink where the pen is, and
// less beside it; or paper, if it rubs out.
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

const cursorMoves = (at) => ({
  ArrowLeft: at % SIZE ? at - 1 : at,
  ArrowRight: at % SIZE < SIZE - 1 ? at + 1 : at,
  ArrowUp: at >= SIZE ? at - SIZE : at,
  ArrowDown: at < PIXELS - SIZE ? at + SIZE : at,
});

const centre = (at) => ({
  x: (at % SIZE) + 0.5,
  y: Math.floor(at / SIZE) + 0.5,
});

// All that follows from a state; the last answer is kept for every view.
function solver(data) {
  const { alpha_bar: alphaBars, width } = data;
  const net = networks(data.sizes, data.weights)[0];
  const lines = {
    mean: floats(data.mean, PIXELS, "mean"),
    variances: floats(data.variances, PIXELS, "variances"),
    axes: floats(data.axes, PIXELS * PIXELS, "axes"),
  };
  const solved = memo((drawing, t, seed) => {
    const x0 = toPixels(drawing);
    const alphaBar = alphaBars[t];
    const xt = qSample(x0, alphaBar, normals(PIXELS, seed));
    const eps = unet(net, width, xt, t);
    const network = inRange(x0FromEps(xt, alphaBar, eps));
    const line = inRange(linearGuess(xt, alphaBar, lines));
    return { x0, xt, network, line, alphaBar };
  });
  return ({ drawing, t, seed }) => solved(drawing, t, seed);
}

const BORDER = 4; // half of it in colour, half in the page's own

// A picture in a frame of the colour that tells what it is.
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

function drawingView(solve) {
  const place = ({ x, y }, { size }) => ({
    x: ((x - BORDER) * SIZE) / size,
    y: ((y - BORDER) * SIZE) / size,
  });
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
      if (state.cursor >= 0) {
        const { x, y } = centre(state.cursor);
        pen.ctx.lineWidth = 3;
        pen.ctx.strokeStyle = pen.data;
        const cell = size / SIZE;
        const [left, top] = [(x - 0.5) * cell, (y - 0.5) * cell];
        pen.ctx.strokeRect(BORDER + left, BORDER + top, cell, cell);
      }
      return { size };
    },
    keys(key, { cursor, drawing, pen }) {
      if (key === " " || key === "Enter") {
        const at = centre(Math.max(cursor, 0));
        const drawn = stroke(drawing, at, at, pen === "rub");
        return { drawing: drawn, cursor: Math.max(cursor, 0) };
      }
      const moves = cursorMoves(cursor);
      if (!(key in moves)) return undefined;
      return { cursor: cursor < 0 ? 0 : moves[key] };
    },
    drag: {
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
    },
  };
}

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

function render({ model, el }) {
  const data = model.get("data");
  const solve = solver(data);
  const { starts, alpha_bar: alphaBars } = data;
  const latest = alphaBars.findLastIndex((a) => a >= LEAST_SIGNAL);
  const blank = LEVELS[0].repeat(PIXELS);

  const controls = [
    {
      kind: "range",
      key: "t",
      label: "Noise, step <i>t</i>",
      min: 1,
      max: latest,
      start: Math.round(0.45 * latest),
      text: (t) => `t = ${t}`,
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
      label: "Another digit",
      press: (stage) => {
        const now = starts.indexOf(stage.state.drawing);
        stage.set({ drawing: starts[(now + 1) % starts.length] });
      },
    },
    { label: "Clear", press: (stage) => stage.set({ drawing: blank }) },
    ...noiseControls,
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

  const views = [
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
      "What the best linear denoiser thinks was drawn",
      (state) => solve(state).line,
    ),
    shown(
      "Network",
      "model",
      "What the network thinks was drawn",
      (state) => solve(state).network,
    ),
  ];

  const values = (state) => {
    const { x0, line, network, alphaBar } = solve(state);
    return [
      ["ᾱ<sub>t</sub>", alphaBar.toFixed(3), "alpha bar"],
      ["error, best linear", rms(line, x0).toFixed(2)],
      ["error, network", rms(network, x0).toFixed(2)],
    ];
  };

  return explorable({
    model,
    el,
    name: "denoiser",
    label: LABEL,
    controls,
    views,
    values,
  });
}

export default { name: "denoiser", render };
