// Writes the page down as one HTML text that renders by itself, with scripts off. It only reads.
// Names of our own attributes begin with data-checkpoint-.
function makeSnapshot(scopes, sheets, states, keys) {
  const VOID = new Set(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta",
    "param", "source", "track", "wbr"]);
  // Their text is not parsed for entities.
  const RAW = new Set(["style", "script", "xmp", "noembed", "noframes"]);
  // Elements that nobody scrolls, which spares asking them.
  const FLAT = new Set(["a", "abbr", "b", "br", "button", "canvas", "cite", "code", "em", "g", "hr",
    "i", "iframe", "img", "input", "kbd", "label", "link", "mark", "meta", "option", "p", "path", "s",
    "samp", "script", "small", "source", "span", "strong", "style", "sub", "sup", "svg", "td",
    "template", "th", "time", "title", "tr", "u", "use", "var", "wbr"]);
  const SOURCE = { iframe: "srcdoc", frame: "src", object: "data", embed: "src" };
  // No srcdoc is ever in quirks mode. What a browser's own sheet says in it, for pages to overrule.
  const QUIRKS = ":where(body,td,th)>:where(p,ul,ol,dl,pre,blockquote,h1,h2,h3,h4,h5,h6,form,fieldset):where(:first-child)" +
    "{margin-block-start:0}:where(table){font:initial;font-family:inherit;" +
    "text-align:start;white-space:normal}";
  const asked = new WeakSet(); // scopes whose elements were asked for their scroll offsets

  return function snapshot(options) {
    const started = performance.now();
    const counts = {
      nodes: 0, depth: 0, shadow_roots: 0, closed_roots: 0, frames: 0, opaque_frames: 0,
      canvases: 0, tainted_canvases: 0, adopted_sheets: 0,
    };
    const paper = makePaper(options.maxLength);
    const secrets = makeSecrets(options);
    const pictures = makePictures(options, counts);
    const elements = makeElements(paper, states, pictures);
    const { write, own, attribute } = paper;
    const frames = []; // those we are in
    const strangers = []; // frames that nobody has read so far
    const foreign = {}; // those that another world reads, and where they are
    let page; // the document we are in: places in it for what is known at its end
    let start = null; // where the outermost document's head begins
    // Nodes that a search of the browser's finds. It finds those in closed shadow roots, too.
    let searchable = 0;

    function walkDocument(document, strict) {
      const outer = page;
      const { relative } = elements.found;
      const quirks = strict && modeOf(document) === "BackCompat";
      page = { document, quirks, ownBase: false, start: null, head: null, body: null };
      elements.found.relative = false;
      scopes.add(document);
      states.survey(document);
      secrets.survey(document);
      walk(document);
      asked.add(document);
      finish(page);
      elements.found.relative = relative;
      page = outer;
    }

    // Iterative, since a page may be deeper than any stack.
    function walk(document) {
      const outer = [];
      let level = { next: firstChild(document), scope: document, secret: false, raw: null, live: true, close: null };
      for (;;) {
        const node = paper.stopped ? null : level.next;
        if (node === null) {
          if (level.close) level.close();
          if (!outer.length) return;
          level = outer.pop();
          continue;
        }
        level.next = nextSibling(node);
        counts.nodes += 1;
        if (counts.nodes > options.maxNodes) paper.stop("nodes");
        if (counts.nodes % 500 === 0 && performance.now() - started > options.maxTime) paper.stop("time");
        const inner = visit(node, level);
        if (inner) {
          outer.push(level, ...inner.slice(0, -1));
          level = inner.at(-1);
          counts.depth = Math.max(counts.depth, outer.length);
        }
      }
    }

    function visit(node, level) {
      switch (nodeType(node)) {
        case Node.ELEMENT_NODE:
          return element(node, level);
        case Node.TEXT_NODE:
        case Node.CDATA_SECTION_NODE:
          own(level.secret && node.data.trim() ? MASK
            : level.raw ? rawText(level.raw, node.data) : escapeText(node.data));
          break;
        case Node.COMMENT_NODE:
          write("<!--");
          own(level.secret ? MASK : node.data.replace(/^(-?)>/, "$1&gt;").replace(/--(!?)>/g, "--$1&gt;")
            .replace(/-$/, "- "));
          write("-->");
          break;
        case Node.PROCESSING_INSTRUCTION_NODE: // which HTML makes a comment of
          write("<!--");
          own(level.secret ? MASK : `?${node.target} ${node.data}?`.replace(/--(!?)>/g, "--$1&gt;"));
          write("-->");
          break;
        case Node.DOCUMENT_TYPE_NODE: {
          const system = node.systemId ? ` "${node.systemId}"` : "";
          const ids = node.publicId ? ` PUBLIC "${node.publicId}"${system}` : system && ` SYSTEM${system}`;
          write(`<!DOCTYPE ${node.name}${ids}>`);
          return null;
        }
        default:
          return null;
      }
      if (level.live) searchable += 1;
      return null;
    }

    // A raw element ends at its own end tag, wherever that stands.
    function rawText(name, data) {
      if (name === "style") return data.replace(/<\/(?=style)/gi, "<\\/");
      return name === "script" ? data.replace(/<(?=\/script|!--)/gi, "<\\") : data;
    }

    // Writes the start tag. Returns what is to be walked below, the innermost last.
    function element(node, level) {
      const { scope, live } = level;
      const html = isHtml(node);
      const space = namespaceURI(node);
      const name = html || space === SVG || space === MATHML ? localName(node) : tagName(node);
      if (live) searchable += 1;
      const isPrivate = !level.secret && secrets.isPrivate(node, live);
      const secret = level.secret || isPrivate;
      if (isPrivate) secrets.hide(node, frames, "private");
      if (html && (name === "noscript" || breaksOut(node, name))) return replaced(node, name, level, secret);

      const field = html && (name === "input" || name === "textarea");
      const rule = field ? secrets.ruleOf(node) : null;
      if (rule && !secret && node.value) secrets.hide(node, frames, rule);
      const sheet = html && (name === "link" || name === "style") ? node.sheet : null;
      const linked = sheet && name === "link" && !secret ? sheets.textOfLink(node) : null;
      const media = sheet ? sheets.changedMedia(node) : null;
      const framed = html && live && name in SOURCE && isFramed(node, name);
      const about = { html, secret, rule, media, framed, unlinked: linked !== null };
      const text = elements.start(node, name, about);
      if (live) scroll(node, name, scope);
      if (framed) {
        frame(node, name, secret);
        return null;
      }
      write(">");
      if (page.document === scope && html) places(node, name);
      if (linked !== null) {
        write("<style data-checkpoint-link");
        if (sheet.media.length) attribute("media", sheet.media.mediaText);
        write(">");
        own(linked);
        write("</style>");
      }
      if (html && VOID.has(name)) return null;
      if (text !== null || (html && name === "style")) {
        if (live) searchable += nodesBelow(node);
        if (text !== null) own((text.startsWith("\n") ? "\n" : "") + escapeText(text));
        else if (!secret) own(relativeUrls(sheets.textOfStyle(node)));
        write(`</${name}>`);
        return null;
      }
      return below(node, name, html, level, secret);
    }

    function below(node, name, html, { scope, live }, secret) {
      const content = html && name === "template" ? node.content : null;
      const first = firstChild(content || node);
      // Shown only by browsers that know no canvas, and by those that run no scripts.
      const instead = html && name === "canvas" && first;
      if (instead) write('<template data-checkpoint-tag="fallback">');
      const shadow = live ? scopes.shadowOf(node) : null;
      if (!first && !shadow) {
        end(node, name, scope);
        return null;
      }
      if (html && (name === "pre" || name === "listing") && nodeType(first) === Node.TEXT_NODE &&
        first.data.startsWith("\n")) write("\n");
      const raw = RAW.has(name) && (html || name === "script") ? name : null;
      const light = {
        next: first, scope, secret, raw: html ? raw : null, live: live && !content,
        close() {
          if (instead) write("</template>");
          end(node, name, scope);
        },
      };
      return shadow ? [light, shadowLevel(shadow, secret)] : [light];
    }

    function shadowLevel(shadow, secret) {
      counts.shadow_roots += 1;
      if (shadow.mode === "closed") counts.closed_roots += 1;
      scopes.add(shadow);
      states.survey(shadow);
      secrets.survey(shadow);
      const flags = ["delegatesFocus", "clonable", "serializable"]
        .filter((flag) => shadow[flag]).map((flag) => ` shadowroot${flag.toLowerCase()}`).join("");
      write(`<template shadowrootmode="${shadow.mode}"${flags}>`);
      return {
        next: firstChild(shadow), scope: shadow, secret, raw: null, live: true,
        close() {
          asked.add(shadow);
          write(`${scopeStyles(shadow)}</template>`);
        },
      };
    }

    function end(node, name, scope) {
      if (scope === page.document) {
        if (name === "head" && node === headOf(scope)) page.head = paper.later();
        if ((name === "body" || name === "frameset") && node === bodyOf(scope)) page.body = paper.later();
      }
      write(`</${name}>`);
    }

    // Elements that would be read otherwise than they stand here.
    function breaksOut(node, name) {
      return name === "plaintext" || (RAW.has(name) && name !== "style" && name !== "script" &&
        textContent(node).toLowerCase().includes(`</${name}`));
    }

    function replaced(node, name, { live }, secret) {
      if (live) searchable += nodesBelow(node);
      const tag = name === "plaintext" || name === "xmp" ? "pre" : "template";
      const data = textContent(node);
      write(`<${tag} data-checkpoint-tag="${name}">`);
      own(secret ? MASK : name === "noscript" && isWhole(data) ? data : escapeText(data));
      write(`</${tag}>`);
      return null;
    }

    // Whether markup ends where it seems to.
    function isWhole(data) {
      const parsed = new DOMParser().parseFromString(`<template>${data}</template><i></i>`, "text/html");
      const [head, body] = [headOf(parsed), bodyOf(parsed)];
      return head.childNodes.length === 1 && head.firstChild.localName === "template" &&
        body.childNodes.length === 1 && body.innerHTML === "<i></i>";
    }

    function nodesBelow(node) {
      let number = 0;
      const walker = document.createTreeWalker(node);
      while (walker.nextNode()) number += 1;
      return number;
    }

    function relativeUrls(css) {
      if (/url\(/i.test(css)) elements.found.relative = true;
      return css;
    }

    function scroll(node, name, scope) {
      let [left, top] = [0, 0];
      if (isDocument(scope) && node === documentElement(scope)) {
        ({ scrollX: left, scrollY: top } = windowOf(scope));
      } else if (isDocument(scope) && node === scrollerOf(scope)) {
        return; // in quirks mode the body stands for the page
      } else if (scopes.scrolled.has(node) || (!asked.has(scope) && !FLAT.has(name) && firstChild(node))) {
        [left, top] = [scrollLeftOf(node), scrollTopOf(node)];
      }
      if (!left && !top) return;
      scopes.scrolled.add(node);
      attribute("data-checkpoint-scroll", `${left},${top}`);
      const number = states.scrolledTo(scope, node, left, top);
      if (number) attribute("data-checkpoint-id", String(number));
    }

    // An object may be a picture, too.
    function isFramed(node, name) {
      if (name === "iframe" || name === "frame") return true;
      const inner = innerDocument(node);
      if (inner) return documentElement(inner) !== null && isHtml(documentElement(inner));
      return keys.has(node) || (name === "object" && node.contentWindow !== null);
    }

    // Writes the rest of a frame's start tag.
    function frame(node, name, secret) {
      const inner = innerDocument(node);
      const readable = inner !== null && documentElement(inner) !== null;
      counts.frames += 1;
      searchable += nodesBelow(node);
      const key = keys.get(node);
      if (secret || frames.length >= options.maxFrameDepth) {
        attribute("data-checkpoint-opaque", "");
        if (!secret) paper.truncated ??= "frame depth";
      } else if (readable) {
        frames.push(node);
        paper.quoted(SOURCE[name], () => walkDocument(inner, name === "iframe"));
        frames.pop();
      } else if (key) {
        const place = placeOf([...frames, node]);
        secrets.watch(node, frames);
        const visible = place.right > 0 && place.bottom > 0 && place.left < innerWidth &&
          place.top < innerHeight && place.right > place.left && place.bottom > place.top;
        foreign[key] = { ...place, visible };
        paper.foreign(key, SOURCE[name]);
      } else {
        strangers.push(node);
        counts.opaque_frames += 1;
        attribute("data-checkpoint-opaque", "");
      }
      write(VOID.has(name) ? ">" : `></${name}>`);
    }

    // Where things stand that are only known at the end of the document.
    function places(node, name) {
      if (page.start === null && node === (headOf(page.document) ?? bodyOf(page.document))) {
        page.start = paper.later();
        if (frames.length === 0) start = page.start;
      }
      if (name === "base" && hasAttribute(node, "href")) page.ownBase = true;
    }

    function finish({ document, quirks, ownBase, start, head, body }) {
      if (start && quirks) start.text += `<style data-checkpoint-quirks>${QUIRKS}</style>`;
      if (start && !ownBase && elements.found.relative) {
        const base = plainBase(document);
        if (base) start.text += `<base href="${escapeAttribute(base)}" data-checkpoint-base>`;
      }
      const last = [...styleSheets(document)].at(-1)?.ownerNode;
      const inBody = body && ((last && bodyOf(document).contains(last)) || states.backdropsOf(document));
      const place = inBody || !head ? body : head;
      if (place) place.text = scopeStyles(document);
    }

    // What relative URLs go by, without what may be secret in it.
    function plainBase(document) {
      try {
        const url = new URL(baseURI(document));
        url.username = url.password = url.search = url.hash = "";
        return /^(https?|file):$/.test(url.protocol) ? url.href : null;
      } catch (unusable) {
        return null;
      }
    }

    function scopeStyles(scope) {
      let styles = "";
      for (const sheet of adoptedSheets(scope)) {
        counts.adopted_sheets += 1;
        const media = sheet.disabled ? "not all" : sheet.media.mediaText;
        const text = relativeUrls(sheets.textOf(sheet));
        styles += `<style data-checkpoint-adopted${media ? ` media="${escapeAttribute(media)}"` : ""}>${text}</style>`;
      }
      const rules = states.rulesOf(scope).replaceAll("</", "<\\/");
      if (rules) styles += `<style data-checkpoint-state>${rules}</style>`;
      return styles + states.backdropsOf(scope);
    }

    states.begin();
    walkDocument(document, parent !== window);
    const root = documentElement(document);
    let pieces = paper.taken();
    if (start && !elements.found.charset && pieces.some((piece) => /[^\0-\x7f]/.test(piece))) {
      start.text = `<meta charset="utf-8" data-checkpoint-charset>${start.text}`;
      pieces = paper.taken();
    }
    const whole = pieces.every((piece) => piece.frame || piece.isWellFormed());
    return {
      pieces: whole ? pieces : pieces.map((piece) => (piece.frame ? piece : piece.toWellFormed())),
      lone_surrogates: !whole,
      masks: secrets.boxes(),
      counts,
      redactions: secrets.redactions,
      truncated: paper.truncated,
      foreign,
      strangers: strangers.length,
      searchable,
      url: urlOf(document),
      base_url: baseURI(document),
      title: titleOf(document).toWellFormed().slice(0, 1000),
      scroll: { x: scrollX, y: scrollY },
      viewport: { width: innerWidth, height: innerHeight, device_pixel_ratio: devicePixelRatio },
      document: { width: root ? root.scrollWidth : 0, height: root ? root.scrollHeight : 0 },
      // For later: where the private parts are then.
      after: { secrets, strangers },
    };
  };
}
