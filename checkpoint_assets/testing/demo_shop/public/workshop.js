// The workshop page: a clock that ticks each second, and a form with every kind of control.

const one = (selector) => document.querySelector(selector);
const two = (number) => String(number).padStart(2, "0");

function tick() {
  const now = new Date();
  const text = `${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}`;
  one("#clock").textContent = text;
  one("#clock").dateTime = text;
  const open = now.getHours() >= 9 && now.getHours() < 18;
  one("#open-now").textContent = open ? "The kettle is on." : "We open at nine.";
  setTimeout(tick, 1000 - now.getMilliseconds());
}

export function startWorkshop() {
  tick();

  const places = one("#places");
  places.addEventListener("input", () => {
    one("#places-shown").textContent = places.value === "1" ? "1 place" : `${places.value} places`;
  });

  const everything = one("#all-techniques");
  const techniques = [...document.querySelectorAll("[name=technique]")];
  const compare = () => {
    const chosen = techniques.filter((box) => box.checked).length;
    everything.checked = chosen === techniques.length;
    everything.indeterminate = chosen > 0 && chosen < techniques.length;
  };
  everything.addEventListener("change", () => {
    for (const box of techniques) box.checked = everything.checked;
  });
  for (const box of techniques) box.addEventListener("change", compare);
  compare();

  one("#booking").addEventListener("submit", (event) => {
    event.preventDefault();
    const day = new FormData(event.target).get("day");
    one("#booked").textContent = `See you on ${day}: ${one("#places-shown").textContent}.`;
  });
}
