// @ts-check
import { scheduleChoice, whole } from "./shared/controls.js";
import { lineMixture } from "./shared/data.js";
import { SCHEDULES, normalDensity } from "./shared/diffusion.js";
import { axes, curve, handle, write } from "./shared/drawing.js";
import { clamp, linspace, memo, minus } from "./shared/numbers.js";
import { explorable } from "./shared/stage.js";

/**
 * @typedef {Record<string, number>} Heights e0 to e5, the error at each dot
 * @typedef {{
 *   T: number, schedule: string, variance: string, knot: number,
 * }} Settings
 * @typedef {Settings & Heights} State
 * @typedef {{ alpha: number, beta: number, tilde: number, taken: number }} Step
 * @typedef {ReturnType<ReturnType<typeof solver>>} Solved
 * @typedef {(state: State) => Solved} Solve
 * @typedef {Frame & { dots: Point[] }} LossFrame
 */

// ---- maths (compared with Python in its test) -------------------------------

const LINE = linspace(-7, 7, 281);

// What is seen at each x of the line after noising to alphaBar: the density
// there, and the variance of eps that is left (mixtures.eps_variance).
/**
 * @type {(
 *   mixture: Mixture, alphaBar: number, x: number,
 * ) => { density: number, variance: number }}
 */
function seenAt({ weights, means, variances }, alphaBar, x) {
  const noise = 1 - alphaBar;
  let [density, score, second] = [0, 0, 0];
  for (let k = 0; k < weights.length; k++) {
    const variance = alphaBar * variances[k] + noise;
    const offset = x - Math.sqrt(alphaBar) * means[k];
    const share = weights[k] * normalDensity(offset, 0, variance);
    const own = -offset / variance;
    density += share;
    score += share * own;
    second += share * (1 - noise / variance + noise * own * own);
  }
  if (!density) return { density, variance: 0 };
  return {
    density,
    variance: (second - (noise * score ** 2) / density) / density,
  };
}

/** @type {(mixture: Mixture, alphaBar: number, x: number) => number} */
export const epsVariance = (mixture, alphaBar, x) =>
  seenAt(mixture, alphaBar, x).variance;

// E Var(eps | x_t), by quadrature (mixtures.bayes_loss).
/** @type {(mixture: Mixture, alphaBar: number) => number} */
export function floorAt(mixture, alphaBar) {
  let [sum, total] = [0, 0];
  for (const x of LINE) {
    const { density, variance } = seenAt(mixture, alphaBar, x);
    sum += density * variance;
    total += density;
  }
  return sum / total;
}

// The mean of -log p(x_0): what no bound gets below.
/** @type {(mixture: Mixture) => number} */
export function entropy(mixture) {
  const step = LINE[1] - LINE[0];
  return LINE.reduce((sum, x) => {
    const { density } = seenAt(mixture, 1, x);
    return density ? sum - step * density * Math.log(density) : sum;
  }, 0);
}

// beta_t, alpha_t and beta-tilde_t from alpha_bar (schedules, posterior).
/** @type {(alphaBar: Vector, t: number) => Step} */
function stepAt(alphaBar, t) {
  const alpha = alphaBar[t] / alphaBar[t - 1];
  const beta = 1 - alpha;
  const noise = 1 - alphaBar[t];
  const tilde = (beta * (1 - alphaBar[t - 1])) / noise;
  return { alpha, beta, tilde, taken: beta ** 2 / (alpha * noise) };
}

// Three variances of p's steps; `loss` is the network's, at that t.
/** @type {Record<string, (step: Step, loss: number) => number>} */
const VARIANCES = {
  beta: ({ beta }) => beta,
  tilde: ({ beta, tilde }) => tilde || beta,
  best: ({ tilde, taken }, loss) => tilde + taken * loss,
};

// What one more of squared error costs at t, in nats (elbo.elbo_weight).
/**
 * @type {(
 *   alphaBar: Vector, t: number, variance: string, loss: number,
 * ) => number}
 */
