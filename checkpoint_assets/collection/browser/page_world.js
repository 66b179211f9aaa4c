// What the capture asks of a page, in an isolated world: to come to rest, and to be written down
// in an animation frame while the mutations around it are counted.
(snapshot) => {
  const nextFrame = () => new Promise((resolve) => {
    // A page that paints nothing gets no frames; it does not change either.
    const late = setTimeout(resolve, 200);
    requestAnimationFrame(() => { clearTimeout(late); resolve(); });
  });
  // Named elements of the page stand before the document's properties, not before its prototype's.
  const fonts = Object.getOwnPropertyDescriptor(Document.prototype, "fonts").get;
  const everything = { subtree: true, childList: true, attributes: true, characterData: true };

  let counter = null;
  let mutations = 0;

  return {
    // Waits until nothing has changed for `quiet` ms, fonts are loaded and finite animations have
    // ended; gives up after `limit` ms. Both in milliseconds.
    async settle(quiet, limit) {
      const started = performance.now();
      let changes = 0;
      let last = started;
      const observer = new MutationObserver((records) => {
        changes += records.length;
        last = performance.now();
      });
      observer.observe(document, everything);
      const busy = () => fonts.call(document).status === "loading" ||
        Document.prototype.getAnimations.call(document).some((animation) => animation.playState === "running" &&
          Number.isFinite(animation.effect ? animation.effect.getComputedTiming().endTime : 0));
      try {
        for (;;) {
          const now = performance.now();
          if (now - started >= limit) return { quiet: false, mutations: changes };
          if (now - last >= quiet && !busy()) return { quiet: true, mutations: changes };
          await new Promise((resolve) => setTimeout(resolve, Math.min(quiet, 20)));
        }
      } finally {
        observer.disconnect();
      }
    },
    async capture(options) {
      await nextFrame();
      mutations = 0;
      if (counter) counter.disconnect();
      counter = new MutationObserver((records) => { mutations += records.length; });
      counter.observe(document, everything);
      return snapshot({ ...options, closedRoots: new Map() });
    },
    // How many changes there were since the last capture; ends the counting. Nobody knows (null) if
    // the page that was captured has given way to this one.
    mutationsSince() {
      if (!counter) return null;
      mutations += counter.takeRecords().length;
      counter.disconnect();
      counter = null;
      return mutations;
    },
  };
}
