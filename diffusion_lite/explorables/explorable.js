// What every live figure shares: a stage with sharp canvases, labelled
// controls and spoken values; axes; the schedules; numbers from Python; a
// random source with a seed. It stands in front of each figure's own script
// (explorable.py), and depends on nothing.

// ---- numbers ----------------------------------------------------------------

function bytesOf(buffer, count, width, name) {
  const length = buffer?.byteLength;
  if (length !== count * width)
    throw new Error(
      `${name} must have ${count * width} bytes, got ${length ?? "none"}`,
    );
  const from = buffer.byteOffset ?? 0;
  return (buffer.buffer ?? buffer).slice(from, from + length);
}

// The float32 numbers that explorable.floats sent.
export const floats = (buffer, count, name = "data") =>
  new Float32Array(bytesOf(buffer, count, 4, name));

// The half-precision numbers that explorable.halves sent, as float32.
export function halves(buffer, count, name = "data") {
  const bits = new Uint16Array(bytesOf(buffer, count, 2, name));
  return Float32Array.from(bits, (h) => {
    const exponent = (h >> 10) & 31;
    const fraction = (h & 1023) / 1024;
    const sign = h >> 15 ? -1 : 1;
    if (exponent === 31) throw new Error(`${name} must be finite`);
    return exponent
      ? sign * 2 ** (exponent - 15) * (1 + fraction)
      : sign * 2 ** -14 * fraction;
  });
}

// Networks of one shape, one after another in a buffer of half precision: for
// each, its weights by their names. `sizes` is [name, count], in their order.
export function networks(sizes, buffer, count = 1) {
  const each = sizes.reduce((sum, [, size]) => sum + size, 0);
  const all = Float64Array.from(halves(buffer, count * each, "weights"));
  let from = 0;
  const cut = ([name, size]) => [name, all.subarray(from, (from += size))];
  return Array.from({ length: count }, () =>
    Object.fromEntries(sizes.map(cut)),
  );
}

// Sines and cosines that tell a network the time (networks.time_embedding).
export function timeEmbedding(t, dim) {
  const half = dim / 2;
  return Float64Array.from({ length: dim }, (_, i) => {
    const angle = t * Math.exp((-Math.log(10000) * (i % half)) / half);
    return i < half ? Math.sin(angle) : Math.cos(angle);
  });
}

// Evenly distributed numbers in [0, 1): mulberry32.
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 4294967296;
  };
}

// Normal numbers, by Box and Muller's method.
export function normals(count, seed) {
  const uniform = random(seed);
  return Float32Array.from({ length: count }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    return radius * Math.cos(2 * Math.PI * uniform());
  });
}

// Remember the last answers, `most` of them, by what they were asked with.
export function memo(
  make,
  { most = 1, key = (...asked) => asked.join() } = {},
) {
  const kept = new Map();
  return (...asked) => {
    const name = key(...asked);
    const found = kept.has(name) ? kept.get(name) : make(...asked);
    kept.delete(name);
    kept.set(name, found); // the last used is the last in the map
    if (kept.size > most) kept.delete(kept.keys().next().value);
    return found;
  };
}

export const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

export const linspace = (low, high, n) =>
  Float64Array.from(
    { length: n },
    (_, i) => low + ((high - low) * i) / (n - 1),
  );

export const normalDensity = (x, mean, variance) =>
  Math.exp(-((x - mean) ** 2) / (2 * variance)) /
  Math.sqrt(2 * Math.PI * variance);

// ---- the forward process (forward.py, mixtures.py) --------------------------

// x_t from x_0 and eps (forward.q_sample).
export const qSample = (x0, alphaBar, eps) =>
  x0.map((x, i) => Math.sqrt(alphaBar) * x + Math.sqrt(1 - alphaBar) * eps[i]);

// A mixture on a line as explorable.line_law sent it, if it is one.
export function lineLaw(law, count = law?.weights?.length) {
  const lists = [law?.weights, law?.means, law?.variances];
  const good = (list) =>
    Array.isArray(list) && list.length === count && list.every(Number.isFinite);
  if (!count || !lists.every(good))
    throw new Error(
      `law must have ${count || "some"} weights, means and variances each`,
    );
  if (!(Math.min(...law.weights, ...law.variances) > 0))
    throw new Error("law must have weights and variances above 0");
  return law;
}

