// @ts-check
// What the theme leaves unsaid to a screen reader: which chapter the arrow in
// the side column unfolds, and that each reference is one of a list.
document.addEventListener("DOMContentLoaded", () => {
  for (const arrow of document.querySelectorAll(".bd-links summary")) {
    const chapter = arrow.closest("li")?.querySelector("a")?.textContent;
    if (chapter) arrow.setAttribute("aria-label", `Pages in ${chapter.trim()}`);
  }
  for (const entry of document.querySelectorAll(".citation-list > .citation")) {
    entry.setAttribute("role", "listitem");
  }
});