export function elboWeight(alphaBar, t, variance, loss) {
  const step = stepAt(alphaBar, t);
  return step.taken / (2 * VARIANCES[variance](step, loss));
}

// The terms L_0 to L_T, in nats (elbo.elbo_from_loss).
/**
 * @type {(
 *   loss: Vector, alphaBar: Vector, variance: string,
 * ) => Float64Array}
 */
export function elboFromLoss(loss, alphaBar, variance) {
  const T = alphaBar.length - 1;
  const terms = new Float64Array(T + 1);
  for (let t = 1; t <= T; t++) {
    const step = stepAt(alphaBar, t);
    const ofP = VARIANCES[variance](step, loss[t]);
    const ratio = step.tilde / ofP;
    const ofVariances =
      t === 1 ? Math.log(2 * Math.PI * ofP) : ratio - 1 - Math.log(ratio);
    terms[t - 1] = (ofVariances + (step.taken / ofP) * loss[t]) / 2;
  }
  terms[T] = -Math.log1p(-alphaBar[T]) / 2;
  return terms;
}

// The dots that can be dragged, in shares of the way from t = 1 to T. The two
// halves mirror each other: the same error at either end has the same mean.
export const PLACES = [0, 0.12, 0.36, 0.64, 0.88, 1];
export const HIGHEST = 0.4;

// The network's excess at a place, on straight lines from dot to dot.
/** @type {(heights: number[], place: number) => number} */
export function excessBetween(heights, place) {
  const last = PLACES.length - 2;
  const i = clamp(
    PLACES.findLastIndex((p) => p <= place),
    0,
    last,
  );
  const share = (place - PLACES[i]) / (PLACES[i + 1] - PLACES[i]);
  return heights[i] + share * (heights[i + 1] - heights[i]);
}

// The excess at each t. At t = 0 there is nothing to guess.
/** @type {(heights: number[], T: number) => Float64Array} */
export const excessAt = (heights, T) =>
  Float64Array.from({ length: T + 1 }, (_, t) =>
    t ? excessBetween(heights, (t - 1) / (T - 1)) : 0,
  );

/** @type {(xs: Vector) => number} */
export const sum = (xs) => xs.reduce((a, b) => a + b, 0);

// The mean over t = 1..T; entry 0 is none of them (elbo.simple_loss).
/** @type {(xs: Float64Array) => number} */
export const meanOverTime = (xs) => sum(xs.subarray(1)) / (xs.length - 1);

// ---- what is worth computing once -------------------------------------------

const HEIGHTS = PLACES.map((_, i) => `e${i}`);
/** @type {(state: State) => number[]} */
const heightsOf = (state) => HEIGHTS.map((name) => state[name]);

// The step at which a dot stands; it may lie between two.
/** @type {(i: number, T: number) => number} */
const stepOf = (i, T) => 1 + PLACES[i] * (T - 1);

const KEPT = { most: 100 };

// All that the figure shows of a state; every view of a frame asks for it.
/** @param {Mixture} mixture */
function solver(mixture) {
  const exact = entropy(mixture);
  /**
   * @type {(
   *   schedule: string, T: number,
   * ) => Record<"alphaBar" | "floor", Float64Array>}
   */
  const chain = memo((schedule, T) => {
    const alphaBar = SCHEDULES[schedule](T);
    return { alphaBar, floor: alphaBar.map((a) => floorAt(mixture, a)) };
  }, KEPT);
  /** @type {(schedule: string, T: number, variance: string) => Float64Array} */
  const perfect = memo((schedule, T, variance) => {
    const { alphaBar, floor } = chain(schedule, T);
    return elboFromLoss(floor, alphaBar, variance);
  }, KEPT);
  const solve = (/** @type {State} */ state) => {
    const { schedule, T, variance, knot } = state;
    const { alphaBar, floor } = chain(schedule, T);
    const excess = excessAt(heightsOf(state), T);
    const loss = floor.map((least, t) => least + excess[t]);
    const terms = elboFromLoss(loss, alphaBar, variance);
    const best = perfect(schedule, T, variance);
    const chosen = Math.round(stepOf(knot, T));
    return {
      T,
      floor,
      excess,
      loss,
      terms,
      best,
      exact,
      chosen,
      weight: elboWeight(alphaBar, chosen, variance, loss[chosen]),
      simple: meanOverTime(loss),
      least: meanOverTime(floor),
      bound: sum(terms),
      tightest: sum(best),
    };
  };
  return memo(solve, { key: (state) => Object.values(state).join() });
}