// Its law at alpha_bar (mixtures.noised).
export const noised = ({ weights, means, variances }, alphaBar) => ({
  weights,
  means: means.map((mean) => Math.sqrt(alphaBar) * mean),
  variances: variances.map((v) => alphaBar * v + 1 - alphaBar),
});

// ---- schedules (schedules.py): alpha_bar_0 to alpha_bar_T -------------------

function linearAlphaBar(T) {
  const log = new Float64Array(1001);
  for (let t = 1; t <= 1000; t++)
    log[t] = log[t - 1] + Math.log1p(-(1e-4 + ((0.02 - 1e-4) * (t - 1)) / 999));
  return Float64Array.from({ length: T + 1 }, (_, t) => {
    const place = (t * 1000) / T;
    const below = Math.min(Math.floor(place), 999);
    return Math.exp(
      log[below] + (place - below) * (log[below + 1] - log[below]),
    );
  });
}

function cosineAlphaBar(T) {
  const f = (t) => Math.cos(((t / T + 0.008) / 1.008) * (Math.PI / 2)) ** 2;
  const alphaBar = new Float64Array(T + 1).fill(1);
  for (let t = 1; t <= T; t++)
    alphaBar[t] = alphaBar[t - 1] * Math.max(f(t) / f(t - 1), 1 - 0.999);
  return alphaBar;
}

export const SCHEDULES = { linear: linearAlphaBar, cosine: cosineAlphaBar };

// ---- drawing ----------------------------------------------------------------

export function scale([a, b], [from, to]) {
  const map = (v) => from + ((v - a) / (b - a)) * (to - from);
  map.invert = (place) => a + ((place - from) / (to - from)) * (b - a);
  return map;
}

// Draw axes; return the scales x and y, and the edges of what is inside.
// `x` and `y` are ranges; ticks are numbers, or [number, text].
export function axes(pen, { x, y, xTicks = [], yTicks = [], xLabel, yLabel }) {
  const { ctx, width, height } = pen;
  const pair = (tick) => (Array.isArray(tick) ? tick : [tick, String(tick)]);
  ctx.font = pen.font;
  const wide = Math.max(
    0,
    ...yTicks.map((tick) => ctx.measureText(pair(tick)[1]).width),
  );
  const left = 6 + (wide ? wide + 6 : 0);
  const top = yLabel ? 22 : 8;
  const right = width - 10;
  const bottom = height - (xTicks.length ? 20 : 6) - (xLabel ? 18 : 0);
  const frame = { left, top, right, bottom };
  frame.x = scale(x, [left, right]);
  frame.y = scale(y, [bottom, top]);
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = pen.ink;
  ctx.globalAlpha = 0.45;
  ctx.beginPath();
  ctx.moveTo(left, bottom + 0.5);
  ctx.lineTo(right, bottom + 0.5);
  for (const tick of xTicks) {
    ctx.moveTo(frame.x(pair(tick)[0]), bottom);
    ctx.lineTo(frame.x(pair(tick)[0]), bottom + 4);
  }
  ctx.stroke();
  ctx.globalAlpha = 0.85;
  for (const tick of xTicks)
    write(pen, pair(tick)[1], frame.x(pair(tick)[0]), bottom + 16, "center");
  for (const tick of yTicks)
    write(pen, pair(tick)[1], left - 6, frame.y(pair(tick)[0]) + 4, "right");
  if (xLabel) write(pen, xLabel, (left + right) / 2, height - 4, "center");
  if (yLabel) write(pen, yLabel, 2, 12);
  ctx.restore();
  return frame;
}

// Write in the colour at hand; words stay inside the canvas.
export function write({ ctx, font, width }, text, x, y, align = "left") {
  ctx.font = font;
  const wide = ctx.measureText(text).width;
  const start = x - { left: 0, center: wide / 2, right: wide }[align];
  ctx.fillText(text, clamp(start, 0, Math.max(0, width - wide)), y);
}

