// @ts-check
import { newNoise, onGrid, seedValue, whole } from "./shared/controls.js";
import { SCHEDULES } from "./shared/diffusion.js";
import {
  axes,
  curve,
  dot,
  handle,
  scale,
  swatch,
  write,
} from "./shared/drawing.js";
import { clamp, memo, minus } from "./shared/numbers.js";
import { planeMixture } from "./shared/plane.js";
import { normals } from "./shared/random.js";
import {
  distance,
  epsOf,
  exactFlow,
  last,
  placeAt,
  run,
  sigmasOf,
} from "./shared/solvers.js";
import { explorable } from "./shared/stage.js";

/**
 * @typedef {import("./shared/solvers.js").Run} Run
 * @typedef {{ solver: string, grid: string, passes: number }} Lane
 * @typedef {{
 *   solverA: string, gridA: string, passesA: number,
 *   solverB: string, gridB: string, passesB: number,
 *   k: number, start: string, seed: number,
 * }} State k is how many passes are seen
 * @typedef {ReturnType<typeof worldOf>} World
 */

// ---- what is computed of a state --------------------------------------------

// How many steps the passes allow. Where a step has two, the last has one.
/** @type {(lane: Lane) => number} */
export const stepsOf = ({ solver, passes }) =>
  /heun|midpoint/.test(solver) ? Math.ceil(passes / 2) : passes;

/** @type {(lane: Lane) => number} */
export const usedBy = (lane) =>
  lane.passes - Number(stepsOf(lane) < lane.passes && lane.passes % 2 === 0);

const LABEL =
  "Live figure: two solvers race from the same noise, and each is compared " +
  "with the exact flow";
const MANY = 160;
const MOST = 64;
const BUDGETS = [1, 2, 3, 4, 5, 7, 9, 11, 13, 17, 21, 27, 35, 45, 55, MOST];
const LANES = /** @type {const} */ (["A", "B"]);
/** @typedef {(typeof LANES)[number]} Name */

/** @type {(state: State, name: Name) => Lane} */
const laneOf = (state, name) => ({
  solver: state[`solver${name}`],
  grid: state[`grid${name}`],
  passes: state[`passes${name}`],
});

const PLACE = /^-?[0-2](\.\d{1,2})?,-?[0-2](\.\d{1,2})?$/;

/** @type {(text: string) => Float64Array} */
const readStart = (text) => Float64Array.from(text.split(","), Number);

/**
 * @param {{
 *   mixture: import("./shared/plane.js").SentMixture,
 *   grids: Record<string, number[][]>,
 * }} data
 */
function worldOf({ grids, ...data }) {
  const mixture = planeMixture(data);
  const eps = epsOf(mixture);
  const sigmas = sigmasOf(SCHEDULES.linear(1000));
  const starts = memo((/** @type {number} */ seed) => normals(2 * MANY, seed));
  const solve = (
    /** @type {Lane} */ lane,
    /** @type {Vector} */ x,
    /** @type {number} */ seed,
  ) => {
    const times = grids[lane.grid][stepsOf(lane) - 1];
    const noise = (/** @type {number} */ i) => normals(x.length, 99 * seed + i);
    return run(lane.solver, eps, x, times, sigmas, noise);
  };
  const flow = (/** @type {Vector} */ x) => exactFlow(eps, x, sigmas[1000]);
  const ends = memo((/** @type {number} */ seed) => last(flow(starts(seed))));
  const cloud = memo(
    (/** @type {Lane} */ lane, /** @type {number} */ seed) =>
      solve(lane, starts(seed), seed),
    { most: 2, key: (lane, seed) => [...Object.values(lane), seed].join() },
  );
  const errorOf = (/** @type {Run} */ { at }, /** @type {number} */ seed) =>
    distance(last(at), ends(seed));
  const curve = memo(
    (/** @type {Lane} */ lane, /** @type {number} */ seed) =>
      BUDGETS.map((passes) => {
        const found = solve({ ...lane, passes }, starts(seed), seed);
        return [last(found.used), errorOf(found, seed)];
      }),
    { most: 4, key: ({ solver, grid }, seed) => [solver, grid, seed].join() },
  );
  return {
    mixture,
    ends,
    cloud,
    errorOf,
    curve,
    own: (/** @type {Lane} */ lane, /** @type {State} */ { start, seed }) =>
      solve(lane, readStart(start), seed + 500),
    ownFlow: memo((/** @type {string} */ start) => flow(readStart(start))),
  };
}

