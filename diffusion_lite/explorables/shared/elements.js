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

// Put words of our own into a place; return what keeps them right. Where they
// change, all lie on one another and one is seen: the place keeps its size.
/**
 * @template {unknown[]} From
 * @param {HTMLElement} place
 * @param {string | Several<From>} words
 * @returns {(...from: From) => void}
 */
export function worded(place, words) {
  if (typeof words === "string") {
    place.innerHTML = words;
    return () => {};
  }
  const parts = words.each.map((innerHTML) => element("span", { innerHTML }));
  place.append(element("span", { className: "several" }, ...parts));
  return (...from) => {
    const now = words.which(...from);
    parts.forEach((part, i) => part.classList.toggle("unseen", i !== now));
  };
}

// Put HTML of our own into a place, if it is not there already.
/** @type {(place: HTMLElement, html: string) => void} */
export function fill(place, html) {
  if (place.dataset.html === html) return;
  place.innerHTML = place.dataset.html = html;
}