// A line through points in the data's units, inside the frame.
export function curve(pen, frame, xs, ys, color, options = {}) {
  const { ctx } = pen;
  const { width = 2, dash = [], fill = 0 } = options;
  ctx.save();
  ctx.beginPath();
  const [across, down] = [frame.right - frame.left, frame.bottom - frame.top];
  ctx.rect(frame.left, frame.top - 2, across, down + 3);
  ctx.clip();
  ctx.beginPath();
  for (let i = 0; i < xs.length; i++)
    ctx.lineTo(frame.x(xs[i]), frame.y(ys[i]));
  ctx.strokeStyle = ctx.fillStyle = color;
  ctx.lineWidth = width;
  ctx.lineJoin = "round";
  ctx.setLineDash(dash);
  ctx.stroke();
  if (fill) {
    ctx.lineTo(frame.x(xs[xs.length - 1]), frame.bottom);
    ctx.lineTo(frame.x(xs[0]), frame.bottom);
    ctx.globalAlpha = fill;
    ctx.fill();
  }
  ctx.restore();
}

export function dot({ ctx }, x, y, radius, color) {
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, 2 * Math.PI);
  ctx.fillStyle = color;
  ctx.fill();
}

// A handle that can be dragged: a dot with a rim in the page's own colour.
export function handle(pen, x, y, color) {
  dot(pen, x, y, 8, color);
  pen.ctx.lineWidth = 2;
  pen.ctx.strokeStyle = pen.paper;
  pen.ctx.stroke();
}

// A square grey picture, values in [-1, 1], ink +1 on white paper.
export function picture({ ctx }, pixels, x, y, size) {
  const n = Math.sqrt(pixels.length);
  const edge = (i) => Math.round((i * size) / n);
  for (let i = 0; i < pixels.length; i++) {
    const [row, column] = [Math.floor(i / n), i % n];
    const level = Math.round((255 * (1 - clamp(pixels[i], -1, 1))) / 2);
    ctx.fillStyle = `rgb(${level} ${level} ${level})`;
    ctx.fillRect(
      x + edge(column),
      y + edge(row),
      edge(column + 1) - edge(column) + (column + 1 < n), // or seams show
      edge(row + 1) - edge(row) + (row + 1 < n),
    );
  }
}

// A sample of a colour, to stand in a title before what has the colour.
export const swatch = (color) =>
  `<i class="swatch" style="background: ${color}"></i>`;

export const minus = (text) => text.replace("-", "−");
export const percent = (share) => `${(100 * share).toFixed(1)} %`;

// ---- controls ---------------------------------------------------------------

// Each kind makes its element and says what a value may be: `read` returns
// the value, or undefined where it is none that the control allows.
const KINDS = {
  range: {
    read({ min, max, step = 1 }, value) {
      const number = value === "" ? NaN : Number(value);
      if (!(number >= min && number <= max)) return undefined;
      return Number(
        (min + step * Math.round((number - min) / step)).toFixed(9),
      );
    },
    make({ min, max, step = 1, label }, set) {
      const input = element("input", { type: "range", min, max, step });
      const output = element("output");
      const name = element("span", { innerHTML: label });
      const box = element("label", { className: "range" }, name, input, output);
      input.addEventListener("input", () => set(Number(input.value)));
      return {
        box,
        show(value, text) {
          input.value = value;
          input.setAttribute("aria-valuetext", text);
          if (output.value !== text) output.value = text;
        },
      };
    },
  },
  choice: {
    read: ({ options }, value) =>
      options.some(([name]) => name === value) ? value : undefined,
    make({ label, options }, set) {
      const group = `choice-${Math.random().toString(36).slice(2)}`;
      const inputs = options.map(([value]) =>
        element("input", { type: "radio", name: group, value }),
      );
      const labels = options.map(([, text], i) =>
        element("label", {}, inputs[i], element("span", { innerHTML: text })),
      );
      const legend = element("legend", { innerHTML: label });
      const box = element(
        "fieldset",
        { className: "choice" },
        legend,
        ...labels,
      );
      for (const input of inputs)
        input.addEventListener("change", () => set(input.value));
      return {
        box,
        show(value) {
          for (const input of inputs) input.checked = input.value === value;
        },
      };
    },
  },
};

