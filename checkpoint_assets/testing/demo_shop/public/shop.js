// What every page of the shop does: suggestions, cart, dialogs, toasts. The pages that need more
// load it from here.
import "/widgets.js";

const all = (selector, root = document) => root.querySelectorAll(selector);
const one = (selector, root = document) => root.querySelector(selector);
const page = document.body.dataset.page;

export function toast(text, link) {
  const box = document.createElement("p");
  box.className = "toast";
  box.style.margin = "0";
  const words = document.createElement("span");
  words.textContent = text;
  box.append(words);
  if (link) {
    const anchor = document.createElement("a");
    anchor.href = link.href;
    anchor.textContent = link.text;
    box.append(anchor);
  }
  one("#toasts").replaceChildren(box);
}

// --- the search box suggests while one types -----------------------------------------------------
const box = one("#q");
const suggestions = one("#suggestions");
let latest = 0;
let waiting;

async function suggest() {
  const turn = ++latest;
  const words = box.value.trim();
  const found = words ? await (await fetch(`/api/suggest?q=${encodeURIComponent(words)}`)).json() : [];
  if (turn !== latest) return;
  suggestions.replaceChildren(
    ...found.map((product) => {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = `/product/${product.id}`;
      const picture = new Image(36, 36);
      picture.src = `/art/${product.id}.svg`;
      picture.alt = "";
      const price = document.createElement("span");
      price.textContent = product.price;
      link.append(picture, product.name, price);
      item.append(link);
      return item;
    }),
  );
  suggestions.hidden = found.length === 0;
}

box.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(suggest, 120);
});
box.addEventListener("keydown", (event) => {
  if (event.key === "Escape") suggestions.hidden = true;
});
document.addEventListener("click", (event) => {
  if (!one("#search").contains(event.target)) suggestions.hidden = true;
});

// --- the navigation shows where one is -----------------------------------------------------------
const kind = new URLSearchParams(location.search).get("kind");
for (const link of all(".kinds a")) {
  const url = new URL(link.href);
  const here = url.pathname === location.pathname && url.searchParams.get("kind") === kind;
  if (here && (kind || page === "workshop")) link.setAttribute("aria-current", "page");
}

// --- quick look: a modal dialog that is filled when it opens -------------------------------------
for (const button of all("[data-quick-look]")) {
  button.addEventListener("click", async () => {
    const answer = await fetch(`/api/product/${button.dataset.quickLook}`);
    const product = await answer.json();
    one("#quick-name").textContent = product.name;
    one("#quick-text").textContent = product.text;
    one("#quick-price").textContent = product.price;
    one("#quick-picture").src = `/art/${product.id}.svg`;
    one("#quick-open").href = `/product/${product.id}`;
    one("#quick-look").showModal();
  });
}

// --- what was looked at stays in this browser ----------------------------------------------------
const SEEN = "leaf-and-kiln.seen";
const seen = () => JSON.parse(localStorage.getItem(SEEN) ?? "[]");

function showRecent() {
  const items = seen().map(({ id, name }) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = `/product/${id}`;
    const picture = new Image(44, 44);
    picture.src = `/art/${id}.svg`;
    picture.alt = "";
    link.append(picture, name);
    item.append(link);
    return item;
  });
  one("#recent").hidden = items.length === 0;
  one("#recent ul").replaceChildren(...items);
}

// --- one page each -------------------------------------------------------------------------------
function home() {
  showRecent();
  one("#letter").addEventListener("submit", (event) => {
    event.preventDefault();
    const recipes = one("#letter-recipes").checked ? " Recipes included." : "";
    one("#letter-thanks").textContent = `Thank you! The next letter goes to ${one("#letter-email").value}.${recipes}`;
  });
}

function search() {
  const filters = one("#filters");
  one("#most").addEventListener("input", () => {
    one("#most-shown").textContent = `€${one("#most").value}`;
  });
  filters.addEventListener("change", (event) => {
    if (event.target.id !== "most") filters.requestSubmit();
  });
}

async function showStock(id) {
  const answer = await fetch(`/api/stock/${id}`);
  const stock = await answer.json();
  const line = one("#stock");
  line.dataset.state = stock.level === 0 ? "none" : stock.level < 10 ? "few" : "plenty";
  one("span", line).textContent = stock.text;
  if (stock.level === 0) {
    one("#add-to-cart").disabled = true;
    one("#add-to-cart").textContent = "Sold out";
  }
}

async function product() {
  const { product: id, name } = one(".product").dataset;
  localStorage.setItem(SEEN, JSON.stringify([{ id, name }, ...seen().filter((item) => item.id !== id)].slice(0, 5)));
  const option = one("#option");
  const quantity = one("#quantity");
  option.addEventListener("change", () => {
    one("#price").textContent = option.selectedOptions[0].dataset.price;
  });
  for (const button of all("[data-step]")) {
    button.addEventListener("click", () => {
      quantity.value = Math.min(9, Math.max(1, Number(quantity.value) + Number(button.dataset.step)));
    });
  }
  one("#open-guide").addEventListener("click", () => one("#guide").showModal());
  one("#add").addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await fetch("/cart", {
      method: "POST",
      headers: { Accept: "application/json" },
      body: new URLSearchParams(new FormData(event.target)),
    });
    const cart = await answer.json();
    one("#cart-count").textContent = cart.count;
    one("#cart-count").dataset.count = cart.count;
    toast(`In your cart: ${cart.added}`, { href: "/cart", text: "See cart" });
  });
  const { drawPrices } = await import("/price-chart.js");
  drawPrices(one("#price-chart"));
  await showStock(id);
}

function cart() {
  for (const select of all("[data-submit]")) {
    select.addEventListener("change", () => select.form.requestSubmit());
  }
  one("#empty")?.addEventListener("click", () => one("#empty-dialog").showModal());
}

function checkout() {
  // What was typed into the address survives a look back at the cart; the card never does.
  const DRAFT = "leaf-and-kiln.address";
  const fields = ["email", "name", "street", "postcode", "city", "country"];
  const draft = JSON.parse(sessionStorage.getItem(DRAFT) ?? "{}");
  for (const name of fields) {
    const field = one(`#${name}`);
    if (draft[name] && !field.value) field.value = draft[name];
    field.addEventListener("change", () => {
      draft[name] = field.value;
      sessionStorage.setItem(DRAFT, JSON.stringify(draft));
    });
  }
  const number = one("#cc-number");
  number.addEventListener("input", () => {
    number.value = number.value.replace(/\D/g, "").slice(0, 19).replace(/(.{4})(?=.)/g, "$1 ");
  });
  const total = one("#total");
  const standard = { total: total.textContent, delivery: one("#sum-delivery").textContent };
  const cents = (text) => Math.round(Number(text.replace(/[^0-9.]/g, "") || "0") * 100);
  for (const choice of all("[name=delivery]")) {
    choice.addEventListener("change", () => {
      const express = one("#express").checked;
      const goods = cents(standard.total) - cents(standard.delivery);
      one("#sum-delivery").textContent = express ? "€9.90" : standard.delivery;
      total.textContent = express ? `€${((goods + 990) / 100).toFixed(2)}` : standard.total;
      one("#pay").textContent = `Pay ${total.textContent}`;
    });
  }
}

async function workshop() {
  const { startWorkshop } = await import("/workshop.js");
  startWorkshop();
}

({ home, search, product, cart, checkout, workshop })[page]?.();
