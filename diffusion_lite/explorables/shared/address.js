// @ts-check
// A figure's state as the address has it, or Python: what differs from the
// start, by the controls' keys.

import { readValue } from "./controls.js";

/**
 * @type {(
 *   control: Control<any>,
 * ) => control is Exclude<Control<any>, Button<any>>}
 */
const hasValue = (control) => "key" in control;

/** @type {(controls: Control<any>[]) => Record<string, unknown>} */
export const startOf = (controls) =>
  Object.fromEntries(
    controls.filter(hasValue).map(({ key, start }) => [key, start]),
  );

// The values that can be had of those asked for, and words for the others.
/**
 * @param {Control<any>[]} controls
 * @param {Record<string, unknown>} asked
 */
export function readState(controls, asked) {
  const valued = controls.filter(hasValue);
  /** @type {Record<string, unknown>} */
  const wanted = startOf(controls);
  const wrong = [];
  for (const [key, value] of Object.entries(asked)) {
    const control = valued.find((control) => control.key === key);
    const found = readValue(control, value);
    if (found === undefined)
      wrong.push(`${key} = ${String(value).slice(0, 40)}`);
    else wanted[key] = found;
  }
  return { wanted, wrong };
}

/**
 * @type {(
 *   controls: Control<any>[], state: Record<string, unknown>,
 * ) => Record<string, unknown>}
 */
export function changesOf(controls, state) {
  const start = startOf(controls);
  return Object.fromEntries(
    Object.entries(state).filter(([key, value]) => value !== start[key]),
  );
}
