// @ts-check
import { newNoise, seedValue } from "./shared/controls.js";
import { SCHEDULES } from "./shared/diffusion.js";
import { axes, curve, dot, scale, swatch } from "./shared/drawing.js";
import { element } from "./shared/elements.js";
import { clamp, memo, minus, percent } from "./shared/numbers.js";
import { planeMixture } from "./shared/plane.js";
import { normals } from "./shared/random.js";
import { explorable } from "./shared/stage.js";

/**
 * @typedef {import("./shared/plane.js").SentMixture} SentMixture
 * @typedef {{ other: string, w: number }} Pull from what, and how strongly
 * @typedef {Pull & {
 *   sampler: string, when: string, t: number, seed: number,
 * }} State t is what is seen; while it plays, between two levels of noise
 * @typedef {Float64Array} Points x, y, x, y, ...
 * @typedef {{ eps: Points, log: Float64Array }} Answer
 * @typedef {(x: Vector) => Answer} Class at one level of noise
 * @typedef {[wanted: Class, other: Class]} Pair
 * @typedef {(t: number, i: number) => Vector} Noise of a step from t (i = 0),
 *   and of the Langevin steps after it
 * @typedef {{
 *   left: number, bottom: number, step: number, columns: number, rows: number,
 * }} Grid the middle of its first cell, row by row from below
 * @typedef {{ points: Vector, weights: Vector }} Cloud weights of sum 1
 * @typedef {ReturnType<typeof worldOf>} World
 */

// ---- maths (compared with Python in its test) -------------------------------

const T = 100;
const CORRECTIONS = 4;
const SIZE = 0.2; // of a Langevin step

/** @type {Record<string, [low: number, high: number]>} */
const INTERVALS = { all: [0, T], high: [67, T], mid: [34, 66], low: [0, 33] };

// What guidance has for w at level t: where it rests, 1.
/** @type {(state: Pick<State, "when" | "w">, t: number) => number} */
export function weightAt({ when, w }, t) {
  const [low, high] = INTERVALS[when];
  return low <= t && t <= high ? w : 1;
}

// a x + b y
/** @type {(a: number, x: Points, b: number, y: Vector) => Points} */
const blend = (a, x, b, y) => x.map((value, i) => a * value + b * y[i]);

// Of many points log p_t(x | class) and E[eps | x_t, class], a mixture's
// log_prob and optimal_eps.
/** @type {(mixture: PlaneMixture, alphaBar: number) => Class} */
export function classAt({ weights, means, variances }, alphaBar) {
  const noise = 1 - alphaBar;
  const mean = Float64Array.from(means, (m) => Math.sqrt(alphaBar) * m);
  const sharp = Float64Array.from(variances, (v) => 1 / (alphaBar * v + noise));
  const highest = weights.map((w, k) =>
    Math.log((w * Math.sqrt(sharp[2 * k] * sharp[2 * k + 1])) / TURN),
  );
  const [count, root] = [weights.length, Math.sqrt(noise)];
  const fits = new Float64Array(count);
  return (x) => {
    const eps = new Float64Array(x.length);
    const log = new Float64Array(x.length / 2);
    for (let n = 0; n < x.length; n += 2) {
      let most = -Infinity;
      for (let k = 0; k < count; k++) {
        const dx = x[n] - mean[2 * k];
        const dy = x[n + 1] - mean[2 * k + 1];
        const far = dx * dx * sharp[2 * k] + dy * dy * sharp[2 * k + 1];
        fits[k] = highest[k] - far / 2;
        if (fits[k] > most) most = fits[k];
      }
      let total = 0;
      for (let k = 0; k < count; k++) {
        if (fits[k] - most < -30) continue;
        const share = Math.exp(fits[k] - most);
        total += share;
        eps[n] += share * sharp[2 * k] * (x[n] - mean[2 * k]);
        eps[n + 1] += share * sharp[2 * k + 1] * (x[n + 1] - mean[2 * k + 1]);
      }
      eps[n] *= root / total;
      eps[n + 1] *= root / total;
      log[n / 2] = most + Math.log(total);
    }
    return { eps, log };
  };
}

