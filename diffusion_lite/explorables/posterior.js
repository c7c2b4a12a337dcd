// @ts-check
import { onGrid } from "./shared/controls.js";
import { lineMixture } from "./shared/data.js";
import { noised, normalDensity } from "./shared/diffusion.js";
import {
  axes,
  curve,
  dot,
  handle,
  scale,
  swatch,
  write,
} from "./shared/drawing.js";
import { linspace, memo, minus } from "./shared/numbers.js";
import { explorable } from "./shared/stage.js";

/**
 * @typedef {{
 *   mode: string, power: number, alphaBarS: number, x0: number, xt: number,
 *   left: number, right: number, weight: number,
 * }} State
 * @typedef {{ mean: number, variance: number }} Gaussian
 * @typedef {[mean: number, variance: number]} Pair
 * @typedef {Point & { key: "x0" | "xt" | "left" | "right" }} Dot
 * @typedef {Omit<Frame, "y"> & {
 *   rails: { x0: number, xt: number }, dots: Dot[],
 * }} Layout
 * @typedef {Layout & Frame} Rails
 * @typedef {(state: State) => Solved} Solve
 * @typedef {{
 *   mixture: Mixture, reverse: Mixture, before: Mixture, fit: Gaussian,
 *   kl: number, slope: number, costs: number[],
 * }} Solved
 */

// ---- maths (compared with Python in its test) -------------------------------
//
// Everywhere alphaBarS is what is left before the step, beta the step.

// The weights of x_0 and x_t in the posterior's mean (posterior.py).
/**
 * @type {(
 *   alphaBarS: number, beta: number,
 * ) => { ofX0: number, ofXt: number }}
 */
export function weights(alphaBarS, beta) {
  const noise = 1 - alphaBarS * (1 - beta);
  return {
    ofX0: (Math.sqrt(alphaBarS) * beta) / noise,
    ofXt: (Math.sqrt(1 - beta) * (1 - alphaBarS)) / noise,
  };
}

/**
 * @type {(
 *   x0: number, xt: number, alphaBarS: number, beta: number,
 * ) => number}
 */
export function posteriorMean(x0, xt, alphaBarS, beta) {
  const { ofX0, ofXt } = weights(alphaBarS, beta);
  return ofX0 * x0 + ofXt * xt;
}

/** @type {(alphaBarS: number, beta: number) => number} */
export const posteriorVariance = (alphaBarS, beta) =>
  (beta * (1 - alphaBarS)) / (1 - alphaBarS * (1 - beta));

/** @type {(x: number, mean: number, variance: number) => number} */
const logNormal = (x, mean, variance) =>
  -((x - mean) ** 2) / (2 * variance) - Math.log(2 * Math.PI * variance) / 2;

// The log of each component's part of the density at x.
/** @type {(mixture: Mixture, x: number) => number[]} */
const logParts = ({ weights, means, variances }, x) =>
  weights.map((w, k) => Math.log(w) + logNormal(x, means[k], variances[k]));

// How probable each component is at x (mixtures.responsibilities).
/** @type {(mixture: Mixture, x: number) => number[]} */
export function shares(mixture, x) {
  const logs = logParts(mixture, x);
  const most = Math.max(...logs);
  const parts = logs.map((log) => Math.exp(log - most));
  const total = parts.reduce((a, b) => a + b);
  return parts.map((part) => part / total);
}

// A density's logarithm, made ready for many x: no lists inside the loop.
/** @type {(mixture: Mixture) => (x: number) => number} */
function logDensityOf({ weights, means, variances }) {
  const logs = weights.map(
    (w, k) => Math.log(w) + logNormal(0, 0, variances[k]),
  );
  const factors = variances.map((v) => -1 / (2 * v));
  return (x) => {
    let most = -Infinity;
    for (let k = 0; k < logs.length; k++)
      most = Math.max(most, logs[k] + factors[k] * (x - means[k]) ** 2);
    let sum = 0;
    for (let k = 0; k < logs.length; k++)
      sum += Math.exp(logs[k] + factors[k] * (x - means[k]) ** 2 - most);
    return most + Math.log(sum);
  };
}

