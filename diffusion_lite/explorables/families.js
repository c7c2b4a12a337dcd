// @ts-check
import { onGrid } from "./shared/controls.js";
import { halves } from "./shared/data.js";
import { dot, scale, swatch } from "./shared/drawing.js";
import { clamp, minus, percent } from "./shared/numbers.js";
import { planeMixture } from "./shared/plane.js";
import { explorable } from "./shared/stage.js";

/**
 * @typedef {{
 *   family: string, latent: number, passes: number, frames: Vector[],
 * }} Run points are (x, y), (x, y), ...
 * @typedef {Run & { reach: number[], order: number[], ends: Ends }} Known
 * @typedef {{ within: number, lost: number, mode: number[] }} Ends
 * @typedef {{
 *   family: string, latent: string, way: number, at: string,
 * }} State
 * @typedef {{ mixture: PlaneMixture, runs: Known[] }} World
 */

// ---- what is computed of the paths ------------------------------------------

// The runs as points in a plane; a latent of one number lies on a line.
/**
 * @param {{
 *   runs: (Omit<Run, "frames"> & { frames: number })[], points: Bytes,
 *   many: number,
 * }} data
 * @returns {Run[]}
 */
export function runsOf({ runs, points, many }) {
  const count = runs.reduce(
    (sum, { frames, latent }) => sum + (latent + 2 * (frames - 1)) * many,
    0,
  );
  const all = halves(points, count, "points");
  let from = 0;
  return runs.map((run) => ({
    ...run,
    frames: Array.from({ length: run.frames }, (_, i) => {
      const wide = i ? 2 : run.latent;
      const frame = all.subarray(from, (from += wide * many));
      return wide === 2 ? frame : onLine(frame);
    }),
  }));
}

/** @type {(xs: Float32Array) => Float32Array} */
const onLine = (xs) =>
  Float32Array.from({ length: 2 * xs.length }, (_, n) =>
    n % 2 ? 0 : xs[n / 2],
  );

// Where a run is, from 0 to its last frame: which frame, and how far from it.
/** @type {(run: Pick<Run, "frames">, way: number) => [number, number]} */
function betweenOf({ frames }, way) {
  const place = (way / 100) * (frames.length - 1);
  const frame = Math.min(Math.floor(place), frames.length - 2);
  return [frame, place - frame];
}

/** @type {(a: number, b: number, share: number) => number} */
const mix = (a, b, share) => a + (b - a) * share;

// The points after `way` percent: between frames on straight lines.
/** @type {(run: Pick<Run, "frames">, way: number) => Float64Array} */
export function cloudAt(run, way) {
  const [frame, share] = betweenOf(run, way);
  const [from, to] = [run.frames[frame], run.frames[frame + 1]];
  return Float64Array.from(from, (x, n) => mix(x, to[n], share));
}

// The points nearest to a place, the nearest first.
/** @type {(points: Vector, at: number[], count: number) => number[]} */
export function nearestTo(points, [x, y], count) {
  const far = Float64Array.from({ length: points.length / 2 }, (_, j) =>
    Math.hypot(points[2 * j] - x, points[2 * j + 1] - y),
  );
  return Array.from(far.keys())
    .sort((i, j) => far[i] - far[j])
    .slice(0, count);
}

// To which mode each point belongs, how many lie within three standard
// deviations of one, and how many modes are lost (metrics.modes_lost).
/** @type {(mixture: PlaneMixture, points: Vector) => Ends} */
export function endsOf({ weights, means, variances }, points) {
  const counts = weights.map(() => 0);
  const mode = [];
  let within = 0;
  for (let n = 0; n < points.length; n += 2) {
    const off = weights.map((_, k) => {
      const [dx, dy] = [
        points[n] - means[2 * k],
        points[n + 1] - means[2 * k + 1],
      ];
      return (dx * dx + dy * dy) / variances[2 * k];
    });
    const fit = off.map((square, k) => Math.log(weights[k]) - square / 2);
    const own = fit.indexOf(Math.max(...fit));
    counts[own]++;
    mode.push(own);
    within += Number(Math.min(...off) <= 9);
  }
  const lost = weights.filter((w, k) => counts[k] / mode.length < w / 10);
  return { within: within / mode.length, lost: lost.length, mode };
}

