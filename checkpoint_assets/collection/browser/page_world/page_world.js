// What the capture asks of a page, in a world of its own: to come to rest, to hold still, and to be
// written down in an animation frame while what changes around it is counted.
function makeWorld() {
  const scopes = makeScopes();
  const sheets = makeSheets();
  const keys = new WeakMap(); // a frame that another world reads: its name there
  const caret = new Set(); // animations of ours
  const states = makeStates(sheets, caret);
  const stamps = makeStamps(scopes);
  const snapshot = makeSnapshot(scopes, sheets, states, keys);
  // Pictures that are only loaded when they come near: the browser's way, and a script's.
  const LAZY = "img[loading=lazy],img[data-src],img[data-srcset],img[data-lazy]";
  const FARTHEST = 16383;
  const SAME_PLACE = 1; // how far away a private part may be from where it was, in CSS pixels
  let captured = null;
  let begun = null; // what the page showed before its picture was asked for

  let offsets = new Map(); // where things were scrolled to before a picture of the whole page

  const isWindow = (object) => object.window === object;
  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  // A page that paints nothing gets no frames; it does not change either.
  const nextFrame = (late = 200) => new Promise((resolve) => {
    const timer = setTimeout(resolve, late);
    requestAnimationFrame(() => { clearTimeout(timer); resolve(); });
  });

  // Animations that end, and when; those of scroll positions and endless ones do not.
  function* endingAnimations(scope) {
    for (const animation of animationsOf(scope)) {
      const timing = animation.effect && animation.effect.getComputedTiming();
      const rate = Math.abs(animation.playbackRate);
      if (animation.playState !== "running" || caret.has(animation) || !timing || !rate) continue;
      if (Number.isFinite(timing.endTime)) yield (timing.endTime - animation.currentTime) / rate;
    }
  }

  // What is not at its end yet, and how long that takes at least.
  function unfinished() {
    let longest = 0;
    let waiting = null;
    const wait = (what, left) => { if (left > longest) [longest, waiting] = [left, what]; };
    for (const scope of scopes.all()) {
      if (isDocument(scope) && fontsOf(scope).status === "loading") wait("fonts", 1);
      // The page says of itself that it is not done.
      if ([...allIn(scope, "[aria-busy=true]")].some((busy) => boxOf(busy).height)) wait("busy", 1);
      for (const left of endingAnimations(scope)) wait("animations", Math.max(left, 1));
    }
    return { longest, waiting };
  }

  function deepestFocus() {
    let focused = activeElement(document);
    while (focused) {
      const inside = scopes.shadowOf(focused) || (isFrame(focused) && innerDocument(focused));
      const deeper = inside && activeElement(inside);
      if (!deeper) break;
      focused = deeper;
    }
    return focused;
  }

  const offsetOf = (scroller) => isWindow(scroller) ? [scroller.scrollX, scroller.scrollY]
    : [scrollLeftOf(scroller), scrollTopOf(scroller)];

  // Everything that is scrolled, and how far.
  function findOffsets() {
    const found = new Map();
    for (const scope of scopes.all()) {
      const scrollers = isDocument(scope) ? [windowOf(scope), ...allIn(scope, "*")] : allIn(scope, "*");
      for (const scroller of scrollers) {
        const [left, top] = offsetOf(scroller);
        if (left || top) found.set(scroller, [left, top]);
      }
    }
    return found;
  }

  function release() {
    for (const animation of caret) animation.cancel();
    caret.clear();
  }

  // Whether one of the private parts that were known then is somewhere else now.
  const haveMoved = (before, now) => [...now].some(([element, place]) => {
    const was = before.get(element);
    return was && ["left", "top", "right", "bottom"].some((side) => Math.abs(was[side] - place[side]) > SAME_PLACE);
  });

  return {
    // Waits until nothing has changed for `quiet` ms, fonts are loaded and animations have ended
    // that end in time; gives up after `limit` ms.
    async settle(quiet, limit) {
      const started = performance.now();
      const before = scopes.changes();
      const step = Math.min(quiet / 3, 20);
      let looked = started;
      let still = 0;
      // What waits for a frame, or to be seen, has its turn.
      await nextFrame();
      await nextFrame();
      for (;;) {
        const now = performance.now();
        const mutations = scopes.changes() - before;
        // Time in which nothing here had a turn does not count: neither had the page.
        still = scopes.lastChange() >= looked ? 0 : still + Math.min(now - looked, 1.5 * step);
        looked = now;
        const left = started + limit - now;
        if (still >= quiet) {
          const { longest, waiting } = unfinished();
          if (longest === 0) return { quiet: true, mutations, idle: now - scopes.lastChange() };
          if (longest > left || left <= 0) return { quiet: false, mutations, waiting };
        }
        if (left <= 0) return { quiet: false, mutations, waiting: "changes" };
        await pause(step);
      }
    },
    // Scrolls once through the page, so that what waits to be seen is there; at most `limit` ms.
    // Only if something waits: the page sees itself scrolled.
    async unroll(limit) {
      const started = performance.now();
      const left = () => started + limit - performance.now();
      const waiting = () => [...scopes.all()].filter(isDocument).some((scope) => [...allIn(scope, LAZY)]
        .some((element) => !element.complete || hasAttribute(element, "data-src")));
      if (!waiting()) return;
      const [x, y] = [scrollX, scrollY];
      const go = (top) => scrollTo({ left: x, top, behavior: "instant" });
      for (let top = 0; top < documentElement(document).scrollHeight && top < FARTHEST && left() > 0; top += innerHeight * 0.9) {
        go(top);
        await nextFrame();
        await nextFrame();
      }
      go(y);
      const pictures = [...allIn(document, "img")];
      const loading = () => pictures.some((image) => !image.complete && image.currentSrc);
      while (left() > 0 && (loading() || scopes.lastChange() > performance.now() - 50)) await pause(20);
      const decoded = Promise.allSettled(pictures.map((image) => image.decode()));
      await Promise.race([decoded, pause(Math.max(left(), 0))]);
    },
    // For a picture of the whole page the browser lays it out in another size for a moment, in which
    // what is scrolled may lose its place. Puts it back, and says whether it had to.
    async putBack() {
      await nextFrame();
      const lost = [...offsets].filter(([scroller, [left, top]]) => {
        const [x, y] = offsetOf(scroller);
        return Math.abs(x - left) >= 1 || Math.abs(y - top) >= 1;
      });
      for (const [scroller, [left, top]] of lost) scroller.scrollTo({ left, top, behavior: "instant" });
      offsets = new Map();
      return lost.length > 0;
    },
    // Hides the caret, which blinks, and says what has to be known before a capture.
    prepare(wholePage = false) {
      release();
      if (wholePage) offsets = findOffsets();
      const focused = deepestFocus();
      if (focused && focused !== bodyOf(document)) {
        const clear = { caretColor: "transparent" };
        caret.add(animate(focused, [clear, clear], { duration: 1e8, fill: "both" }));
        setTimeout(release, 30_000);
      }
      const all = scopes.all();
      const animated = [...all].some((scope) =>
        animationsOf(scope).some((animation) => animation.playState === "running" && !caret.has(animation)));
      begun = { stamp: stamps.now(), places: captured ? captured.secrets.places() : new Map() };
      return { animated, sheets: sheets.unknown(all), zoom: visualViewport.scale };
    },
    async capture(options, inFrame = true) {
      if (inFrame) await nextFrame();
      const { after, ...page } = snapshot(options);
      captured = { ...after, places: after.secrets.places(), stamp: stamps.now() };
      return page;
    },
    // What has changed around the capture: since the picture was asked for, which may show the page
    // as it was shortly before. Null if the capture was another document's.
    async mutationsSince() {
      if (captured === null || captured.over) return null;
      const { secrets, places, stamp } = captured;
      const before = begun ?? { stamp, places };
      begun = { stamp: stamps.now(), places: secrets.places() };
      captured.over = true;
      const mutations = stamps.between(before.stamp, stamp, begun.stamp);
      const moved = haveMoved(before.places, places) || haveMoved(places, begun.places) ||
        (mutations > 0 && secrets.isNew([...scopes.all()]));
      // Nobody will look again.
      if (mutations === 0 && !moved) release();
      else {
        // What begins with a frame has the whole of it for the picture and the capture to meet.
        await nextFrame();
        begun = { stamp: stamps.now(), places: secrets.places() };
      }
      return { mutations, moved, zoom: visualViewport.scale };
    },
    release,
    stranger: (index) => captured?.strangers[index] ?? null,
    acquaint: (frame, key) => { keys.set(frame, key); },
    reveal: (root) => scopes.reveal(root),
    learnPrint: (url, print) => sheets.learnPrint(url, print),
    learnText: (url, text) => sheets.learnText(url, text),
    learnNothing: (url) => sheets.learnNothing(url, scopes.all()),
  };
}