// ---- drawing ----------------------------------------------------------------

const LABEL =
  "Live figure: what a network's error costs in the ELBO and in the simple loss";
const PARTS = ["a perfect network", "added by the error"];
const NARROW = 480;

/** @type {(x: number, n?: number) => string} */
const digits = (x, n = 3) => minus(x.toFixed(n));
/** @type {(x: number) => string} */
const short = (x) => digits(x, Math.abs(x) < 10 ? 3 : 1);
/** @type {(x: number) => string} */
const nats = (x) => `${short(x)} nats`;
/** @type {(n: number) => string} */
const below = (n) =>
  String(n).replace(/\d/g, (d) => String.fromCharCode(0x2080 + Number(d)));
/** @type {(x: number) => number} */
const root = (x) => Math.sign(x) * Math.sqrt(Math.abs(x));
/** @type {(T: number) => number[]} */
const fifths = (T) => [0, 1, 2, 3, 4, 5].map((k) => (k * T) / 5);

// As wide as the widest label of both plots, so that their edges agree.
const ROOM = "\u2007".repeat(4);

// The first of ... 1, 1.5, 2, 3, 5, 7, 10, ... that is below neither.
/** @type {(value: number, least: number) => number} */
export function roundUp(value, least) {
  const x = Math.max(value, least);
  const ten = 10 ** Math.floor(Math.log10(x));
  const found = [1, 1.5, 2, 3, 5, 7, 10].find((n) => n * ten >= x) ?? 10;
  return Number((found * ten).toPrecision(2));
}

// Steps 1 to T+1, with room for a dot beside the axis: the same in both plots.
/** @type {(pen: Pen, T: number) => [number, number]} */
function stepRange({ width }, T) {
  const beside = (14 * T) / (width - 70);
  return [1 - Math.max(0.5, beside), T + 1 + Math.max(0.5, beside / 2)];
}

/** @type {(value: number) => Tick} */
const rooted = (value) => [root(value), minus(String(value))];

// Those ticks that are far enough from the earlier ones to be read.
/** @type {(ticks: number[], pixels: number) => number[]} */
const spaced = (ticks, pixels) =>
  ticks.filter((tick, i) =>
    ticks
      .slice(0, i)
      .every((other) => Math.abs(root(tick) - root(other)) * pixels >= 16),
  );

// Green and orange words: beside the title, or below it where that is long.
/** @type {(pen: Pen, frame: Frame) => void} */
function legend(pen, frame) {
  const { ctx, width } = pen;
  ctx.font = pen.font;
  const inside = width < NARROW;
  const y = inside ? frame.top + 10 : 12;
  const names = inside ? ["perfect network", "error"] : PARTS;
  const gap = ctx.measureText(names[1]).width + 14;
  ctx.fillStyle = pen.model;
  write(pen, names[1], frame.right, y, "right");
  ctx.fillStyle = pen.exact;
  write(pen, names[0], frame.right - gap, y, "right");
}

// The area between two curves.
/**
 * @type {(
 *   pen: Pen, frame: Frame, xs: number[], lower: number[], upper: number[],
 *   color: string, share: number,
 * ) => void}
 */
