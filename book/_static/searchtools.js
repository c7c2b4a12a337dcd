// @ts-check
// The search: which sections have all the words that are asked for, shown
// with the place where the first stands. It takes the place of Sphinx's own
// script, which can show no more than titles in a page opened from a folder.
// searchindex.js hands over what tools/search.py has collected.
/**
 * @typedef {[anchor: string, title: string, text: string]} Entry
 * @typedef {[address: string, title: string, entries: Entry[]]} Page
 * @typedef {{ href: string, page: string, title: string, text: string,
 *   score: number }} Found
 */
const MOST = 60; // sections shown
const AROUND = 110; // letters before and after the first word found

/** @type {(text: string) => string} */
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

// A word may go on: "sample" finds "samples", and the other way round.
/** @type {(query: string) => RegExp[]} */
function patternsOf(query) {
  const words = query.toLowerCase().match(/[\p{L}\p{N}_-]+/gu) ?? [];
  return words.map((word) => {
    const stem = word.replace(/(?<=\w{3})s$/, "");
    return new RegExp(`(?<![\\p{L}\\p{N}_])${escaped(stem)}`, "giu");
  });
}

// A word in the title counts as much as ten in the text.
/** @type {(patterns: RegExp[], title: string, text: string) => number} */
function scoreOf(patterns, title, text) {
  const counts = patterns.map(
    (pattern) =>
      10 * [...title.matchAll(pattern)].length +
      Math.min(9, [...text.matchAll(pattern)].length),
  );
  return counts.includes(0) ? 0 : counts.reduce((a, b) => a + b, 0);
}

/** @type {(pages: Page[], query: string) => Found[]} */
function foundIn(pages, query) {
  const patterns = patternsOf(query);
  if (!patterns.length) return [];
  return pages
    .flatMap(([address, page, entries]) =>
      entries.map(([anchor, title, text], i) => ({
        href: i ? `${address}#${anchor}` : address,
        page,
        title,
        text,
        score: scoreOf(patterns, title, text),
      })),
    )
    .filter(({ score }) => score)
    .sort((a, b) => b.score - a.score);
}

/** @type {(tag: string, text: string, name?: string) => HTMLElement} */
const made = (tag, textContent, className = "") =>
  Object.assign(document.createElement(tag), { textContent, className });

// The text around the first word found, the words marked.
/** @type {(text: string, patterns: RegExp[]) => HTMLElement} */
function excerpt(text, patterns) {
  const places = patterns.map((pattern) => text.search(pattern));
  const first = Math.min(...places.filter((place) => place >= 0), text.length);
  const from = first > AROUND ? text.indexOf(" ", first - AROUND) + 1 : 0;
  const part = text.slice(from, first + AROUND);
  const box = made("p", from ? "… " : "", "context");
  const any = patterns.map((pattern) => pattern.source).join("|");
  let done = 0;
  for (const { 0: word, index } of part.matchAll(new RegExp(any, "giu"))) {
    box.append(part.slice(done, index), made("mark", word));
    done = index + word.length;
  }
  box.append(part.slice(done), first + AROUND < text.length ? "…" : "");
  return box;
}

/** @type {(pages: Page[]) => void} */
function show(pages) {
  const query = new URLSearchParams(location.search).get("q") ?? "";
  for (const field of document.querySelectorAll("input[name=q]"))
    /** @type {HTMLInputElement} */ (field).value = query;
  const place = document.getElementById("search-results");
  if (!query.trim() || !place) return;
  const found = foundIn(pages, query);
  const patterns = patternsOf(query);
  const count = `${found.length} ${found.length === 1 ? "section" : "sections"}`;
  const status = made(
    "p",
    found.length ? count : "No section has these words.",
  );
  status.setAttribute("role", "status");
  const list = made("ul", "", "search");
  for (const { href, page, title, text } of found.slice(0, MOST)) {
    const link = made("a", title);
    link.setAttribute("href", href);
    const line = made("li", "");
    line.append(link, made("span", page === title ? "" : ` in ${page}`));
    if (text) line.append(excerpt(text, patterns));
    list.append(line);
  }
  place.append(status, list);
}

// eslint-disable-next-line no-unused-vars -- searchindex.js calls it
const Search = {
  /** @type {(pages: Page[]) => void} */
  setIndex(pages) {
    document.addEventListener("DOMContentLoaded", () => show(pages));
  },
};