const WIDE = 3.5; // what is shown of the latent
const LEAST = 1.9; // of the plane, at least

/** @type {(data: any) => World} */
function worldOf({ mixture: sent, ...data }) {
  const mixture = planeMixture({ mixture: sent });
  const runs = runsOf(data).map((run) => {
    const [latent, last] = [run.frames[0], run.frames[run.frames.length - 1]];
    const reach = run.frames.map((frame) =>
      Math.max(LEAST, 1.05 * Math.max(...frame.map(Math.abs))),
    );
    reach[0] = WIDE;
    const order = Array.from({ length: latent.length / 2 }, (_, j) => j);
    order.sort((i, j) => latent[2 * i] - latent[2 * j]);
    return { ...run, reach, order, ends: endsOf(mixture, last) };
  });
  return { mixture, runs };
}

/** @type {(family: string) => boolean} */
const jumps = (family) => family === "vae" || family === "gan";

// What a family's latent must be, where the family leaves no choice.
/** @type {(state: State) => string | undefined} */
const onlySize = ({ family }) => (jumps(family) ? undefined : "2");

/** @type {(world: World, state: State) => Known} */
const runOf = ({ runs }, state) =>
  /** @type {Known} */ (
    runs.find(
      ({ family, latent }) =>
        family === state.family &&
        String(latent) === (onlySize(state) ?? state.latent),
    )
  );

const MARKED = 30;
const PLACE = /^-?[0-3](\.\d{1,2})?,-?[0-3](\.\d{1,2})?$/;

// Where the mark is: on the line, if the latent is one.
/** @type {(run: Run, state: State) => number[]} */
const markOf = ({ latent }, { at }) => {
  const [x, y] = at.split(",").map(Number);
  return [x, latent === 1 ? 0 : y];
};

/** @type {(run: Run, state: State) => number[]} */
const markedOf = (run, state) =>
  nearestTo(run.frames[0], markOf(run, state), MARKED);

/** @type {(run: Known, state: State) => number} */
const modesOf = (run, state) =>
  new Set(markedOf(run, state).map((j) => run.ends.mode[j])).size;

// ---- drawing ----------------------------------------------------------------

/** @type {(pen: Pen, reach: number) => Frame} */
function planeOf({ width: right, height: bottom }, reach) {
  const x = scale([-reach, reach], [0, right]);
  const y = scale([-reach, reach], [bottom, 0]);
  return { left: 0, top: 0, right, bottom, x, y };
}

/** @type {(pen: Pen, frame: Frame) => void} */
function drawCross({ ctx, ink }, { left, right, top, bottom, x, y }) {
  ctx.save();
  ctx.strokeStyle = ink;
  ctx.globalAlpha = 0.2;
  ctx.lineWidth = 1;
  ctx.beginPath();
  ctx.moveTo(left, y(0));
  ctx.lineTo(right, y(0));
  ctx.moveTo(x(0), top);
  ctx.lineTo(x(0), bottom);
  ctx.stroke();
  ctx.restore();
}

/** @type {(pen: Pen, frame: Frame, mixture: PlaneMixture) => void} */
function drawModes({ ctx, exact }, { x, y }, { means, variances }) {
  ctx.strokeStyle = exact;
  ctx.lineWidth = 1.2;
  for (let n = 0; n < means.length; n += 2) {
    const radius = x(3 * Math.sqrt(variances[n])) - x(0);
    ctx.beginPath();
    ctx.arc(x(means[n]), y(means[n + 1]), radius, 0, 7);
    ctx.stroke();
  }
}

/** @type {(pen: Pen) => number} */
const sizeOfDot = ({ width }) => clamp(width / 170, 1.3, 1.8);