function band({ ctx }, frame, xs, lower, upper, color, share) {
  ctx.save();
  ctx.beginPath();
  for (let i = 0; i < xs.length; i++)
    ctx.lineTo(frame.x(xs[i]), frame.y(upper[i]));
  for (let i = xs.length - 1; i >= 0; i--)
    ctx.lineTo(frame.x(xs[i]), frame.y(lower[i]));
  ctx.fillStyle = color;
  ctx.globalAlpha = share;
  ctx.fill();
  ctx.restore();
}

// Between two steps, on a straight line.
/** @type {(values: Vector, place: number) => number} */
function between(values, place) {
  const t = clamp(Math.floor(place), 1, values.length - 2);
  return values[t] + (place - t) * (values[t + 1] - values[t]);
}

/** @type {(pen: Pen, state: State, solved: Solved) => LossFrame} */
function drawLoss(pen, state, found) {
  const { T, floor, excess } = found;
  const inner = pen.height - 60;
  const room = pen.width < NARROW ? 40 : 22;
  const frame = axes(pen, {
    x: stepRange(pen, T),
    y: [-0.1, (1.4 * inner) / (inner - room)],
    xTicks: [1, ...fifths(T).slice(1)].filter((t, i, all) => t !== all[i - 1]),
    yTicks: [0, [0.5, "0.5"], 1, [0, ROOM]],
    xLabel: "step t",
    yLabel: "loss at each step: drag the dots",
  });
  const heights = heightsOf(state);
  const dots = PLACES.map((_, i) => stepOf(i, T));
  const place = (/** @type {number} */ t) => (t - 1) / (T - 1);
  const steps = linspace(1, T, T);
  const ts = [...steps, ...dots].sort((a, b) => a - b);
  const floors = ts.map((t) => between(floor, t));
  const losses = ts.map((t, i) => floors[i] + excessBetween(heights, place(t)));
  const zeros = ts.map(() => 0);
  band(pen, frame, ts, zeros, floors, pen.exact, 0.22);
  curve(pen, frame, ts, floors, pen.exact);
  band(pen, frame, ts, floors, losses, pen.model, 0.35);
  curve(pen, frame, ts, losses, pen.model);
  if (T <= 20) for (const t of steps) mark(pen, frame, t, floor[t] + excess[t]);
  const places = dots.map((t, i) => ({
    x: frame.x(t),
    y: frame.y(between(floor, t) + heights[i]),
  }));
  drawDots(pen, places, state);
  legend(pen, frame);
  return { ...frame, dots: places };
}

/** @type {(pen: Pen, frame: Frame, t: number, loss: number) => void} */
function mark({ ctx, model }, frame, t, loss) {
  ctx.fillStyle = model;
  ctx.fillRect(frame.x(t) - 2, frame.y(loss) - 2, 4, 4);
}

/** @type {(pen: Pen, dots: Point[], state: State) => void} */
function drawDots(pen, dots, state) {
  const { ctx } = pen;
  for (const { x, y } of dots) handle(pen, x, y, pen.model);
  const { x, y } = dots[state.knot];
  ctx.beginPath();
  ctx.arc(x, y, 10.5, 0, 2 * Math.PI);
  ctx.lineWidth = 1.5;
  ctx.strokeStyle = ctx.fillStyle = pen.ink;
  ctx.stroke();
  const height = state[HEIGHTS[state.knot]];
  write(pen, `+${digits(height, 2)}`, x, y - 16, "center");
}

