// @ts-check
import { axes, curve, dot, scale, swatch, write } from "./shared/drawing.js";
import { clamp, memo, minus } from "./shared/numbers.js";
import { explorable } from "./shared/stage.js";

/**
 * @typedef {Record<string, (number | null)[]>} Sent by measure, one a seed
 * @typedef {{
 *   seeds: number[],
 *   sides: Record<string, Record<string, Record<string, Sent>>>,
 *   floors: Record<string, Sent>,
 * }} Data sides by task, currency, method and build; null is infinite
 * @typedef {{
 *   task: string, measure: string, pictures: string, currency: string,
 *   diffusion: string, gan: string, counted: number,
 * }} State pictures is the measure on the digits
 * @typedef {{ values: number[], blown: boolean[] }} Row a point each seed
 * @typedef {{
 *   text: string, unit: string, times: number, ratio?: boolean, high?: boolean,
 * }} Measure of a ratio the logarithms are compared; high is better, or low
 * @typedef {ReturnType<typeof verdictOf>} Verdict
 * @typedef {ReturnType<ReturnType<typeof worldOf>>} Seen
 */

// ---- maths (compared with Python in its test) -------------------------------

const TIE = 1e-5; // what differs by less is equal

// Log(a / b) of two distances, of which each may be 0 or infinite.
/** @type {(a: number, b: number) => number} */
export function logRatio(a, b) {
  if (a === b) return 0;
  if (Math.min(a, b) === 0 || Math.max(a, b) === Infinity)
    return a > b ? Infinity : -Infinity;
  return Math.log(a) - Math.log(b);
}

// In how many ways some of the ranks have the sum 0, 1, 2, ...
/** @type {(ranks: number[]) => number[]} */
export function nullCounts(ranks) {
  let ways = [1];
  for (const rank of ranks) {
    const next = [...ways, ...Array(rank).fill(0)];
    ways.forEach((count, sum) => (next[sum + rank] += count));
    ways = next;
  }
  return ways;
}

/** @type {(a: number, b: number) => boolean} */
const equal = (a, b) => a === b || Math.abs(a - b) <= TIE;

// Twice the rank of each size; equal ones share the mean of theirs.
/** @type {(sizes: number[]) => number[]} */
const doubledRanks = (sizes) =>
  sizes.map((size) => {
    if (size <= TIE) return 0;
    const same = sizes.filter((other) => equal(size, other)).length;
    const lower = sizes.filter((x) => x < size && !equal(size, x)).length;
    return 1 + same + 2 * lower;
  });

// Which way the differences lean, and the exact two-sided p: the share of all
// choices of signs whose sum of ranks is as far from 0 (verdicts.signed_rank).
/** @type {(apart: number[]) => { lean: number, p: number }} */
export function signedRank(apart) {
  const ranks = doubledRanks(apart.map(Math.abs));
  const sum = ranks.reduce((a, b) => a + b, 0);
  const lean = ranks.reduce((a, rank, i) => a + rank * Math.sign(apart[i]), 0);
  const asFar = nullCounts(ranks).reduce(
    (ways, count, above) =>
      Math.abs(2 * above - sum) >= Math.abs(lean) ? ways + count : ways,
    0,
  );
  return { lean: lean / 2, p: asFar / 2 ** ranks.length };
}

// The means of all pairs in order, each with itself too; `odd` stands for that
// of minus and plus infinity, or without it the pair is left out.
/** @type {(apart: number[], odd?: number) => Float64Array} */
function pairMeans(apart, odd = NaN) {
  const means = apart.flatMap((a, i) =>
    apart.slice(i).map((b) => a / 2 + b / 2),
  );
  const filled = means.map((mean) => (Number.isNaN(mean) ? odd : mean));
  return Float64Array.from(filled.filter((x) => !Number.isNaN(x))).sort();
}

// Where the differences have their middle (verdicts.hodges_lehmann).
/** @type {(apart: number[]) => number} */
export function hodgesLehmann(apart) {
  const means = pairMeans(apart);
  const middle = Math.floor((means.length - 1) / 2);
  const [low, high] = [means[middle], means[means.length - 1 - middle]];
  return low === -high ? 0 : low / 2 + high / 2;
}