/** @type {(mixture: Mixture, x: number) => number} */
export const mixtureDensity = (mixture, x) =>
  Math.exp(logDensityOf(mixture)(x));

// q(x_{t-1} | x_t), a mixture again (mixtures.reverse).
/**
 * @type {(
 *   mixture: Mixture, xt: number, alphaBarS: number, beta: number,
 * ) => Mixture}
 */
export function reverseMixture(mixture, xt, alphaBarS, beta) {
  const alpha = 1 - beta;
  const before = noised(mixture, alphaBarS);
  const gains = before.variances.map((v) => v / (alpha * v + beta));
  const root = Math.sqrt(alpha);
  return {
    weights: shares(noised(mixture, alpha * alphaBarS), xt),
    means: before.means.map((m, k) => m + root * gains[k] * (xt - root * m)),
    variances: gains.map((gain) => beta * gain),
  };
}

// The one Gaussian of a mixture's mean and variance.
/** @type {(mixture: Mixture) => Gaussian} */
export function gaussianFit({ weights, means, variances }) {
  const mean = weights.reduce((sum, w, k) => sum + w * means[k], 0);
  const variance = weights.reduce(
    (sum, w, k) => sum + w * (variances[k] + (means[k] - mean) ** 2),
    0,
  );
  return { mean, variance };
}

// From where to where both a mixture and a Gaussian have all their mass.
/**
 * @type {(
 *   mixture: Mixture, mean: number, variance: number,
 * ) => [number, number]}
 */
function reach({ means, variances }, mean, variance) {
  const wide = 9 * Math.sqrt(Math.max(...variances));
  const far = 7 * Math.sqrt(variance);
  return [
    Math.min(Math.min(...means) - wide, mean - far),
    Math.max(Math.max(...means) + wide, mean + far),
  ];
}

// KL(p || N(mean, variance)) in nats, by quadrature (mixtures.kl_to_normal).
// Both densities integrate to 1, so n - p may be added to the integrand. It is
// then nowhere below 0, and no small divergence is lost in a difference.
/**
 * @type {(
 *   p: Mixture, mean: number, variance: number, points?: number,
 * ) => number}
 */
export function klToNormal(p, mean, variance, points = 801) {
  const [low, high] = reach(p, mean, variance);
  const step = (high - low) / (points - 1);
  const logP = logDensityOf(p);
  let sum = 0;
  for (let i = 0; i < points; i++) {
    const x = low + i * step;
    const log = logP(x);
    const here = Math.exp(log);
    const u = log - logNormal(x, mean, variance);
    sum +=
      Math.abs(u) < 1
        ? here * (Math.expm1(-u) + u)
        : here * (u - 1) + Math.exp(log - u);
  }
  return sum * step;
}

// What a Gaussian step costs at one x_t.
/**
 * @type {(
 *   mixture: Mixture, xt: number, alphaBarS: number, beta: number,
 *   points?: number,
 * ) => number}
 */
export function klOfStep(mixture, xt, alphaBarS, beta, points) {
  const reverse = reverseMixture(mixture, xt, alphaBarS, beta);
  const { mean, variance } = gaussianFit(reverse);
  return klToNormal(reverse, mean, variance, points);
}

// The power of beta with which that cost falls, here.
/**
 * @type {(
 *   mixture: Mixture, xt: number, alphaBarS: number, beta: number,
 * ) => number}
 */
export function powerOfStep(mixture, xt, alphaBarS, beta) {
  const ratio = 1.02;
  const [less, more] = [beta / ratio, beta * ratio].map((b) =>
    Math.log(klOfStep(mixture, xt, alphaBarS, b)),
  );
  return (more - less) / (2 * Math.log(ratio));
}

// ---- what is seen of a state ------------------------------------------------

const LABEL =
  "Live figure: where a trajectory was one step before, its start known or " +
  "hidden";
const FAR = 3.6;
const LINE = linspace(-FAR, FAR, 401);
const [LEAST, MOST] = [-2.3, -0.15];
const POWERS = linspace(LEAST, MOST, 44);
const LOWEST = -8;
const TINY = 1e-15;

