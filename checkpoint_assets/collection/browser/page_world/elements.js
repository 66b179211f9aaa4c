// Start tags: attributes, and as attributes what is state without one.
function makeElements(paper, states, pictures) {
  const { attribute } = paper;
  // Attributes that would run, lead away, or say what is not so any more.
  const RENAMED = {
    script: /^type$/,
    iframe: /^(src|loading|csp)$/,
    frame: /^src$/,
    object: /^(data|type)$/,
    embed: /^(src|type)$/,
    video: /^autoplay$/,
    audio: /^autoplay$/,
    template: /^shadowroot/,
  };
  // What of a private element's attributes says where and what it is, not what is in it.
  const PLAIN = new RegExp("^(id|class|style|type|name|role|for|slot|part|dir|lang|hidden|tabindex|" +
    "width|height|rows|cols|colspan|rowspan|size|maxlength|autocomplete|inputmode|disabled|" +
    "required|readonly|multiple|open|contenteditable|data-private)$");
  // What a browser would load: of a private element it is not even asked for.
  const LOADED = /^(src|srcset|srcdoc|poster|data|background)$/;
  // Of a private field these often repeat the value.
  const TELLING = /^(title|alt|aria-.+|placeholder|content)$/;
  // What a page tells the browser to do by itself: a stored page does nothing.
  const ORDERS = /^\s*(refresh|content-security-policy(-report-only)?)\s*$/i;
  // These are written by what the element is now.
  const STATE = {
    input: /^(value|checked)$/,
    option: /^selected$/,
    canvas: /^style$/,
    meta: /^charset$/,
    iframe: /^srcdoc$/,
  };
  const URLS = new Set(["href", "src", "action", "formaction", "data", "xlink:href", "poster", "srcset"]);
  // Whether a URL goes by the base, and whether the encoding is said.
  const found = { relative: false, charset: false };

  function written(element, name, { html, secret, rule, media, framed, unlinked }) {
    const plain = (name === "object" || name === "embed") && !framed;
    const renamed = (html || name === "script") && !plain ? RENAMED[name] : undefined;
    const state = html ? STATE[name] : undefined;
    for (const key of attributeNames(element)) {
      const value = attributeOf(element, key) ??
        [...attributesOf(element)].find((each) => each.name === key).value;
      const lower = key.toLowerCase();
      if (state && state.test(lower)) continue;
      if (secret && !PLAIN.test(lower)) {
        if (!LOADED.test(lower)) attribute(key, value && MASK);
      } else if (lower.startsWith("data-checkpoint-")) {
        attribute(`data-page-${lower.slice(5)}`, value);
      } else if (lower.startsWith("on") || lower === "autofocus" || (renamed && renamed.test(lower)) ||
        (unlinked && lower === "rel") || (media !== null && lower === "media") ||
        (name === "meta" && lower === "http-equiv" && isOrder(element, value))) {
        attribute(`data-checkpoint-${lower}`, value);
      } else if (URLS.has(lower)) {
        url(element, name, key, value);
      } else {
        const telling = rule && value &&
          (lower.startsWith("data-") || (element.value && TELLING.test(lower)));
        attribute(key, telling ? MASK : value);
      }
    }
    if (name === "script") attribute("type", "text/x-checkpoint-inert");
    if (media !== null) attribute("media", media);
    if (name === "meta" && html && hasAttribute(element, "charset")) {
      attribute("charset", "utf-8");
      found.charset = true;
    }
  }

  function isOrder(meta, value) {
    if (!/^\s*content-type\s*$/i.test(value)) return ORDERS.test(value);
    const utf8 = /charset=\s*utf-?8/i.test(attributeOf(meta, "content") || "");
    found.charset ||= utf8;
    return !utf8;
  }

  function url(element, name, key, value) {
    const lower = key.toLowerCase();
    if (/^javascript:/i.test(value.replace(/[\0-\x20]+/g, ""))) {
      attribute(`data-checkpoint-${lower.replace(":", "-")}`, value);
      // What has no target looks different. No browser lets a page show this one.
      if (lower.endsWith("href")) attribute(key, "data:,");
      return;
    }
    const pixels = name === "img" && value.startsWith("blob:") ? pictures.ofImage(element) : null;
    if (pixels !== null) attribute("data-checkpoint-src", value);
    attribute(key, pixels ?? value);
    found.relative ||= value !== "" && !/^(#|[a-z][a-z0-9+.-]*:)/i.test(value);
  }

  // What a user or a script has put into a form control. Returns the text of a text area.
  function control(element, name, hidden) {
    if (name === "option") {
      if (element.selected && !hidden) attribute("selected", "");
      return null;
    }
    const checkable = name === "input" && (element.type === "checkbox" || element.type === "radio");
    const shown = (value) => (hidden && value ? MASK : value);
    if (name === "textarea") return shown(element.value);
    if (checkable) {
      const value = attributeOf(element, "value");
      if (value !== null) attribute("value", shown(value));
      if (element.checked && !hidden) attribute("checked", "");
      if (element.indeterminate && !hidden) attribute("data-checkpoint-indeterminate", "");
    } else if (element.type === "file") {
      const names = [...element.files].map((file) => file.name).join(", ");
      if (names) attribute("data-checkpoint-files", shown(names));
    } else if (element.value || hasAttribute(element, "value")) {
      attribute("value", shown(element.value));
    }
    return null;
  }

  function canvas(element, secret) {
    const pixels = secret ? "off" : pictures.ofCanvas(element);
    const painted = pixels.startsWith("data:");
    attribute("data-checkpoint-canvas", painted ? "pixels" : pixels);
    // Without its script a canvas is empty, and where no script runs it is no box either: it gets
    // its size, and its pixels as background.
    const { display, width, height, backgroundImage } = getComputedStyle(element);
    const behind = backgroundImage === "none" ? "" : `,${backgroundImage}`;
    const style = [attributeOf(element, "style"), `width:${width};height:${height}`,
      `display:${display === "inline" ? "inline-block" : display}`,
      painted && `background-image:url(${pixels})${behind};background-size:100% 100%`,
      painted && "background-origin:content-box;background-repeat:no-repeat"];
    attribute("style", style.filter(Boolean).join(";"));
  }

  function marked(element) {
    const mark = states.of(element);
    if (!mark) return;
    if (mark.states.length) attribute("data-checkpoint-is", mark.states.join(" "));
    if (mark.states.includes("modal")) attribute("data-checkpoint-modal", "");
    if (mark.states.includes("popover-open")) attribute("data-checkpoint-popover-open", "");
    if (mark.number) attribute("data-checkpoint-id", String(mark.number));
  }

  return {
    found,
    // Writes the start tag but for its end. Returns the text of a text area, else null.
    start(element, name, about) {
      const { html, secret, rule } = about;
      paper.write(`<${name}`);
      written(element, name, about);
      let text = null;
      if (html) {
        if (name === "input" || name === "textarea" || name === "option") {
          text = control(element, name, secret || rule);
        } else if (name === "canvas") {
          canvas(element, secret);
        } else if (name === "img" && !secret) {
          const { currentSrc } = element;
          if (currentSrc && currentSrc !== element.src) attribute("data-checkpoint-current-src", currentSrc);
        } else if ((name === "video" || name === "audio") && element.currentTime) {
          attribute("data-checkpoint-time", String(element.currentTime));
        }
      }
      marked(element);
      return text;
    },
  };
}