// Bars on a square-root scale. What the error adds stands on the zero line,
// so that it can be compared from bar to bar; the cost of a perfect network
// stands on it, or hangs below the line where it is negative.
/** @type {(pen: Pen, solved: Solved) => void} */
function drawTerms(pen, { T, terms, best }) {
  const costs = terms.map((term, i) => Math.max(0, term - best[i]));
  const tops = costs.map((cost, i) => cost + Math.max(0, best[i]));
  const top = roundUp(Math.max(...tops), 0.5);
  const bottom = Math.min(0, Math.floor(2 * best[0]) / 2);
  const room = pen.width < NARROW ? 22 : 6;
  const inner = pen.height - 42 - room;
  const pixels = inner / (root(top) - root(bottom));
  const ticks = [0, top, bottom, -1, 100, 10, 1, 0.1, 0.01].filter(
    (v) => v >= bottom && v <= top,
  );
  const frame = axes(pen, {
    x: stepRange(pen, T),
    y: [root(bottom), root(top) + room / pixels],
    xTicks: fifths(T).map((i) => [i + 1, `L${below(i)}`]),
    yTicks: [...spaced(ticks, pixels).map(rooted), [0, ROOM]],
    yLabel:
      pen.width < NARROW
        ? "terms (nats, √ scale that follows the bars)"
        : "terms (nats, square-root scale that follows the bars)",
  });
  drawBars(pen, frame, costs, best);
  if (frame.bottom - frame.y(0) > 28) sayBelow(pen, frame, terms[0]);
  legend(pen, frame);
}

/**
 * @type {(
 *   pen: Pen, frame: Frame, costs: Float64Array, best: Float64Array,
 * ) => void}
 */
function drawBars({ ctx, model, exact, ink }, frame, costs, best) {
  const slot = frame.x(1) - frame.x(0);
  const wide = slot > 4 ? 0.8 * slot : Math.max(slot, 1.5);
  /** @type {(i: number, from: number, to: number) => void} */
  const bar = (i, from, to) => {
    const [y, end] = [frame.y(root(from)), frame.y(root(to))];
    ctx.fillRect(frame.x(i + 1) - wide / 2, end, wide, y - end);
  };
  ctx.fillStyle = exact;
  best.forEach((b, i) =>
    b < 0 ? bar(i, 0, b) : bar(i, costs[i], costs[i] + b),
  );
  ctx.fillStyle = model;
  costs.forEach((cost, i) => bar(i, 0, cost));
  ctx.save();
  ctx.fillStyle = ink;
  ctx.globalAlpha = 0.6;
  ctx.fillRect(frame.left, frame.y(0), frame.right - frame.left, 1);
  ctx.restore();
}

/** @type {(pen: Pen, frame: Frame, first: number) => void} */
function sayBelow(pen, frame, first) {
  const words = `L₀ = ${digits(first, 2)}`;
  const why =
    pen.width < NARROW ? "" : ": from a density, so it may be below 0";
  pen.ctx.fillStyle = pen.ink;
  const slot = frame.x(1) - frame.x(0);
  write(pen, words + why, frame.x(1) + slot / 2 + 6, frame.y(0) + 18);
}

// One bar: a green part and an orange part of a scale from 0 to `whole`.
/**
 * @param {Pen} pen
 * @param {number} y
 * @param {{
 *   title: string, parts: number[], names: string[], unit: string,
 *   whole: number, ends: string[],
 * }} bar
 */
function drawSum(pen, y, { title, parts, names, unit, whole, ends }) {
  const { ctx } = pen;
  const [left, right] = [2, pen.width - 2];
  const place = (/** @type {number} */ x) =>
    ((right - left) * clamp(x, 0, whole)) / whole;
  const [middle, end] = [place(parts[0]), place(parts[0] + parts[1])];
  ctx.fillStyle = pen.exact;
  ctx.fillRect(left, y + 18, middle, 14);
  ctx.fillStyle = pen.model;
  ctx.fillRect(left + middle, y + 18, end - middle, 14);
  ctx.fillStyle = ctx.strokeStyle = pen.ink;
  write(pen, title, left, y + 12);
  ctx.save();
  ctx.globalAlpha = 0.4;
  ctx.lineWidth = 1;
  ctx.strokeRect(left + 0.5, y + 18.5, right - left - 1, 13);
  ctx.globalAlpha = 0.85;
  write(pen, ends[0], left, y + 46);
  write(pen, ends[1], right, y + 46, "right");
  ctx.restore();
  const words = parts.map((x, i) => names[i] + short(x));
  writeBack(pen, right, y + 12, [
    [unit, pen.ink],
    [words[1], pen.model],
    [" + ", pen.ink],
    [words[0], pen.exact],
  ]);
}

