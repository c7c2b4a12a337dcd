// @ts-check
// A live figure: canvases, values and controls around one state.

import { changesOf, readState, startOf } from "./address.js";
import { makeControl } from "./controls.js";
import { element, fill } from "./elements.js";
import { speaker, speech } from "./speech.js";
import { inksOf, watch } from "./surroundings.js";
import { View } from "./view.js";

const SAVED_AFTER = 250; // milliseconds without a change

// Build a live figure in `el`; return what takes it away again.
//
// name      the word in the address bar
// label     what a screen reader calls the figure
// controls  in order: {kind, key, label, start, ...} for range (min, max, step,
//           text), choice and menu (options: [value, text]); {press(stage),
//           label} for a button; and {key, start, read} for a value with no
//           control of its own, where `read` checks what the address says.
//           `when` hides a control; `only` gives the value that a choice must
//           have where the state leaves none; `main` ones stand right below
//           the views. A button's label may be one of {each, which(state,
//           stage)}.
// views     canvases: {label, title, span, narrow, aspect or height, draw}, of
//           12 columns, on a phone `narrow` of them, and `low` pixels high;
//           label may be a function of the state, title one of {each,
//           which(state)}.
//           draw(pen, state, stage) may return a frame, which `drag` {down,
//           move}, `tap(point, state, frame)` and `keys(key, state, frame)`
//           are given; points are in pixels. `down` returns what is taken
//           hold of, if anything; the others return what changes. `when`
//           hides a view, which stands at the end: what comes moves nothing.
// values    (state) => [[name, value, spoken name], ...]
// tick      (seconds, state, stage) => changes, called at each frame of play
// playing   whether it plays from the start
/**
 * @template S
 * @param {Figure<S> & Place} figure
 */
export function explorable({ model, el, ...figure }) {
  const stage = new Stage(model, figure);
  el.append(stage.root);
  stage.start();
  return () => stage.end();
}

/** @template S */
export class Stage {
  /**
   * @param {Model} model
   * @param {Figure<S>} figure
   */
  constructor(model, figure) {
    this.model = model;
    this.figure = figure;
    this.playing = figure.playing ?? false;
    this.state = /** @type {S} */ (startOf(figure.controls));
    this.root = element("div", { className: "explorable" });
    this.root.dataset.name = figure.name;
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", figure.label);
    this.note = element("p", { className: "note", hidden: true });
    this.note.setAttribute("role", "status");
    this.list = element("dl", { className: "values" });
    const said = speaker();
    this.speak = speech(said);
    this.views = figure.views.map((view) => new View(this, view));
    this.shown = figure.controls.map((control) => ({
      ...makeControl(control, this),
      control,
    }));
    const reset = element("button", { type: "button", textContent: "Reset" });
    reset.addEventListener("click", () => this.reset());
    this.root.append(
      ...[this.note, this.viewGrid(false), this.controlBar(true), this.list],
      ...[this.controlBar(false, reset), this.viewGrid(true), said],
    );
    this.visible = true;
    this.ended = false;
    this.saving = 0;
    this.waiting = 0; // for a frame
    /** @type {(() => void)[]} */
    this.cleaning = [];
    /** @type {Inks | undefined} */
    this.ink = undefined;
    /** @type {number | undefined} */
    this.last = undefined; // when the frame before was
    /** @type {string | undefined} */
    this.saved = undefined;
  }

  // Of the views that are always there, or of those that come.
  /** @param {boolean} come */
  viewGrid(come) {
    const views = this.views.filter(({ options }) => !options.when !== come);
    const boxes = views.map(({ box }) => box);
    return element("div", { className: "views" }, ...boxes);
  }

  /**
   * @param {boolean} main
   * @param {...Node} more
   */
  controlBar(main, ...more) {
    const those = this.shown.filter(({ control }) => !control.main !== main);
    const boxes = those.flatMap(({ box }) => box ?? []);
    return element("div", { className: "controls" }, ...boxes, ...more);
  }

