// @ts-check
// The page around a figure: its colours, its size, and whether it is in sight.

// The colours of the page as it is now; one colour for each meaning.
/** @type {(root: HTMLElement, colors: Colors) => Inks} */
export function inksOf(root, colors) {
  const { color, fontFamily } = getComputedStyle(root);
  return {
    ink: color,
    paper: paperBehind(root),
    font: `13px ${fontFamily}`,
    ...colors,
  };
}

/** @type {(root: HTMLElement) => string} */
function paperBehind(root) {
  const paper = getComputedStyle(root).backgroundColor;
  if (!/, 0\)$|transparent/.test(paper)) return paper;
  return root.parentElement ? paperBehind(root.parentElement) : "#fff";
}

// Tell of a new theme, size or font (`changed`), and of coming into sight or
// going out of it (`seen`). Returns what ends it.
/**
 * @param {HTMLElement} root
 * @param {HTMLElement[]} canvases
 * @param {{ changed: () => void, seen: (visible: boolean) => void }} told
 * @returns {() => void}
 */
export function watch(root, canvases, { changed, seen }) {
  const theme = new MutationObserver(changed);
  const attributeFilter = ["data-theme", "data-jp-theme-light", "class"];
  for (const place of [document.documentElement, document.body])
    theme.observe(place, { attributes: true, attributeFilter });
  const size = new ResizeObserver(changed);
  for (const canvas of canvases) size.observe(canvas);
  const sight = new IntersectionObserver((entries) =>
    seen(entries[entries.length - 1].isIntersecting),
  );
  sight.observe(root);
  document.fonts?.ready.then(changed); // a font may come late
  return () => [theme, size, sight].forEach((each) => each.disconnect());
}