// What several figures have among their controls.
export const scheduleChoice = {
  kind: "choice",
  key: "schedule",
  label: "Schedule",
  start: "linear",
  options: [
    ["linear", "linear"],
    ["cosine", "cosine"],
  ],
};

// The `read` of a whole number from 0 to `most`.
export const whole = (most) => (value) =>
  /^\d{1,4}$/.test(value) && value <= most ? Number(value) : undefined;

const SEEDS = 1000;
export const nextSeed = ({ seed }) => ({ seed: (seed + 1) % SEEDS });
export const noiseControls = [
  { label: "New noise", press: (stage) => stage.set(nextSeed(stage.state)) },
  { key: "seed", start: 1, read: whole(SEEDS - 1) },
];

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// Words may be fixed, or follow from the state.
const worded = (words, ...from) =>
  typeof words === "function" ? words(...from) : words;

// Put HTML of our own into a place, if it is not there already.
function fill(place, html) {
  if (place.dataset.html === html) return;
  place.innerHTML = place.dataset.html = html;
}

// ---- the stage --------------------------------------------------------------

// Build a live figure in `el`; return what takes it away again.
//
// name      the word in the address bar
// label     what a screen reader calls the figure
// controls  in order: {kind, key, label, start, ...} for range (min, max, step,
//           text) and choice (options: [value, text]); {press(stage), label}
//           for a button; and {key, start, read} for a value with no control
//           of its own, where `read` checks what the address says. `when`
//           hides a control. A button's label may be a function of the state
//           and the stage.
// views     canvases: {label, title, span, narrow, aspect or height, draw}, of
//           12 columns; label and title may be functions of the state.
//           draw(pen, state, stage) may return a frame, which `drag` {down,
//           move}, `tap(point, state, frame)` and `keys(key, state, frame)`
//           are given; points are in pixels. `down` returns what is taken
//           hold of, if anything; the others return what changes. `when`
//           hides a view.
// values    (state) => [[name, value, spoken name], ...]
// tick      (seconds, state, stage) => changes, called at each frame of play
// playing   whether it plays from the start
export function explorable({ model, el, ...figure }) {
  const stage = new Stage(model, figure);
  el.append(stage.root);
  stage.start();
  return () => stage.end();
}

class Stage {
  constructor(model, { name, label, controls, views, ...rest }) {
    Object.assign(this, { model, name, controls, ...rest });
    this.colors = model.get("colors");
    this.root = element("div", { className: "explorable" });
    this.root.dataset.name = name;
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", label);
    this.note = element("p", { className: "note", hidden: true });
    this.note.setAttribute("role", "status");
    this.list = element("dl", { className: "values" });
    this.said = element("p", { className: "said" });
    this.said.setAttribute("role", "status");
    this.views = views.map((view) => new View(this, view));
    const canvases = element(
      "div",
      { className: "views" },
      ...this.views.map((view) => view.box),
    );
    this.root.append(this.note, canvases, this.list, this.makeControls());
    this.root.append(this.said);
    this.defaults = Object.fromEntries(
      controls.filter(({ key }) => key).map(({ key, start }) => [key, start]),
    );
    this.state = { ...this.defaults };
    this.cleaning = [];
    this.visible = true;
  }

  makeControls() {
    const bar = element("div", { className: "controls" });
    this.shown = this.controls.map((control) => this.makeControl(control));
    const reset = element("button", { type: "button", textContent: "Reset" });
    reset.addEventListener("click", () => this.reset());
    bar.append(...this.shown.map(({ box }) => box).filter(Boolean), reset);
    return bar;
  }

  makeControl(control) {
    if (control.press) {
      const box = element("button", { type: "button" });
      box.addEventListener("click", () => control.press(this));
      const show = () => fill(box, worded(control.label, this.state, this));
      return { box, show, control };
    }
    if (!control.kind) return { show() {}, control };
    const set = (value) => this.set({ [control.key]: value });
    return { ...KINDS[control.kind].make(control, set), control };
  }

  // ---- state

  start() {
    this.restore();
    const follow = () => this.restore();
    this.model.on("change:state", follow);
    this.cleaning.push(() => this.model.off("change:state", follow));
    this.watch();
    this.redraw();
  }