const TURN = 2 * Math.PI;

// p(c | x_t), of two classes that are equally frequent.
/** @type {(log: Vector, other: Vector, n: number) => number} */
const shareOf = (log, other, n) => 1 / (1 + Math.exp(other[n] - log[n]));

// other + w (wanted - other) (guidance.guided). "Both classes" is the mean of
// the two classes' answers, by their shares; so it differs from the wanted one
// only as far as x_t may be of the other class.
/** @type {(pair: Pair, pull: Pull) => (x: Vector) => Points} */
export const guidedEps =
  ([wanted, other], pull) =>
  (x) => {
    const { eps, log } = wanted(x);
    if (pull.w === 1) return eps;
    const away = other(x);
    return eps.map((e, i) => {
      const n = i >> 1;
      const part = pull.other === "both" ? 1 - shareOf(log, away.log, n) : 1;
      return e + (pull.w - 1) * part * (e - away.eps[i]);
    });
  };

// log p(other)^(1-w) p(wanted)^w, but for a constant
// (guidance.tilted_log_density).
/** @type {(pair: Pair, pull: Pull) => (x: Vector) => Float64Array} */
export const tiltedLog =
  ([wanted, other], pull) =>
  (x) => {
    const { log } = wanted(x);
    if (pull.w === 1) return log;
    const away = other(x).log;
    return log.map((own, n) => {
      const more = away[n] - own; // of the other class than of the wanted one
      const every = Math.max(more, 0) + Math.log1p(Math.exp(-Math.abs(more)));
      return own - (pull.w - 1) * (pull.other === "both" ? every : more);
    });
  };

// One step from t to t - 1 without noise (solvers.ddim_step).
/** @type {(x: Points, e: Vector, now: number, next: number) => Points} */
function ddimStep(x, e, now, next) {
  const grown = Math.sqrt(next / now);
  return blend(grown, x, Math.sqrt(1 - next) - grown * Math.sqrt(1 - now), e);
}

// One with noise z (sampling.ddpm_step).
/**
 * @type {(
 *   x: Points, e: Vector, now: number, next: number, z: Vector,
 * ) => Points}
 */
function ddpmStep(x, e, now, next, z) {
  const [alpha, beta] = [now / next, 1 - now / next];
  const off = -beta / Math.sqrt((1 - now) * alpha);
  const mean = blend(1 / Math.sqrt(alpha), x, off, e);
  return blend(1, mean, Math.sqrt((beta * (1 - next)) / (1 - now)), z);
}

// guidance.langevin_step.
/** @type {(x: Points, e: Vector, now: number, z: Vector) => Points} */
function langevinStep(x, e, now, z) {
  const s = Math.sqrt(1 - now);
  return blend(1, blend(1, x, -SIZE * s, e), Math.sqrt(2 * SIZE) * s, z);
}

// The points at every level of noise, x_0 first (solvers.ddim_sample,
// sampling.ddpm_sample, guidance.corrected_sample).
/**
 * @type {(
 *   sampler: string, eps: (x: Vector, t: number) => Points,
 *   starts: Vector, alphaBar: Vector, noise: Noise,
 * ) => Points[]}
 */
export function wayBack(sampler, eps, starts, alphaBar, noise) {
  /** @type {Points} */
  let x = Float64Array.from(starts);
  const states = [x];
  for (let t = T; t > 0; t--) {
    const [now, next] = [alphaBar[t], alphaBar[t - 1]];
    const e = eps(x, t);
    x =
      sampler === "ddim"
        ? ddimStep(x, e, now, next)
        : ddpmStep(x, e, now, next, noise(t, 0));
    const more = sampler === "langevin" && t > 1 ? CORRECTIONS : 0;
    for (let i = 1; i <= more; i++)
      x = langevinStep(x, eps(x, t - 1), next, noise(t, i));
    states.push(x);
  }
  return states.reverse();
}

// ---- a distribution on a grid

/** @type {(grid: Grid) => Points} */
export function placesOf({ left, bottom, step, columns, rows }) {
  const places = new Float64Array(2 * columns * rows);
  for (let n = 0; n < columns * rows; n++) {
    places[2 * n] = left + step * (n % columns);
    places[2 * n + 1] = bottom + step * Math.floor(n / columns);
  }
  return places;
}

