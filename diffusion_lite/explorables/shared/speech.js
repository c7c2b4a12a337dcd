// @ts-check
// What a screen reader is told. A status line speaks when its words change, so
// it waits until the reader has left a control alone for a moment.

import { element } from "./elements.js";

const PAUSE = 500; // milliseconds

export function speaker() {
  const line = element("p", { className: "said" });
  line.setAttribute("role", "status");
  return line;
}

// Values as one sentence: a spoken name stands for one that has symbols.
/** @type {(values: Value[]) => string} */
const sentence = (values) =>
  values
    .map(([name, value, spoken]) => `${spoken ?? name}: ${value}`)
    .join(", ");

// Returns what says the values that `values` gives, in a moment; given nothing
// it says nothing, and drops what was about to be said.
/** @type {(line: HTMLElement) => (values?: () => Value[]) => void} */
export function speech(line) {
  let waiting = 0;
  return (values) => {
    clearTimeout(waiting);
    if (values)
      waiting = setTimeout(() => {
        line.textContent = sentence(values());
      }, PAUSE);
  };
}