// ---- drawing ----------------------------------------------------------------

const FAR = 2.5; // what is shown of the plane

/** @type {(pen: Pen) => Frame} */
function planeOf({ width: right, height: bottom }) {
  const [x, y] = [
    scale([-FAR, FAR], [0, right]),
    scale([-FAR, FAR], [bottom, 0]),
  ];
  return { left: 0, top: 0, right, bottom, x, y };
}

/** @type {(pen: Pen, name: Name) => string} */
const inkOf = ({ model, data }, name) => (name === "A" ? model : data);

/** @type {(pen: Pen, frame: Frame, mixture: PlaneMixture) => void} */
function drawModes({ ctx, exact }, { x, y }, { means, variances }) {
  ctx.strokeStyle = exact;
  ctx.lineWidth = 1;
  for (let n = 0; n < means.length; n += 2) {
    const radius = x(2 * Math.sqrt(variances[n])) - x(0);
    ctx.beginPath();
    ctx.arc(x(means[n]), y(means[n + 1]), radius, 0, 7);
    ctx.stroke();
  }
}

// Points, and at the end a line to each from where it should be.
/** @type {(pen: Pen, f: Frame, p: Vector, color: string, e?: Vector) => void} */
function drawPoints(pen, { x, y }, points, color, ends) {
  const { ctx } = pen;
  const radius = clamp(pen.width / 170, 1.2, 1.8);
  ctx.strokeStyle = color;
  ctx.lineWidth = 1;
  ctx.beginPath();
  for (let n = 0; ends && n < points.length; n += 2) {
    ctx.moveTo(x(ends[n]), y(ends[n + 1]));
    ctx.lineTo(x(points[n]), y(points[n + 1]));
  }
  ctx.stroke();
  for (let n = 0; n < points.length; n += 2) {
    if (ends) dot(pen, x(ends[n]), y(ends[n + 1]), radius / 1.5, pen.exact);
    dot(pen, x(points[n]), y(points[n + 1]), radius, color);
  }
}

/** @type {(pen: Pen, frame: Frame, states: Vector[], color: string) => void} */
function drawPath(pen, frame, states, color) {
  const [xs, ys] = [0, 1].map((i) => states.map((state) => state[i]));
  curve(pen, frame, xs, ys, pen.paper, { width: 5 });
  curve(pen, frame, xs, ys, color, { width: 2.5 });
}

/** @type {(world: World, name: Name) => ViewOptions<State>["draw"]} */
const drawLane = (world, name) => (pen, state) => {
  const { k, seed, start } = state;
  const frame = planeOf(pen);
  const color = inkOf(pen, name);
  const lane = laneOf(state, name);
  const cloud = world.cloud(lane, seed);
  const ended = k >= last(cloud.used) && lane.solver !== "random";
  const ends = ended ? world.ends(seed) : undefined;
  drawModes(pen, frame, world.mixture);
  drawPoints(pen, frame, placeAt(cloud, k), color, ends);
  const own = world.own(lane, state);
  const past = own.at.filter((_, i) => own.used[i] <= k);
  const now = placeAt(own, k);
  drawPath(pen, frame, world.ownFlow(start), pen.exact);
  drawPath(pen, frame, [...past, now], color);
  for (const [x, y] of past) dot(pen, frame.x(x), frame.y(y), 3, color);
  dot(pen, frame.x(now[0]), frame.y(now[1]), 5, color);
  const [x, y] = readStart(start);
  handle(pen, frame.x(x), frame.y(y), pen.noise);
  return frame;
};

/** @type {(text: string) => [number, string]} */
const power = (text) => [Math.log10(Number(text)), text];
const LOW = 1e-3;
const HIGH = 10;

// A dashed line with the slope of an order.
/** @type {(pen: Pen, frame: Frame, order: number) => void} */
function guide(pen, frame, order) {
  const [xs, ys] = [
    [0.3, 0.9],
    [-1.1, -1.1 - 0.6 * order],
  ];
  curve(pen, frame, xs, ys, pen.noise, { width: 1.5, dash: [4, 4] });
  pen.ctx.fillStyle = pen.ink;
  write(pen, `order ${order}`, frame.x(xs[1]) + 5, frame.y(ys[1]) + 5);
}