/** @type {(state: State) => boolean} */
const known = ({ mode }) => mode === "known";
/** @type {(state: State) => boolean} */
const hidden = ({ mode }) => mode === "hidden";
/** @type {(state: State) => number} */
const isHidden = (state) => Number(hidden(state));

// The mixture that the reader has made of the one handed over.
/**
 * @type {(
 *   modes: { weight: number, left: number, right: number },
 *   variances: number[],
 * ) => Mixture}
 */
const mixtureOf = ({ weight, left, right }, variances) => ({
  weights: [weight, 1 - weight],
  means: [left, right],
  variances,
});

// Prior, likelihood and posterior: each a mean and a variance.
/**
 * @type {(
 *   state: State,
 * ) => Record<"prior" | "likelihood" | "posterior", Pair>}
 */
function ends({ x0, xt, alphaBarS, power }) {
  const beta = 10 ** power;
  return {
    prior: [Math.sqrt(alphaBarS) * x0, 1 - alphaBarS],
    likelihood: [xt / Math.sqrt(1 - beta), beta / (1 - beta)],
    posterior: [
      posteriorMean(x0, xt, alphaBarS, beta),
      posteriorVariance(alphaBarS, beta),
    ],
  };
}

// All that the second mode shows. What does not depend on beta, the cost over
// all step sizes, is computed anew only when something else moves.
/** @type {(mixture: Mixture) => Solve} */
function solver({ variances }) {
  const costs = memo(
    (/** @type {State} */ { alphaBarS, xt, ...modes }) => {
      const mixture = mixtureOf(modes, variances);
      return Array.from(POWERS, (p) =>
        klOfStep(mixture, xt, alphaBarS, 10 ** p, 401),
      );
    },
    {
      key: ({ weight, left, right, alphaBarS, xt }) =>
        [weight, left, right, alphaBarS, xt].join(),
    },
  );
  const now = memo(
    (/** @type {State} */ { alphaBarS, xt, power, ...modes }) => {
      const mixture = mixtureOf(modes, variances);
      const beta = 10 ** power;
      const reverse = reverseMixture(mixture, xt, alphaBarS, beta);
      const fit = gaussianFit(reverse);
      return {
        mixture,
        reverse,
        fit,
        before: noised(mixture, alphaBarS),
        kl: klToNormal(reverse, fit.mean, fit.variance),
        slope: powerOfStep(mixture, xt, alphaBarS, beta),
      };
    },
    { key: (state) => Object.values(state).join() },
  );
  return (state) => ({ ...now(state), costs: costs(state) });
}

// ---- words ------------------------------------------------------------------

