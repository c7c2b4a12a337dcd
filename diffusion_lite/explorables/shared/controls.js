// @ts-check
// The controls that a figure may have: sliders, choices, menus and buttons.

import { element, worded } from "./elements.js";
import { clamp } from "./numbers.js";

// Each kind makes its element and says what a value may be: `read` returns
// the value, or undefined where it is none that the control allows.

// The nearest value that a slider has.
/**
 * @type {(
 *   value: number, slider: Pick<RangeControl<any>, "min" | "max" | "step">,
 * ) => number}
 */
export const onGrid = (value, { min, max, step = 1 }) =>
  Number(
    (min + step * Math.round((clamp(value, min, max) - min) / step)).toFixed(9),
  );

const range = {
  /** @type {(control: RangeControl<any>, value: any) => number | undefined} */
  read(slider, value) {
    const number = value === "" ? NaN : Number(value);
    if (!(number >= slider.min && number <= slider.max)) return undefined;
    return onGrid(number, slider);
  },
  /**
   * @type {(
   *   control: RangeControl<any>, set: (value: number) => void,
   * ) => Made}
   */
  make({ min, max, step = 1, label, text = String }, set) {
    const input = element("input", { type: "range", min, max, step });
    const output = element("output");
    const longest = Math.max(text(min).length, text(max).length);
    output.style.minWidth = `${longest}ch`; // or the slider's end would move
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
};

const choice = {
  /** @type {(control: ChoiceControl<any>, value: any) => string | undefined} */
  read: ({ options }, value) =>
    options.some(([name]) => name === value) ? value : undefined,
  /**
   * @type {(
   *   control: ChoiceControl<any>, set: (value: string) => void,
   * ) => Made}
   */
  make({ label, options }, set) {
    const group = `choice-${Math.random().toString(36).slice(2)}`;
    const inputs = options.map(([value]) =>
      element("input", { type: "radio", name: group, value }),
    );
    const labels = options.map(([, text], i) =>
      element("label", {}, inputs[i], element("span", { innerHTML: text })),
    );
    const legend = element("legend", { innerHTML: label });
    const box = element("fieldset", { className: "choice" }, legend, ...labels);
    for (const input of inputs)
      input.addEventListener("change", () => set(input.value));
    return {
      box,
      show(value) {
        for (const input of inputs) input.checked = input.value === value;
      },
    };
  },
};

const menu = {
  read: choice.read,
  /**
   * @type {(
   *   control: MenuControl<any>, set: (value: string) => void,
   * ) => Made}
   */
  make({ label, options }, set) {
    const list = options.map(([value, textContent]) =>
      element("option", { value, textContent }),
    );
    const select = element("select", {}, ...list);
    const name = element("span", { innerHTML: label });
    const box = element("label", { className: "menu" }, name, select);
    select.addEventListener("change", () => set(select.value));
    return {
      box,
      show(value) {
        select.value = value;
      },
    };
  },
};

const KINDS = { range, choice, menu };

/** @type {(control: Button<any>, stage: Stage<any>) => Made} */
function makeButton(control, stage) {
  const box = element("button", { type: "button" });
  box.addEventListener("click", () => control.press(stage));
  const show = worded(box, control.label);
  return { box, show: () => show(stage.state, stage) };
}

// A control's element. What has none has nothing to show.
/** @type {(control: Control<any>, stage: Stage<any>) => Made} */
export function makeControl(control, stage) {
  if ("press" in control) return makeButton(control, stage);
  if (!("kind" in control)) return { show() {} };
  const set = (/** @type {unknown} */ value) =>
    stage.set({ [control.key]: value });
  return KINDS[control.kind].make(/** @type {any} */ (control), set);
}

// The value that a control takes from what was asked; undefined if it cannot.
/** @type {(control: Control<any> | undefined, value: any) => unknown} */
export function readValue(control, value) {
  if (!control || "press" in control) return undefined;
  if ("read" in control) return control.read(value);
  return KINDS[control.kind].read(/** @type {any} */ (control), value);
}

// What several figures have among their controls.
/** @type {ChoiceControl<any>} */
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
/** @type {(most: number) => (value: any) => number | undefined} */
export const whole = (most) => (value) =>
  /^\d{1,4}$/.test(value) && value <= most ? Number(value) : undefined;

const SEEDS = 1000;

/** @type {(state: { seed: number }) => { seed: number }} */
export const nextSeed = ({ seed }) => ({ seed: (seed + 1) % SEEDS });

/** @type {Hidden<any>} */
export const seedValue = { key: "seed", start: 1, read: whole(SEEDS - 1) };

/** @type {Button<any>} */
export const newNoise = {
  label: "New noise",
  press: (stage) => stage.set(nextSeed(stage.state)),
};