// The exact 95 % interval of the signed-rank test (verdicts.interval).
/** @type {(apart: number[]) => [low: number, high: number]} */
export function interval(apart) {
  const n = apart.length;
  let [below, k] = [0, 0];
  for (const ways of nullCounts(apart.map((_, i) => i + 1))) {
    below += ways;
    if (below > 0.025 * 2 ** n) break;
    k++;
  }
  if (!k) return [-Infinity, Infinity];
  const [low, high] = [-Infinity, Infinity].map((x) => pairMeans(apart, x));
  return [low[k - 1], high[high.length - k]];
}

// ---- what is there ----------------------------------------------------------

const LABEL =
  "Live figure: all trainings of the contest between diffusion and a GAN with " +
  "R1, and the verdict of the signed-rank test";
const LEVEL = 0.05;

/** @type {[value: string, text: string][]} */
const TASKS = [
  ["ring", "8 modes"],
  ["grid25", "25"],
  ["grid100", "100"],
  ["grid400", "400"],
  ["digits", "digits"],
];

/** @type {Record<string, Measure>} */
const MEASURES = {
  frechet: { text: "Fréchet distance", unit: "", times: 1, ratio: true },
  energy: { text: "energy distance", unit: "", times: 1, ratio: true },
  weights_tv: {
    text: "error of the shares",
    unit: ", %",
    times: 100,
    ratio: true,
  },
  modes_lost: { text: "modes lost", unit: "", times: 1 },
  precision: { text: "precision", unit: ", %", times: 100, high: true },
  recall: { text: "recall", unit: ", %", times: 100, high: true },
};

// By how much diffusion is better, seed by seed; a logarithm for a ratio.
/** @type {(of: Measure, ours: number[], gans: number[]) => number[]} */
const advantage = ({ ratio, high }, ours, gans) =>
  ours.map((x, i) => {
    if (ratio) return logRatio(gans[i], x);
    return high ? x - gans[i] : gans[i] - x;
  });

// What the seeds say; `better` is 1 for diffusion, 2 for the GAN, 0 for none.
/**
 * @param {string} measure
 * @param {number[]} ours
 * @param {number[]} gans
 */
export function verdictOf(measure, ours, gans) {
  const of = MEASURES[measure];
  const apart = advantage(of, ours, gans);
  const { lean, p } = signedRank(apart);
  const [middle, low, high] = [hodgesLehmann(apart), ...interval(apart)];
  const better = p < LEVEL ? (lean > 0 ? 1 : 2) : 0;
  const wins = [1, -1].map((s) => apart.filter((x) => s * x > TIE).length);
  return { apart, p, middle, low, high, better, wins };
}

// What a choice must be, where the data leave none.
/** @type {(data: Data, state: State) => Partial<State>} */
function only({ sides }, { task, currency }) {
  const held = Object.keys(sides[task]);
  const there = sides[task][held.includes(currency) ? currency : held[0]];
  return {
    currency: held.length > 1 ? undefined : held[0],
    diffusion: there["diffusion convolution"] ? undefined : "perceptron",
    gan: there["gan-r1 convolution"] ? undefined : "perceptron",
  };
}

/** @type {(sent: Sent, measure: string) => Row} */
const rowOf = (sent, measure) => ({
  values: sent[measure].map((x) => x ?? Infinity),
  blown: sent.energy.map((x) => x === null),
});

// All rows of a task.
/** @type {(data: Data, task: string) => Sent[]} */
const allOf = ({ sides, floors }, task) => [
  floors[task],
  ...Object.values(sides[task]).flatMap((there) => Object.values(there)),
];

// The measures that a task has.
/** @type {(task: string) => string[]} */
const measuresOf = (task) =>
  Object.keys(MEASURES).filter(
    (name) => task === "digits" || name !== "frechet",
  );

// Stop if a task or a side is missing, or a value.
/** @type {(data: Data) => void} */
function check(data) {
  const { seeds, sides, floors } = data;
  for (const [task] of TASKS) {
    const held = Object.values(sides[task] ?? { none: {} });
    const both = ["diffusion perceptron", "gan-r1 perceptron"];
    if (!floors[task] || !held.every((there) => both.every((x) => there[x])))
      throw Error(`${task} must have real data and both sides`);
    for (const sent of allOf(data, task))
      for (const name of measuresOf(task))
        if (sent[name]?.length !== seeds.length)
          throw Error(`${task} must have ${seeds.length} values of ${name}`);
  }
}