// A grid from one corner to another.
/** @type {(from: number[], to: number[], step: number) => Grid} */
export const gridOf = ([left, bottom], [right, top], step) => ({
  left,
  bottom,
  step,
  columns: Math.ceil((right - left) / step) + 1,
  rows: Math.ceil((top - bottom) / step) + 1,
});

/** @type {(list: Vector) => number} */
const mostOf = (list) =>
  list.reduce((most, each) => Math.max(most, each), -Infinity);

// The corners of what has some density, and a cell more on each side.
/** @type {(grid: Grid, log: Vector) => [number[], number[]]} */
function cornersOf(grid, log) {
  const places = placesOf(grid);
  const least = mostOf(log) - 14;
  const from = [Infinity, Infinity];
  const to = [-Infinity, -Infinity];
  for (let i = 0; i < places.length; i++) {
    if (log[i >> 1] < least) continue;
    from[i % 2] = Math.min(from[i % 2], places[i] - grid.step);
    to[i % 2] = Math.max(to[i % 2], places[i] + grid.step);
  }
  return [from, to];
}

// The grids' steps: so many of the Gaussians' standard deviations; a wide one
// would make the distances between cells too small.
const [COARSE, FINE, WIDEST] = [1.5, 0.4, 0.25];

// A density, the highest 1, of what lies within `reach`. A coarse grid finds
// where; the fine one is as fine as the mixtures' Gaussians ask for.
/**
 * @type {(
 *   logAt: (x: Vector) => Float64Array, reach: number, spread: number,
 * ) => { grid: Grid, density: Float64Array }}
 */
export function onPlane(logAt, reach, spread) {
  const all = gridOf([-reach, -reach], [reach, reach], COARSE * spread);
  const [from, to] = cornersOf(all, logAt(placesOf(all)));
  const grid = gridOf(from, to, Math.min(FINE * spread, WIDEST));
  const log = logAt(placesOf(grid));
  const most = mostOf(log);
  return { grid, density: log.map((each) => Math.exp(each - most)) };
}

// The cells that have mass, as points.
/** @type {(grid: Grid, density: Float64Array) => Cloud} */
export function cellsOf(grid, density) {
  const places = placesOf(grid);
  const kept = Array.from(density.keys()).filter((n) => density[n] > 1e-4);
  const total = kept.reduce((sum, n) => sum + density[n], 0);
  return {
    points: Float64Array.from(
      kept.flatMap((n) => [places[2 * n], places[2 * n + 1]]),
    ),
    weights: Float64Array.from(kept, (n) => density[n] / total),
  };
}

// ---- how far the samples are from it

/** @type {(points: Vector) => Cloud} */
export const evenly = (points) => ({
  points,
  weights: new Float64Array(points.length / 2).fill(2 / points.length),
});

// E|x - y|, each over all of its cloud.
/** @type {(x: Cloud, y: Cloud) => number} */
export function meanDistance(x, y) {
  const same = x === y; // then each pair is met once, and counts twice
  let sum = 0;
  for (let n = 0; n < x.weights.length; n++) {
    let own = 0;
    for (let m = same ? n + 1 : 0; m < y.weights.length; m++) {
      const dx = x.points[2 * n] - y.points[2 * m];
      const dy = x.points[2 * n + 1] - y.points[2 * m + 1];
      own += y.weights[m] * Math.sqrt(dx * dx + dy * dy);
    }
    sum += x.weights[n] * own;
  }
  return same ? 2 * sum : sum;
}

// The trace of the points' covariance, as torch.cov has it.
/** @type {(points: Vector) => number} */
export function varianceOf(points) {
  const many = points.length / 2;
  const mean = [0, 0];
  for (let i = 0; i < points.length; i++) mean[i % 2] += points[i] / many;
  const squares = points.map((x, i) => (x - mean[i % 2]) ** 2);
  return squares.reduce((sum, each) => sum + each, 0) / (many - 1);
}

