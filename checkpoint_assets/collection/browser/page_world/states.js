// What a page without its scripts cannot know by itself: what is hovered, focused, on top, scrolled,
// and how far animations are. Elements are marked with attributes, and rules that go by them stand
// at the end of the scope that the elements are in.
function makeStates(sheets, ours) {
  const PSEUDO = ["hover", "focus", "focus-visible", "focus-within", "active", "popover-open",
    "modal", "fullscreen", "indeterminate", "user-valid", "user-invalid", "target"];
  const ANY = `:is(${PSEUDO.map((name) => `:${name}`).join()})`;
  const NAMED = new RegExp(`:(${PSEUDO.join("|")})(?![\\w-])`, "g");
  const MOST_ANIMATIONS = 1000;
  const PSEUDO_ELEMENT = /::?(before|after|first-line|first-letter|placeholder|selection|backdrop|marker|-webkit-[\w-]+)/g;
  const looked = new WeakMap(); // a sheet: what we found in it
  // What a browser's own sheet says of the elements on top, for pages to say otherwise.
  const ON_TOP = `:where([data-checkpoint-modal]){position:fixed;inset-block:0;overflow:auto;` +
    `max-width:calc(100% - 6px - 2em);max-height:calc(100% - 6px - 2em)}` +
    `:where([data-checkpoint-popover-open]){display:block}`;
  const STILL = "*,::before,::after,::backdrop{animation:none!important;transition:none!important}";

  let marks; // an element: the names of its states, and a number if rules are about it alone

  let numbers;
  let rules; // a scope: the text of its rules
  let backdrops; // a scope: the elements that stand for what is behind its dialogs
  let height; // of the last element on top

  function mark(element) {
    if (!marks.has(element)) marks.set(element, { states: [], number: 0 });
    return marks.get(element);
  }

  function say(scope, element, declarations, pseudo = "") {
    const known = mark(element);
    if (!known.number) known.number = ++numbers;
    add(scope, `[data-checkpoint-id="${known.number}"]${pseudo}{${declarations}}`);
  }

  // Everything about one scope, before it is written.
  function survey(scope) {
    const named = new Set();
    for (const element of allIn(scope, ANY)) {
      // The pointer is always over these, and nobody asks.
      if (["html", "body"].includes(localName(element))) continue;
      const { states } = mark(element);
      for (const name of PSEUDO) if (matches(element, `:${name}`)) { states.push(name); named.add(name); }
      if (states.includes("modal") || states.includes("popover-open")) putOnTop(scope, element);
      if (states.includes("focus")) outline(scope, element);
      if (states.includes("hover") && isPlainButton(element)) {
        say(scope, element, "filter:brightness(.9582)!important");
      }
    }
    animations(scope);
    add(scope, stateRules(scope, named));
  }

  const text = (scope) => rules.get(scope) || "";
  const add = (scope, more) => rules.set(scope, text(scope) + more);

  // The layer on top cannot be had without a script: places above all others stand for it.
  function putOnTop(scope, element) {
    if (!text(scope).startsWith(ON_TOP)) rules.set(scope, ON_TOP + text(scope));
    height += 2;
    say(scope, element, `z-index:${height}!important`);
    const { display, background, backdropFilter, opacity } = getComputedStyle(element, "::backdrop");
    if (display === "none" || (background.startsWith("rgba(0, 0, 0, 0)") && backdropFilter === "none")) return;
    const style = `position:fixed;inset:0;z-index:${height - 1};background:${background};` +
      `backdrop-filter:${backdropFilter};opacity:${opacity}`;
    const div = `<div data-checkpoint-backdrop style="${escapeAttribute(style)}"></div>`;
    backdrops.set(scope, (backdrops.get(scope) || "") + div);
  }

  // One that looks as browsers make buttons, and they make it darker under the pointer.
  function isPlainButton(element) {
    if (!matches(element, ":is(button,input[type=button],input[type=submit],input[type=reset]):enabled")) return false;
    const { borderTopStyle, backgroundColor, backgroundImage } = getComputedStyle(element);
    return borderTopStyle === "outset" && backgroundColor === "rgb(239, 239, 239)" && backgroundImage === "none";
  }

  // The ring around a focused element is the browser's own.
  function outline(scope, element) {
    const { outline, outlineOffset, outlineStyle } = getComputedStyle(element);
    if (outlineStyle !== "none") {
      say(scope, element, `outline:${outline}!important;outline-offset:${outlineOffset}!important`);
    }
  }

  function animations(scope) {
    const running = animationsOf(scope).filter((animation) => !ours.has(animation));
    // Also those that have ended: they would begin anew.
    if (running.length || sheetsOf(scope).some((sheet) => look(sheet).moving)) add(scope, STILL);
    for (const { effect } of running.slice(0, MOST_ANIMATIONS)) {
      if (!effect || !effect.target) continue;
      const properties = new Set();
      for (const frame of effect.getKeyframes()) for (const key of Object.keys(frame)) properties.add(key);
      for (const key of ["offset", "computedOffset", "easing", "composite"]) properties.delete(key);
      const style = getComputedStyle(effect.target, effect.pseudoElement);
      const declarations = [...properties].map((key) => {
        const name = key === "cssFloat" ? "float" : key === "cssOffset" ? "offset"
          : key.startsWith("--") ? key : key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
        return `${name}:${style.getPropertyValue(name)}!important`;
      });
      say(scope, effect.target, declarations.join(";"), effect.pseudoElement || "");
    }
  }

  const sheetsOf = (scope) => [...styleSheets(scope), ...adoptedSheets(scope)].filter((sheet) =>
    !sheet.disabled && (!sheet.media.length || matchMedia(sheet.media.mediaText).matches));

  // Copies of the rules that apply because of a state, with the mark in place of the state.
  function stateRules(scope, named) {
    let css = "";
    if (!named.size) return css;
    for (const sheet of sheetsOf(scope)) {
      for (const { rule, before, after, selector } of look(sheet).found) {
        if (![...selector.matchAll(NAMED)].some(([, name]) => named.has(name))) continue;
        if (!applies(scope, selector)) continue;
        const marked = selector.replace(NAMED, '[data-checkpoint-is~="$1"]');
        const copy = `${before}${marked}{${rule.style.cssText}}${after}`;
        css += sheet.href ? sheets.absolute(copy, sheet.href) : copy;
      }
    }
    return css;
  }

  function applies(scope, selector) {
    if (/:host|::slotted|::part/.test(selector)) return true;
    try {
      return firstIn(scope, selector.replace(PSEUDO_ELEMENT, "")) !== null;
    } catch (unusual) {
      return true;
    }
  }

  // The rules of a sheet that go by a state, and whether it has animations. Looked up once.
  function look(sheet) {
    const list = sheets.rulesOf(sheet);
    if (!list) return { found: [], moving: false };
    const known = looked.get(sheet);
    if (known && known.length === list.length) return known;
    const seen = { length: list.length, found: [], moving: false };
    const add = (group, before, after, parent) => {
      for (const rule of group) {
        if (rule.selectorText !== undefined && rule.style) {
          // A nested rule is told apart from the one around it.
          const selector = parent ? rule.selectorText.replaceAll("&", `:is(${parent})`) : rule.selectorText;
          if (selector.search(NAMED) >= 0) seen.found.push({ rule, before, after, selector });
          if (rule.cssRules && rule.cssRules.length) add(rule.cssRules, before, after, selector);
        } else if (rule.type === CSSRule.KEYFRAMES_RULE || rule instanceof CSSStartingStyleRule) {
          seen.moving = true;
        } else if (rule.cssRules && rule.cssRules.length) {
          const { cssText } = rule;
          add(rule.cssRules, before + cssText.slice(0, cssText.indexOf("{") + 1), `}${after}`, parent);
        }
      }
    };
    add(list, "", "", "");
    looked.set(sheet, seen);
    return seen;
  }

  // A place to scroll to that no selector of the page sees: a pseudo-element it does not use.
  // Returns the number that the element has to be marked with, if it has none yet.
  function scrolledTo(scope, element, left, top) {
    if (["input", "textarea", "select"].includes(localName(element))) return 0;
    const marked = marks.has(element) && marks.get(element).number;
    const free = ["::after", "::before"].find((pseudo) =>
      ["none", "normal"].includes(getComputedStyle(element, pseudo).content));
    if (!free) return 0;
    const root = isDocument(scope) && element === documentElement(scope);
    const { position } = getComputedStyle(element);
    say(scope, element, "scroll-padding:0!important" +
      (!root && position === "static" ? ";position:relative!important" : ""));
    say(scope, element, `content:""!important;display:block!important;position:absolute!important;` +
      `inset:auto!important;left:${left}px!important;top:${top}px!important;width:0!important;` +
      `height:0!important;margin:0!important;padding:0!important;border:0!important;` +
      `scroll-initial-target:nearest!important`, free);
    return marked ? 0 : marks.get(element).number;
  }

  return {
    ON_TOP,
    begin() {
      marks = new Map();
      rules = new Map();
      backdrops = new Map();
      numbers = 0;
      height = 2147480000;
    },
    survey,
    scrolledTo,
    of: (element) => marks.get(element),
    rulesOf: text,
    backdropsOf: (scope) => backdrops.get(scope) || "",
  };
}