// The lowest and highest finite value, above 0 for a ratio.
/** @type {(values: number[], ratio?: boolean) => [number, number]} */
function rangeOf(values, ratio) {
  const finite = values.filter((x) => Number.isFinite(x) && !(ratio && !x));
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  return [low, high > low ? high : low + 1];
}

// How far apart two sides are in a measure, wherever: one axis for all data.
/** @type {(data: Data, measure: string) => number} */
function farthest({ sides }, measure) {
  const of = MEASURES[measure];
  const cells = Object.values(sides).flatMap((held) => Object.values(held));
  const found = cells.flatMap((there) => {
    const named = Object.entries(there).filter(([, sent]) => sent[measure]);
    const [ours, gans] = ["diffusion", "gan-r1"].map((method) =>
      named.filter(([side]) => side.startsWith(`${method} `)),
    );
    return ours.flatMap(([, a]) =>
      gans.flatMap(([, b]) =>
        advantage(of, rowOf(a, measure).values, rowOf(b, measure).values),
      ),
    );
  });
  const least = of.ratio ? 1 : 1 / of.times; // or equal sides had no axis
  return Math.max(...found.map(Math.abs).filter(Number.isFinite), least);
}

// What is seen of a state.
/** @param {Data} data */
export function worldOf(data) {
  check(data);
  const { sides, floors } = data;
  const far = memo((/** @type {string} */ measure) => farthest(data, measure), {
    most: 6,
  });
  return memo(
    (/** @type {State} */ state) => {
      const { task, counted } = state;
      const measure = task === "digits" ? state.pictures : state.measure;
      const must = only(data, state);
      const there = sides[task][must.currency ?? state.currency];
      const builds = [must.diffusion ?? state.diffusion, must.gan ?? state.gan];
      const rows = ["diffusion", "gan-r1"].map((method, i) =>
        rowOf(there[`${method} ${builds[i]}`], measure),
      );
      const all = allOf(data, task).flatMap(
        (sent) => rowOf(sent, measure).values,
      );
      const [ours, gans] = rows.map(({ values }) => values.slice(0, counted));
      return {
        of: MEASURES[measure],
        builds,
        counted,
        rows: [...rows, rowOf(floors[task], measure)],
        range: rangeOf(all, MEASURES[measure].ratio),
        blows: all.includes(Infinity),
        far: far(measure),
        verdict: verdictOf(measure, ours, gans),
      };
    },
    { key: (state) => Object.values(state).join() },
  );
}

// ---- drawing ----------------------------------------------------------------

const NAMES = ["diffusion", "GAN with R1", "real data"];
const STEPS = [1, 2, 5];

// Round whole numbers from low to high, no more than `most`.
/** @type {(low: number, high: number, most: number) => number[]} */
function roundOnes(low, high, most) {
  for (let power = 1; ; power *= 10)
    for (const step of STEPS.map((x) => x * power)) {
      const from = Math.ceil(low / step - 1e-9);
      const many = Math.floor(high / step + 1e-9) - from + 1;
      if (many <= most)
        return Array.from({ length: many }, (_, i) => (from + i) * step);
    }
}

// The same for logarithms to base e: powers of 10, with 2 and 5 or 3 if few.
/** @type {(low: number, high: number, most: number) => number[]} */
function roundLogs(low, high, most) {
  const [from, to] = [low, high].map((x) => Math.floor(x / Math.LN10));
  const powers = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  for (const steps of [STEPS, [1, 3], [1]]) {
    const found = powers
      .flatMap((power) => steps.map((x) => Math.log(x * 10 ** power)))
      .filter((x) => x >= low - 1e-9 && x <= high + 1e-9);
    if (found.length <= most) return found;
  }
  return powers.filter((x) => x % 2 === 0).map((x) => x * Math.LN10);
}

/** @type {(x: number) => string} */
const plain = (x) => minus(String(Number(x.toPrecision(3))));

// Ticks at round numbers, for an axis of numbers or of logarithms of them,
// which are told as `times` as much.
/** @type {(low: number, high: number, most: number, of: Measure) => Tick[]} */
function ticksOf(low, high, most, { ratio, times }) {
  if (!ratio)
    return roundOnes(times * low, times * high, most).map((x) => [
      x / times,
      plain(x),
    ]);
  const more = Math.log(times);
  return roundLogs(low + more, high + more, most).map((x) => [
    x - more,
    plain(Math.exp(x)),
  ]);
}

