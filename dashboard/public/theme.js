// Before the first paint, so that a dark dashboard does not flash white. A file, because inline scripts are refused.
(function () {
  var choice = null;
  try {
    choice = localStorage.getItem("roundtrip.theme");
  } catch {
    // Storage can be switched off: then the system decides.
  }
  var dark = choice === "dark" || (choice !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