// That of a mixture at a level of noise.
/** @type {(mixture: PlaneMixture, alphaBar: number) => number} */
export function mixtureVariance({ weights, means, variances }, alphaBar) {
  const mean = [0, 0];
  let sum = 0;
  for (let i = 0; i < means.length; i++) {
    mean[i % 2] += weights[i >> 1] * means[i];
    sum += weights[i >> 1] * (variances[i] + means[i] ** 2);
  }
  return alphaBar * (sum - mean[0] ** 2 - mean[1] ** 2) + 2 * (1 - alphaBar);
}

const [FIRST, LAST, BINS] = [-90, 270, 24]; // degrees around the arc's middle
const WIDE = (LAST - FIRST) / BINS;

// In which bin a point lies. The arc goes from 0 to 180 degrees; the first bin
// and the last meet below its middle, so that they are all of one width.
/** @type {(dx: number, dy: number) => number} */
export function binOf(dx, dy) {
  const angle = (360 * Math.atan2(dy, dx)) / TURN;
  const turned = angle < FIRST ? angle + 360 : angle;
  return clamp(Math.floor((turned - FIRST) / WIDE), 0, BINS - 1);
}

// The share of the points in each bin.
/** @type {(points: Vector, center: number[]) => Float64Array} */
export function arcOfPoints(points, [a, b]) {
  const shares = new Float64Array(BINS);
  for (let n = 0; n < points.length; n += 2)
    shares[binOf(points[n] - a, points[n + 1] - b)] += 2 / points.length;
  return shares;
}

// A density between the middles of its grid's cells; outside it is 0.
/** @type {(grid: Grid, density: Vector, x: number, y: number) => number} */
function between({ left, bottom, step, columns, rows }, density, x, y) {
  const [i, j] = [(x - left) / step, (y - bottom) / step];
  if (!(i > 0 && j > 0 && i < columns - 1 && j < rows - 1)) return 0;
  const n = columns * Math.floor(j) + Math.floor(i);
  const [u, v] = [i % 1, j % 1];
  const low = density[n] + u * (density[n + 1] - density[n]);
  const m = n + columns;
  return low + v * (density[m] + u * (density[m + 1] - density[m]) - low);
}

const RAYS = 8; // in each bin

// The share of a density in each bin, summed along rays from the middle: where
// whole cells are counted, the bins are too uneven.
/**
 * @type {(
 *   grid: Grid, density: Vector, center: number[],
 * ) => Float64Array}
 */
export function arcOfDensity(grid, density, [a, b]) {
  const { left, bottom, step, columns, rows } = grid;
  const wide = Math.max(a - left, left + step * columns - a);
  const high = Math.max(b - bottom, bottom + step * rows - b);
  const shares = new Float64Array(BINS);
  for (let i = 0; i < RAYS * BINS; i++) {
    const angle = (TURN / 360) * (FIRST + (WIDE / RAYS) * (i + 0.5));
    const [right, up] = [Math.cos(angle), Math.sin(angle)];
    for (let r = step / 2; r < Math.hypot(wide, high); r += step)
      shares[Math.floor(i / RAYS)] +=
        r * between(grid, density, a + r * right, b + r * up);
  }
  const total = shares.reduce((sum, each) => sum + each, 0);
  return shares.map((each) => each / total);
}

// How far out a tilted distribution can lie: the furthest, over all
// directions, of w times the wanted means less (w - 1) times the other ones.
// Led away from the other class alone it leaves the data, for far out their
// densities differ by any factor.
/** @type {(classes: PlaneMixture[], pull: Pull) => number} */
export function reachOf(classes, { other, w }) {
  let most = 0;
  for (let angle = 0; angle < TURN; angle += TURN / 90) {
    const [x, y] = [Math.cos(angle), Math.sin(angle)];
    const [own, away] = classes.map(({ means, weights }) =>
      weights.reduce(
        (far, _, k) => Math.max(far, x * means[2 * k] + y * means[2 * k + 1]),
        -Infinity,
      ),
    );
    const rest = other === "both" ? Math.max(own, away) : away;
    most = Math.max(most, w * own + (1 - w) * rest);
  }
  return most;
}

// ---- what is computed of a state --------------------------------------------

const MANY = 300;