// Where the axis of the points ends; what blew up stands a little beyond.
/** @type {(seen: Seen) => { ends: [number, number], edge: number }} */
function endsOf({ of, range, blows }) {
  const [low, high] = of.ratio ? range.map((x) => Math.log(x)) : range;
  const room = 0.04 * (high - low);
  const edge = high + (blows ? 3 : 1) * room;
  return { ends: [low - room, blows ? edge + room : edge], edge };
}

/** @type {(pen: Pen, seen: Seen) => Frame} */
function pointsFrame(pen, seen) {
  const { of, builds } = seen;
  const { ends } = endsOf(seen);
  const words = [...builds.map((build) => `${build}s`), "the floor"];
  return axes(pen, {
    x: ends,
    y: [2.55, -0.5],
    xTicks: ticksOf(...ends, pen.width / 70, of),
    yTicks: NAMES.flatMap((name, i) => [
      [i - 0.14, name],
      [i + 0.15, words[i]],
      [9, "convolutions"], // keeps the width
    ]),
    xLabel: of.text + of.unit,
  });
}

// How far a seed's points stand below the middle of their rows.
/** @type {(n: number, many: number) => number} */
const heightOf = (n, many) => 26 * ((n + 0.5) / many - 0.5);

// The place of each point of a row; those of one seed have one height in it.
/** @type {(frame: Frame, seen: Seen, i: number) => Point[]} */
function placesOf({ x, y }, seen, i) {
  const { edge, ends } = endsOf(seen);
  const { values } = seen.rows[i];
  return values.map((value, n) => ({
    x: x(
      value === Infinity
        ? edge
        : Math.max(seen.of.ratio ? Math.log(value) : value, ends[0]),
    ),
    y: y(i) + heightOf(n, values.length),
  }));
}

/** @type {(pen: Pen, at: Point, color: string) => void} */
function cross({ ctx }, { x, y }, color) {
  ctx.strokeStyle = color;
  ctx.lineWidth = 2.5;
  ctx.beginPath();
  for (const s of [-4, 4]) {
    ctx.moveTo(x - 4, y - s);
    ctx.lineTo(x + 4, y + s);
  }
  ctx.stroke();
}

/** @type {(pen: Pen, frame: Frame, seen: Seen) => void} */
function drawPairs(pen, frame, seen) {
  const { ctx, ink } = pen;
  const [ours, gans] = [0, 1].map((i) => placesOf(frame, seen, i));
  const apart = advantage(seen.of, seen.rows[0].values, seen.rows[1].values);
  ctx.save();
  ctx.strokeStyle = ink;
  ours.forEach((from, n) => {
    ctx.globalAlpha = n < seen.counted ? 0.6 : 0.12;
    ctx.lineWidth = 1.2;
    ctx.setLineDash(apart[n] < -TIE ? [4, 3] : []);
    ctx.beginPath();
    ctx.moveTo(from.x, from.y);
    ctx.lineTo(gans[n].x, gans[n].y);
    ctx.stroke();
  });
  ctx.restore();
}

/** @type {(values: number[]) => number} */
export function median(values) {
  const sorted = Float64Array.from(values).sort();
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}

/** @type {(pen: Pen, frame: Frame, seen: Seen, i: number) => void} */
function drawRow(pen, frame, seen, i) {
  const { ctx } = pen;
  const color = i < 2 ? pen.model : pen.exact;
  const { blown, values } = seen.rows[i];
  const counted = i < 2 ? seen.counted : values.length;
  const row = { values: [median(values.slice(0, counted))], blown: [] };
  const [{ x }] = placesOf(frame, { ...seen, rows: [row] }, 0);
  ctx.fillStyle = color;
  ctx.fillRect(x - 1.5, frame.y(i) - 16, 3, 32);
  placesOf(frame, seen, i).forEach((at, n) => {
    ctx.globalAlpha = n < counted ? 0.75 : 0.2;
    if (blown[n]) cross(pen, at, pen.ink);
    else dot(pen, at.x, at.y, 3.2, color);
  });
  ctx.globalAlpha = 1;
}

