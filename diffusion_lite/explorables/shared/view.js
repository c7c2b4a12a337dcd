// @ts-check
// One canvas of a figure, sharp on any screen.

import { element, worded } from "./elements.js";

/** @type {(options: ViewOptions<any>) => string} */
const sizeOf = ({ aspect, height = 200, low }) =>
  (aspect ? `--aspect: ${aspect};` : `--height: ${height}px;`) +
  (low ? `--low: ${low}px` : "");

/** @template S */
export class View {
  /**
   * @param {Stage<S>} stage
   * @param {ViewOptions<S>} options
   */
  constructor(stage, options) {
    this.stage = stage;
    this.options = options;
    const { span = 12, narrow = 12, title = "" } = options;
    const { keys, drag, tap } = options;
    this.canvas = element("canvas");
    this.canvas.setAttribute("role", keys ? "application" : "img");
    const words = element("p", { className: "title", hidden: !title });
    this.entitle = worded(words, title);
    this.box = element("div", { className: "view" }, words, this.canvas);
    this.box.style.setProperty("--span", String(span));
    this.box.style.setProperty("--narrow", String(narrow));
    this.canvas.style.cssText = sizeOf(options);
    /** @type {any} */
    this.frame = undefined; // what `draw` returned
    if (keys) this.listenToKeys(keys);
    if (drag) this.listenToPointer(drag);
    if (tap) this.listenToTaps(tap);
  }

  /** @param {S} state */
  describe(state) {
    const { label } = this.options;
    const words = typeof label === "string" ? label : label(state);
    this.canvas.setAttribute("aria-label", words);
  }

  /** @param {S} state */
  draw(state) {
    const { canvas } = this;
    const { when } = this.options;
    if (when) this.box.hidden = !when(state);
    this.entitle(state);
    if (!canvas.clientWidth) return;
    if (!canvas.hasAttribute("aria-label")) this.describe(state);
    const pen = this.pen();
    this.frame = this.options.draw(pen, state, this.stage) ?? pen;
  }

  // A pen for the canvas, which it wipes.
  /** @returns {Pen} */
  pen() {
    const { canvas } = this;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const sharp = window.devicePixelRatio || 1;
    const size = [Math.round(width * sharp), Math.round(height * sharp)];
    if (canvas.width !== size[0]) canvas.width = size[0];
    if (canvas.height !== size[1]) canvas.height = size[1];
    const ctx = /** @type {CanvasRenderingContext2D} */ (
      canvas.getContext("2d")
    );
    ctx.setTransform(size[0] / width, 0, 0, size[1] / height, 0, 0);
    ctx.clearRect(0, 0, width, height);
    return { ctx, width, height, ...this.stage.inks() };
  }

  /** @param {NonNullable<ViewOptions<S>["keys"]>} keys */
  listenToKeys(keys) {
    this.canvas.tabIndex = 0;
    this.canvas.addEventListener("keydown", (event) => {
      const changes = keys(event.key, this.stage.state, this.frame);
      if (!changes) return;
      event.preventDefault();
      this.stage.set(changes);
    });
  }

  // Where an event is, in pixels of the canvas.
  /** @param {{ clientX: number, clientY: number }} event */
  at({ clientX, clientY }) {
    const { left, top } = this.canvas.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }

  // A drag goes on outside the canvas until the finger is lifted. A finger
  // that lands on nothing scrolls the page.
  /** @param {NonNullable<ViewOptions<S>["drag"]>} drag */
  listenToPointer({ down, move, touch = "pan-y", cursor = "grab" }) {
    const { canvas, stage } = this;
    canvas.style.touchAction = touch;
    const found = (/** @type {PointerEvent | Touch} */ event) =>
      this.frame && down(this.at(event), stage.state, this.frame);
    const follow = (/** @type {PointerEvent} */ event) =>
      stage.set(move(held, this.at(event), stage.state, this.frame) ?? {});
    /** @type {any} */
    let held;
    const keep = (/** @type {TouchEvent} */ event) => {
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
  /** @param {NonNullable<ViewOptions<S>["tap"]>} tap */
  listenToTaps(tap) {
    const { canvas, stage } = this;
    canvas.style.cursor = "crosshair";
    canvas.addEventListener("click", (event) =>
      stage.set(tap(this.at(event), stage.state, this.frame)),
    );
  }
}
