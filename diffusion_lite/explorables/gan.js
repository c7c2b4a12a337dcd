// @ts-check
import { onGrid } from "./shared/controls.js";
import { axes, curve, dot, handle, swatch } from "./shared/drawing.js";
import { linspace, memo, minus } from "./shared/numbers.js";
import { explorable } from "./shared/stage.js";

/**
 * @typedef {{
 *   game: string, penalty: string, gamma: number, order: string, h: number,
 * }} Rules
 * @typedef {Rules & { theta: number, psi: number, steps: number }} State
 * @typedef {[theta: number, psi: number]} Pair
 * @typedef {[a: number, b: number, da: number, db: number]} Pulls
 */

// ---- maths (compared with dirac_gan.py in its test) -------------------------

/** @type {(u: number) => number} */
const sigmoid = (u) => 1 / (1 + Math.exp(-u));
/** @type {(s: number) => number} */
const slopeOf = (s) => s * (1 - s);

// The games: theta' = psi a(u), psi' = -theta b(u), with u = psi theta. Each
// gives a, b, and their slopes in u.
/** @type {Record<string, (u: number) => Pulls>} */
export const GAMES = {
  minimax(u) {
    const s = sigmoid(u);
    return [s, s, slopeOf(s), slopeOf(s)];
  },
  nonsaturating(u) {
    const s = sigmoid(u);
    return [1 - s, s, -slopeOf(s), slopeOf(s)];
  },
  wasserstein: () => [1, 1, 0, 0],
};

/** @type {(game: string, theta: number, psi: number) => Pair} */
const pure = (game, theta, psi) => {
  const [a, b] = GAMES[game](theta * psi);
  return [psi * a, -theta * b];
};

// The slopes of |v|^2 / 2, for consensus.
/** @type {(game: string, theta: number, psi: number) => Pair} */
function slopesOfSpeed(game, theta, psi) {
  const [a, b, da, db] = GAMES[game](theta * psi);
  const inside = psi ** 2 * a * da + theta ** 2 * b * db;
  return [theta * b * b + inside * psi, psi * a * a + inside * theta];
}

// Where a game pulls, with its penalty (dirac_gan.with_r1, with_consensus).
/**
 * @type {(
 *   rules: Omit<Rules, "order" | "h">, theta: number, psi: number,
 * ) => Pair}
 */
export function velocity({ game, penalty, gamma }, theta, psi) {
  const [dTheta, dPsi] = pure(game, theta, psi);
  if (penalty === "r1") return [dTheta, dPsi - gamma * psi];
  if (penalty === "none") return [dTheta, dPsi];
  const [ofTheta, ofPsi] = slopesOfSpeed(game, theta, psi);
  return [dTheta - gamma * ofTheta, dPsi - gamma * ofPsi];
}

// One step of both (dirac_gan.simultaneous_step, alternating_step).
/** @type {(rules: Rules, theta: number, psi: number) => Pair} */
export function step(rules, theta, psi) {
  const { order, h } = rules;
  const [dTheta, dPsi] = velocity(rules, theta, psi);
  const next = psi + h * dPsi;
  if (order === "together") return [theta + h * dTheta, next];
  return [theta + h * velocity(rules, theta, next)[0], next];
}

// The places of a game, until it has left for good.
/** @type {(rules: Rules, start: Pair, steps: number) => Pair[]} */
export function orbit(rules, start, steps) {
  const places = [start];
  while (places.length <= steps) {
    const [theta, psi] = places[places.length - 1];
    if (Math.hypot(theta, psi) > 1e3) break;
    places.push(step(rules, theta, psi));
  }
  return places;
}

// The factor of the distance in a step near the end: the larger eigenvalue of
// one step's matrix, by its size.
/** @type {(rules: Rules) => number} */
export function growth(rules) {
  const tiny = 1e-6;
  const [a, c] = step(rules, tiny, 0).map((x) => x / tiny);
  const [b, d] = step(rules, 0, tiny).map((x) => x / tiny);
  const half = (a + d) / 2;
  const root = half ** 2 - (a * d - b * c);
  return root < 0 ? Math.sqrt(a * d - b * c) : Math.abs(half) + Math.sqrt(root);
}

