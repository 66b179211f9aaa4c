"""Other ways to find an element again: by its role, by its text, by CSS, by XPath."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from playwright.async_api import ElementHandle, FrameLocator, Page
from playwright.async_api import Error as PlaywrightError

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
  const attribute = (name) => element.getAttribute(name) || '';
  function nameOf(text) {
    const root = element.getRootNode();
    const labelled = attribute('aria-labelledby').split(/\\s+/).filter(Boolean)
      .map((id) => root.getElementById(id)?.textContent || '').join(' ');
    const labels = [...(element.labels || [])].map((label) => label.innerText).join(' ');
    const button = /^(button|submit|reset)$/.test(element.type) ? element.value : '';
    return [labelled, attribute('aria-label'), labels, attribute('alt'),
      /^(INPUT|SELECT|TEXTAREA)$/.test(element.tagName) ? button : text,
      attribute('title'), attribute('placeholder')].map(short).find(Boolean) || '';
  }
  const quoted = (text) => '"' + text.replace(/["\\\\]/g, '\\\\$&') + '"';
  function css(element) {
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
    const twins = [...(element.parentNode?.children || [])].filter((each) => each.localName === element.localName);
    const own = twins.length < 2 ? tag : `${tag}:nth-of-type(${twins.indexOf(element) + 1})`;
    return parent ? `${css(parent)} > ${own}` : own;
  }
  function path(element) {
    const root = element.getRootNode();
    if (root.nodeType !== 9) return css(element.getRootNode().host || element) + ' >> ' + css(element);
    return css(element);
  }
  function xpath(element) {
    if (element.id && !/["']/.test(element.id)
      && document.querySelectorAll('#' + CSS.escape(element.id)).length === 1) return `//*[@id="${element.id}"]`;
    const twins = [...(element.parentNode?.children || [])].filter((each) => each.nodeName === element.nodeName);
    const step = `*[name()="${element.nodeName.toLowerCase()}"]`;
    const test = element.namespaceURI === 'http://www.w3.org/1999/xhtml' ? element.localName : step;
    const own = `/${test}[${twins.indexOf(element) + 1}]`;
    return element.parentElement ? xpath(element.parentElement) + own : own;
  }
  const text = hidden ? '' : short(element.innerText);
  return {
    role: attribute('role').trim().split(/\\s+/)[0] || ROLES[element.tagName] || '',
    name: hidden ? '' : nameOf(text),
    tag: element.localName,
    text,
    css: path(element),
    xpath: element.getRootNode().nodeType === 9 ? xpath(element) : '',
  };
}
"""
_PLACE = "(elements, [element]) => [elements.indexOf(element), elements.length]"


async def ladder(
    scope: Page | FrameLocator, element: ElementHandle, clues: Mapping[str, str]
) -> dict[str, str]:
    """Selectors for the element by ``role``, ``text``, ``css`` and ``xpath``.

    Each was tried and leads to this very element; a way on which it is not found is left out. In
    a frame they are to be used inside the frame; XPath does not lead into shadow roots.
    """
    ways = _candidates(clues)
    found = await asyncio.gather(*(_first(scope, element, each) for each in ways.values()))
    return {way: selector for way, selector in zip(ways, found, strict=True) if selector}


def _candidates(clues: Mapping[str, str]) -> dict[str, list[str]]:
    """What to try in each way, the best first."""
    role, text = clues["role"], _quoted(clues["text"])
    by_role: list[str] = []
    if role.isalpha():
        by_role = [f"role={role}[name={_quoted(clues['name'])}s]"] if clues["name"] else []
        by_role.append(f"role={role}")
    return {
        "role": by_role,
        "text": [f"text={text}", f"{clues['tag']}:has-text({text})"] if clues["text"] else [],
        "css": [f"css={clues['css']}"],
        "xpath": [f"xpath={clues['xpath']}"] if clues["xpath"] else [],
    }


async def _first(
    scope: Page | FrameLocator, element: ElementHandle, selectors: Sequence[str]
) -> str | None:
    for selector in selectors:
        try:
            async with asyncio.timeout(PATIENCE):
                place: Any = await scope.locator(selector).evaluate_all(_PLACE, [element])
        except (PlaywrightError, TimeoutError):
            continue
        index, count = place
        if index >= 0:
            return selector if count == 1 else f"{selector} >> nth={index}"
    return None


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
