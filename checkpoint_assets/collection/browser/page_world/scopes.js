// What a page consists of, kept up to date: its document, its shadow roots, and the documents of
// frames that may be read. Counts what changes in them, and knows what has been scrolled.
function makeScopes() {
  const EVERYTHING = { subtree: true, childList: true, attributes: true, characterData: true };
  const listen = method(EventTarget, "addEventListener");
  const elementsIn = method(Element, "getElementsByTagName");
  const scopes = new Set();
  const closedRoots = new WeakMap();
  const scrolled = new Set();
  const observer = new MutationObserver(seen);
  let changes = 0;
  let last = performance.now();

  function seen(records) {
    changes += records.length;
    last = performance.now();
    for (const record of records) {
      for (const node of record.addedNodes) {
        if (nodeType(node) !== Node.ELEMENT_NODE) continue;
        found(node);
        for (const inner of elementsIn(node, "*")) found(inner);
      }
    }
  }

  function flush() {
    const records = observer.takeRecords();
    if (records.length) seen(records);
  }

  const shadowOf = (element) => closedRoots.get(element) || openRoot(element);

  function found(element) {
    const shadow = shadowOf(element);
    if (shadow) add(shadow);
    if (isFrame(element)) {
      const inner = innerDocument(element);
      if (inner) add(inner);
    }
  }

  function add(scope) {
    if (scopes.has(scope)) return;
    scopes.add(scope);
    observer.observe(scope, EVERYTHING);
    listen(scope, "scroll", onScroll, { capture: true, passive: true });
    // A frame that has loaded has another document than before.
    listen(scope, "load", ({ target }) => { if (isElement(target)) found(target); }, { capture: true });
    for (const element of allIn(scope, "*")) found(element);
  }

  function onScroll({ target }) {
    last = performance.now();
    if (isElement(target)) scrolled.add(target);
  }

  function alive(scope) {
    const document = isDocument(scope) ? scope : ownerDocument(scope.host);
    return windowOf(document) !== null && (document === scope || isConnected(scope.host));
  }

  function dropDead() {
    for (const element of scrolled) if (!isConnected(element)) scrolled.delete(element);
    if ([...scopes].every(alive)) return;
    observer.disconnect();
    for (const scope of scopes) {
      if (alive(scope)) observer.observe(scope, EVERYTHING);
      else scopes.delete(scope);
    }
  }

  add(document);
  return {
    add,
    shadowOf,
    scrolled,
    // A closed shadow root, which only the browser itself can show us.
    reveal(root) {
      closedRoots.set(root.host, root);
      add(root);
    },
    all() {
      flush();
      dropDead();
      return scopes;
    },
    changes() {
      flush();
      return changes;
    },
    lastChange() {
      flush();
      return last;
    },
  };
}
