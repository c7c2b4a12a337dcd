// Live figures in a page with no Python behind it. What Jupyter saved of each
// (its script, its data, its state) stands in the page; this starts the script
// in the place of the still figure, and keeps what a reader changes in the
// address: #forward?t=300&schedule=cosine. If a live figure cannot start, its
// still one stays.
(() => {
  const scripts = (type) =>
    document.querySelectorAll(
      `script[type="application/vnd.jupyter.widget-${type}+json"]`,
    );

  function decoded(base64) {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    return new DataView(bytes.buffer);
  }

  function load({ state, buffers = [] }) {
    for (const { path, data } of buffers) {
      const last = path.pop();
      path.reduce((part, key) => part[key], state)[last] = decoded(data);
    }
    return state;
  }

  // The part of a widget's model that a live figure uses.
  function modelOf(state, save) {
    const followers = new Set();
    return {
      get: (key) => state[key],
      set: (key, value) => (state[key] = value),
      on: (_, follower) => followers.add(follower),
      off: (_, follower) => followers.delete(follower),
      save_changes: () => save(state.state),
      changed: () => followers.forEach((follower) => follower()),
    };
  }

  function asked(name) {
    const [first, query] = location.hash.slice(1).split("?");
    return first === name
      ? Object.fromEntries(new URLSearchParams(query))
      : null;
  }

  function remember(name, state) {
    const query = new URLSearchParams(state).toString();
    if (!query && !asked(name)) return;
    const plain = location.pathname + location.search;
    history.replaceState(null, "", query ? `#${name}?${query}` : plain);
  }

  const styles = new Set();
  function style(css) {
    if (styles.has(css)) return;
    styles.add(css);
    document.head.append(
      Object.assign(document.createElement("style"), { textContent: css }),
    );
  }

  const counts = {};
  async function start(script, saved) {
    const state = load(saved);
    const still = state.figure && document.getElementById(state.figure);
    const place = document.createElement("div");
    if (still) still.prepend(place);
    else script.after(place);
    try {
      style(state._css);
      const blob = new Blob([state._esm], { type: "text/javascript" });
      const url = URL.createObjectURL(blob);
      const { default: figure } = await import(url);
      URL.revokeObjectURL(url);
      const n = (counts[figure.name] = (counts[figure.name] || 0) + 1);
      const name = figure.name + (n > 1 ? `-${n}` : "");
      const model = modelOf(state, (changed) => remember(name, changed));
      const wanted = asked(name);
      if (wanted) model.set("state", wanted);
      figure.render({ model, el: place });
      place.replaceWith(...place.childNodes);
      if (still) still.classList.add("live");
      const root = still || script.parentElement;
      if (wanted) root.scrollIntoView({ block: "center" });
      addEventListener("hashchange", () => {
        const wanted = asked(name);
        if (!wanted) return;
        model.set("state", wanted);
        model.changed();
        root.scrollIntoView({ block: "center" });
      });
    } catch (error) {
      place.className = "explorable-failed";
      place.textContent = still
        ? `The live figure could not start (${error.message}). This is a still one.`
        : `The live figure could not start (${error.message}).`;
    }
  }

  async function main() {
    const all = {};
    for (const script of scripts("state"))
      Object.assign(all, JSON.parse(script.textContent).state);
    for (const script of scripts("view")) {
      const saved = all[JSON.parse(script.textContent).model_id];
      if (saved?.state._esm) await start(script, saved);
    }
  }

  // As soon as all of the page is there, before the formulas are set.
  if (document.readyState !== "loading") main();
  else document.addEventListener("readystatechange", main, { once: true });
})();
