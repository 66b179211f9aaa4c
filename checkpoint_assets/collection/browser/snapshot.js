// Writes the page down as one HTML text. Runs in an isolated world: page code can neither see nor
// break it, and it only reads. Names of our own attributes begin with data-checkpoint-.
function snapshot(options) {
  const MASK = "********";
  const HTML = "http://www.w3.org/1999/xhtml";
  const VOID = new Set(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta",
    "param", "source", "track", "wbr"]);
  // Their text is not parsed for entities (HTML, serialising fragments).
  const RAW = new Set(["style", "script", "xmp", "iframe", "noembed", "noframes", "plaintext"]);
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

  const write = (text) => { out.push(text); length += text.length; };
  const escapeText = (text) => text.replace(/[&<>\u00a0]/g, (c) =>
    c === "&" ? "&amp;" : c === "<" ? "&lt;" : c === ">" ? "&gt;" : "&nbsp;");
  const escapeAttribute = (text) => text.replace(/[&"<>\u00a0]/g, (c) =>
    c === "&" ? "&amp;" : c === '"' ? "&quot;" : c === "<" ? "&lt;" : c === ">" ? "&gt;" : "&nbsp;");
  const attribute = (name, value) => write(` ${name}="${escapeAttribute(value)}"`);

  // Which rule masks this form control, if any.
  function secretRule(element) {
    if (element.type === "password") return "password";
    if (privatePurpose.test(element.getAttribute("autocomplete") || "")) return "autocomplete";
    const named = ["name", "id"].some((key) => privateName.test(element.getAttribute(key) || ""));
    return named ? "name" : null;
  }

  function mask(element, rule, offset) {
    redactions[rule] = (redactions[rule] || 0) + 1;
    const box = element.getBoundingClientRect();
    if (box.width > 0 && box.height > 0) {
      masks.push({ x: box.left + offset.x, y: box.top + offset.y, width: box.width,
        height: box.height, rule });
    }
  }

  function styleText(element) {
    const written = element.textContent;
    const sheet = element.sheet;
    if (!sheet) return written;
    try {
      const rules = [...sheet.cssRules].filter((rule) => rule.type !== CSSRule.IMPORT_RULE);
      const parsed = new CSSStyleSheet();
      parsed.replaceSync(written);
      const same = parsed.cssRules.length === rules.length &&
        rules.every((rule, i) => rule.cssText === parsed.cssRules[i].cssText);
      if (same) return written;
      return [...sheet.cssRules].map((rule) => rule.cssText).join("\n").replaceAll("</", "<\\/");
    } catch (unreadable) {
      return written;
    }
  }

  function adopted(root) {
    for (const sheet of root.adoptedStyleSheets || []) {
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
    const html = element.namespaceURI === HTML;
    const control = html && ["input", "textarea", "option"].includes(name) ? name : null;
    const rule = control === "input" || control === "textarea" ? secretRule(element) : null;
    const hidden = secret || rule;
    let style = element.getAttribute("style");
    let text = null;
    write(`<${name}`);
    for (const { name: key, value } of element.attributes) {
      if (key === "style") continue;
      if (control === "input" && (key === "value" || key === "checked")) continue;
      if (control === "option" && key === "selected") continue;
      if (name === "iframe" && (key === "srcdoc" || key === "src")) continue;
      if (/^on/i.test(key)) { attribute(`data-checkpoint-${key.toLowerCase()}`, value); continue; }
      if (name === "script" && key === "type") { attribute("data-checkpoint-type", value); continue; }
      if (/^\s*javascript:/i.test(value)) { attribute(`data-checkpoint-${key}`, value); continue; }
      attribute(key, hidden && /^(value|title|alt|aria-label|placeholder|content|data-.+)$/i.test(key)
        && value ? MASK : value);
    }
    if (name === "script") attribute("type", "text/x-checkpoint-inert");
    if (control === "input") {
      const type = element.type;
      if (type === "checkbox" || type === "radio") {
        if (element.hasAttribute("value")) attribute("value", element.getAttribute("value"));
        if (element.checked) attribute("checked", "");
        if (element.indeterminate) attribute("data-checkpoint-indeterminate", "");
      } else if (type !== "file" && (element.value || element.hasAttribute("value"))) {
        attribute("value", hidden && element.value ? MASK : element.value);
      }
    } else if (control === "textarea") {
      text = hidden && element.value ? MASK : element.value;
    } else if (control === "option" && element.selected) {
      attribute("selected", "");
    }
    if (rule && !secret && (element.value || "") !== "") mask(element, rule, offset);
    if (html && name === "canvas") {
      const pixels = secret ? "off" : canvasPixels(element);
      if (pixels.startsWith("data:")) {
        // A canvas without its script is empty: its pixels become its background.
        attribute("data-checkpoint-canvas", "pixels");
        style = `${style ? `${style};` : ""}background:url(${pixels}) 0 0/100% 100% no-repeat`;
      } else {
        attribute("data-checkpoint-canvas", pixels);
      }
    }
    if (style !== null) attribute("style", style);
    if (element.scrollLeft || element.scrollTop) {
      attribute("data-checkpoint-scroll", `${element.scrollLeft},${element.scrollTop}`);
    }
    if (name === "dialog" && element.matches(":modal")) attribute("data-checkpoint-modal", "");
    if (element.popover && element.matches(":popover-open")) {
      attribute("data-checkpoint-popover-open", "");
    }
    if (html && name === "img" && element.currentSrc && element.currentSrc !== element.src) {
      attribute("data-checkpoint-current-src", element.currentSrc);
    }
    return text;
  }

  function frame(element, offset) {
    counts.frames += 1;
    let inner = null;
    try { inner = element.contentDocument; } catch (foreign) { inner = null; }
    const source = element.getAttribute("src");
    if (source !== null) attribute("data-checkpoint-src", source);
    if (!inner || !inner.documentElement) {
      counts.opaque_frames += 1;
      attribute("data-checkpoint-opaque", "");
      return;
    }
    const box = element.getBoundingClientRect();
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
    const stack = [{ node: root, secret: null, raw: false }];
    const pushChildren = (node, secret, raw) => {
      for (let child = node.lastChild; child; child = child.previousSibling) {
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
      switch (node.nodeType) {
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
          write(secret && node.data.trim() ? MASK : raw ? node.data : escapeText(node.data));
          break;
        case Node.COMMENT_NODE:
          write(`<!--${secret ? MASK : node.data.replaceAll("-->", "--&gt;")}-->`);
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
    const html = node.namespaceURI === HTML;
    const name = html ? node.localName : node.tagName;
    const own = !inherited && selectors && node.matches(selectors) ? "private" : null;
    if (own) mask(node, own, offset);
    const secret = inherited || own;
    if (html && name === "noscript") {
      // Scripts were on: its content was never shown. A template keeps it so.
      write('<template data-checkpoint-tag="noscript">');
      stack.push("</template>");
      pushChildren(node, secret, true);
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
    if (node === node.ownerDocument.body || (name === "frameset" && html)) {
      stack.push(() => adopted(node.ownerDocument));
    }
    if (html && name === "style") {
      write(styleText(node));
    } else if (text !== null) {
      write((text.startsWith("\n") ? "\n" : "") + escapeText(text));
    } else if (html && name === "template") {
      pushChildren(node.content, secret, false);
    } else {
      if (html && (name === "pre" || name === "listing") && node.firstChild &&
        node.firstChild.nodeType === Node.TEXT_NODE && node.firstChild.data.startsWith("\n")) write("\n");
      pushChildren(node, secret, html && RAW.has(name));
      const shadow = options.closedRoots.get(node) || node.shadowRoot;
      if (shadow) {
        counts.shadow_roots += 1;
        const focus = shadow.delegatesFocus ? " shadowrootdelegatesfocus" : "";
        const start = `<template shadowrootmode="${shadow.mode}"${focus}>`;
        stack.push("</template>", () => adopted(shadow));
        pushChildren(shadow, secret, false);
        stack.push(start);
      }
    }
  }

  walk(document, { x: 0, y: 0 });
  let html = out.join("");
  const surrogates = !html.isWellFormed();
  if (surrogates) html = html.toWellFormed();
  return {
    html, masks, counts, redactions, truncated, lone_surrogates: surrogates,
    url: document.URL, base_url: document.baseURI, title: document.title.toWellFormed().slice(0, 1000),
    scroll: { x: window.scrollX, y: window.scrollY },
    viewport: { width: window.innerWidth, height: window.innerHeight, device_pixel_ratio: devicePixelRatio },
    document: {
      width: document.documentElement ? document.documentElement.scrollWidth : 0,
      height: document.documentElement ? document.documentElement.scrollHeight : 0,
    },
  };
}