/** @type {(pen: Pen, seen: Seen) => Frame} */
function drawPoints(pen, seen) {
  const frame = pointsFrame(pen, seen);
  drawPairs(pen, frame, seen);
  for (const i of [0, 1, 2]) drawRow(pen, frame, seen, i);
  if (seen.rows.some(({ blown }) => blown.includes(true))) {
    pen.ctx.fillStyle = pen.ink;
    write(pen, "× blew up", frame.right, frame.y(2.45), "right");
  }
  return frame;
}

// A line at "no difference", a dot each seed, and below the interval.
/** @type {(pen: Pen, seen: Seen) => Frame} */
function drawVerdict(pen, { of, far, verdict }) {
  const ends = /** @type {[number, number]} */ ([-1.1 * far, 1.1 * far]);
  const frame = axes(pen, {
    x: ends,
    y: [0, 3],
    xTicks: ticksOf(
      ...ends,
      pen.width / 45,
      of.ratio ? { ...of, times: 1 } : of,
    ),
    xLabel: againstOf(of),
  });
  const { ctx } = pen;
  const x = scale(ends, [frame.left, frame.right]);
  const at = (/** @type {number} */ value) => x(clamp(value, ...ends));
  ctx.fillStyle = pen.ink;
  ctx.fillRect(x(0) - 0.5, 0, 1, frame.bottom);
  write(pen, "← GAN better", x(0) - 8, 12, "right");
  write(pen, "diffusion better →", x(0) + 8, 12);
  ctx.globalAlpha = 0.55;
  verdict.apart.forEach((value, n) => {
    const y = frame.y(1.8) + heightOf(n, verdict.apart.length) / 2;
    dot(pen, at(value), y, 3, pen.model);
  });
  ctx.globalAlpha = 1;
  const bar = { width: 2.5 };
  const [low, high] = [verdict.low, verdict.high].map((v) => clamp(v, ...ends));
  curve(pen, frame, [low, high], [0.7, 0.7], pen.model, bar);
  for (const end of [low, high])
    curve(pen, frame, [end, end], [0.45, 0.95], pen.model, bar);
  dot(pen, at(verdict.middle), frame.y(0.7), 6.5, pen.model);
  if (!verdict.better) dot(pen, at(verdict.middle), frame.y(0.7), 4, pen.paper);
  return frame;
}

// ---- words ------------------------------------------------------------------

const VERDICTS = [
  "No difference can be seen",
  "Diffusion is better",
  "The GAN is better",
];

/** @type {(of: Measure) => string} */
const againstOf = ({ ratio, high, text, unit }) => {
  if (ratio) return `${text}, GAN / diffusion`;
  return `${text}, ${high ? "diffusion − GAN" : "GAN − diffusion"}${unit}`;
};

// Two digits, or as many as tell x from what is no difference.
/** @type {(x: number, same?: number) => string} */
export function inDigits(x, same = 0) {
  if (x === 0) return "0";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  let digits = Math.max(0, 1 - Math.floor(Math.log10(Math.abs(x))));
  while (digits < 9 && x !== same && Number(x.toFixed(digits)) === same)
    digits++;
  return minus(x.toFixed(digits));
}

// An advantage as it is told: as a ratio, where logarithms were compared.
/** @type {(of: Measure) => (x: number) => string} */
const toldOf =
  ({ ratio, times }) =>
  (x) =>
    ratio ? inDigits(Math.exp(x), 1) : inDigits(times * x);

/** @type {(p: number) => string} */
const probability = (p) => Number(p.toPrecision(2)).toString();

/** @type {(seen: Seen) => string} */
function sayPoints({ of, rows, builds, counted }) {
  const each = rows.map(({ values, blown }, i) => {
    const those = i < 2 ? values.slice(0, counted) : values;
    const lost = blown.slice(0, those.length).filter(Boolean).length;
    const ends = [Math.min(...those), Math.max(...those)].map((x) =>
      inDigits(of.times * x),
    );
    const name = i < 2 ? `${NAMES[i]} of ${builds[i]}s` : NAMES[i];
    const more = lost ? `, ${lost} blew up` : "";
    const middle = inDigits(of.times * median(those));
    return `${name}: median ${middle}, from ${ends.join(" to ")}${more}`;
  });
  return (
    `Three rows of points, one a training, on an axis of ${of.text}${of.unit}. ` +
    `${each.join(". ")}. Lines join the trainings of one seed`
  );
}