export const SNR = 0.25; // of the bowl: its slope is theta / 2, the game's speed
/** @type {(theta: number) => number} */
export const bowlLoss = (theta) => SNR * theta ** 2;
/** @type {(theta: number, h: number) => number} */
export const descend = (theta, h) => theta - h * 2 * SNR * theta;

// ---- the figure -------------------------------------------------------------

const LABEL =
  "Live figure: a game of two numbers, step by step, beside the descent of a " +
  "diffusion loss from the same start";
const FAR = 2.4; // what is shown of the plane
const MOST = 400; // steps
const REACH = 24; // pixels around the start that take hold of it
const LEAST = -4; // of the logarithm of a distance
const THETA = '<span style="font-style: italic">θ</span>';
const PSI = '<span style="font-style: italic">ψ</span>';

/** @type {(x: number) => string} */
const digits = (x) => minus(x.toFixed(2));
/** @type {(pair: Pair) => number} */
const far = ([theta, psi]) => Math.hypot(theta, psi);

/** @type {(x: number) => string} */
function small(x) {
  if (x > 999) return "far out";
  if (x < 1e-4) return "below 0.0001";
  return x.toFixed(x < 0.1 ? 4 : 2);
}

/** @type {(rules: Rules) => Rules} */
const rulesOf = ({ game, penalty, gamma, order, h }) => ({
  game,
  penalty,
  gamma,
  order,
  h,
});

const orbitOf = memo(
  (/** @type {State} */ state) =>
    orbit(rulesOf(state), [state.theta, state.psi], MOST),
  {
    key: ({ theta, psi, ...state }) =>
      JSON.stringify([rulesOf(state), theta, psi]),
  },
);

/** @type {(state: State) => Pair[]} */
const played = (state) => orbitOf(state).slice(0, state.steps + 1);

/** @type {(state: State) => number[]} */
function rolled({ theta, h, steps }) {
  const places = [theta];
  while (places.length <= steps)
    places.push(descend(places[places.length - 1], h));
  return places;
}

/** @type {Tick[]} */
const TICKS = [[-2, minus("-2")], [-1, minus("-1")], 0, 1, 2];

// Faint arrows: where the game pulls from here.
/** @type {(pen: Pen, frame: Frame, rules: Rules) => void} */
function drawField(pen, frame, rules) {
  const { ctx } = pen;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = pen.ink;
  ctx.globalAlpha = 0.35;
  ctx.lineWidth = 1;
  const unit = (frame.right - frame.left) / 13;
  for (const theta of linspace(-2.16, 2.16, 10))
    for (const psi of linspace(-2.16, 2.16, 10)) {
      const [dx, dy] = velocity(rules, theta, psi);
      const size = Math.hypot(dx, dy);
      if (size < 1e-9) continue;
      const long = (unit * size) / (size + 0.35);
      drawArrow(ctx, frame.x(theta), frame.y(psi), long, Math.atan2(-dy, dx));
    }
  ctx.restore();
}

/**
 * @type {(
 *   ctx: CanvasRenderingContext2D, x: number, y: number, long: number,
 *   angle: number,
 * ) => void}
 */
function drawArrow(ctx, x, y, long, angle) {
  ctx.save();
  ctx.translate(x, y);
  ctx.rotate(angle);
  ctx.beginPath();
  ctx.moveTo(-long / 2, 0);
  ctx.lineTo(long / 2, 0);
  ctx.lineTo(long / 2 - 4, -2.5);
  ctx.moveTo(long / 2, 0);
  ctx.lineTo(long / 2 - 4, 2.5);
  ctx.stroke();
  ctx.restore();
}