// A run's noise: each piece is made when it is first asked for.
/** @type {(seed: number) => Noise} */
function noiseOf(seed) {
  /** @type {Vector[]} */
  const made = [];
  return (t, i) => {
    const n = 1 + t * (CORRECTIONS + 1) + i;
    return (made[n] ??= normals(2 * MANY, 1000 * seed + n));
  };
}

/** @type {(state: State) => number} */
const levelOf = ({ t }) => Math.round(t);

/** @type {(state: State) => string} */
const runKey = ({ w, other, sampler, when, seed }) =>
  [w, other, sampler, when, seed].join();

/**
 * @typedef {{
 *   grid: Grid, density: Float64Array, cells: Cloud, within: () => number,
 *   arc: Float64Array,
 * }} Tilted a distribution on a grid; within gives E|y - y'|
 */

// The tilted distribution at t, whether guided there or not; with w = 1 it is
// the class.
/**
 * @type {(
 *   classes: PlaneMixture[], alphaBar: Vector, center: number[],
 *   pairAt: (t: number) => Pair,
 * ) => (pull: Pull, t: number) => Tilted}
 */
function tiltedOf(classes, alphaBar, center, pairAt) {
  const variance = Math.min(...classes.flatMap((c) => [...c.variances]));
  const make = (/** @type {Pull} */ pull, /** @type {number} */ t) => {
    const root = Math.sqrt(alphaBar[t]);
    const spread = Math.sqrt(1 + alphaBar[t] * (variance - 1));
    const reach = root * reachOf(classes, pull) + 5 * spread;
    const found = onPlane(tiltedLog(pairAt(t), pull), reach, spread);
    const cells = cellsOf(found.grid, found.density);
    const middle = center.map((each) => root * each);
    return {
      ...found,
      cells,
      within: memo(() => meanDistance(cells, cells)),
      arc: arcOfDensity(found.grid, found.density, middle),
    };
  };
  return memo(make, {
    most: 2 * (T + 1), // so that it plays more lightly the next time
    key: ({ other, w }, t) => [w === 1 || other, w, t].join(),
  });
}

/**
 * @param {{ wanted: SentMixture, other: SentMixture, center: number[] }} data
 */
function worldOf({ wanted, other, center }) {
  const alphaBar = SCHEDULES.cosine(T);
  const classes = [wanted, other].map((mixture) => planeMixture({ mixture }));
  const pairAt = memo(
    (/** @type {number} */ t) =>
      /** @type {Pair} */ (classes.map((c) => classAt(c, alphaBar[t]))),
    { most: T + 1 },
  );
  const pullAt = (/** @type {State} */ state, /** @type {number} */ t) => ({
    other: state.other,
    w: weightAt(state, t),
  });
  const noises = memo(noiseOf, { most: 2 });
  const run = memo(
    (/** @type {State} */ state) => {
      const noise = noises(state.seed);
      const eps = (/** @type {Vector} */ x, /** @type {number} */ t) =>
        guidedEps(pairAt(t), pullAt(state, t))(x);
      return wayBack(state.sampler, eps, noise(0, 0), alphaBar, noise);
    },
    { most: 3, key: runKey },
  );
  const tilted = tiltedOf(classes, alphaBar, center, pairAt);
  return {
    alphaBar,
    classes,
    middleAt: (/** @type {number} */ t) =>
      center.map((each) => Math.sqrt(alphaBar[t]) * each),
    pairAt,
    points: (/** @type {State} */ state) => run(state)[levelOf(state)],
    named: (/** @type {State} */ { other, w, t }) =>
      tilted({ other, w }, Math.round(t)),
    own: (/** @type {State} */ state) =>
      tilted({ other: "both", w: 1 }, levelOf(state)),
  };
}

/**
 * @typedef {{
 *   share: number, spread: number, energy: number, floor: number,
 *   arc: Float64Array,
 * }} Found of the samples; the floor is what a true sample of the tilted
 *   distribution has for its energy distance, on average
 */