// Words in several colours, from right to left.
/**
 * @type {(
 *   pen: Pen, x: number, y: number, words: [text: string, color: string][],
 * ) => void}
 */
function writeBack(pen, x, y, words) {
  for (const [text, color] of words) {
    pen.ctx.fillStyle = color;
    write(pen, text, x, y, "right");
    x -= pen.ctx.measureText(text).width;
  }
}

/** @type {(pen: Pen, solved: Solved) => void} */
function drawSums(pen, found) {
  const { simple, least, bound, tightest, exact } = found;
  const whole = roundUp(bound - exact, 1);
  const narrow = pen.width < NARROW;
  drawSum(pen, 0, {
    title: "simple loss",
    parts: [least, simple - least],
    names: narrow ? ["", ""] : ["floor ", "error "],
    unit: "",
    whole: 1,
    ends: ["0", narrow ? "1" : "1: a network that always answers 0"],
  });
  drawSum(pen, 54, {
    title: narrow ? "ELBO − exact" : "ELBO, above the exact value",
    parts: [tightest - exact, bound - tightest],
    names: narrow ? ["", ""] : ["Gaussian steps ", "error "],
    unit: " nats",
    whole,
    ends: [
      `exact: ${digits(exact, 2)}`,
      `${digits(exact + whole, 2)} nats; the scale follows the bar`,
    ],
  });
}

// ---- the figure -------------------------------------------------------------

/** @type {(value: any) => number | undefined} */
const height = (value) => {
  const number = value === "" ? NaN : Number(value);
  if (!(number >= 0 && number <= HIGHEST)) return undefined;
  return Math.round(100 * number) / 100;
};

/** @type {(...heights: number[]) => Heights} */
const preset = (...heights) =>
  Object.fromEntries(heights.map((value, i) => [HEIGHTS[i], value]));
/** @type {(label: string, changes: Heights) => Button<State>} */
const button = (label, changes) => ({
  label,
  main: true,
  press: (stage) => stage.set(changes),
});

/** @type {Control<State>[]} */
const CONTROLS = [
  button("Perfect", preset(0, 0, 0, 0, 0, 0)),
  button("Bad near the data", { ...preset(HIGHEST, 0, 0, 0, 0, 0), knot: 0 }),
  button("Bad near noise", { ...preset(0, 0, 0, 0, 0, HIGHEST), knot: 5 }),
  {
    kind: "range",
    key: "T",
    label: "Steps <i>T</i>",
    min: 5,
    max: 200,
    step: 5,
    start: 100,
    text: (T) => `T = ${T}`,
    main: true,
  },
  scheduleChoice,
  {
    kind: "choice",
    key: "variance",
    label: "Variance of a step",
    start: "beta",
    options: [
      ["beta", "<i>β<sub>t</sub></i>"],
      ["tilde", "<i>β\u0303<sub>t</sub></i>"],
      ["best", "best"],
    ],
  },
  {
    key: "knot",
    start: 0,
    read: whole(5),
  },
  ...HEIGHTS.map((key) => ({ key, start: 0.06, read: height })),
];

/** @type {(dots: Point[], at: Point) => number | undefined} */
function nearest(dots, { x, y }) {
  const far = dots.map((dot) => Math.hypot(dot.x - x, dot.y - y));
  const i = far.indexOf(Math.min(...far));
  return far[i] <= 26 ? i : undefined;
}

/** @type {Heights} */
const STEPS = {
  ArrowUp: 0.01,
  ArrowDown: -0.01,
  PageUp: 0.05,
  PageDown: -0.05,
};