/** @type {(pen: Pen, state: State) => Frame} */
function drawGame(pen, state) {
  const frame = axes(pen, {
    x: [-FAR, FAR],
    y: [-FAR, FAR],
    xTicks: TICKS,
    yTicks: TICKS,
    xLabel: "θ, where the generated samples are",
    yLabel: "ψ, the slope of the logit",
  });
  drawField(pen, frame, rulesOf(state));
  const places = played(state);
  const [thetas, psis] = [0, 1].map((i) => places.map((place) => place[i]));
  curve(pen, frame, thetas, psis, pen.model, { width: 1 });
  for (const [theta, psi] of places)
    if (Math.max(Math.abs(theta), Math.abs(psi)) < FAR)
      dot(pen, frame.x(theta), frame.y(psi), 2, pen.model);
  dot(pen, frame.x(0), frame.y(0), 5, pen.exact);
  const [theta, psi] = places[places.length - 1];
  if (Math.max(Math.abs(theta), Math.abs(psi)) < FAR)
    dot(pen, frame.x(theta), frame.y(psi), 5, pen.model);
  handle(pen, frame.x(state.theta), frame.y(state.psi), pen.ink);
  return frame;
}

/** @type {(pen: Pen, state: State) => Frame} */
function drawBowl(pen, state) {
  const top = bowlLoss(FAR);
  const frame = axes(pen, {
    x: [-FAR, FAR],
    y: [-0.06 * top, top],
    xTicks: TICKS,
    xLabel: "θ, where the model says the data are",
    yLabel: "the simple loss, SNR 1/4",
  });
  const line = linspace(-FAR, FAR, 81);
  curve(pen, frame, line, line.map(bowlLoss), pen.ink, { width: 1 });
  const places = rolled(state);
  for (const theta of places)
    dot(pen, frame.x(theta), frame.y(bowlLoss(theta)), 2.5, pen.model);
  const last = places[places.length - 1];
  dot(pen, frame.x(0), frame.y(0), 5, pen.exact);
  dot(pen, frame.x(last), frame.y(bowlLoss(last)), 5, pen.model);
  const start = state.theta;
  handle(pen, frame.x(start), frame.y(bowlLoss(start)), pen.ink);
  return frame;
}

/** @type {(pen: Pen, state: State) => Frame} */
function drawDistances(pen, state) {
  const frame = axes(pen, {
    x: [0, MOST],
    y: [LEAST, 1],
    xTicks: [0, 100, 200, 300, 400],
    yTicks: [
      [-4, "0.0001"],
      [-2, "0.01"],
      [0, "1"],
    ],
    xLabel: "steps",
    yLabel: "distance to the end (logarithmic)",
  });
  const log = (/** @type {number} */ x) => Math.log10(Math.max(x, 1e-12));
  const all = (/** @type {Vector} */ places) => Array.from(places, (_, i) => i);
  const game = played(state).map((place) => log(far(place)));
  const bowl = rolled(state).map((theta) => log(Math.abs(theta)));
  curve(pen, frame, all(bowl), bowl, pen.model, { dash: [6, 5] });
  curve(pen, frame, all(game), game, pen.model, { width: 2.5 });
  return frame;
}

// ---- controls ---------------------------------------------------------------

/** @type {ChoiceControl<State>["options"]} */
const PENALTIES = [
  ["none", "none"],
  ["r1", "R1"],
  ["consensus", "consensus"],
];

/**
 * @param {string} key
 * @param {string} label
 * @param {number} min
 * @param {number} max
 * @param {number} stride
 * @param {number} start
 * @param {Partial<RangeControl<State>>} [more]
 * @returns {RangeControl<State>}
 */
const slider = (key, label, min, max, stride, start, more = {}) => ({
  kind: "range",
  key,
  label,
  min,
  max,
  step: stride,
  start,
  text: digits,
  ...more,
});

const START = {
  theta: slider("theta", `Start ${THETA}`, -2, 2, 0.05, 1.2),
  psi: slider("psi", `Start ${PSI}`, -2, 2, 0.05, 0),
};

/** @type {Button<State>} */
const play = {
  main: true,
  label: {
    each: ["Play", "Pause"],
    which: (_, stage) => Number(stage.playing),
  },
  press(stage) {
    if (stage.playing) return stage.pause();
    if (stage.state.steps >= MOST) stage.set({ steps: 0 });
    stage.play();
  },
};

