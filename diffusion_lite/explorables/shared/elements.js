// @ts-check
// Elements of the page.

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, unknown>} [properties]
 * @param {...Node} children
 */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// Words may be fixed, or follow from the state.
/**
 * @template {unknown[]} From
 * @param {string | ((...from: From) => string)} words
 * @param {From} from
 */
export const worded = (words, ...from) =>
  typeof words === "function" ? words(...from) : words;

// Put HTML of our own into a place, if it is not there already.
/** @type {(place: HTMLElement, html: string) => void} */
export function fill(place, html) {
  if (place.dataset.html === html) return;
  place.innerHTML = place.dataset.html = html;
}