// Left and right choose a dot, up and down move it.
/** @type {(key: string, state: State) => Partial<State> | undefined} */
function keys(key, state) {
  const { knot } = state;
  const name = HEIGHTS[knot];
  const rise = STEPS[key];
  if (rise) return { [name]: height(clamp(state[name] + rise, 0, HIGHEST)) };
  /** @type {Heights} */
  const knots = {
    ArrowLeft: knot - 1,
    ArrowRight: knot + 1,
    Home: 0,
    End: 5,
  };
  const to = knots[key];
  return to === undefined ? undefined : { knot: clamp(to, 0, 5) };
}

/**
 * @type {(
 *   solve: Solve,
 * ) => ViewOptions<State, LossFrame, { i: number, off: number }>["drag"]}
 */
const dragDots = (solve) => ({
  down(at, state, { dots }) {
    const i = nearest(dots, at);
    return i === undefined ? undefined : { i, off: at.y - dots[i].y };
  },
  move({ i, off }, at, state, { y }) {
    const { floor, T } = solve(state);
    const above = y.invert(at.y - off) - between(floor, stepOf(i, T));
    return { knot: i, [HEIGHTS[i]]: height(clamp(above, 0, HIGHEST)) };
  },
});

/** @type {(solve: Solve) => ViewOptions<State>} */
function lossView(solve) {
  return {
    label: (state) =>
      `The loss at each step above its floor. Dot ${state.knot + 1} of 6, ` +
      `at step ${solve(state).chosen}: error ${state[HEIGHTS[state.knot]]}. ` +
      "Left and right choose a dot, up and down move it",
    height: 230,
    draw: (pen, state) => drawLoss(pen, state, solve(state)),
    keys,
    drag: dragDots(solve),
  };
}

/** @type {(solve: Solve) => ViewOptions<State>[]} */
const viewsOf = (solve) => [
  lossView(solve),
  {
    label: (state) => {
      const { T, terms, best } = solve(state);
      const most = terms.indexOf(Math.max(...terms));
      return (
        `The ${T + 1} terms of the ELBO as bars. L 0 is ${nats(terms[0])}, ` +
        `a perfect network's ${nats(best[0])}; the largest is L ${most}, ` +
        `${nats(terms[most])}`
      );
    },
    height: 220,
    draw: (pen, state) => drawTerms(pen, solve(state)),
  },
  {
    label: (state) => {
      const { simple, least, bound, tightest } = solve(state);
      return (
        `The error adds ${digits(simple - least)} to the simple loss and ` +
        `${nats(bound - tightest)} to the ELBO`
      );
    },
    height: 104,
    draw: (pen, state) => drawSums(pen, solve(state)),
  },
];

/** @type {(solve: Solve) => (state: State) => Value[]} */
const valuesOf = (solve) => (state) => {
  const { simple, least, bound, exact, chosen, weight } = solve(state);
  const error = digits(state[HEIGHTS[state.knot]], 2);
  return [
    ["ELBO", nats(bound)],
    ["exact −log <i>p</i>(<i>x</i>)", nats(exact), "exact minus log p of x"],
    ["gap", nats(bound - exact)],
    ["simple loss", digits(simple)],
    ["its floor", digits(least)],
    [
      `weight <i>w<sub>t</sub></i> at <i>t</i> = ${chosen}`,
      nats(weight),
      `dot ${state.knot + 1} of 6, error ${error}, weight at step ${chosen}`,
    ],
  ];
};

/** @type {(place: Place) => () => void} */
function render({ model, el }) {
  const solve = solver(lineMixture(model.get("data").mixture));
  return explorable({
    model,
    el,
    name: "elbo",
    label: LABEL,
    controls: CONTROLS,
    views: viewsOf(solve),
    values: valuesOf(solve),
  });
}

export default { name: "elbo", render };
