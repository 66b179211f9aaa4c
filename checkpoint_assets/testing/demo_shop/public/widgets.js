// Two custom elements with their own adopted style sheets: one shadow root is open, one closed.

const look = new CSSStyleSheet();
look.replaceSync(`
  :host { display: block; font: 16px/1.5 var(--sans, sans-serif); }
  label { display: block; margin-bottom: 14px; font-size: 14px; font-weight: 600; }
  input, textarea { box-sizing: border-box; display: block; width: 100%; margin-top: 6px; padding: 10px 13px;
    border: 1px solid #d5ccba; border-radius: 10px; background: #fff; color: inherit; font: 400 16px/1.4 var(--sans, sans-serif); }
  input:focus, textarea:focus { outline: 3px solid #e9b79b; border-color: #b4532a; }
`);

const calculatorLook = new CSSStyleSheet();
calculatorLook.replaceSync(`
  .inputs { display: grid; grid-template-columns: 1fr 1fr; gap: 16px; }
  input[type=range] { padding: 0; height: 44px; accent-color: #b4532a; border: 0; background: none; }
  dl { display: grid; grid-template-columns: repeat(3, 1fr); gap: 12px; margin: 4px 0 0; }
  div.box { padding: 16px 10px; border-radius: 14px; background: #f2ebde; text-align: center; }
  dt { font-size: 13px; color: #5b655d; }
  dd { margin: 2px 0 0; font: 600 clamp(18px, 5vw, 24px)/1.2 var(--serif, serif); white-space: nowrap; }
  p { margin: 16px 0 0; color: #5b655d; font-size: 14px; }
`);

class BrewCalculator extends HTMLElement {
  connectedCallback() {
    if (this.shadowRoot) return;
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [look, calculatorLook];
    root.innerHTML = `
      <div class="inputs">
        <label>Cups <input id="cups" type="number" min="1" max="12" value="2"></label>
        <label>Strength <input id="strength" type="range" min="1" max="5" value="3"></label>
      </div>
      <dl>
        <div class="box"><dt>Water</dt><dd id="water"></dd></div>
        <div class="box"><dt>Tea</dt><dd id="tea"></dd></div>
        <div class="box"><dt>Time</dt><dd id="time"></dd></div>
      </dl>
      <p id="advice"></p>`;
    root.addEventListener("input", () => this.#work(root));
    this.#work(root);
  }

  #work(root) {
    const cups = Math.min(12, Math.max(1, Number(root.querySelector("#cups").value) || 1));
    const strength = Number(root.querySelector("#strength").value);
    const grams = Number(this.getAttribute("grams")) * cups * (0.7 + strength * 0.1);
    root.querySelector("#water").textContent = `${cups * 250} ml`;
    root.querySelector("#tea").textContent = `${grams.toFixed(1)} g`;
    root.querySelector("#time").textContent = `${this.getAttribute("minutes")} min`;
    const words = ["very light", "light", "just right", "strong", "very strong"][strength - 1];
    root.querySelector("#advice").textContent = `At ${this.getAttribute("celsius")} °C: ${words}.`;
  }
}

const noteLook = new CSSStyleSheet();
noteLook.replaceSync(`
  .card { padding: 20px 22px 16px; border-radius: 14px; border: 1px dashed #cdb892; background: #fdf6e7; }
  textarea { resize: vertical; font-family: var(--serif, serif); font-style: italic; background: #fffdf7; }
  .left { display: block; text-align: right; font-size: 13px; color: #5b655d; }
`);

class GiftNote extends HTMLElement {
  static formAssociated = true;
  #root;
  #internals = this.attachInternals();

  connectedCallback() {
    if (this.#root) return;
    this.#root = this.attachShadow({ mode: "closed", delegatesFocus: true });
    this.#root.adoptedStyleSheets = [look, noteLook];
    this.#root.innerHTML = `
      <div class="card">
        <label>A note to go with it <textarea rows="2" maxlength="120" placeholder="Write a line by hand, nearly"></textarea></label>
        <label>From <input maxlength="40" placeholder="Your name"></label>
        <span class="left"></span>
      </div>`;
    this.#root.addEventListener("input", () => this.#count());
    this.#count();
  }

  #count() {
    const text = this.#root.querySelector("textarea").value;
    const from = this.#root.querySelector("input").value;
    this.#root.querySelector(".left").textContent = `${120 - text.length} characters left`;
    this.#internals.setFormValue(text && from ? `${text} (${from})` : text);
  }
}

customElements.define("brew-calculator", BrewCalculator);
customElements.define("gift-note", GiftNote);