/** @type {(world: World) => (state: State) => Found} */
const finder = (world) =>
  memo(
    (state) => {
      const t = levelOf(state);
      const points = world.points(state);
      const samples = evenly(points);
      const { cells, ...named } = world.named(state);
      const within = named.within();
      const [own, other] = world.pairAt(t).map((at) => at(points).log);
      const shares = own.map((_, n) => shareOf(own, other, n));
      const across = 2 * meanDistance(samples, cells);
      const ofClass = mixtureVariance(world.classes[0], world.alphaBar[t]);
      return {
        share: shares.reduce((sum, each) => sum + each, 0) / MANY,
        spread: Math.sqrt(varianceOf(points) / ofClass),
        energy: Math.max(0, across - meanDistance(samples, samples) - within),
        floor: within / MANY,
        arc: arcOfPoints(points, world.middleAt(t)),
      };
    },
    { key: (state) => [runKey(state), levelOf(state)].join() },
  );

// ---- drawing ----------------------------------------------------------------

const LEAST = 3; // what is shown of the plane, at least

// How much of the plane is shown: all that may come to lie in it, at any t.
/** @type {(world: World, state: State) => number} */
const farOf = ({ classes }, state) =>
  Math.max(LEAST, 0.9 + reachOf(classes, state));

/** @type {(pen: Pen, far: number) => Frame} */
function planeOf({ width: right, height: bottom }, far) {
  const x = scale([-far, far], [0, right]);
  const y = scale([-far, far], [bottom, 0]);
  return { left: 0, top: 0, right, bottom, x, y };
}

// A picture in one colour: a pixel for each cell, the more the denser.
/** @type {(tilted: Tilted, color: string) => HTMLCanvasElement} */
function sheetOf({ grid: { columns, rows }, density }, color) {
  const image = new ImageData(columns, rows);
  for (let n = 0; n < density.length; n++) {
    const row = rows - 1 - Math.floor(n / columns);
    image.data[4 * (row * columns + (n % columns)) + 3] = 255 * density[n];
  }
  const sheet = element("canvas", { width: columns, height: rows });
  const ctx = /** @type {CanvasRenderingContext2D} */ (sheet.getContext("2d"));
  ctx.putImageData(image, 0, 0);
  ctx.globalCompositeOperation = "source-in";
  ctx.fillStyle = color;
  ctx.fillRect(0, 0, columns, rows);
  return sheet;
}

/** @type {(pen: Pen, frame: Frame, tilted: Tilted) => void} */
function drawShade({ ctx, exact }, { x, y }, tilted) {
  const { left, bottom, step, columns, rows } = tilted.grid;
  const [from, to] = [x(left - step / 2), x(left + step * (columns - 0.5))];
  const [low, high] = [y(bottom - step / 2), y(bottom + step * (rows - 0.5))];
  ctx.save();
  ctx.globalAlpha = 0.6;
  ctx.imageSmoothingQuality = "high";
  ctx.drawImage(sheetOf(tilted, exact), from, high, to - from, low - high);
  ctx.restore();
}

// Two standard deviations of each Gaussian, at this level of noise.
/**
 * @type {(
 *   pen: Pen, frame: Frame, mixture: PlaneMixture, alphaBar: number,
 *   color: string,
 * ) => void}
 */
function drawRings({ ctx }, { x, y }, { means, variances }, alphaBar, color) {
  const root = Math.sqrt(alphaBar);
  ctx.save();
  ctx.strokeStyle = color;
  ctx.globalAlpha = 0.25 + 0.45 * alphaBar; // wide ones lie on one another
  ctx.lineWidth = 1;
  for (let n = 0; n < means.length; n += 2) {
    const spread = Math.sqrt(alphaBar * variances[n] + 1 - alphaBar);
    ctx.beginPath();
    const [across, down] = [x(root * means[n]), y(root * means[n + 1])];
    ctx.arc(across, down, x(2 * spread) - x(0), 0, 7);
    ctx.stroke();
  }
  ctx.restore();
}

