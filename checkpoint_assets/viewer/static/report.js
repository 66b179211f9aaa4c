"use strict";
// The session report. Captured strings reach the page as text or attribute values, never as markup.
(() => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const single = data.form === "single";
  const rows = data.rows.map((row, ordinal) => ({
    ordinal, id: row[0], kind: row[1], label: row[2], failed: !!row[3], ms: row[4], flags: row[5],
    picture: row[6], page: row[7], url: data.urls[row[8]], title: data.titles[row[9]],
  }));
  const FLAGS = [[1, "mask", "masked"], [2, "warn", "changed while it was captured"],
    [4, "noise", "errors or failed requests"], [8, "bad", "not whole"], [16, "bad", "damaged"]];
  const TABS = ["picture", "page", "pixels", "dom"];
  let current = -1;
  let tab = "picture";
  let shown = null;
  // How often a view was asked for: what an earlier wish brings is not shown any more.
  let drawing = 0;

  function element(tag, properties, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties || {})) {
      if (value === null || value === undefined) continue;
      if (name === "class") made.className = value;
      else if (name === "text") made.textContent = value;
      else made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child !== null));
    return made;
  }

  // ---- where data comes from: blocks of this document, or files beside it

  const waiting = new Map();
  const known = new Map();

  function block(name) {
    const found = byId(name);
    // What follows it is there, so it is whole.
    return found && (found.nextSibling || document.readyState !== "loading") ? found : null;
  }

  function text(name) {
    const found = block(name);
    if (found) return Promise.resolve(found.textContent);
    if (document.readyState !== "loading") return Promise.resolve(null);
    return new Promise((resolve) => waiting.set(name, [...(waiting.get(name) || []), resolve]));
  }

  function arrived() {
    for (const [name, resolves] of waiting) {
      const found = block(name);
      if (!found && document.readyState === "loading") continue;
      waiting.delete(name);
      for (const resolve of resolves) resolve(found ? found.textContent : null);
    }
  }

  if (single) {
    new MutationObserver(arrived).observe(document.body, { childList: true });
    document.addEventListener("DOMContentLoaded", arrived);
  }

  window.checkpoint = (name, value) => known.get(name).resolve(value);

  function loaded(name, path) {
    if (known.has(name)) return known.get(name).promise;
    const entry = {};
    entry.promise = single
      ? text(name).then((found) => found === null ? null : JSON.parse(found))
      : new Promise((resolve) => {
        entry.resolve = resolve;
        const script = element("script", { src: path });
        script.addEventListener("error", () => { known.delete(name); resolve(null); });
        script.addEventListener("load", () => script.remove());
        document.head.append(script);
      });
    known.set(name, entry);
    return entry.promise;
  }

  const bytes = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const urls = new Map();

  // Addresses of pictures. Those made here are few at a time, so that memory stays bounded.
  async function pictureUrl(ordinal, kind) {
    if (ordinal < 0) return null;
    const folder = kind === "thumb" ? "thumbs" : "pictures";
    if (!single) return `${folder}/${rows[ordinal].id}.webp`;
    const name = `${kind}-${ordinal}`;
    if (urls.has(name)) return urls.get(name);
    const found = await text(name);
    if (found === null) return null;
    const url = URL.createObjectURL(new Blob([bytes(found)], { type: byId(name).type }));
    urls.set(name, url);
    const pictures = [...urls.keys()].filter((each) => each.startsWith("picture"));
    if (pictures.length > 12) {
      URL.revokeObjectURL(urls.get(pictures[0]));
      urls.delete(pictures[0]);
    }
    return url;
  }

  async function frame(row, size) {
    const made = element("iframe", {
      sandbox: "", referrerpolicy: "no-referrer", loading: "eager",
      title: `Page of step ${row.ordinal + 1} as it is stored, without scripts and network`,
    });
    if (single) {
      const packed = await text(`page-${row.page}`);
      if (packed === null) return null;
      const stream = new Blob([bytes(packed)]).stream().pipeThrough(new DecompressionStream("gzip"));
      made.srcdoc = await new Response(stream).text();
    } else {
      made.src = `pages/${rows[row.page].id}.html`;
    }
    [made.width, made.height] = size;
    return made;
  }

  // ---- the timeline

  const strip = byId("strip");
  const lazily = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      lazily.unobserve(entry.target);
      const image = entry.target;
      pictureUrl(Number(image.dataset.picture), "thumb").then((url) => { if (url) image.src = url; });
    }
  }, { root: strip.parentElement, rootMargin: "400px" });

  function marks(row) {
    const found = FLAGS.filter(([bit]) => row.flags & bit).map(([, kind, words]) => [kind, words]);
    return row.failed ? [["bad", "failed"], ...found] : found;
  }

  const buttons = rows.map((row) => {
    const flagged = marks(row);
    const words = [`Step ${row.ordinal + 1}`, `${row.kind} ${row.label}`.trim(), ...flagged.map((each) => each[1])];
    const image = element("img", { alt: "", "data-picture": row.picture });
    image.addEventListener("error", () => image.removeAttribute("src"));
    if (row.picture >= 0) lazily.observe(image);
    const button = element("button", { type: "button", "aria-label": words.join(", "), title: words.join("\n"), tabindex: -1 },
      element("span", { class: "frame" }, image),
      element("span", { class: "caption" },
        element("span", { class: "number", text: row.ordinal + 1 }),
        element("span", { class: "kind", text: row.kind }),
        element("span", { class: "marks" }, ...flagged.map(([kind]) => element("i", { class: kind })))));
    button.addEventListener("click", () => select(row.ordinal));
    strip.append(element("li", {}, button));
    return button;
  });

  function select(ordinal, focus) {
    if (!rows.length) return;
    const next = Math.max(0, Math.min(rows.length - 1, ordinal));
    if (next === current) return;
    const held = strip.contains(document.activeElement);
    if (current >= 0) {
      buttons[current].removeAttribute("aria-current");
      buttons[current].tabIndex = -1;
    }
    current = next;
    const button = buttons[current];
    button.setAttribute("aria-current", "step");
    button.tabIndex = 0;
    if (held || focus) button.focus({ preventScroll: true });
    const box = strip.parentElement;
    const at = button.getBoundingClientRect().left - box.getBoundingClientRect().left;
    box.scrollBy({ left: at - (box.clientWidth - button.offsetWidth) / 2, behavior: "instant" });
    const row = rows[current];
    byId("heading").replaceChildren(
      element("span", { class: "kind", text: row.kind }), " ",
      element("span", { class: "label", text: row.label }));
    byId("position").textContent = `${current + 1} of ${rows.length} · ${row.id} · ${row.ms} ms`;
    byId("previous").disabled = current === 0;
    byId("next").disabled = current === rows.length - 1;
    byId("announce").textContent = button.getAttribute("aria-label");
    try { history.replaceState(null, "", `#${row.id}`); } catch { /* not where it has no address */ }
    show();
  }

  // ---- the step

  async function show() {
    const row = rows[current];
    shown = null;
    const details = await loaded(`step-${row.ordinal}`, `steps/${row.id}.js`);
    if (row.ordinal !== current) return;
    shown = details || {
      facts: [], timings: [], notes: [["bad", "the data of this step could not be loaded"]],
      log: [], picture: null, page: false, dom: null, json: [],
    };
    showDetails(row);
    await showTab();
  }

  const empty = (words) => element("p", { class: "empty quiet", text: words });

  async function showTab() {
    const asked = ++drawing;
    const details = shown;
    if (!details) return;
    const view = { picture: pictureView, page: pageView, pixels: pixelView, dom: domView }[tab];
    const made = await view(details, rows[current]);
    if (asked !== drawing) return;
    for (const name of TABS) {
      const button = byId(`tab-${name}`);
      button.setAttribute("aria-selected", String(name === tab));
      button.tabIndex = name === tab ? 0 : -1;
      byId(`view-${name}`).hidden = name !== tab;
      if (name !== tab) byId(`view-${name}`).replaceChildren();
    }
    byId("option-mark").hidden = tab !== "picture";
    byId("option-before").hidden = tab !== "picture" || !hasBefore(details);
    byId("option-blend").hidden = tab !== "pixels" || !hasBefore(details);
    byId(`view-${tab}`).replaceChildren(...made);
    fit();
  }

  const hasBefore = ({ picture }) => !!picture && picture.previous !== undefined;

  function percent(box, node) {
    [node.style.left, node.style.top, node.style.width, node.style.height] = box.map((side) => `${side}%`);
    return node;
  }

  async function image(ordinal, words) {
    const made = element("img", { alt: words, draggable: "false" });
    const url = await pictureUrl(rows[ordinal].picture, "picture");
    made.addEventListener("error", () => made.closest("figure")?.replaceWith(empty("The picture cannot be shown.")));
    if (url) made.src = url;
    return made;
  }

  async function pictureView(details, row) {
    if (!details.picture) return [empty(row.picture < 0 ? "This step has no picture." : "The picture cannot be shown.")];
    const before = byId("before").checked && hasBefore(details);
    const picture = await image(before ? details.picture.previous : current,
      `Screenshot ${before ? "before" : "after"} step ${current + 1}: ${row.kind} ${row.label}`);
    const figure = element("figure", { class: "shot" }, picture);
    const box = before ? details.picture.before : details.picture.after;
    if (box && byId("mark").checked) {
      const side = `${box[1] > 8 ? "" : "below"} ${box[0] > 55 ? "left" : ""}`;
      figure.append(percent(box, element("div", { class: `target ${side}`, "aria-hidden": "true" },
        element("span", { class: "chip", text: `${row.kind} ${row.label}` }))));
    }
    const views = [figure];
    if (!box && details.picture.before && !before) {
      views.unshift(element("p", { class: "hint quiet", text: "The target is on the picture before the action: the page is another one now." }));
    }
    return views;
  }

  async function pageView(details, row) {
    if (!details.page || row.page < 0) return [empty(row.page < 0 ? "This step has no page." : "The page cannot be shown.")];
    const made = await frame(row, details.viewport || [1280, 800]);
    if (!made) return [empty("The page cannot be shown.")];
    return [
      element("p", { class: "hint quiet", text: "Built from the stored HTML. Nothing runs in it, and nothing is fetched: linked styles, pictures and fonts are left out." }),
      element("div", { class: "sheet" }, made)];
  }

  async function pixelView(details) {
    if (!details.picture) return [empty("This step has no picture.")];
    if (!hasBefore(details)) return [empty("There is no picture before this one.")];
    const { changed, area, previous } = details.picture;
    const said = changed === undefined ? "The pictures differ in size."
      : changed === 0 ? "No pixel changed."
        : `${changed * 100 < 0.01 ? "Less than 0.01" : (changed * 100).toFixed(2)} % of the pixels changed.`;
    const blend = byId("blend").checked;
    const old = await image(previous, `Screenshot of step ${previous + 1}`);
    const now = await image(current, `Screenshot of step ${current + 1}`);
    const figure = element("figure", { class: `shot compare ${blend ? "blend" : ""}` }, old, now);
    if (area && !blend) figure.append(percent(area, element("div", { class: "area", "aria-hidden": "true" })));
    const views = [element("p", { class: "hint quiet", text: said })];
    if (!blend) {
      const slider = element("input", { type: "range", min: 0, max: 100, value: 50, "aria-label": "How much of the picture is from before" });
      const line = element("div", { class: "line", "aria-hidden": "true" });
      const move = () => {
        now.style.clipPath = `inset(0 0 0 ${slider.value}%)`;
        line.style.left = `${slider.value}%`;
        slider.setAttribute("aria-valuetext", `${slider.value} % before, ${100 - slider.value} % after`);
      };
      slider.addEventListener("input", move);
      figure.append(line);
      move();
      views.push(element("div", { class: "slide" }, element("span", { text: "before" }), slider, element("span", { text: "after" })));
    }
    return [...views, figure];
  }

  async function domView({ dom }) {
    if (!dom) return [empty("There is no page before this one to compare with.")];
    if (!dom.added && !dom.removed) return [empty("The DOM did not change.")];
    const words = `${dom.added} ${dom.added === 1 ? "line" : "lines"} came, ${dom.removed} went.` +
      (dom.exact ? "" : " The pages are too large to be put side by side: lines are counted.") +
      (dom.whole ? "" : " The rest is not shown.");
    const lines = dom.rows.map(([sign, line]) => {
      const kind = { "+": "ins", "-": "del", " ": "span", "@": "hr" }[sign] || "span";
      return kind === "hr" ? element("hr", {}) : element(kind, { "data-sign": sign, text: line });
    });
    return [element("p", { class: "hint quiet", text: words }), element("div", { class: "diff code" }, ...lines)];
  }

  function showDetails(row) {
    const parts = [];
    const notes = row.failed ? [["bad", "the action failed"], ...shown.notes] : shown.notes;
    if (notes.length) {
      parts.push(element("ul", { class: "notes" }, ...notes.map(([level, words]) => element("li", { class: level, text: words }))));
    }
    parts.push(element("h3", { text: "Action" }));
    parts.push(element("dl", { class: "pairs" }, ...shown.facts.flatMap(([name, value]) =>
      [element("dt", { text: name }), element("dd", { text: value })])));
    const total = shown.timings.reduce((sum, [, ms]) => sum + ms, 0);
    if (total > 0) {
      parts.push(element("h3", { text: "Time" }));
      parts.push(element("ul", { class: "times" }, ...shown.timings.map(([name, ms]) => {
        const bar = element("span", { class: "bar" });
        bar.style.width = `${100 * ms / total}%`;
        return element("li", {}, element("span", { text: name }), element("span", { class: "track" }, bar), element("span", { class: "ms", text: `${ms} ms` }));
      })));
    }
    parts.push(element("h3", { text: "Console and requests" }));
    parts.push(shown.log.length
      ? element("ul", { class: "log" }, ...shown.log.map(([kind, said, more]) => element("li", { class: kind },
        element("b", { text: kind }), element("span", { class: "code", text: said }),
        more ? element("span", { class: "quiet", text: more }) : null)))
      : element("p", { class: "quiet", text: "No error, and no request that failed." }));
    for (const [name, json] of shown.json) {
      parts.push(element("details", {}, element("summary", { text: name === "action" ? "Action as JSON" : "Commit record as JSON" }),
        element("pre", { class: "code", tabindex: 0, text: json })));
    }
    byId("details").replaceChildren(...parts);
  }

  // A page is drawn as wide as it was, and made as small as there is room.
  function fit() {
    const sheet = document.querySelector(".sheet");
    if (!sheet) return;
    const made = sheet.firstElementChild;
    const scale = Math.min(1, sheet.clientWidth / Number(made.width));
    made.style.transform = `scale(${scale})`;
    sheet.style.height = `${Number(made.height) * scale}px`;
  }
  addEventListener("resize", fit);

  // ---- controls

  function choose(name, focus) {
    tab = name;
    if (focus) byId(`tab-${name}`).focus();
    showTab();
  }

  for (const name of TABS) {
    byId(`tab-${name}`).addEventListener("click", (event) => {
      choose(name);
      // Whoever points is not in the list of tabs: the arrow keys stay those of the steps.
      if (event.detail) byId("stage").focus({ preventScroll: true });
    });
  }
  for (const name of ["mark", "before", "blend"]) byId(name).addEventListener("change", showTab);
  byId("previous").addEventListener("click", () => select(current - 1));
  byId("next").addEventListener("click", () => select(current + 1));
  addEventListener("hashchange", () => {
    const found = rows.findIndex((row) => `#${row.id}` === location.hash);
    if (found >= 0) select(found);
  });

  document.querySelector("[role=tablist]").addEventListener("keydown", (event) => {
    const to = { ArrowLeft: -1, ArrowRight: 1, Home: -TABS.length, End: TABS.length }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const at = TABS.indexOf(tab);
    choose(TABS[Math.abs(to) > 1 ? (to < 0 ? 0 : TABS.length - 1) : (at + to + TABS.length) % TABS.length], true);
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input:not([type=checkbox]), textarea, select, pre")) return;
    const moves = { ArrowRight: current + 1, j: current + 1, ArrowLeft: current - 1, k: current - 1, Home: 0, End: rows.length - 1 };
    if (event.key in moves) select(moves[event.key]);
    else if (event.key === "/") byId("find").focus();
    else if (/^[1-4]$/.test(event.key)) choose(TABS[event.key - 1]);
    else return;
    event.preventDefault();
  });

  // ---- search

  const find = byId("find");
  const own = rows.map((row) => `${row.id} ${row.kind} ${row.label} ${row.title} ${row.url}`);
  let searched = 0;

  async function search() {
    const asked = ++searched;
    const wanted = find.value.trim().toLowerCase();
    const hits = new Map();
    if (wanted) {
      own.forEach((words, ordinal) => { if (words.toLowerCase().includes(wanted)) hits.set(ordinal, words); });
      const index = await loaded("text", "text.js");
      if (asked !== searched) return;
      for (const [line, ...at] of index ? index.lines : []) {
        if (!line.toLowerCase().includes(wanted)) continue;
        for (let i = 0; i < at.length; i += 2) {
          for (let ordinal = at[i]; ordinal <= at[i + 1]; ordinal++) if (!hits.has(ordinal)) hits.set(ordinal, line);
        }
      }
    }
    buttons.forEach((button, ordinal) => button.parentElement.classList.toggle("off", !!wanted && !hits.has(ordinal)));
    byId("found").textContent = wanted ? `${hits.size} of ${rows.length}` : "";
    const found = [...hits].sort((one, other) => one[0] - other[0]);
    byId("hits").hidden = !found.length;
    byId("hits").replaceChildren(...found.slice(0, 100).map(([ordinal, words]) => {
      const button = element("button", { type: "button" },
        element("b", { text: `${ordinal + 1} ${rows[ordinal].kind}` }), " ", ...snippet(words, wanted));
      button.addEventListener("click", () => select(ordinal));
      return element("li", {}, button);
    }));
  }

  function snippet(words, wanted) {
    const at = words.toLowerCase().indexOf(wanted);
    const from = Math.max(0, at - 30);
    return [`${from ? "…" : ""}${words.slice(from, at)}`, element("mark", { text: words.slice(at, at + wanted.length) }),
      words.slice(at + wanted.length, at + wanted.length + 60)];
  }

  find.addEventListener("input", search);
  find.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { find.value = ""; search(); find.blur(); }
    if (event.key !== "Enter") return;
    event.preventDefault();
    const left = buttons.map((button, ordinal) => ordinal).filter((ordinal) => !buttons[ordinal].parentElement.classList.contains("off"));
    if (left.length && find.value.trim()) select(left.find((ordinal) => ordinal > current) ?? left[0]);
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("search")) byId("hits").hidden = true;
  });
  find.addEventListener("focus", () => { byId("hits").hidden = !byId("hits").children.length; });

  // ---- begin

  if (rows.length) {
    const linked = rows.findIndex((row) => `#${row.id}` === location.hash);
    select(linked >= 0 ? linked : 0);
  } else {
    byId("heading").textContent = "No step is stored";
    for (const part of document.querySelectorAll(".views, .now button, .strip")) part.hidden = true;
  }
})();