/** @type {(x: number, n?: number) => string} */
const digits = (x, n = 2) => minus(x.toFixed(n));
/** @type {(x: number) => string} */
const short = (x) => (x < 0.1 ? x.toPrecision(2) : x.toFixed(2));
/** @type {(n: number) => string} */
const high = (n) =>
  String(n).replace(/./g, (c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);

/** @type {(x: number) => string} */
function scientific(x) {
  if (x >= 1e-3) return x.toPrecision(2);
  if (x < TINY) return `below 10${high(-15)}`;
  const [head, power] = x.toExponential(1).split("e");
  return `${head}·10${high(Number(power))}`;
}

// Of a divergence that is lost in rounding the power is not known.
/** @type {(kl: number, slope: number) => string} */
const powerWord = (kl, slope) => (kl < TINY ? "none" : digits(slope, 1));

/** @type {(name: string, below: string) => string} */
const sub = (name, below) => `<i>${name}</i><sub>${below}</sub>`;
const PAST = "<i>t</i>−1";
const X0 = sub("x", "0");
const XT = sub("x", "<i>t</i>");
const XS = sub("x", PAST);
const BETA = sub("β", "<i>t</i>");
const TILDE = sub("β\u0303", "<i>t</i>");
const LEFT_OVER = sub("ᾱ", PAST);

// ---- drawing ----------------------------------------------------------------

const MARGIN = 38;
const REACH = 26;

// A symbol with something below it.
/**
 * @type {(
 *   pen: Pen, name: string, below: string, x: number, y: number,
 * ) => void}
 */
function symbol({ ctx, font, ink }, name, below, x, y) {
  const family = font.slice(font.indexOf("px") + 3);
  ctx.fillStyle = ink;
  ctx.font = `italic 16px ${family}`;
  ctx.fillText(name, x, y);
  const wide = ctx.measureText(name).width;
  ctx.font = `${below === "0" ? "" : "italic "}12px ${family}`;
  ctx.fillText(below, x + wide + 1, y + 4);
}

// Three lines with one scale: x_0 above, x_{t-1} in the middle, x_t below.
/** @type {(pen: Pen, state: State) => Layout} */
function layout({ width, height }, state) {
  const x = scale([-FAR, FAR], [MARGIN, width - 10]);
  const x0 = hidden(state) ? 56 : 20;
  const [bottom, xt] = [height - 66, height - 26];
  const frame = { x, left: MARGIN, right: width - 10, top: x0 + 24, bottom };
  /** @type {Dot[]} */
  const dots = known(state)
    ? [{ key: "x0", x: x(state.x0), y: x0 }]
    : [
        { key: "left", x: x(state.left), y: x0 },
        { key: "right", x: x(state.right), y: x0 },
      ];
  dots.push({ key: "xt", x: x(state.xt), y: xt });
  return { ...frame, rails: { x0, xt }, dots };
}

/** @type {(pen: Pen, layout: Layout) => void} */
function drawRails(pen, { x, left, right, bottom, rails }) {
  const { ctx, ink } = pen;
  ctx.save();
  ctx.fillStyle = ink;
  ctx.globalAlpha = 0.45;
  for (const y of [rails.x0, bottom, rails.xt])
    ctx.fillRect(left, y - 0.5, right - left, 1);
  ctx.globalAlpha = 0.12;
  for (let i = -3; i <= 3; i++)
    ctx.fillRect(x(i) - 0.5, rails.x0, 1, rails.xt - rails.x0);
  ctx.globalAlpha = 0.85;
  for (let i = -3; i <= 3; i++)
    write(pen, minus(String(i)), x(i), rails.xt + 22, "center");
  ctx.restore();
  symbol(pen, "x", "0", 2, rails.x0 + 5);
  symbol(pen, "x", "t−1", 2, bottom + 5);
  symbol(pen, "x", "t", 2, rails.xt + 5);
}

// A dot with an arrowhead at either side, which says that it can be dragged.
/** @type {(pen: Pen, place: Point, color: string) => void} */
function drawDot(pen, { x, y }, color) {
  handle(pen, x, y, color);
  const { ctx } = pen;
  ctx.fillStyle = color;
  for (const side of [-1, 1]) {
    ctx.beginPath();
    ctx.moveTo(x + side * 17, y);
    ctx.lineTo(x + side * 11, y - 5);
    ctx.lineTo(x + side * 11, y + 5);
    ctx.fill();
  }
}

// From a dot to the middle of what follows from it on the line of x_{t-1}.
/**
 * @type {(
 *   pen: Pen, edges: Layout, from: Point, to: Point, color: string,
 * ) => void}
 */
function drawThread(pen, { left, right }, from, to, color) {
  const { ctx } = pen;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, 0, right - left, pen.height);
  ctx.clip();
  ctx.beginPath();
  ctx.moveTo(from.x, from.y);
  ctx.lineTo(to.x, to.y);
  ctx.strokeStyle = color;
  ctx.lineWidth = 1.2;
  ctx.setLineDash([3, 4]);
  ctx.stroke();
  ctx.restore();
}

/** @type {(gaussian: Pair) => Vector} */
const normalAt = ([mean, variance]) =>
  LINE.map((x) => normalDensity(x, mean, variance));

// One height for all curves; the highest fills the frame.
/** @type {(layout: Layout, curves: Vector[]) => Rails} */
function withHeight(frame, curves) {
  const most = curves.reduce((most, ys) => Math.max(most, ...ys), 0);
  return { ...frame, y: scale([0, 1.04 * most], [frame.bottom, frame.top]) };
}