/** @type {(pen: Pen, frame: Frame, points: Vector, color: string) => void} */
function drawPoints(pen, { x, y }, points, color) {
  for (let n = 0; n < points.length; n += 2)
    dot(pen, x(points[n]), y(points[n + 1]), sizeOfDot(pen), color);
}

// Marked points have the colour of the text, and are larger.
/** @type {(pen: Pen, frame: Frame, points: Vector, marked: number[]) => void} */
function drawMarked(pen, { x, y }, points, marked) {
  const radius = 1.5 * sizeOfDot(pen);
  for (const j of marked)
    dot(pen, x(points[2 * j]), y(points[2 * j + 1]), radius + 1, pen.paper);
  for (const j of marked)
    dot(pen, x(points[2 * j]), y(points[2 * j + 1]), radius, pen.ink);
}

// Lines through lists of points; they may leave the picture.
/**
 * @type {(
 *   pen: Pen, frame: Frame, lines: number[][], color: string, alpha: number,
 * ) => void}
 */
function drawLines({ ctx }, { x, y }, lines, color, alpha) {
  ctx.save();
  ctx.strokeStyle = color;
  ctx.globalAlpha = alpha;
  ctx.lineWidth = 1;
  ctx.beginPath();
  for (const line of lines)
    for (let n = 0; n < line.length; n += 2)
      ctx[n ? "lineTo" : "moveTo"](x(line[n]), y(line[n + 1]));
  ctx.stroke();
  ctx.restore();
}

/** @type {(points: Vector, j: number) => [number, number]} */
const pointOf = (points, j) => [points[2 * j], points[2 * j + 1]];

// How far around the mark the marked points lie.
/** @type {(run: Run, state: State) => number} */
function spreadOf(run, state) {
  const [x, y] = markOf(run, state);
  const last = markedOf(run, state)[MARKED - 1];
  const [a, b] = pointOf(run.frames[0], last);
  return Math.hypot(a - x, b - y);
}

/** @type {(world: World) => ViewOptions<State>["draw"]} */
const drawLatent = (world) => (pen, state) => {
  const run = runOf(world, state);
  const frame = planeOf(pen, WIDE);
  const points = run.frames[0];
  if (run.latent === 2) drawCross(pen, frame);
  else drawLines(pen, frame, [[-WIDE, 0, WIDE, 0]], pen.ink, 0.3);
  drawPoints(pen, frame, points, pen.noise);
  drawMarked(pen, frame, points, markedOf(run, state));
  const [x, y] = markOf(run, state);
  const { ctx } = pen;
  ctx.strokeStyle = pen.ink;
  ctx.lineWidth = 1.5;
  ctx.beginPath();
  const radius = frame.x(spreadOf(run, state)) - frame.x(0) + 4;
  ctx.arc(frame.x(x), frame.y(y), radius, 0, 7);
  ctx.stroke();
  return frame;
};

// The ways of the marked points so far.
/** @type {(run: Run, way: number, marked: number[]) => number[][]} */
function trails(run, way, marked) {
  const past = run.frames.slice(0, betweenOf(run, way)[0] + 1);
  const places = [...past, cloudAt(run, way)];
  return marked.map((j) => places.flatMap((points) => pointOf(points, j)));
}

/** @type {(world: World) => ViewOptions<State>["draw"]} */
const drawWay = (world) => (pen, state) => {
  const run = runOf(world, state);
  const [k, share] = betweenOf(run, state.way);
  const frame = planeOf(pen, mix(run.reach[k], run.reach[k + 1], share));
  const points = cloudAt(run, state.way);
  const marked = markedOf(run, state);
  drawCross(pen, frame);
  drawModes(pen, frame, world.mixture);
  if (run.latent === 1) {
    const line = run.order.flatMap((j) => pointOf(points, j));
    drawLines(pen, frame, [line], pen.model, 0.6);
  }
  drawLines(pen, frame, trails(run, state.way, marked), pen.ink, 0.22);
  drawPoints(pen, frame, points, pen.noise);
  pen.ctx.globalAlpha = state.way / 100; // from noise to what is made of it
  drawPoints(pen, frame, points, pen.model);
  pen.ctx.globalAlpha = 1;
  drawMarked(pen, frame, points, marked);
  return frame;
};