/** @type {(world: World) => ViewOptions<State>["draw"]} */
const drawPlane = (world) => (pen, state) => {
  const frame = planeOf(pen, farOf(world, state));
  const alphaBar = world.alphaBar[levelOf(state)];
  const [wanted, other] = world.classes;
  drawShade(pen, frame, world.named(state));
  drawRings(pen, frame, other, alphaBar, pen.noise);
  drawRings(pen, frame, wanted, alphaBar, pen.data);
  const points = world.points(state);
  const radius = clamp(pen.width / 170, 1.6, 2);
  for (let n = 0; n < points.length; n += 2)
    dot(pen, frame.x(points[n]), frame.y(points[n + 1]), radius, pen.model);
  return frame;
};

const TOPS = [0.15, 0.3, 0.6, 1];

// The axis ends a little above the highest, at one of few places: it is still
// while a slider moves.
/** @type {(...shares: Vector[]) => number} */
function topOf(...shares) {
  const most = Math.max(...shares.map(mostOf));
  return TOPS.find((top) => most <= top) ?? 1;
}

const MIDDLES = Float64Array.from(
  { length: BINS },
  (_, i) => FIRST + WIDE * (i + 0.5),
);

/** @type {(world: World, find: Find) => ViewOptions<State>["draw"]} */
const drawArc = (world, find) => (pen, state) => {
  const [named, own] = [world.named(state).arc, world.own(state).arc];
  const { arc } = find(state);
  const top = topOf(arc, named, own);
  const frame = axes(pen, {
    x: [FIRST, LAST],
    y: [0, top],
    xTicks: [0, 90, 180].map((angle) => [angle, `${angle}°`]),
    yTicks: [0, top / 3, (2 * top) / 3, top].map((y) => [y, y.toFixed(2)]),
    xLabel: "place on the arc",
    yLabel: "share",
  });
  const { ctx } = pen;
  ctx.save();
  ctx.fillStyle = pen.model;
  ctx.globalAlpha = 0.5;
  arc.forEach((share, i) => {
    const left = frame.x(FIRST + WIDE * i) + 0.5;
    const right = frame.x(FIRST + WIDE * (i + 1)) - 0.5;
    ctx.fillRect(
      left,
      frame.y(share),
      right - left,
      frame.y(0) - frame.y(share),
    );
  });
  ctx.restore();
  curve(pen, frame, MIDDLES, named, pen.exact, { width: 2.5 });
  curve(pen, frame, MIDDLES, own, pen.data, { width: 1.5, dash: [5, 3] });
  return frame;
};

// ---- words ------------------------------------------------------------------

/** @type {[value: string, text: string][]} */
const SAMPLERS = [
  ["ddim", "DDIM (the ODE)"],
  ["ddpm", "DDPM"],
  ["langevin", `DDPM, ${CORRECTIONS} Langevin steps`],
];

/** @type {[value: string, text: string][]} */
const OTHERS = [
  ["both", "both classes"],
  ["other", "the other class"],
];

/** @type {[value: string, text: string][]} */
const TIMES = [
  ["all", "at all t"],
  ["high", "only t > 66"],
  ["mid", "only 34 ≤ t ≤ 66"],
  ["low", "only t < 34"],
];

/** @type {(options: [string, string][], value: string) => string} */
const textOf = (options, value) =>
  /** @type {[string, string]} */ (options.find(([name]) => name === value))[1];

/** @type {(find: Find) => (state: State) => string} */
const sayPlane = (find) => (state) => {
  const { share, spread } = find(state);
  const level = levelOf(state);
  return (
    `${MANY} samples at t = ${level} by ${textOf(SAMPLERS, state.sampler)}, ` +
    `guided ${textOf(TIMES, state.when)} with weight ${state.w}, away from ` +
    `${textOf(OTHERS, state.other)}: ${percent(share)} of the wanted class, ` +
    `with ${spread.toFixed(2)} of its spread. The tilted distribution is ` +
    `shaded behind them`
  );
};

// The circle in eight parts, of three bins each.
/** @type {(shares: Vector) => string} */
const inParts = (shares) =>
  [0, 3, 6, 9, 12, 15, 18, 21]
    .map((i) => Math.round(100 * (shares[i] + shares[i + 1] + shares[i + 2])))
    .join(", ");

