// @ts-check
// What is drawn on a canvas with a pen: axes, curves, dots, pictures, words.

import { clamp } from "./numbers.js";

/** @type {(range: number[], places: number[]) => Scale} */
export function scale([a, b], [from, to]) {
  const map = (/** @type {number} */ v) =>
    from + ((v - a) / (b - a)) * (to - from);
  map.invert = (/** @type {number} */ place) =>
    a + ((place - from) / (to - from)) * (b - a);
  return map;
}

/** @type {(tick: Tick) => [number, string]} */
const pair = (tick) => (Array.isArray(tick) ? tick : [tick, String(tick)]);

// The edges of what is inside the axes: their words need room.
/** @type {(pen: Pen, options: AxesOptions) => Frame} */
function insideOf({ ctx, font, width, height }, options) {
  const { x, y, xTicks = [], yTicks = [], xLabel, yLabel } = options;
  ctx.font = font;
  const wide = Math.max(
    0,
    ...yTicks.map((tick) => ctx.measureText(pair(tick)[1]).width),
  );
  const left = 6 + (wide ? wide + 6 : 0);
  const top = yLabel ? 22 : 8;
  const right = width - 10;
  const bottom = height - (xTicks.length ? 20 : 6) - (xLabel ? 18 : 0);
  return {
    left,
    top,
    right,
    bottom,
    x: scale(x, [left, right]),
    y: scale(y, [bottom, top]),
  };
}

// Draw axes; return the scales x and y, and the edges of what is inside.
// `x` and `y` are ranges; ticks are numbers, or [number, text].
/** @type {(pen: Pen, options: AxesOptions) => Frame} */
export function axes(pen, options) {
  const { xTicks = [], yTicks = [], xLabel, yLabel } = options;
  const { ctx, height } = pen;
  const frame = insideOf(pen, options);
  const { left, right, bottom } = frame;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = pen.ink;
  ctx.globalAlpha = 0.45;
  ctx.beginPath();
  ctx.moveTo(left, bottom + 0.5);
  ctx.lineTo(right, bottom + 0.5);
  for (const [value] of xTicks.map(pair)) {
    ctx.moveTo(frame.x(value), bottom);
    ctx.lineTo(frame.x(value), bottom + 4);
  }
  ctx.stroke();
  ctx.globalAlpha = 0.85;
  for (const [value, text] of xTicks.map(pair))
    write(pen, text, frame.x(value), bottom + 16, "center");
  for (const [value, text] of yTicks.map(pair))
    write(pen, text, left - 6, frame.y(value) + 4, "right");
  if (xLabel) write(pen, xLabel, (left + right) / 2, height - 4, "center");
  if (yLabel) write(pen, yLabel, 2, 12);
  ctx.restore();
  return frame;
}

// Write in the colour at hand; words stay inside the canvas.
/**
 * @param {Pen} pen
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {"left" | "center" | "right"} [align]
 */
export function write({ ctx, font, width }, text, x, y, align = "left") {
  ctx.font = font;
  const wide = ctx.measureText(text).width;
  const start = x - { left: 0, center: wide / 2, right: wide }[align];
  ctx.fillText(text, clamp(start, 0, Math.max(0, width - wide)), y);
}

// A line through points in the data's units, inside the frame.
/**
 * @param {Pen} pen
 * @param {Frame} frame
 * @param {Vector} xs
 * @param {Vector} ys
 * @param {string} color
 * @param {CurveStyle} [style]
 */
export function curve({ ctx }, frame, xs, ys, color, style = {}) {
  const { width = 2, dash = [], fill = 0 } = style;
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

/**
 * @type {(
 *   pen: Pen, x: number, y: number, radius: number, color: string,
 * ) => void}
 */
export function dot({ ctx }, x, y, radius, color) {
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, 2 * Math.PI);
  ctx.fillStyle = color;
  ctx.fill();
}

// A handle that can be dragged: a dot with a rim in the page's own colour.
/** @type {(pen: Pen, x: number, y: number, color: string) => void} */
export function handle(pen, x, y, color) {
  dot(pen, x, y, 8, color);
  pen.ctx.lineWidth = 2;
  pen.ctx.strokeStyle = pen.paper;
  pen.ctx.stroke();
}

// A square grey picture, values in [-1, 1], ink +1 on white paper.
/**
 * @type {(
 *   pen: Pen, pixels: Vector, x: number, y: number, size: number,
 * ) => void}
 */
export function picture({ ctx }, pixels, x, y, size) {
  const n = Math.sqrt(pixels.length);
  const edge = (/** @type {number} */ i) => Math.round((i * size) / n);
  for (let i = 0; i < pixels.length; i++) {
    const [row, column] = [Math.floor(i / n), i % n];
    const level = Math.round((255 * (1 - clamp(pixels[i], -1, 1))) / 2);
    ctx.fillStyle = `rgb(${level} ${level} ${level})`;
    ctx.fillRect(
      x + edge(column),
      y + edge(row),
      edge(column + 1) - edge(column) + (column + 1 < n ? 1 : 0), // or seams
      edge(row + 1) - edge(row) + (row + 1 < n ? 1 : 0), // show
    );
  }
}

// A sample of a colour, to stand in a title before what has the colour.
/** @type {(color: string) => string} */
export const swatch = (color) =>
  `<i class="swatch" style="background: ${color}"></i>`;
