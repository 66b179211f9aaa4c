// Inside the frame of a product's page: order, applause, and a review of one's own.

const one = (selector) => document.querySelector(selector);
const list = one("#list");

one("#order").addEventListener("change", (event) => {
  const entries = [...list.children];
  entries.forEach((entry, place) => (entry.dataset.place ??= place));
  const critical = event.target.value === "critical";
  entries.sort((a, b) => (critical && a.dataset.stars - b.dataset.stars) || a.dataset.place - b.dataset.place);
  list.replaceChildren(...entries);
});

list.addEventListener("click", (event) => {
  const button = event.target.closest("[data-helpful]");
  if (!button) return;
  const pressed = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(pressed));
  button.textContent = `Helpful (${Number(button.dataset.helpful) + (pressed ? 1 : 0)})`;
});

one("#write").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const stars = Number(form.get("stars"));
  const entry = list.firstElementChild.cloneNode(true);
  entry.dataset.stars = stars;
  entry.dataset.place = -1;
  entry.querySelector(".stars").textContent = "★".repeat(stars) + "☆".repeat(5 - stars);
  entry.querySelector("h3").textContent = "Just now";
  entry.querySelector("h3 + p").textContent = form.get("text");
  entry.querySelector(".by span").textContent = `${form.get("name")} · today`;
  entry.querySelector("button").remove();
  list.prepend(entry);
  event.target.reset();
  entry.scrollIntoView();
});