/** @type {(world: World) => ViewOptions<State>["draw"]} */
const drawErrors = (world) => (pen, state) => {
  const frame = axes(pen, {
    x: [0, Math.log10(MOST)],
    y: [Math.log10(LOW), Math.log10(HIGH)],
    xTicks: ["1", "2", "5", "10", "20", "50"].map(power),
    yTicks: ["0.001", "0.01", "0.1", "1", "10"].map(power),
    xLabel: "passes of the network",
    yLabel: "error: RMS distance to the exact end",
  });
  guide(pen, frame, 1);
  guide(pen, frame, 2);
  for (const name of LANES) {
    const lane = laneOf(state, name);
    const points = world.curve(lane, state.seed);
    const [xs, ys] = [0, 1].map((i) => points.map((p) => Math.log10(p[i])));
    curve(pen, frame, xs, ys, inkOf(pen, name));
  }
  for (const name of LANES) {
    const cloud = world.cloud(laneOf(state, name), state.seed);
    const error = clamp(world.errorOf(cloud, state.seed), LOW, HIGH);
    const x = frame.x(Math.log10(last(cloud.used)));
    const y = frame.y(Math.log10(error));
    dot(pen, x, y, 6, pen.paper);
    dot(pen, x, y, 4.5, inkOf(pen, name));
  }
  return frame;
};

// ---- words ------------------------------------------------------------------

/** @type {[value: string, text: string][]} */
const SOLVERS = [
  ["ddim", "DDIM"],
  ["heun", "Heun"],
  ["midpoint", "midpoint"],
  ["bashforth", "Adams-Bashforth 2"],
  ["multistep", "DPM-Solver++(2M)"],
  ["random", "DDIM, η = 1"],
];

/** @type {[value: string, text: string][]} */
const GRIDS = [
  ["uniform", "uniform in t"],
  ["snr", "log SNR"],
  ["edm", "EDM's ρ"],
];

/** @type {(x: number) => string} */
const small = (x) => x.toPrecision(2);

/** @type {(world: World, state: State, name: Name) => [string, string]} */
function results(world, state, name) {
  const lane = laneOf(state, name);
  const run = world.cloud(lane, state.seed);
  const [all, now] = [last(run.used), Math.floor(state.k)];
  const error = small(world.errorOf(run, state.seed));
  const words = lane.solver === "random" ? `${error} (random ends)` : error;
  const told = state.k < all ? "not there yet" : words;
  return [`${Math.min(now, all)} of ${all}`, told];
}

/** @type {(world: World, name: Name) => (state: State) => string} */
const sayLane = (world, name) => (state) => {
  const lane = laneOf(state, name);
  const [passes, error] = results(world, state, name);
  const own = last(world.own(lane, state).at);
  const miss = small(distance(own, last(world.ownFlow(state.start))));
  return (
    `${name}: ${MANY} points on their way from noise to data after ${passes} ` +
    `passes, error ${error}. The large one starts at ${minus(state.start)} ` +
    `and ends ${miss} from where the exact flow ends. Arrow keys move its start`
  );
};

/** @type {(world: World) => (state: State) => string} */
const sayErrors = (world) => (state) => {
  const each = LANES.map((name) => {
    const points = world.curve(laneOf(state, name), state.seed);
    const some = points.filter((_, i) => i % 5 === 0);
    return `${name}: ${some.map(([n, e]) => `${small(e)} with ${n}`).join(", ")}`;
  });
  return `The error against the number of passes. ${each.join(". ")}`;
};

/** @type {(world: World) => (state: State) => Value[]} */
const valuesOf = (world) => (state) =>
  LANES.flatMap((name) => {
    const [passes, error] = results(world, state, name);
    return /** @type {Value[]} */ ([
      [`${name}: passes`, passes],
      [`${name}: error`, error],
    ]);
  });

// ---- the figure -------------------------------------------------------------

/** @type {(key: string, label: string, start: string) => Control<State>} */
const menuOf = (key, label, start) => ({
  kind: "menu",
  key,
  label,
  start,
  options: /solver/.test(key) ? SOLVERS : GRIDS,
  main: true,
});