/** @type {(pen: Pen, state: State, place: Layout) => Rails} */
function drawKnown(pen, state, place) {
  const found = ends(state);
  const prior = normalAt(found.prior);
  const likelihood = normalAt(found.likelihood);
  const posterior = normalAt(found.posterior);
  const frame = withHeight(place, [prior, likelihood, posterior]);
  const [start, end] = frame.dots;
  const { x, y, bottom } = frame;
  const middle = (/** @type {Pair} */ [mean, variance]) => ({
    x: x(mean),
    y: y(normalDensity(mean, mean, variance)),
  });
  drawThread(pen, frame, start, middle(found.prior), pen.data);
  const seen = { x: x(found.likelihood[0]), y: bottom };
  drawThread(pen, frame, end, seen, pen.noise);
  drawThread(pen, frame, seen, middle(found.likelihood), pen.noise);
  curve(pen, frame, LINE, likelihood, pen.noise);
  curve(pen, frame, LINE, prior, pen.data);
  curve(pen, frame, LINE, posterior, pen.exact, { width: 2.5, fill: 0.18 });
  drawDot(pen, start, pen.data);
  drawDot(pen, end, pen.noise);
  return frame;
}

/** @type {(pen: Pen, state: State, place: Layout, solved: Solved) => Rails} */
function drawHidden(pen, state, place, { mixture, before, reverse, fit }) {
  const [q, exact, data] = [before, reverse, mixture].map((mixture) => {
    const log = logDensityOf(mixture);
    return LINE.map((x) => Math.exp(log(x)));
  });
  const { likelihood } = ends(state);
  const seen = normalAt(likelihood);
  const gaussian = normalAt([fit.mean, fit.variance]);
  const frame = withHeight(place, [q, seen, exact, gaussian]);
  drawData(pen, frame, data);
  const [left, right, end] = frame.dots;
  const below = { x: frame.x(likelihood[0]), y: frame.bottom };
  drawThread(pen, frame, end, below, pen.noise);
  curve(pen, frame, LINE, seen, pen.noise, { width: 1.2 });
  curve(pen, frame, LINE, q, pen.data, { width: 1.2 });
  curve(pen, frame, LINE, exact, pen.exact, { width: 2.5, fill: 0.18 });
  curve(pen, frame, LINE, gaussian, pen.model, { dash: [7, 5] });
  for (const each of [left, right]) drawDot(pen, each, pen.data);
  drawDot(pen, end, pen.noise);
  return frame;
}

// The density of x_0 stands on the uppermost line.
/** @type {(pen: Pen, frame: Rails, data: Vector) => void} */
function drawData(pen, frame, data) {
  const bottom = frame.rails.x0;
  const y = scale([0, Math.max(...data)], [bottom, 12]);
  const above = { ...frame, y, top: 12, bottom };
  curve(pen, above, LINE, data, pen.data, { width: 1.5, fill: 0.18 });
}

/** @type {(dots: Dot[], at: Point) => Dot | undefined} */
const nearest = (dots, { x, y }) =>
  dots
    .map((dot) => ({ ...dot, far: Math.hypot(dot.x - x, dot.y - y) }))
    .filter(({ far }) => far <= REACH)
    .sort((a, b) => a.far - b.far)[0];

// The scale of beta, the same in both modes; room for a dot at either end.
/** @type {Tick[]} */
const BETAS = [0.01, 0.03, 0.1, 0.3].map((b) => [Math.log10(b), String(b)]);

/** @type {(pen: Pen, options: Pick<AxesOptions, "y" | "yTicks">) => Frame} */
function betaAxes(pen, options) {
  const beside = (18 * (MOST - LEAST)) / (pen.width - 80);
  return axes(pen, {
    x: [LEAST - beside, MOST + beside],
    xTicks: BETAS,
    xLabel: "β, the size of the step (logarithmic)",
    ...options,
  });
}

/**
 * @type {(
 *   pen: Pen, frame: Frame, power: number, places: [number, string][],
 * ) => void}
 */