// ---- words ------------------------------------------------------------------

/** @type {Record<string, string>} */
const NAMES = {
  diffusion: "diffusion",
  flow: "flow",
  vae: "VAE",
  gan: "GAN with R1",
};

// Where the points on the right are.
/** @type {(run: Run, way: number) => string} */
function shownAt({ family, passes, frames }, way) {
  if (way <= 0) return "the latent";
  if (way >= 100) return "the result";
  if (jumps(family)) return "one jump, drawn as lines";
  const parts = family === "flow" ? frames.length - 1 : passes;
  const word = family === "flow" ? "coupling" : "pass";
  return `${word} ${Math.floor((way / 100) * parts)} of ${parts}`;
}

/** @type {(count: number) => string} */
const modes = (count) => (count === 1 ? "1 mode" : `${count} modes`);

/** @type {(world: World) => (state: State) => string} */
const sayLatent = (world) => (state) => {
  const run = runOf(world, state);
  const [x, y] = markOf(run, state).map((each) => minus(String(each)));
  const [where, keys] =
    run.latent === 1
      ? [
          `on a line. Marked are the ${MARKED} nearest to ${x}`,
          "Left and right",
        ]
      : [`in a plane. Marked are the ${MARKED} nearest to ${x}, ${y}`, "Arrow"];
  const many = run.order.length;
  return `The latent, ${many} points ${where}. ${keys} keys move the mark`;
};

/** @type {(world: World) => (state: State) => string} */
const sayWay = (world) => (state) => {
  const run = runOf(world, state);
  const curve = run.latent === 1 ? ", which lie on a curve" : "";
  return (
    `${NAMES[run.family]}: the same points on their way to the eight modes` +
    `${curve}. Shown: ${shownAt(run, state.way)}. The marked ones end in ` +
    `${modes(modesOf(run, state))}`
  );
};

/** @type {(world: World) => (state: State) => Value[]} */
const valuesOf = (world) => (state) => {
  const run = runOf(world, state);
  const { within, lost } = run.ends;
  return [
    ["numbers in the latent", `${run.latent} (the data: 2)`],
    ["passes of the network", String(run.passes)],
    ["shown", shownAt(run, state.way)],
    [
      "end within 3 <i>σ</i> of a mode",
      `${percent(within)} (real: 98.9 %)`,
      "end within 3 standard deviations of a mode",
    ],
    ["modes lost", `${lost} of ${world.mixture.weights.length}`],
    [`the ${MARKED} marked end in`, modes(modesOf(run, state))],
  ];
};

// ---- the figure -------------------------------------------------------------

const LABEL =
  "Live figure: one cloud of points, carried from the latent to the data by " +
  "four families of models";

/** @type {ChoiceControl<State>} */
const FAMILY = {
  kind: "choice",
  key: "family",
  label: "Family",
  start: "diffusion",
  main: true,
  options: [
    ["diffusion", "diffusion"],
    ["flow", "flow"],
    ["vae", "VAE"],
    ["gan", "GAN"],
  ],
};

/** @type {ChoiceControl<State>} */
const LATENT = {
  kind: "choice",
  key: "latent",
  label: "Numbers in the latent",
  start: "2",
  main: true,
  only: onlySize,
  options: [
    ["1", "1"],
    ["2", "2"],
  ],
};

/** @type {RangeControl<State>} */
const WAY = {
  kind: "range",
  key: "way",
  label: "Latent to data",
  min: 0,
  max: 100,
  start: 100,
  main: true,
  text: (way) => `${Math.round(way)} %`,
};

/** @type {Button<State>} */
const play = {
  label: {
    each: ["Play", "Pause"],
    which: (_, stage) => Number(stage.playing),
  },
  press(stage) {
    const { way } = stage.state;
    if (stage.playing) {
      stage.set({ way: Math.round(way) });
      return stage.pause();
    }
    if (way >= 100) stage.set({ way: 0 });
    return stage.play();
  },
  main: true,
};

