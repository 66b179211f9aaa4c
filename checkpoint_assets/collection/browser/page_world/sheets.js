// Style sheets as they are now. A sheet that nobody has changed is kept as it was written; one that
// scripts have changed through the CSSOM is written down rule by rule.
function makeSheets() {
  // A sheet with at most so many rules is compared whole. Of a larger one the selectors, the number
  // of declarations and the rules of :root are compared, which costs a tenth.
  const SMALL = 300;
  const written = new WeakMap(); // a style element: its text, and the print of what that says
  const linked = new Map(); // the URL of a sheet: the print of what its file says
  const texts = new WeakMap(); // a sheet: its print, and its text

  const rulesOf = (sheet) => {
    try {
      return sheet.cssRules;
    } catch (foreign) {
      return null;
    }
  };
  // What a constructed sheet never has.
  const isImport = (rule) => rule.type === CSSRule.IMPORT_RULE;
  const wholeText = (rules) => {
    const lines = [];
    for (const rule of rules) if (!isImport(rule)) lines.push(rule.cssText);
    return lines.join("\n");
  };

  // Two sheets with the same print say the same.
  function printOf(rules) {
    if (rules.length <= SMALL) return wholeText(rules);
    let count = 0;
    let declarations = 0;
    let selectors = 0;
    const exact = [];
    const add = (list) => {
      for (const rule of list) {
        if (isImport(rule)) continue;
        count += 1;
        const selector = rule.selectorText ?? rule.conditionText ?? rule.name ?? "";
        selectors += selector.length;
        if (rule.style) declarations += rule.style.length;
        if (/^(:root|html|body|:host)\b/.test(selector)) exact.push(rule.cssText);
        else if (rule.cssRules && rule.cssRules.length) add(rule.cssRules);
      }
    };
    add(rules);
    return `${count} ${declarations} ${selectors} ${exact.join("\n")}`;
  }

  function printOfText(text) {
    const parsed = new CSSStyleSheet();
    parsed.replaceSync(text);
    return printOf(parsed.cssRules);
  }

  // Relative URLs lead elsewhere when the text of a sheet stands in the page.
  const absolute = (text, base) => text.replace(/url\("((?:[^"\\]|\\.)*)"\)/g, (whole, url) => {
    if (/^(#|data:|[a-z][a-z0-9+.-]*:)/i.test(url)) return whole;
    try {
      return `url("${new URL(url, base).href}")`;
    } catch (unusable) {
      return whole;
    }
  });

  const ended = (text) => text.replaceAll("</", "<\\/");

  function textOf(sheet) {
    const print = printOf(sheet.cssRules);
    const known = texts.get(sheet);
    if (known && known.print === print) return known.text;
    const imports = [...sheet.cssRules].filter(isImport).map((rule) => `${rule.cssText}\n`).join("");
    let text = imports + (sheet.cssRules.length <= SMALL ? print : wholeText(sheet.cssRules));
    text = ended(sheet.href ? absolute(text, sheet.href) : text);
    texts.set(sheet, { print, text });
    return text;
  }

  return {
    rulesOf,
    textOf,
    absolute,
    // The text that a <style> element stands for.
    textOfStyle(element) {
      const text = textContent(element);
      const rules = element.sheet && rulesOf(element.sheet);
      if (!rules) return ended(text);
      let known = written.get(element);
      if (!known || known.text !== text) {
        known = { text, print: printOfText(text) };
        written.set(element, known);
      }
      return known.print === printOf(rules) ? ended(text) : textOf(element.sheet);
    },
    // The text of a <link>ed sheet that is not what its file says, else null.
    textOfLink(link) {
      const rules = link.sheet && rulesOf(link.sheet);
      if (!rules) return null;
      // What stands behind such a URL goes with the page.
      if (link.sheet.href.startsWith("blob:")) return textOf(link.sheet);
      const file = linked.get(link.sheet.href);
      if (file === undefined || file === printOf(rules)) return null;
      return textOf(link.sheet);
    },
    // What a sheet is for, if that is not what its element says.
    changedMedia(element) {
      const { sheet } = element;
      if (sheet.disabled) return "not all";
      const said = new CSSStyleSheet({ media: attributeOf(element, "media") || "" });
      return said.media.mediaText === sheet.media.mediaText ? null : sheet.media.mediaText;
    },
    // The URLs of linked sheets whose files we have not seen.
    unknown(scopes) {
      const urls = new Set();
      for (const scope of scopes) {
        for (const { href, ownerNode } of styleSheets(scope)) {
          if (href && ownerNode && !linked.has(href) && /^https?:/.test(href)) urls.add(href);
        }
      }
      return [...urls];
    },
    learnPrint: (url, print) => { linked.set(url, print); },
    learnText(url, text) {
      const print = printOfText(text);
      linked.set(url, print);
      return print;
    },
    // For a file that cannot be had: what its sheet says now is taken for what it said at first.
    learnNothing(url, scopes) {
      linked.set(url, null);
      for (const scope of scopes) {
        for (const sheet of styleSheets(scope)) {
          const rules = sheet.href === url && rulesOf(sheet);
          if (rules) linked.set(url, printOf(rules));
        }
      }
    },
  };
}
