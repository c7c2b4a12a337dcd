// What can be wrong with a page, seen from inside it. test_pages.py loads
// this file into every page that it opens. Each function returns its faults
// in words; an empty list is a good page.
(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const article = () =>
    document.querySelector(".bd-article") || document.querySelector("main");
  const within = (selector) => [...article().querySelectorAll(selector)];
  const show = (e) =>
    (e.outerHTML || e.textContent).replace(/\s+/g, " ").slice(0, 110);
  const style = (e) => getComputedStyle(e);

  function* textsOf(root) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) yield walker.currentNode;
  }

  // ---- formulas, pictures, addresses --------------------------------------

  function formulas() {
    const bare = all(".math").filter((e) => !e.querySelector("mjx-container"));
    const wrong = all("mjx-merror, [data-mjx-error]");
    return [
      ...bare.map((e) => `formula not rendered: ${show(e)}`),
      ...wrong.map((e) => `formula with an error: ${show(e)}`),
    ];
  }

  const RAW = /\$|\\[([]|\\begin\{|\{(eq|numref|cite|ref|doc|prf)(:\w+)?\}/;
  const NOT_PROSE = "pre, code, script, style, textarea, mjx-container, .math";

  function markup() {
    return [...textsOf(article())]
      .filter((text) => RAW.test(text.textContent))
      .filter((text) => !text.parentElement.closest(NOT_PROSE))
      .map((text) => `raw markup in the text: ${show(text)}`);
  }

  // Icons are not figures; nor are the parts of one.
  const NOT_A_FIGURE =
    "mjx-container, button, .tb-icon, .svg-inline--fa, .sd-octicon," +
    " [aria-hidden=true], svg[role=img] svg, .explorable [role=img]";

  function pictures() {
    const faults = [];
    for (const img of all("img")) {
      const named = article().contains(img) ? img.alt.trim() : true;
      if (!img.complete || img.naturalWidth === 0)
        faults.push(`image not loaded: ${show(img)}`);
      if (!img.hasAttribute("alt") || !named)
        faults.push(`image without alt text: ${show(img)}`);
    }
    for (const svg of within("svg")) {
      if (svg.closest(NOT_A_FIGURE)) continue;
      const label = (svg.getAttribute("aria-label") || "").trim();
      if (svg.getAttribute("role") !== "img" || !label)
        faults.push(`figure without role=img and aria-label: ${show(svg)}`);
    }
    return faults;
  }

  const LOADS =
    "script[src], img[src], iframe[src], source[src], video[src], audio[src]," +
    " link:is([rel~=stylesheet], [rel~=preload], [rel~=modulepreload]," +
    " [rel~=preconnect], [rel~=dns-prefetch], [rel~=prefetch], [rel~=icon])";

  function addresses() {
    return all(LOADS)
      .map((e) => [e, new URL(e.src || e.href, location)])
      .filter(([, url]) => url.protocol.startsWith("http"))
      .filter(([, url]) => url.hostname !== "127.0.0.1")
      .map(([e]) => `loads from another machine: ${show(e)}`);
  }

  // ---- widths -------------------------------------------------------------

  function clipped(e) {
    for (let p = e.parentElement; p && p !== document.body; p = p.parentElement)
      if (style(p).overflowX !== "visible") return true;
    return false;
  }

  const UNSEEN = "mjx-assistive-mml, .visually-hidden, .headerlink";

  function tooWide() {
    const { scrollWidth, clientWidth } = document.scrollingElement;
    const faults = [];
    if (scrollWidth > clientWidth)
      faults.push(`the page is ${scrollWidth} px wide`);
    const out = within("*").find((e) => {
      const box = e.getBoundingClientRect();
      const beyond = box.width > 1 && box.right > clientWidth + 1;
      return beyond && !clipped(e) && !e.closest(UNSEEN);
    });
    if (out) faults.push(`reaches beyond the page: ${show(out)}`);
    const long = within("mjx-container").find(
      (e) => e.scrollWidth > e.clientWidth + 1 && style(e).overflowX === "auto",
    );
    if (long) faults.push(`a formula scrolls: ${show(long.parentElement)}`);
    // A formula and its full stop.
    const torn = within(".together").find((e) => e.getClientRects().length > 1);
    if (torn) faults.push(`torn: ${show(torn)}`);
    return faults;
  }

  function codeThatScrolls() {
    const scrolls = (e) =>
      e.scrollWidth > e.clientWidth && style(e).overflowX !== "visible";
    return within("pre")
      .filter((pre) => !pre.closest(".cell_output, .output"))
      .filter((pre) => pre.clientWidth > 0)
      .filter((pre) => scrolls(pre) || scrolls(pre.parentElement))
      .map((pre) => `code scrolls: ${pre.textContent.trim().slice(0, 60)}`);
  }

  function tablesThatScroll() {
    return within("table")
      .filter(({ parentElement: p }) => p.scrollWidth > p.clientWidth)
      .map((table) => `a table scrolls: ${show(table)}`);
  }

  const NOT_PLAIN =
    "figure, li, table, dl, blockquote, .admonition, .proof, .sd-card," +
    " .sd-dropdown, .citation";

  function plainParagraphs() {
    return within("p").filter((p) => !p.closest(NOT_PLAIN));
  }

  // The number of characters in each line of a paragraph but the last.
  function fullLines(p) {
    const lines = new Map();
    const range = document.createRange();
    for (const text of textsOf(p))
      for (const word of text.textContent.matchAll(/\S+\s*/g)) {
        range.setStart(text, word.index);
        range.setEnd(text, word.index + word[0].trimEnd().length);
        const line = Math.round(range.getBoundingClientRect().bottom / 8);
        lines.set(line, (lines.get(line) || 0) + word[0].length);
      }
    return [...lines.values()].slice(0, -1);
  }

  function measure() {
    const lengths = plainParagraphs()
      .filter((p) => !p.querySelector("mjx-container, code, img, br"))
      .flatMap(fullLines);
    if (lengths.length < 10) return [];
    const mean = lengths.reduce((a, b) => a + b) / lengths.length;
    if (mean >= 65 && mean <= 75) return [];
    return [`a line has ${mean.toFixed(1)} characters, not 65 to 75`];
  }

  function figuresOfAnotherWidth() {
    const column = Math.max(0, ...plainParagraphs().map((p) => p.clientWidth));
    if (!column) return [];
    return within(".cell_output svg[role=img]")
      .filter((svg) => !svg.closest(".admonition, .explorable, details"))
      .map((svg) => Math.round(svg.getBoundingClientRect().width))
      .filter((width) => width && Math.abs(width - column) > 2)
      .map((width) => `a figure is ${width} px wide, the text ${column}`);
  }

  // ---- light and dark -----------------------------------------------------

  const rgb = (colour) => colour.match(/[\d.]+/g).map(Number);

  function luminance(colour) {
    const [r, g, b] = colour.map((v) =>
      v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }

  function ground(e) {
    for (; e; e = e.parentElement) {
      const colour = rgb(style(e).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return luminance(colour);
    }
    return 1;
  }

  // A label in a figure may be as pale as the noise grey, not paler.
  function tooPale(e) {
    const drawn = e.closest("svg");
    const ink = luminance(rgb(drawn ? style(e).fill : style(e).color));
    const [high, low] = [ink, ground(e)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    return ratio < (drawn ? 2.8 : 4.5) && ratio;
  }

  const TEXT =
    "p, li, td, th, h1, h2, h3, a[href], figcaption, summary, code, pre," +
    " pre span, .eqno, svg[role=img] text";

  function paleText() {
    const faults = new Map();
    for (const e of all(TEXT)) {
      const seen = e.checkVisibility({
        visibilityProperty: true,
        opacityProperty: true,
      });
      if (!seen || !e.textContent.trim()) continue;
      if (e.closest(".headerlink, .skip-link, svg:not([role=img])")) continue;
      const ratio = tooPale(e);
      const kind = e.tagName + e.className;
      if (ratio) faults.set(kind, `contrast ${ratio.toFixed(2)}: ${show(e)}`);
    }
    return [...faults.values()];
  }

  function mode(asked) {
    const faults = [];
    const shown = document.documentElement.dataset.theme;
    if (shown !== asked) faults.push(`asked for ${asked}, shown in ${shown}`);
    if (ground(article()) > 0.5 !== (asked === "light"))
      faults.push(`the page is not ${asked}`);
    const dimmed = within("img, svg[role=img]").filter(
      (e) => style(e).filter !== "none",
    );
    faults.push(...dimmed.map((e) => `picture dimmed: ${show(e)}`));
    return [...faults, ...paleText()];
  }

  // ---- what shuts a reader out --------------------------------------------

  const WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"];
  const GRAVE = ["moderate", "serious", "critical"];

  // Faults of the theme itself: the rule, and the only elements that may break
  // it. Where book.js can mend one, it does.
  const OF_THE_THEME = {
    region: ".logo__title", // the book's name stands outside the landmarks
  };

  const ours = (rule) => (node) =>
    !node.element.matches(OF_THE_THEME[rule.id] || ":not(*)");

  // The page is not the same afterwards. Its folds are unfolded, and its code
  // is plain text: axe-core would look for minutes at the thousands of spans
  // of colour, whose contrast `paleText` has measured.
  async function barriers() {
    for (const fold of all("details")) fold.open = true;
    for (const code of all("pre")) code.textContent = code.textContent;
    const { violations } = await axe.run({
      runOnly: [...WCAG, "best-practice"],
      resultTypes: ["violations"],
      elementRef: true,
      preload: false, // a page opened from a folder may not fetch its styles
    });
    return violations
      .filter((rule) => GRAVE.includes(rule.impact))
      .map((rule) => [rule, rule.nodes.filter(ours(rule))])
      .filter(([, nodes]) => nodes.length)
      .map(
        ([rule, [first, ...more]]) =>
          `${rule.id} (${rule.impact}): ${first.target} is ` +
          `${show(first.element)}` +
          (more.length ? ` and ${more.length} more` : ""),
      );
  }

  globalThis.faults = {
    barriers,
    onAWideScreen: (asked) => [
      ...formulas(),
      ...markup(),
      ...pictures(),
      ...addresses(),
      ...codeThatScrolls(),
      ...tablesThatScroll(),
      ...measure(),
      ...figuresOfAnotherWidth(),
      ...mode(asked),
    ],
    tooWide,
  };
})();