/** @type {Hidden<State>} */
const AT = {
  key: "at",
  start: "0.5,-0.6",
  read: (text) => (PLACE.test(text) ? text : undefined),
};

/** @type {NonNullable<Figure<State>["tick"]>} */
function tick(seconds, { family, way }, stage) {
  const next = way + (100 * seconds) / (jumps(family) ? 2.5 : 6);
  if (next < 100) return { way: next };
  stage.set({ way: 100 });
  return stage.pause();
}

/** @type {(x: number, y: number) => Pick<State, "at">} */
const markAt = (x, y) => {
  const edge = { min: -3.4, max: 3.4, step: 0.01 };
  return { at: `${onGrid(x, edge)},${onGrid(y, edge)}` };
};

// A mark in the latent; where that is a line, it keeps its height for later.
/** @type {(run: Run, state: State, x: number, y: number) => Partial<State>} */
const marked = ({ latent }, { at }, x, y) =>
  markAt(x, latent === 1 ? Number(at.split(",")[1]) : y);

/** @type {Record<string, [number, number]>} */
const ARROWS = {
  ArrowLeft: [-0.1, 0],
  ArrowRight: [0.1, 0],
  ArrowUp: [0, 0.1],
  ArrowDown: [0, -0.1],
};

// What the colours mean; each stays in one piece, so that both titles have
// the same height.
/** @type {(...pairs: [color: string, text: string][]) => string} */
const legend = (...pairs) =>
  pairs
    .map(([color, text]) => `<span ${WHOLE}>${swatch(color)}${text}</span>`)
    .join(" ");

const WHOLE = 'style="display: inline-block; margin-right: 0.4em"';

/** @type {(world: World, colors: Colors) => ViewOptions<State>} */
const latentView = (world, { noise }) => ({
  label: sayLatent(world),
  title: legend([noise, "latent"], ["currentColor", "marked: drag"]),
  span: 6,
  narrow: 6,
  aspect: 1,
  draw: drawLatent(world),
  drag: {
    down(at, state, { x, y }) {
      const run = runOf(world, state);
      const [a, b] = markOf(run, state);
      const hold = Math.max(24, x(spreadOf(run, state)) - x(0) + 4);
      return Math.hypot(at.x - x(a), at.y - y(b)) < hold || undefined;
    },
    move: (_, at, state, { x, y }) =>
      marked(runOf(world, state), state, x.invert(at.x), y.invert(at.y)),
  },
  tap: (at, state, { x, y }) =>
    marked(runOf(world, state), state, x.invert(at.x), y.invert(at.y)),
  keys(key, state) {
    const run = runOf(world, state);
    const [x, y] = markOf(run, state);
    const way = ARROWS[key];
    return way && marked(run, state, x + way[0], y + way[1]);
  },
});

/** @type {(world: World, colors: Colors) => ViewOptions<State>} */
const wayView = (world, { model, exact }) => ({
  label: sayWay(world),
  title: {
    each: Object.values(NAMES).map((name) =>
      legend([model, name], [exact, "modes, 3 <i>σ</i>"]),
    ),
    which: ({ family }) => Object.keys(NAMES).indexOf(family),
  },
  span: 6,
  narrow: 6,
  aspect: 1,
  draw: drawWay(world),
  // The latent of what is tapped becomes the mark.
  tap(at, state, { x, y }) {
    const run = runOf(world, state);
    const place = [x.invert(at.x), y.invert(at.y)];
    const [nearest] = nearestTo(cloudAt(run, state.way), place, 1);
    return marked(run, state, ...pointOf(run.frames[0], nearest));
  },
});

/** @type {(place: Place) => () => void} */
function render({ model, el }) {
  const world = worldOf(model.get("data"));
  const colors = model.get("colors");
  return explorable({
    model,
    el,
    name: "families",
    label: LABEL,
    controls: [FAMILY, LATENT, WAY, play, AT],
    views: [latentView(world, colors), wayView(world, colors)],
    values: valuesOf(world),
    tick,
  });
}

export default { name: "families", render };
