"use strict";
// Filters and pages of a gallery from a disk. A served one asks its server.
(() => {
  const PAGE = 60;
  const byId = (id) => document.getElementById(id);
  const form = byId("filter");
  for (const image of document.querySelectorAll(".card img")) {
    image.addEventListener("error", () => image.remove());
  }
  if (form.querySelector("[type=submit]")) {
    form.addEventListener("reset", () => location.assign("/"));
    return;
  }
  const cards = [...document.querySelectorAll(".card")];
  let first = 0;

  function show() {
    const { scenario, state, since, until } = Object.fromEntries(new FormData(form));
    const wanted = cards.filter(({ dataset }) =>
      (!scenario || dataset.scenario === scenario) && (!state || dataset.state === state) &&
      (!since || dataset.began >= since) && (!until || dataset.began <= until));
    first = Math.max(0, Math.min(first, wanted.length - 1));
    first -= first % PAGE;
    const page = new Set(wanted.slice(first, first + PAGE));
    for (const card of cards) card.hidden = !page.has(card);
    byId("count").textContent = `${wanted.length} session${wanted.length === 1 ? "" : "s"}`;
    byId("nothing").hidden = wanted.length > 0;
    byId("newer").disabled = first === 0;
    byId("older").disabled = first + PAGE >= wanted.length;
    document.querySelector(".pages").hidden = wanted.length <= PAGE;
    byId("page").textContent = `${first + 1} to ${first + page.size} of ${wanted.length}`;
  }

  function turn(by) {
    first += by;
    show();
    byId("cards").focus();
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => { first = 0; show(); });
  form.addEventListener("reset", () => setTimeout(show));
  byId("newer").addEventListener("click", () => turn(-PAGE));
  byId("older").addEventListener("click", () => turn(PAGE));
  show();
})();