  // Take what the address, or Python, asks for; say what cannot be had.
  restore() {
    const asked = this.model.get("state") ?? {};
    if (JSON.stringify(asked) === this.saved) return;
    const wrong = [];
    const wanted = { ...this.defaults };
    for (const [key, value] of Object.entries(asked)) {
      const control = this.controls.find((control) => control.key === key);
      const read = control && (control.read ?? KINDS[control.kind].read);
      const found = control?.read ? read(value) : read?.(control, value);
      if (found === undefined)
        wrong.push(`${key} = ${String(value).slice(0, 40)}`);
      else wanted[key] = found;
    }
    this.note.hidden = !wrong.length;
    this.note.textContent = wrong.length
      ? `Not possible here, so left out: ${wrong.join(", ")}.`
      : "";
    this.saved = JSON.stringify(asked);
    this.apply(wanted);
  }

  set(changes) {
    this.note.hidden = true;
    this.apply(changes);
    const changed = Object.entries(this.state).filter(
      ([key, value]) => value !== this.defaults[key],
    );
    const state = Object.fromEntries(changed);
    this.saved = JSON.stringify(state);
    if (!this.playing) this.save(state);
    this.announce();
  }

  save(state) {
    clearTimeout(this.saving);
    this.saving = setTimeout(() => {
      this.model.set("state", state);
      this.model.save_changes();
    }, 250);
  }

  apply(changes) {
    Object.assign(this.state, changes);
    this.redraw();
  }

  reset() {
    this.pause();
    this.set({ ...this.defaults });
  }

  announce() {
    clearTimeout(this.speaking);
    if (this.playing) return;
    this.speaking = setTimeout(() => {
      for (const view of this.views) view.describe(this.state);
      const values = this.values?.(this.state) ?? [];
      this.said.textContent = values
        .map(([name, value, spoken]) => `${spoken ?? name}: ${value}`)
        .join(", ");
    }, 500);
  }

  // ---- motion

  play() {
    this.playing = true;
    this.redraw();
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    this.last = undefined;
    this.set({});
  }

  redraw() {
    if (this.ended || !this.visible || this.waiting) return;
    this.waiting = requestAnimationFrame((now) => this.frame(now));
  }

  frame(now) {
    this.waiting = undefined;
    if (this.playing) {
      const seconds = Math.min(0.1, (now - (this.last ?? now)) / 1000);
      this.last = now;
      this.apply(this.tick(seconds, this.state, this) ?? {});
    }
    for (const { show, box, control } of this.shown) {
      if (box && control.when) box.hidden = !control.when(this.state);
      const value = this.state[control.key];
      show(value, control.text?.(value, this.state) ?? String(value));
    }
    for (const view of this.views) view.draw(this.state);
    this.showValues();
  }

  showValues() {
    const values = this.values?.(this.state) ?? [];
    while (this.list.children.length > values.length)
      this.list.lastElementChild.remove();
    values.forEach(([name, value], i) => {
      if (!this.list.children[i])
        this.list.append(element("div", {}, element("dt"), element("dd")));
      const [dt, dd] = this.list.children[i].children;
      fill(dt, name);
      if (dd.textContent !== value) dd.textContent = value;
    });
  }

  // ---- the world outside: theme, size, sight

  watch() {
    const theme = new MutationObserver(() => this.repaint());
    const attributeFilter = ["data-theme", "data-jp-theme-light", "class"];
    for (const place of [document.documentElement, document.body])
      theme.observe(place, { attributes: true, attributeFilter });
    const size = new ResizeObserver(() => this.repaint());
    for (const view of this.views) size.observe(view.canvas);
    const sight = new IntersectionObserver((entries) => {
      this.visible = entries[entries.length - 1].isIntersecting;
      this.last = undefined;
      this.redraw();
    });
    sight.observe(this.root);
    document.fonts?.ready.then(() => this.repaint()); // a font may come late
    this.cleaning.push(
      ...[theme, size, sight].map((o) => () => o.disconnect()),
    );
  }

  repaint() {
    this.ink = undefined;
    this.redraw();
  }

  end() {
    this.ended = true;
    cancelAnimationFrame(this.waiting);
    clearTimeout(this.saving);
    clearTimeout(this.speaking);
    for (const clean of this.cleaning) clean();
    this.root.remove();
  }