function drawNow(pen, frame, power, places) {
  const { ctx, ink } = pen;
  const x = frame.x(power);
  ctx.save();
  ctx.globalAlpha = 0.4;
  ctx.fillStyle = ink;
  ctx.fillRect(x - 0.5, frame.top, 1, frame.bottom - frame.top);
  ctx.restore();
  for (const [y, color] of places) dot(pen, x, frame.y(y), 5, color);
  drawDot(pen, { x, y: frame.top + 8 }, ink);
}

/** @type {(pen: Pen, state: State) => Frame} */
function drawWeights(pen, { power, alphaBarS }) {
  const frame = betaAxes(pen, {
    y: [0, 1.25],
    yTicks: [0, 0.5, 1],
  });
  /** @type {[(beta: number) => number, string, CurveStyle][]} */
  const read = [
    [(b) => weights(alphaBarS, b).ofX0, pen.data, {}],
    [(b) => weights(alphaBarS, b).ofXt, pen.noise, {}],
    [(b) => posteriorVariance(alphaBarS, b) / b, pen.exact, { dash: [7, 5] }],
  ];
  for (const [of, color, style] of read)
    curve(
      pen,
      frame,
      POWERS,
      POWERS.map((p) => of(10 ** p)),
      color,
      style,
    );
  drawNow(
    pen,
    frame,
    power,
    read.map(([of, color]) => [of(10 ** power), color]),
  );
  return frame;
}

/** @type {(pen: Pen, state: State, solved: Solved) => Frame} */
function drawCosts(pen, { power }, { costs, kl }) {
  const frame = betaAxes(pen, {
    y: [LOWEST, 2.2],
    yTicks: [-8, -6, -4, -2, 0].map((n) => [n, n ? `10${high(n)}` : "1"]),
  });
  const logs = costs.map((cost) => Math.log10(Math.max(cost, 1e-300)));
  const guide = POWERS.map((p) => logs[0] + 3 * (p - LEAST));
  curve(pen, frame, POWERS, guide, pen.ink, { width: 1, dash: [2, 4] });
  curve(pen, frame, POWERS, logs, pen.exact);
  const log = Math.log10(Math.max(kl, 1e-300));
  drawNow(pen, frame, power, log < LOWEST ? [] : [[log, pen.exact]]);
  if (Math.max(...logs) < LOWEST) sayTooSmall(pen, frame);
  return frame;
}

/** @type {(pen: Pen, frame: Frame) => void} */
function sayTooSmall(pen, frame) {
  pen.ctx.fillStyle = pen.ink;
  const words = `below 10${high(LOWEST)}, whatever β is`;
  write(pen, words, (frame.left + frame.right) / 2, frame.top + 60, "center");
}

// ---- what can be dragged ----------------------------------------------------

// A dot moves along its line, from where it was taken hold of.
/**
 * @type {(
 *   sliders: Sliders,
 * ) => ViewOptions<State, Rails, { key: Dot["key"], off: number }>["drag"]}
 */
const dragDots = (sliders) => ({
  down(at, state, { dots }) {
    const found = nearest(dots, at);
    return found && { key: found.key, off: at.x - found.x };
  },
  move: ({ key, off }, at, state, { x }) => ({
    [key]: onGrid(x.invert(at.x - off), sliders[key]),
  }),
});

// In the lower view the dot is on a rod, and all of it can be taken hold of.
/**
 * @type {(
 *   slider: RangeControl<State>,
 * ) => ViewOptions<State, Frame, { off: number }>["drag"]}
 */
const dragBeta = (slider) => ({
  down(at, { power }, { x }) {
    const off = at.x - x(power);
    return Math.abs(off) <= REACH ? { off } : undefined;
  },
  move: ({ off }, at, state, { x }) => ({
    power: onGrid(x.invert(at.x - off), slider),
  }),
});

const WHOLE = 'style="display: inline-block; margin-right: 0.7em"';

// Each sample of a colour stays beside its words.
/** @type {(parts: [color: string, text: string][], more?: string) => string} */
const legend = (parts, more = "") =>
  parts
    .map(([color, text]) => `<span ${WHOLE}>${swatch(color)}${text}</span>`)
    .concat(more)
    .join(" ");

const HEIGHTS = "scaled to the highest";