/** @type {Control<State>[]} */
const CONTROLS = [
  play,
  slider("steps", "Steps", 0, MOST, 1, 120, { text: String, main: true }),
  {
    kind: "choice",
    key: "game",
    label: "Game",
    start: "nonsaturating",
    options: [
      ["minimax", "minimax"],
      ["nonsaturating", "non-saturating"],
      ["wasserstein", "Wasserstein"],
    ],
  },
  {
    kind: "choice",
    key: "penalty",
    label: "Penalty",
    start: "none",
    options: PENALTIES,
  },
  {
    kind: "choice",
    key: "order",
    label: "Players move",
    start: "together",
    options: [
      ["together", "together"],
      ["turns", "in turn"],
    ],
  },
  slider("h", "Size of a step", 0.02, 1, 0.02, 0.2),
  START.theta,
  START.psi,
  slider("gamma", "Penalty γ", 0.05, 2.5, 0.05, 0.5, {
    when: ({ penalty }) => penalty !== "none",
  }),
];

const PER_SECOND = 40; // steps while it plays

/** @type {() => NonNullable<Figure<State>["tick"]>} */
function playing() {
  let count = 0;
  return (seconds, { steps }, stage) => {
    if (steps >= MOST) return stage.pause();
    if (Math.floor(count) !== steps) count = steps;
    count = Math.min(MOST, count + PER_SECOND * seconds);
    return { steps: Math.floor(count) };
  };
}

/** @type {(theta: number, psi: number) => Pick<State, "theta" | "psi">} */
const startAt = (theta, psi) => ({
  theta: onGrid(theta, START.theta),
  psi: onGrid(psi, START.psi),
});

/** @type {ViewOptions<State, Frame, Point>["drag"]} */
const drag = {
  down(at, { theta, psi }, { x, y }) {
    const off = { x: at.x - x(theta), y: at.y - y(psi) };
    return Math.hypot(off.x, off.y) <= REACH ? off : undefined;
  },
  move: (off, at, state, { x, y }) =>
    startAt(x.invert(at.x - off.x), y.invert(at.y - off.y)),
};

/** @type {Record<string, Pair>} */
const ARROWS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

/** @type {(key: string, state: State) => Partial<State> | undefined} */
function keys(key, { theta, psi }) {
  const way = ARROWS[key];
  return way && startAt(theta + 0.1 * way[0], psi + 0.1 * way[1]);
}

/** @type {ViewOptions<State>[]} */
const VIEWS = [
  {
    label: (state) => {
      const places = played(state);
      return (
        `The game's places from theta ${digits(state.theta)}, psi ` +
        `${digits(state.psi)}; after ${places.length - 1} steps it is ` +
        `${small(far(places[places.length - 1]))} away from its end. Arrow ` +
        "keys move the start"
      );
    },
    title: "The game",
    span: 6,
    aspect: 1,
    low: 290,
    drag,
    keys,
    draw: drawGame,
  },
  {
    label: (state) =>
      "A bowl, the diffusion loss, and the steps of its descent; after " +
      `${state.steps} steps it is ` +
      `${small(Math.abs(rolled(state)[state.steps]))} away from the middle`,
    title: "The regression",
    span: 6,
    aspect: 1,
    low: 150,
    draw: drawBowl,
  },
  {
    label: "The distance to the end against the steps, of both",
    title: "Solid: the game. Dashed: the regression.",
    height: 150,
    low: 120,
    draw: drawDistances,
  },
];

/** @type {(state: State) => Value[]} */
function valuesOf(state) {
  const places = played(state);
  const factor = growth(rulesOf(state));
  return [
    [
      "factor of a step near the end",
      factor.toFixed(4),
      "factor of the distance in a step near the end",
    ],
    ["game's distance", small(far(places[places.length - 1]))],
    ["regression's", small(Math.abs(rolled(state)[state.steps]))],
  ];
}

/** @type {(place: Place) => () => void} */
function render({ model, el }) {
  const { model: orange, exact } = model.get("colors");
  const [game, bowl, distances] = VIEWS;
  return explorable({
    model,
    el,
    name: "gan",
    label: LABEL,
    controls: CONTROLS,
    views: [
      {
        ...game,
        title: `The game ${swatch(orange)}its steps ${swatch(exact)}its end`,
      },
      bowl,
      distances,
    ],
    values: valuesOf,
    tick: playing(),
  });
}

export default { name: "gan", render };
