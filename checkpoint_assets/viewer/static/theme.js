"use strict";
// Light or dark: what the system says, until somebody chooses otherwise.
(() => {
  const root = document.documentElement;
  const key = "checkpoint-theme";
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try { chosen = localStorage.getItem(key); } catch { /* a page from a disk may have no storage */ }
  const dark = () => chosen ? chosen === "dark" : system.matches;
  const show = () => {
    if (chosen) root.dataset.theme = chosen;
    document.getElementById("theme").setAttribute("aria-pressed", String(dark()));
  };
  const change = () => {
    chosen = dark() ? "light" : "dark";
    try { localStorage.setItem(key, chosen); } catch { /* it holds for this page */ }
    show();
  };
  document.getElementById("theme").addEventListener("click", change);
  document.addEventListener("keydown", (event) => {
    if (event.key === "t" && !event.ctrlKey && !event.metaKey && !event.altKey &&
        !event.target.closest("input, select, textarea")) change();
  });
  system.addEventListener("change", show);
  show();
})();