  // The colours of the page as it is now; one colour for each meaning.
  inks() {
    if (!this.ink) {
      const { color, fontFamily } = getComputedStyle(this.root);
      let behind = this.root;
      let paper;
      do paper = getComputedStyle(behind).backgroundColor;
      while (
        /, 0\)$|transparent/.test(paper) &&
        (behind = behind.parentElement)
      );
      if (!behind) paper = "#fff";
      this.ink = {
        ink: color,
        paper,
        font: `13px ${fontFamily}`,
        ...this.colors,
      };
    }
    return this.ink;
  }
}

// One canvas, sharp on any screen.
class View {
  constructor(stage, options) {
    Object.assign(this, { stage, options });
    const { span = 12, narrow = 12, aspect, height = 200 } = options;
    const { keys, drag, tap } = options;
    this.canvas = element("canvas");
    this.canvas.setAttribute("role", keys ? "application" : "img");
    this.title = element("p", { className: "title", hidden: !options.title });
    this.box = element("div", { className: "view" }, this.title, this.canvas);
    this.box.style.setProperty("--span", span);
    this.box.style.setProperty("--narrow", narrow);
    this.canvas.style.cssText = aspect
      ? `aspect-ratio: ${aspect}`
      : `height: ${height}px`;
    if (keys) this.listenToKeys();
    if (drag) this.listenToPointer();
    if (tap) this.listenToTaps();
  }

  describe(state) {
    this.canvas.setAttribute("aria-label", worded(this.options.label, state));
  }

  draw(state) {
    const { canvas } = this;
    const { when, title } = this.options;
    if (when) this.box.hidden = !when(state);
    if (title) fill(this.title, worded(title, state));
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (!width) return;
    const sharp = window.devicePixelRatio || 1;
    const size = [Math.round(width * sharp), Math.round(height * sharp)];
    if (canvas.width !== size[0]) canvas.width = size[0];
    if (canvas.height !== size[1]) canvas.height = size[1];
    if (!canvas.hasAttribute("aria-label")) this.describe(state);
    const ctx = canvas.getContext("2d");
    ctx.setTransform(size[0] / width, 0, 0, size[1] / height, 0, 0);
    ctx.clearRect(0, 0, width, height);
    const pen = { ctx, width, height, ...this.stage.inks() };
    this.frame = this.options.draw(pen, state, this.stage) ?? pen;
  }

  listenToKeys() {
    this.canvas.tabIndex = 0;
    this.canvas.addEventListener("keydown", (event) => {
      const changes = this.options.keys(
        event.key,
        this.stage.state,
        this.frame,
      );
      if (!changes) return;
      event.preventDefault();
      this.stage.set(changes);
    });
  }

  // Where an event is, in pixels of the canvas.
  at({ clientX, clientY }) {
    const { left, top } = this.canvas.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }

  // A drag goes on outside the canvas until the finger is lifted. A finger
  // that lands on nothing scrolls the page.
  listenToPointer() {
    const { canvas, stage } = this;
    const { down, move, touch = "pan-y", cursor = "grab" } = this.options.drag;
    canvas.style.touchAction = touch;
    const found = (event) =>
      this.frame && down(this.at(event), stage.state, this.frame);
    const follow = (event) =>
      stage.set(move(held, this.at(event), stage.state, this.frame) ?? {});
    let held;
    const keep = (event) => {
      if (found(event.changedTouches[0])) event.preventDefault();
    };
    canvas.addEventListener("touchstart", keep, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      held = found(event);
      if (!held) return;
      canvas.setPointerCapture(event.pointerId);
      event.preventDefault();
      follow(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (held) follow(event);
      else canvas.style.cursor = found(event) ? cursor : "";
    });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"])
      canvas.addEventListener(end, () => (held = undefined));
  }

  // Not when a finger comes down: one that scrolls the page begins likewise.
  listenToTaps() {
    const { canvas, stage } = this;
    canvas.style.cursor = "crosshair";
    canvas.addEventListener("click", (event) =>
      stage.set(this.options.tap(this.at(event), stage.state, this.frame)),
    );
  }
}