// The upper view's titles, and the lower one's, in both modes.
/** @type {(colors: Colors) => Record<string, string>} */
const titlesOf = ({ data, noise, model, exact }) => ({
  ends: legend(
    [
      [data, `prior <i>q</i>(${XS} | ${X0})`],
      [noise, `likelihood <i>q</i>(${XT} | ${XS})`],
      [exact, `posterior <i>q</i>(${XS} | ${XT}, ${X0})`],
    ],
    HEIGHTS,
  ),
  modes: legend(
    [
      [data, `prior <i>q</i>(${XS})`],
      [noise, "likelihood"],
      [exact, `exact <i>q</i>(${XS} | ${XT})`],
      [model, "Gaussian, same mean and variance"],
    ],
    HEIGHTS,
  ),
  weights: legend([
    [data, `weight of ${X0}`],
    [noise, `weight of ${XT}`],
    [exact, `${TILDE} / ${BETA}`],
  ]),
  costs: legend([
    [
      exact,
      "KL from exact to Gaussian, in nats; the dotted line falls like β³",
    ],
  ]),
});

/**
 * @type {(
 *   solve: Solve, sliders: Sliders, colors: Colors,
 * ) => ViewOptions<State>[]}
 */
function viewsOf(solve, sliders, colors) {
  const titles = titlesOf(colors);
  return [
    {
      label: (state) =>
        known(state) ? sayKnown(state) : sayHidden(state, solve(state)),
      title: { each: [titles.ends, titles.modes], which: isHidden },
      height: 330,
      drag: dragDots(sliders),
      draw(pen, state) {
        const place = layout(pen, state);
        drawRails(pen, place);
        return known(state)
          ? drawKnown(pen, state, place)
          : drawHidden(pen, state, place, solve(state));
      },
    },
    {
      label: (state) =>
        known(state) ? sayWeights(state) : sayCosts(state, solve(state)),
      title: { each: [titles.weights, titles.costs], which: isHidden },
      height: 170,
      drag: dragBeta(sliders.power),
      draw: (pen, state) =>
        known(state)
          ? drawWeights(pen, state)
          : drawCosts(pen, state, solve(state)),
    },
  ];
}

/** @type {(state: State) => string} */
const sayKnown = (state) => {
  const [mean, variance] = ends(state).posterior;
  return (
    `The start is at ${digits(state.x0)}, the end at ${digits(state.xt)}. ` +
    `The step before is a Gaussian of mean ${digits(mean)} ` +
    `and variance ${short(variance)}`
  );
};

/** @type {(state: State, solved: Solved) => string} */
const sayHidden = ({ xt }, { fit, reverse }) =>
  `The end is at ${digits(xt)}, the start is not known. The step before has ` +
  `mean ${digits(fit.mean)} and variance ${short(fit.variance)}; with ` +
  `${Math.round(100 * reverse.weights[0])} % it comes from the first mode`;

/** @type {(state: State) => string} */
const sayWeights = ({ power, alphaBarS }) => {
  const { ofX0, ofXt } = weights(alphaBarS, 10 ** power);
  return (
    `The weights in the mean against beta. At beta ${short(10 ** power)} the ` +
    `start has weight ${digits(ofX0)}, the end ${digits(ofXt)}`
  );
};

/** @type {(state: State, solved: Solved) => string} */
const sayCosts = ({ power }, { kl, slope }) =>
  `The KL to the Gaussian against beta, both logarithmic. At beta ` +
  `${short(10 ** power)} it is ${scientific(kl)} nats, and falls with the ` +
  `power ${powerWord(kl, slope)} of beta`;

/** @type {(state: State) => Value[]} */
function valuesOfKnown({ x0, xt, alphaBarS, power }) {
  const beta = 10 ** power;
  const { ofX0, ofXt } = weights(alphaBarS, beta);
  const mean = posteriorMean(x0, xt, alphaBarS, beta);
  return [
    [
      "<i>w</i><sub>0</sub>, <i>w<sub>t</sub></i>",
      `${digits(ofX0)}, ${digits(ofXt)}`,
      "weights of the start and the end",
    ],
    [
      `mean <i>w</i><sub>0</sub> ${X0} + <i>w<sub>t</sub></i> ${XT}`,
      digits(mean),
      "mean of the posterior",
    ],
    [
      `variance ${TILDE}`,
      short(posteriorVariance(alphaBarS, beta)),
      "posterior variance",
    ],
    [BETA, short(beta), "beta"],
  ];
}