/** @type {(seen: Seen) => string} */
function sayVerdict({ of, verdict }) {
  const each = verdict.apart.map(toldOf(of));
  return (
    `${againstOf(of)}, seed by seed: ${each.join(", ")}. ` +
    `Below, the estimate with its interval. ${VERDICTS[verdict.better]}`
  );
}

/** @type {(seen: Seen) => Value[]} */
function valuesOf(seen) {
  const { of, verdict } = seen;
  const told = [verdict.middle, verdict.low, verdict.high].map(toldOf(of));
  const against = of.high ? "diffusion − GAN" : "GAN − diffusion";
  const name = of.ratio ? "ratio GAN / diffusion" : against + of.unit;
  const spoken =
    `${VERDICTS[verdict.better]}, before the correction for many questions. ` +
    "Exact p";
  const [ours, gans] = verdict.wins;
  return [
    [name, told[0], againstOf(of)],
    ["95 % interval", `${told[1]} to ${told[2]}`],
    ["exact <i>p</i>", probability(verdict.p), spoken],
    ["seeds won", `${ours} diffusion, ${gans} GAN`],
  ];
}

// ---- the figure -------------------------------------------------------------

/** @type {[value: string, text: string][]} */
const BUILDS = [
  ["perceptron", "perceptrons"],
  ["convolution", "convolutions"],
];

/** @type {(task: string) => [string, string][]} */
const optionsOf = (task) =>
  measuresOf(task).map((name) => [name, MEASURES[name].text]);

/** @type {MenuControl<State>[]} */
const MENUS = [
  {
    kind: "menu",
    key: "measure",
    label: "Measure",
    start: "energy",
    options: optionsOf("ring"),
    when: ({ task }) => task !== "digits",
    main: true,
  },
  {
    kind: "menu",
    key: "pictures",
    label: "Measure",
    start: "frechet",
    options: optionsOf("digits"),
    when: ({ task }) => task === "digits",
    main: true,
  },
];

/** @type {(data: Data, key: "diffusion" | "gan") => ChoiceControl<State>} */
const buildOf = (data, key) => ({
  kind: "choice",
  key,
  label: key === "gan" ? "GAN of" : "Diffusion of",
  start: "perceptron",
  options: BUILDS,
  only: (state) => only(data, state)[key],
  main: true,
});

/** @type {(data: Data) => Control<State>[]} */
const controlsOf = (data) => [
  {
    kind: "choice",
    key: "task",
    label: "Data",
    start: "ring",
    options: TASKS,
    main: true,
  },
  {
    kind: "choice",
    key: "currency",
    label: "Equal",
    start: "operations",
    options: [
      ["operations", "operations"],
      ["seconds", "seconds"],
    ],
    only: (state) => only(data, state).currency,
    main: true,
  },
  buildOf(data, "diffusion"),
  buildOf(data, "gan"),
  ...MENUS,
  {
    kind: "range",
    key: "counted",
    label: "Seeds counted",
    min: 2,
    max: data.seeds.length,
    start: data.seeds.length,
  },
];

/** @type {(colors: Colors) => string} */
const legend = ({ model, exact }) =>
  `${swatch(model)}a training ${swatch(exact)}real data. Bar: median. ` +
  "Line: one seed, dashed where the GAN is better.";

/** @type {(place: Place) => () => void} */
function render({ model, el }) {
  const data = model.get("data");
  const see = worldOf(data);
  return explorable({
    model,
    el,
    name: "contest",
    label: LABEL,
    controls: controlsOf(data),
    views: [
      {
        label: (state) => sayPoints(see(state)),
        title: legend(model.get("colors")),
        height: 240,
        low: 220,
        draw: (pen, state) => drawPoints(pen, see(state)),
      },
      {
        label: (state) => sayVerdict(see(state)),
        title: {
          each: VERDICTS.map(
            (words) =>
              `<b>${words}</b>, before the correction for many questions.`,
          ),
          which: (state) => see(state).verdict.better,
        },
        height: 112,
        draw: (pen, state) => drawVerdict(pen, see(state)),
      },
    ],
    values: (state) => valuesOf(see(state)),
  });
}

export default { name: "contest", render };