/** @type {(world: World, find: Find) => (state: State) => string} */
const sayArc = (world, find) => (state) =>
  `Where on the arc the samples lie, in eight parts from ${minus("-90")} to ` +
  `270 degrees, in per cent. Samples: ${inParts(find(state).arc)}. ` +
  `Tilted distribution: ${inParts(world.named(state).arc)}. ` +
  `Class: ${inParts(world.own(state).arc)}`;

/** @type {(find: Find) => (state: State) => Value[]} */
const valuesOf = (find) => (state) => {
  const { share, spread, energy, floor } = find(state);
  return [
    ["of the wanted class", percent(share)],
    ["spread", `${spread.toFixed(2)} of the class's`],
    [
      "energy distance to the tilted one",
      energy.toFixed(3),
      "energy distance to the tilted distribution",
    ],
    [`floor, for ${MANY} true samples`, floor.toFixed(3)],
  ];
};

// ---- the figure -------------------------------------------------------------

const LABEL =
  "Live figure: samples guided to one of two classes, and the distribution " +
  "that guidance asks for";

/**
 * @type {(
 *   key: string, label: string, options: [string, string][],
 * ) => Control<State>}
 */
const menuOf = (key, label, options) => ({
  kind: "menu",
  key,
  label,
  options,
  start: options[0][0],
  main: true,
});

/** @type {Button<State>} */
const play = {
  label: {
    each: ["Play", "Pause"],
    which: (_, stage) => Number(stage.playing),
  },
  press(stage) {
    if (stage.playing) {
      stage.set({ t: levelOf(stage.state) });
      return stage.pause();
    }
    if (levelOf(stage.state) <= 0) stage.set({ t: T });
    return stage.play();
  },
  main: true,
};

const SECONDS = 4;

/** @type {NonNullable<Figure<State>["tick"]>} */
function tick(seconds, { t }, stage) {
  const next = t - (seconds * T) / SECONDS;
  if (next > 0) return { t: next };
  stage.set({ t: 0 });
  return stage.pause();
}

/** @type {Control<State>[]} */
const CONTROLS = [
  {
    kind: "range",
    key: "t",
    label: "Seen at <i>t</i>",
    min: 0,
    max: T,
    start: 0,
    text: (t) => String(Math.round(t)),
    main: true,
  },
  play,
  {
    kind: "range",
    key: "w",
    label: "Guidance <i>w</i>",
    min: 0,
    max: 8,
    step: 0.25,
    start: 4,
    text: (w) => w.toFixed(2),
    main: true,
  },
  menuOf("sampler", "Sampler", SAMPLERS),
  menuOf("other", "Led away from", OTHERS),
  menuOf("when", "Guided", TIMES),
  newNoise,
  seedValue,
];

// What the colours mean; each stays in one piece.
/** @type {(...pairs: [color: string, text: string][]) => string} */
const legend = (...pairs) =>
  pairs
    .map(([color, text]) => `<span ${WHOLE}>${swatch(color)}${text}</span>`)
    .join(" ");

const WHOLE = 'style="display: inline-block; margin-right: 0.5em"';

/**
 * @type {(
 *   world: World, find: Find, colors: Colors,
 * ) => ViewOptions<State>[]}
 */
const viewsOf = (world, find, { data, noise, model, exact }) => [
  {
    label: sayPlane(find),
    title: legend(
      [model, "samples"],
      [exact, "tilted distribution"],
      [data, "wanted class"],
      [noise, "other class"],
    ),
    span: 7,
    narrow: 12,
    aspect: 1,
    draw: drawPlane(world),
  },
  {
    label: sayArc(world, find),
    title: legend([model, "samples"], [exact, "tilted"], [data, "class"]),
    span: 5,
    narrow: 12,
    aspect: 0.7,
    low: 150,
    draw: drawArc(world, find),
  },
];

/** @typedef {ReturnType<typeof finder>} Find */

/** @type {(place: Place) => () => void} */
function render({ model, el }) {
  const world = worldOf(model.get("data"));
  const find = finder(world);
  return explorable({
    model,
    el,
    name: "guidance",
    label: LABEL,
    controls: CONTROLS,
    views: viewsOf(world, find, model.get("colors")),
    values: valuesOf(find),
    tick,
  });
}

export default { name: "guidance", render };