/** @type {(state: State, solved: Solved) => Value[]} */
const valuesOfHidden = ({ power }, { kl, slope, fit, reverse }) => [
  ["KL", `${scientific(kl)} nats`],
  ["local power of β", powerWord(kl, slope)],
  ["mean", digits(fit.mean)],
  ["variance", short(fit.variance)],
  [BETA, short(10 ** power), "beta"],
  ["from the first mode", `${Math.round(100 * reverse.weights[0])} %`],
];

// ---- the figure -------------------------------------------------------------

/**
 * @param {string} key
 * @param {string} label
 * @param {number} min
 * @param {number} max
 * @param {number} start
 * @param {Partial<RangeControl<State>>} [options]
 * @returns {RangeControl<State>}
 */
const slider = (key, label, min, max, start, options = {}) => ({
  kind: "range",
  key,
  label,
  min,
  max,
  start,
  step: 0.02,
  text: (value) => digits(value),
  ...options,
});

/** @type {ChoiceControl<State>} */
const MODE = {
  kind: "choice",
  key: "mode",
  label: `The start ${X0} is`,
  start: "known",
  main: true,
  options: [
    ["known", "known"],
    ["hidden", "hidden"],
  ],
};

/** @typedef {ReturnType<typeof slidersOf>} Sliders */

/** @param {Mixture} mixture */
const slidersOf = ({ weights, means }) => ({
  power: slider("power", `Step ${BETA}`, LEAST, MOST, -0.35, {
    step: 0.01,
    text: (power) => short(10 ** power),
    main: true,
  }),
  alphaBarS: slider("alphaBarS", `Left before, ${LEFT_OVER}`, 0.02, 0.98, 0.88),
  xt: slider("xt", `End ${XT}`, -2.5, 2.5, 0.3),
  x0: slider("x0", `Start ${X0}`, -2.5, 2.5, -1.4, { when: known }),
  left: slider("left", "First mode", -2.5, 2.5, means[0], { when: hidden }),
  right: slider("right", "Second mode", -2.5, 2.5, means[1], { when: hidden }),
  weight: slider("weight", "Weight of the first", 0.05, 0.95, weights[0], {
    step: 0.01,
    when: hidden,
    text: (weight) => `${Math.round(100 * weight)} %`,
  }),
});

// A button that lets beta shrink by itself, and what it does at each frame.
function shrinking() {
  let power = MOST;
  /** @type {Button<State>} */
  const button = {
    main: true,
    label: {
      each: ["Shrink the step", "Pause"],
      which: (_, stage) => Number(stage.playing),
    },
    press(stage) {
      if (stage.playing) return stage.pause();
      if (stage.state.power <= LEAST) stage.set({ power: MOST });
      power = stage.state.power;
      stage.play();
    },
  };
  /** @type {Figure<State>["tick"]} */
  const tick = (seconds, state, stage) => {
    if (Math.abs(state.power - power) > 0.02) power = state.power;
    if (state.power <= LEAST) return stage.pause();
    power = Math.max(LEAST, power - seconds / 2.5);
    return { power: Number(power.toFixed(2)) };
  };
  return { button, tick };
}

/** @type {(place: Place) => () => void} */
function render({ model, el }) {
  const mixture = lineMixture(model.get("data").mixture, 2);
  const solve = solver(mixture);
  const { button, tick } = shrinking();
  const sliders = slidersOf(mixture);
  return explorable({
    model,
    el,
    name: "posterior",
    label: LABEL,
    controls: [MODE, button, ...Object.values(sliders)],
    views: viewsOf(solve, sliders, model.get("colors")),
    values: (state) =>
      known(state) ? valuesOfKnown(state) : valuesOfHidden(state, solve(state)),
    tick,
  });
}

export default { name: "posterior", render };
