"""Other ways to find an element again: by its role, by its text, by CSS, by XPath."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from playwright.async_api import ElementHandle, FrameLocator, Locator, Page
from playwright.async_api import Error as PlaywrightError

from checkpoint_assets.collection.browser.closed_search import ENGINE

# Whoever asks for more has a page that is slow to search: then a way is left out.
PATIENCE = 1.0

# What a page's element is called and where it is, in words that selectors are made of. Of a
# private element nothing but its place.
CLUES = """
function cluesOf(element, hidden) {
  const ROLES = {
    A: element.hasAttribute('href') && 'link', BUTTON: 'button', SUMMARY: null, DIALOG: 'dialog',
    SELECT: element.multiple || element.size > 1 ? 'listbox' : 'combobox', OPTION: 'option',
    TEXTAREA: 'textbox', IMG: 'img', NAV: 'navigation', MAIN: 'main', TABLE: 'table', TR: 'row',
    UL: 'list', OL: 'list', LI: 'listitem', P: 'paragraph', H1: 'heading', H2: 'heading',
    H3: 'heading', H4: 'heading', H5: 'heading', H6: 'heading', PROGRESS: 'progressbar',
    INPUT: { button: 'button', submit: 'button', reset: 'button', image: 'button',
      checkbox: 'checkbox', radio: 'radio', range: 'slider', number: 'spinbutton',
      search: 'searchbox', text: 'textbox', email: 'textbox', tel: 'textbox', url: 'textbox',
    }[element.type],
  };
  const short = (text) => {
    const line = (text || '').replace(/\\s+/g, ' ').trim();
    return line.length <= 100 ? line : '';
  };
  const DEEP = 50; // how far up the way to an element begins at most
  const twinsOf = (element, key) =>
    [...(element.parentNode?.children || [])].filter((each) => each[key] === element[key]);
  const attribute = (name) => element.getAttribute(name) || '';
  function nameOf(text) {
    const root = element.getRootNode();
    const open = (other) => other && !other.closest('[data-private]')
      && !other.querySelector('[data-private]') ? other.textContent : '';
    const labelled = attribute('aria-labelledby').split(/\\s+/).filter(Boolean)
      .map((id) => open(root.getElementById(id))).join(' ');
    const labels = [...(element.labels || [])].map(open).join(' ');
    const button = /^(button|submit|reset)$/.test(element.type) ? element.value : '';
    return [labelled, attribute('aria-label'), labels, attribute('alt'),
      /^(INPUT|SELECT|TEXTAREA)$/.test(element.tagName) ? button : text,
      attribute('title'), attribute('placeholder')].map(short).find(Boolean) || '';
  }
  const quoted = (text) => '"' + text.replace(/["\\\\]/g, '\\\\$&') + '"';
  function css(element, depth = 0) {
    const root = element.getRootNode();
    const only = (selector) => root.querySelectorAll(selector).length === 1;
    const tag = CSS.escape(element.localName);
    for (const name of ['id', 'data-testid', 'data-test', 'name']) {
      const value = element.getAttribute(name);
      const found = !value ? '' : name === 'id' ? '#' + CSS.escape(value)
        : `${tag}[${name}=${quoted(value)}]`;
      if (value && value.length <= 100 && !/[\\n\\r\\f]/.test(value) && only(found)) return found;
    }
    if (only(tag)) return tag;
    const parent = element.parentElement;
    const twins = twinsOf(element, 'localName');
    const own = twins.length < 2 ? tag : `${tag}:nth-of-type(${twins.indexOf(element) + 1})`;
    return parent && depth < DEEP ? `${css(parent, depth + 1)} > ${own}` : own;
  }
  // From the outermost host inwards; Playwright's CSS does not look into closed roots.
  const hosts = [];
  for (let each = element; each; each = each.getRootNode().host) hosts.unshift(each);
  const engine = hosts.slice(0, -1).some((host) => !host.shadowRoot) ? 'closed=' : 'css=';
  const path = hosts.map((each) => engine + css(each)).join(' >> ');
  function xpath(element, depth = 0) {
    const { id, nodeName, parentElement } = element;
    if (id && !/["']/.test(id) && document.querySelectorAll('#' + CSS.escape(id)).length === 1) {
      return `//*[@id="${id}"]`;
    }
    const html = element.namespaceURI === 'http://www.w3.org/1999/xhtml';
    const test = html ? element.localName : `*[name()="${nodeName}"]`;
    const own = `/${test}[${twinsOf(element, 'nodeName').indexOf(element) + 1}]`;
    if (!parentElement) return own;
    return depth < DEEP ? xpath(parentElement, depth + 1) + own : '/' + own;
  }
  function everyone(expression) {
    const inOrder = XPathResult.ORDERED_NODE_SNAPSHOT_TYPE;
    const result = document.evaluate(expression, document, null, inOrder, null);
    return Array.from({ length: result.snapshotLength }, (_, n) => result.snapshotItem(n));
  }
  const text = hidden ? '' : short(element.innerText);
  const light = element.getRootNode() === document;
  const inXpath = light ? xpath(element) : '';
  // Selectors look into shadow roots: only where there are none is what we find here the answer.
  const found = light && ![...document.querySelectorAll('*')].some((each) => each.shadowRoot)
    ? [[...document.querySelectorAll(css(element))], everyone(inXpath)] : [];
  const placed = (selector, elements) => {
    const index = elements ? elements.indexOf(element) : -1;
    return index < 0 ? null : elements.length === 1 ? selector : `${selector} >> nth=${index}`;
  };
  return {
    role: attribute('role').trim().split(/\\s+/)[0] || ROLES[element.tagName] || '',
    name: hidden ? '' : nameOf(text),
    tag: element.localName,
    text,
    css: path,
    xpath: light ? `xpath=${inXpath}` : '',
    sure: { css: placed(path, found[0]), xpath: placed(`xpath=${inXpath}`, found[1]) },
  };
}
"""
_PLACE = "(elements, [element]) => [elements.indexOf(element), elements.length]"


async def ladder(
    scope: Page | FrameLocator, element: ElementHandle, clues: Mapping[str, Any]
) -> dict[str, str]:
    """Selectors for the element by ``role``, ``text``, ``css`` and ``xpath``.

    Each was tried and leads to this very element; a way on which it is not found is left out. In
    a frame they are to be used inside the frame; XPath does not lead into shadow roots, and only
    ``closed=`` (see ``closed_search``) into closed ones.
    """
    sure: dict[str, str] = {way: selector for way, selector in clues["sure"].items() if selector}
    unsure = {way: each for way, each in _candidates(clues).items() if way not in sure}
    found = await asyncio.gather(*(_first(scope, element, each) for each in unsure.values()))
    tried = {way: selector for way, selector in zip(unsure, found, strict=True) if selector}
    return tried | sure


def _candidates(clues: Mapping[str, Any]) -> dict[str, list[str]]:
    """What to try in each way, the best first."""
    role, text = clues["role"], _quoted(clues["text"])
    by_role: list[str] = []
    if role.isalpha():
        by_role = [f"role={role}[name={_quoted(clues['name'])}s]"] if clues["name"] else []
        by_role.append(f"role={role}")
    return {
        "role": by_role,
        "text": [f"text={text}", f"{clues['tag']}:has-text({text})"] if clues["text"] else [],
        "css": [clues["css"]],
        "xpath": [clues["xpath"]] if clues["xpath"] else [],
    }


async def _first(
    scope: Page | FrameLocator, element: ElementHandle, selectors: Sequence[str]
) -> str | None:
    for selector in selectors:
        try:
            async with asyncio.timeout(PATIENCE):
                place = await _place(scope.locator(selector), element, selector)
        except (PlaywrightError, TimeoutError):
            continue
        index, count = place
        if index >= 0:
            return selector if count == 1 else f"{selector} >> nth={index}"
    return None


async def _place(locator: Locator, element: ElementHandle, selector: str) -> tuple[int, int]:
    """Where among the matches the element is (-1: nowhere), and how many there are."""
    if not selector.startswith(f"{ENGINE}="):
        return await locator.evaluate_all(_PLACE, [element])
    # The page's own world, where the above looks, knows nothing of closed roots.
    matches = await locator.element_handles()
    return await element.evaluate("(one, all) => [all.indexOf(one), all.length]", matches)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
