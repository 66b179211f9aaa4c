// Writes the page down as one HTML text. Runs in an isolated world: page code can neither see nor
// break it, and it only reads. Names of our own attributes begin with data-checkpoint-.
function snapshot(options) {
  const MASK = "********";
  const HTML = "http://www.w3.org/1999/xhtml";
  const VOID = new Set(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta",
    "param", "source", "track", "wbr"]);
  // Their text is not parsed for entities (HTML, serialising fragments).
  const RAW = new Set(["style", "script", "xmp", "iframe", "noembed", "noframes", "plaintext"]);
  // What of a private element's attributes says where and what it is, not what is in it.
  const PLAIN = new RegExp("^(id|class|style|type|name|role|for|slot|part|dir|lang|hidden|tabindex|" +
    "width|height|rows|cols|colspan|rowspan|size|maxlength|autocomplete|inputmode|disabled|" +
    "required|readonly|multiple|open|contenteditable|data-private)$");
  // Browsers drop some characters before and inside of the scheme.
  const SCRIPT_URL = new RegExp("^[\\0- ]*" + [..."javascript:"].join("[\\t\\n\\r]*"), "i");
  // What a page tells the browser to do by itself: a stored page does nothing.
  const ORDERS = /^\s*(refresh|content-security-policy(-report-only)?)\s*$/i;
  const privateName = new RegExp(options.privateNames, "i");
  const privatePurpose = new RegExp(options.privatePurposes, "i");
  const selectors = options.privateSelectors.join(",");
  const counts = {
    nodes: 0, shadow_roots: 0, frames: 0, opaque_frames: 0, canvases: 0, tainted_canvases: 0,
    adopted_sheets: 0,
  };
  const redactions = {};
  const masks = [];
  const out = [];
  let length = 0;
  let truncated = null;

  // Fields of a form and named elements of a document stand before its properties. Nothing stands
  // before what the prototypes hold.
  const reader = (kind, name) => {
    const { get, value } = Object.getOwnPropertyDescriptor(kind.prototype, name);
    return (object, ...rest) => (get || value).apply(object, rest);
  };
  const nodeType = reader(Node, "nodeType");
  const firstChild = reader(Node, "firstChild");
  const lastChild = reader(Node, "lastChild");
  const previousSibling = reader(Node, "previousSibling");
  const ownerDocument = reader(Node, "ownerDocument");
  const baseUri = reader(Node, "baseURI");
  const namespaceOf = reader(Element, "namespaceURI");
  const localName = reader(Element, "localName");
  const tagName = reader(Element, "tagName");
  const attributesOf = reader(Element, "attributes");
  const getAttribute = reader(Element, "getAttribute");
  const matches = reader(Element, "matches");
  const boxOf = reader(Element, "getBoundingClientRect");
  const scrollLeft = reader(Element, "scrollLeft");
  const scrollTop = reader(Element, "scrollTop");
  const shadowRoot = reader(Element, "shadowRoot");
  const popover = reader(HTMLElement, "popover");
  const rootElement = reader(Document, "documentElement");
  const bodyOf = reader(Document, "body");
  const titleOf = reader(Document, "title");
  const urlOf = reader(Document, "URL");
  const documentSheets = reader(Document, "adoptedStyleSheets");

  const write = (text) => { out.push(text); length += text.length; };
  const escapeText = (text) => text.replace(/[&<>\u00a0]/g, (c) =>
    c === "&" ? "&amp;" : c === "<" ? "&lt;" : c === ">" ? "&gt;" : "&nbsp;");
  const escapeAttribute = (text) => text.replace(/[&"<>\u00a0]/g, (c) =>
    c === "&" ? "&amp;" : c === '"' ? "&quot;" : c === "<" ? "&lt;" : c === ">" ? "&gt;" : "&nbsp;");
  const attribute = (name, value) => write(` ${name}="${escapeAttribute(value)}"`);
  // Nothing in such a text may end its element, or keep the parser from seeing the end.
  const rawText = (name, text) => {
    const inside = text.replace(new RegExp(`<(?=/${name})`, "gi"), "<\\");
    const hides = name === "script" && /<!--[^]*<script/i.test(text);
    return hides ? inside.replaceAll("<!--", "<\\!--") : inside;
  };
  const commentText = (text) =>
    text.replace(/^-?>|--!?>/g, (end) => end.replace(">", "&gt;"));

  // Which rule masks this form control, if any.
  function secretRule(element) {
    if (element.type === "password") return "password";
    if (privatePurpose.test(getAttribute(element, "autocomplete") || "")) return "autocomplete";
    const named = ["name", "id"].some((key) => privateName.test(getAttribute(element, key) || ""));
    return named ? "name" : null;
  }

  function mask(element, rule, offset) {
    redactions[rule] = (redactions[rule] || 0) + 1;
    const box = boxOf(element);
    if (box.width > 0 && box.height > 0) {
      masks.push({ x: box.left + offset.x, y: box.top + offset.y, width: box.width,
        height: box.height, rule });
    }
  }

  function styleText(element) {
    const written = element.textContent;
    const sheet = element.sheet;
    if (!sheet) return rawText("style", written);
    try {
      const rules = [...sheet.cssRules].filter((rule) => rule.type !== CSSRule.IMPORT_RULE);
      const parsed = new CSSStyleSheet();
      parsed.replaceSync(written);
      const same = parsed.cssRules.length === rules.length &&
        rules.every((rule, i) => rule.cssText === parsed.cssRules[i].cssText);
      if (same) return rawText("style", written);
      return [...sheet.cssRules].map((rule) => rule.cssText).join("\n").replaceAll("</", "<\\/");
    } catch (unreadable) {
      return rawText("style", written);
    }
  }

  function adopted(root) {
    const sheets = root instanceof ShadowRoot ? root.adoptedStyleSheets : documentSheets(root);
    for (const sheet of sheets) {
      counts.adopted_sheets += 1;
      const text = [...sheet.cssRules].map((rule) => rule.cssText).join("\n");
      write(`<style data-checkpoint-adopted>${text.replaceAll("</", "<\\/")}</style>`);
    }
  }

  function canvasPixels(canvas) {
    counts.canvases += 1;
    if (!options.canvas) return "off";
    try {
      return canvas.toDataURL("image/png");
    } catch (tainted) {
      counts.tainted_canvases += 1;
      return "tainted";
    }
  }

  // Writes the start tag; returns the form value to write as text, if the element has one.
  function startTag(element, name, secret, offset) {
    // By name, never by class: an element of a frame is an instance of its own window's classes.
    const html = namespaceOf(element) === HTML;
    const control = html && ["input", "textarea", "option"].includes(name) ? name : null;
    const rule = control === "input" || control === "textarea" ? secretRule(element) : null;
    const hidden = secret || rule;
    let style = getAttribute(element, "style");
    let text = null;
    write(`<${name}`);
    for (const { name: key, value } of attributesOf(element)) {
      if (key === "style") continue;
      if (control === "input" && (key === "value" || key === "checked")) continue;
      if (control === "option" && key === "selected") continue;
      if (name === "iframe" && (key === "srcdoc" || key === "src")) continue;
      if (/^on/i.test(key)) { attribute(`data-checkpoint-${key.toLowerCase()}`, value); continue; }
      if (name === "script" && key === "type") { attribute("data-checkpoint-type", value); continue; }
      const inert = SCRIPT_URL.test(value) || (name === "template" && key.startsWith("shadowroot")) ||
        (name === "meta" && key === "http-equiv" && ORDERS.test(value));
      if (hidden && value && !PLAIN.test(key)) {
        // Neither kept nor asked for: a browser would load what the mask names.
        if (!/^(src|srcset|poster|data|background)$/.test(key)) attribute(key, MASK);
      } else {
        attribute(inert ? `data-checkpoint-${key}` : key, value);
      }
    }
    if (name === "script") attribute("type", "text/x-checkpoint-inert");
    if (control === "input") {
      const type = element.type;
      if (type === "checkbox" || type === "radio") {
        const value = getAttribute(element, "value");
        if (value !== null) attribute("value", hidden ? MASK : value);
        if (element.checked && !hidden) attribute("checked", "");
        if (element.indeterminate && !hidden) attribute("data-checkpoint-indeterminate", "");
      } else if (type !== "file" && (element.value || element.hasAttribute("value"))) {
        attribute("value", hidden && element.value ? MASK : element.value);
      }
    } else if (control === "textarea") {
      text = hidden && element.value ? MASK : element.value;
    } else if (control === "option" && element.selected && !hidden) {
      attribute("selected", "");
    }
    if (rule && !secret && (element.value || "") !== "") mask(element, rule, offset);
    if (html && name === "canvas") {
      const pixels = secret ? "off" : canvasPixels(element);
      if (pixels.startsWith("data:")) {
        // A canvas without its script is empty, and where no script runs it is no box either: it
        // gets its size, and its pixels as background.
        attribute("data-checkpoint-canvas", "pixels");
        const { display, width, height } = getComputedStyle(element);
        style = `${style ? `${style};` : ""}width:${width};height:${height};` +
          `display:${display === "inline" ? "inline-block" : display};` +
          `background:url(${pixels}) 0 0/100% 100% no-repeat content-box`;
      } else {
        attribute("data-checkpoint-canvas", pixels);
      }
    }
    if (style !== null) attribute("style", style);
    if (scrollLeft(element) || scrollTop(element)) {
      attribute("data-checkpoint-scroll", `${scrollLeft(element)},${scrollTop(element)}`);
    }
    if (name === "dialog" && matches(element, ":modal")) attribute("data-checkpoint-modal", "");
    if (html && popover(element) && matches(element, ":popover-open")) {
      attribute("data-checkpoint-popover-open", "");
    }
    if (html && name === "img" && !hidden && element.currentSrc && element.currentSrc !== element.src) {
      attribute("data-checkpoint-current-src", element.currentSrc);
    }
    return text;
  }

  function frame(element, offset) {
    counts.frames += 1;
    let inner = null;
    try { inner = element.contentDocument; } catch (foreign) { inner = null; }
    const source = getAttribute(element, "src");
    if (source !== null) attribute("data-checkpoint-src", source);
    if (!inner || !rootElement(inner)) {
      counts.opaque_frames += 1;
      attribute("data-checkpoint-opaque", "");
      return;
    }
    const box = boxOf(element);
    const at = { x: offset.x + box.left + element.clientLeft, y: offset.y + box.top + element.clientTop };
    const start = out.length;
    const before = length;
    walk(inner, at);
    const html = out.splice(start).join("");
    length = before;
    attribute("srcdoc", html);
  }

  // Iterative, since a page may be deeper than the stack. Strings on the stack are written as is.
  function walk(root, offset) {
    const stack = [{ node: root, secret: null, raw: null }];
    const pushChildren = (node, secret, raw) => {
      for (let child = lastChild(node); child; child = previousSibling(child)) {
        stack.push({ node: child, secret, raw });
      }
    };
    while (stack.length) {
      const item = stack.pop();
      if (typeof item === "string") { write(item); continue; }
      if (typeof item === "function") { item(); continue; }
      if (truncated) continue;
      const { node, secret, raw } = item;
      counts.nodes += 1;
      if (counts.nodes > options.maxNodes) { truncated = "nodes"; continue; }
      if (length > options.maxLength) { truncated = "length"; continue; }
      switch (nodeType(node)) {
        case Node.DOCUMENT_NODE:
          pushChildren(node, secret, raw);
          break;
        case Node.DOCUMENT_TYPE_NODE: {
          const ids = node.publicId ? ` PUBLIC "${node.publicId}"${node.systemId ? ` "${node.systemId}"` : ""}`
            : node.systemId ? ` SYSTEM "${node.systemId}"` : "";
          write(`<!DOCTYPE ${node.name}${ids}>`);
          break;
        }
        case Node.TEXT_NODE:
        case Node.CDATA_SECTION_NODE:
          write(secret && node.data.trim() ? MASK
            : raw ? rawText(raw, node.data) : escapeText(node.data));
          break;
        case Node.COMMENT_NODE:
          write(`<!--${secret ? MASK : commentText(node.data)}-->`);
          break;
        case Node.ELEMENT_NODE:
          element(node, secret, offset, stack, pushChildren);
          break;
        default:
          break;
      }
    }
  }

  function element(node, inherited, offset, stack, pushChildren) {
    const html = namespaceOf(node) === HTML;
    const name = html ? localName(node) : tagName(node);
    const own = !inherited && selectors && matches(node, selectors) ? "private" : null;
    if (own) mask(node, own, offset);
    const secret = inherited || own;
    if (html && name === "noscript") {
      // Scripts were on: its content was text, and never shown. A template keeps it so.
      write('<template data-checkpoint-tag="noscript">');
      stack.push("</template>");
      pushChildren(node, secret, null);
      return;
    }
    const text = startTag(node, name, secret, offset);
    if (html && name === "iframe") {
      if (secret) attribute("data-checkpoint-opaque", "");
      else frame(node, offset);
      write("></iframe>");
      return;
    }
    write(">");
    if (html && VOID.has(name)) return;
    stack.push(`</${name}>`);
    if (node === bodyOf(ownerDocument(node))) {
      stack.push(() => adopted(ownerDocument(node)));
    }
    if (html && name === "style") {
      if (!secret) write(styleText(node));
    } else if (text !== null) {
      write((text.startsWith("\n") ? "\n" : "") + escapeText(text));
    } else if (html && name === "template") {
      pushChildren(node.content, secret, null);
    } else {
      const first = firstChild(node);
      if (html && (name === "pre" || name === "listing") && first &&
        nodeType(first) === Node.TEXT_NODE && first.data.startsWith("\n")) write("\n");
      pushChildren(node, secret, html && RAW.has(name) ? name : null);
      const shadow = options.closedRoots.get(node) || shadowRoot(node);
      if (shadow) {
        counts.shadow_roots += 1;
        const focus = shadow.delegatesFocus ? " shadowrootdelegatesfocus" : "";
        const start = `<template shadowrootmode="${shadow.mode}"${focus}>`;
        stack.push("</template>", () => adopted(shadow));
        pushChildren(shadow, secret, null);
        stack.push(start);
      }
    }
  }

  walk(document, { x: 0, y: 0 });
  let html = out.join("");
  const root = rootElement(document);
  const surrogates = !html.isWellFormed();
  if (surrogates) html = html.toWellFormed();
  return {
    html, masks, counts, redactions, truncated, lone_surrogates: surrogates,
    url: urlOf(document), base_url: baseUri(document),
    title: titleOf(document).toWellFormed().slice(0, 1000),
    scroll: { x: window.scrollX, y: window.scrollY },
    viewport: { width: window.innerWidth, height: window.innerHeight, device_pixel_ratio: devicePixelRatio },
    document: {
      width: root ? root.scrollWidth : 0,
      height: root ? root.scrollHeight : 0,
    },
  };
}