/** @type {(name: Name, solver: string, grid: string) => Control<State>[]} */
const laneControls = (name, solver, grid) => [
  menuOf(`solver${name}`, `Solver ${name}`, solver),
  menuOf(`grid${name}`, `Grid ${name}`, grid),
  {
    kind: "range",
    key: `passes${name}`,
    label: `Passes ${name}`,
    min: 1,
    max: MOST,
    start: 16,
    main: true,
  },
];

/** @type {(state: State) => number} */
const longest = (state) =>
  Math.max(...LANES.map((name) => usedBy(laneOf(state, name))));

/** @type {Button<State>} */
const play = {
  label: {
    each: ["Play", "Pause"],
    which: (_, stage) => Number(stage.playing),
  },
  press(stage) {
    const { k } = stage.state;
    if (stage.playing) {
      stage.set({ k: Math.round(k) });
      return stage.pause();
    }
    if (k >= longest(stage.state)) stage.set({ k: 0 });
    return stage.play();
  },
  main: true,
};

/** @type {Button<State>} */
const onePass = {
  label: "One pass",
  press(stage) {
    stage.pause();
    const [k, most] = [Math.floor(stage.state.k) + 1, longest(stage.state)];
    stage.set({ k: k > most ? 0 : k === most ? MOST : k });
  },
  main: true,
};

/** @type {Control<State>[]} */
const CONTROLS = [
  ...laneControls("A", "ddim", "uniform"),
  ...laneControls("B", "multistep", "snr"),
  play,
  onePass,
  newNoise,
  seedValue,
  { key: "k", start: MOST, read: whole(MOST) },
  {
    key: "start",
    start: "0.1,-0.1",
    read: (text) => (PLACE.test(text) ? text : undefined),
  },
];

/** @type {NonNullable<Figure<State>["tick"]>} */
function tick(seconds, state, stage) {
  const most = longest(state);
  const k = state.k + (seconds * most) / clamp(most / 3, 1.5, 6);
  if (k < most) return { k };
  stage.set({ k: MOST });
  return stage.pause();
}

/** @type {(x: number, y: number) => Pick<State, "start">} */
const startAt = (x, y) => {
  const edge = { min: -2.4, max: 2.4, step: 0.01 };
  return { start: `${onGrid(x, edge)},${onGrid(y, edge)}` };
};

/** @type {Record<string, [number, number]>} */
const ARROWS = {
  ArrowLeft: [-0.1, 0],
  ArrowRight: [0.1, 0],
  ArrowUp: [0, 0.1],
  ArrowDown: [0, -0.1],
};

/** @type {(world: World, name: Name, color: string) => ViewOptions<State>} */
const laneView = (world, name, color) => ({
  label: sayLane(world, name),
  title: {
    each: SOLVERS.map(([, text]) => `${swatch(color)}${name}: ${text}`),
    which: (state) =>
      SOLVERS.findIndex(([solver]) => solver === state[`solver${name}`]),
  },
  span: 6,
  narrow: 6,
  aspect: 1,
  draw: drawLane(world, name),
  drag: {
    down(at, { start }, { x, y }) {
      const [a, b] = readStart(start);
      const off = { x: at.x - x(a), y: at.y - y(b) };
      return Math.hypot(off.x, off.y) < 24 ? off : undefined;
    },
    move: (off, at, state, { x, y }) =>
      startAt(x.invert(at.x - off.x), y.invert(at.y - off.y)),
  },
  keys(key, { start }) {
    const [x, y] = readStart(start);
    return ARROWS[key] && startAt(x + ARROWS[key][0], y + ARROWS[key][1]);
  },
});

/** @type {(place: Place) => () => void} */
function render({ model, el }) {
  const world = worldOf(model.get("data"));
  const colors = model.get("colors");
  return explorable({
    model,
    el,
    name: "fast",
    label: LABEL,
    controls: CONTROLS,
    views: [
      laneView(world, "A", colors.model),
      laneView(world, "B", colors.data),
      {
        label: sayErrors(world),
        title:
          `${swatch(colors.exact)}exact flow ${swatch(colors.noise)}start ` +
          "of the large point: drag it",
        height: 190,
        low: 150,
        draw: drawErrors(world),
      },
    ],
    values: valuesOf(world),
    tick,
  });
}

export default { name: "fast", render };
