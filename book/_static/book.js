// A page opened from a folder may not fetch another one, so the search shows
// titles there; from a server it shows excerpts as well.
if (location.protocol === "file:") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}