  start() {
    this.restore();
    const follow = () => this.restore();
    this.model.on("change:state", follow);
    this.cleaning.push(
      () => this.model.off("change:state", follow),
      this.watch(),
    );
    this.redraw();
  }

  end() {
    this.ended = true;
    cancelAnimationFrame(this.waiting);
    clearTimeout(this.saving);
    this.speak();
    for (const clean of this.cleaning) clean();
    this.root.remove();
  }

  // ---- state

  // Take what the address, or Python, asks for; say what cannot be had.
  restore() {
    const asked = this.model.get("state") ?? {};
    if (JSON.stringify(asked) === this.saved) return;
    const { wanted, wrong } = readState(this.figure.controls, asked);
    this.note.hidden = !wrong.length;
    this.note.textContent = wrong.length
      ? `Not possible here, so left out: ${wrong.join(", ")}.`
      : "";
    this.saved = JSON.stringify(asked);
    this.apply(/** @type {S} */ (wanted));
  }

  /** @param {Partial<S>} changes */
  set(changes) {
    this.note.hidden = true;
    this.apply(changes);
    const state = changesOf(
      this.figure.controls,
      /** @type {Record<string, unknown>} */ (this.state),
    );
    this.saved = JSON.stringify(state);
    if (!this.playing) this.save(state);
    this.announce();
  }

  /** @param {Record<string, unknown>} state */
  save(state) {
    clearTimeout(this.saving);
    this.saving = setTimeout(() => {
      this.model.set("state", state);
      this.model.save_changes();
    }, SAVED_AFTER);
  }

  /** @param {Partial<S>} changes */
  apply(changes) {
    Object.assign(/** @type {object} */ (this.state), changes);
    this.redraw();
  }

  reset() {
    this.pause();
    this.set(/** @type {S} */ (startOf(this.figure.controls)));
  }

  announce() {
    if (this.playing) return this.speak();
    return this.speak(() => {
      for (const view of this.views) view.describe(this.state);
      return this.values();
    });
  }

  values() {
    return this.figure.values?.(this.state) ?? [];
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

  /** @param {number} now */
  frame(now) {
    this.waiting = 0;
    if (this.playing) this.tick(now);
    for (const shown of this.shown) this.showControl(shown);
    for (const view of this.views) view.draw(this.state);
    this.showValues();
  }

  /** @param {Made & { control: Control<S> }} shown */
  showControl({ box, show, control }) {
    if (box && control.when) box.hidden = !control.when(this.state);
    const only = control.only?.(this.state);
    if (control.only) box?.toggleAttribute("disabled", only !== undefined);
    const own =
      "key" in control
        ? /** @type {Record<string, unknown>} */ (this.state)[control.key]
        : undefined;
    const value = only ?? own;
    show(value, control.text?.(value) ?? String(value));
  }

  /** @param {number} now */
  tick(now) {
    const seconds = Math.min(0.1, (now - (this.last ?? now)) / 1000);
    this.last = now;
    this.apply(this.figure.tick?.(seconds, this.state, this) ?? {});
  }

  showValues() {
    const values = this.values();
    while (this.list.children.length > values.length)
      this.list.lastElementChild?.remove();
    values.forEach(([name, value], i) => {
      if (!this.list.children[i])
        this.list.append(element("div", {}, element("dt"), element("dd")));
      const [dt, dd] = this.list.children[i].children;
      fill(/** @type {HTMLElement} */ (dt), name);
      if (dd.textContent !== value) dd.textContent = value;
    });
  }

  // ---- the page around it

  watch() {
    const canvases = this.views.map((view) => view.canvas);
    return watch(this.root, canvases, {
      changed: () => {
        this.ink = undefined;
        this.redraw();
      },
      seen: (visible) => {
        this.visible = visible;
        this.last = undefined;
        this.redraw();
      },
    });
  }

  inks() {
    this.ink ??= inksOf(this.root, this.model.get("colors"));
    return this.ink;
  }
}
