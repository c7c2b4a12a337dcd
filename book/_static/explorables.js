// @ts-check
// Live figures in a page with no Python behind it. What Jupyter saved of each
// (its script, its data, its state) stands in the page; this starts the script
// in the place of the still figure, and keeps what a reader changes in the
// address: #forward?t=300&schedule=cosine. If a live figure cannot start, its
// still one stays.
/**
 * @typedef {Record<string, any>} Traits a widget's, by their names
 * @typedef {{ path: string[], data: string }} Saved bytes, and their place
 * @typedef {{ state: Traits, buffers?: Saved[] }} Widget
 */
(() => {
  /** @type {(type: string) => NodeListOf<HTMLElement>} */
  const scripts = (type) =>
    document.querySelectorAll(
      `script[type="application/vnd.jupyter.widget-${type}+json"]`,
    );

  const parsed = (/** @type {HTMLElement} */ script) =>
    JSON.parse(script.textContent ?? "");

  /** @type {(base64: string) => DataView} */
  function decoded(base64) {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    return new DataView(bytes.buffer);
  }

  /** @type {(widget: Widget) => Traits} */
  function load({ state, buffers = [] }) {
    for (const { path, data } of buffers) {
      const [last, ...outer] = [...path].reverse();
      const inside = outer.reduceRight((part, key) => part[key], state);
      inside[last] = decoded(data);
    }
    return state;
  }

  // The part of a widget's model that a live figure uses.
  /**
   * @type {(
   *   traits: Traits, save: (state: Record<string, string>) => void,
   * ) => Model & { changed(): void }}
   */
  function modelOf(traits, save) {
    /** @type {Set<() => void>} */
    const followers = new Set();
    return {
      get: (key) => traits[key],
      set: (key, value) => (traits[key] = value),
      on: (_, follower) => followers.add(follower),
      off: (_, follower) => followers.delete(follower),
      save_changes: () => save(traits.state),
      changed: () => followers.forEach((follower) => follower()),
    };
  }

  /** @type {(name: string) => Record<string, string> | null} */
  function asked(name) {
    const [first, query] = location.hash.slice(1).split("?");
    return first === name
      ? Object.fromEntries(new URLSearchParams(query))
      : null;
  }

  /** @type {(name: string, state: Record<string, string>) => void} */
  function remember(name, state) {
    const query = new URLSearchParams(state).toString();
    if (!query && !asked(name)) return;
    const plain = location.pathname + location.search;
    history.replaceState(null, "", query ? `#${name}?${query}` : plain);
  }

  const styles = new Set();
  /** @type {(css: string) => void} */
  function style(css) {
    if (styles.has(css)) return;
    styles.add(css);
    document.head.append(
      Object.assign(document.createElement("style"), { textContent: css }),
    );
  }

  // A script is in the page as text; a Blob gives it an address.
  /**
   * @type {(
   *   text: string,
   * ) => Promise<{ name: string, render(place: Place): void }>}
   */
  async function imported(text) {
    const blob = new Blob([text], { type: "text/javascript" });
    const url = URL.createObjectURL(blob);
    const { default: figure } = await import(url);
    URL.revokeObjectURL(url);
    return figure;
  }

  /** @type {Record<string, number>} */
  const counts = {};
  /** @type {(name: string) => string} */
  function unique(name) {
    const n = (counts[name] = (counts[name] || 0) + 1);
    return n > 1 ? `${name}-${n}` : name;
  }

  // Start a figure in a place inside `root`, and let it follow the address from
  // then on. `still`, if there is one, is the figure that it takes the place of.
  /**
   * @type {(
   *   traits: Traits, el: HTMLElement, root: Element, still: Element | null,
   * ) => Promise<void>}
   */
  async function run(traits, el, root, still) {
    style(traits._css);
    const figure = await imported(traits._esm);
    const name = unique(figure.name);
    const model = modelOf(traits, (changed) => remember(name, changed));
    const first = asked(name);
    if (first) model.set("state", first);
    figure.render({ model, el });
    el.replaceWith(...el.childNodes);
    still?.classList.add("live");
    if (first) root.scrollIntoView({ block: "center" });
    addEventListener("hashchange", () => {
      const wanted = asked(name);
      if (!wanted) return;
      model.set("state", wanted);
      model.changed();
      root.scrollIntoView({ block: "center" });
    });
  }

  /** @type {(script: HTMLElement, widget: Widget) => Promise<void>} */
  async function start(script, widget) {
    const traits = load(widget);
    const still = document.getElementById(traits.figure);
    const place = document.createElement("div");
    if (still) still.prepend(place);
    else script.after(place);
    try {
      const root = still ?? /** @type {Element} */ (script.parentElement);
      await run(traits, place, root, still);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      place.className = "explorable-failed";
      place.textContent = still
        ? `The live figure could not start (${why}). This is a still one.`
        : `The live figure could not start (${why}).`;
    }
  }

  async function main() {
    /** @type {Record<string, Widget>} */
    const all = {};
    for (const script of scripts("state"))
      Object.assign(all, parsed(script).state);
    for (const script of scripts("view")) {
      const widget = all[parsed(script).model_id];
      if (widget?.state._esm) await start(script, widget);
    }
  }

  // As soon as all of the page is there, before the formulas are set.
  if (document.readyState !== "loading") main();
  else document.addEventListener("readystatechange", main, { once: true });
})();
