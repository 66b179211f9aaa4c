// What a page shows at one moment and may change without a mutation: what stands in form controls,
// what is painted on canvases, where things are scrolled to; and how many mutations there were.
function makeStamps(scopes) {
  const WATCHED = "input,textarea,select,canvas";
  const SIDE = 128;
  let small = null;

  // The pixels of a small copy, to see whether a canvas was painted on.
  function printOf(canvas) {
    if (!canvas.width || !canvas.height) return [];
    small ??= new OffscreenCanvas(SIDE, SIDE).getContext("2d", { willReadFrequently: true });
    small.clearRect(0, 0, SIDE, SIDE);
    try {
      small.drawImage(canvas, 0, 0, SIDE, SIDE);
      return new Uint32Array(small.getImageData(0, 0, SIDE, SIDE).data.buffer);
    } catch (tainted) {
      small = null;
      return [];
    }
  }

  function shownBy(element) {
    if (localName(element) === "canvas") return printOf(element);
    return element.type === "checkbox" || element.type === "radio" ? element.checked : element.value;
  }

  const same = (one, other) => one === other || (typeof one === "object" && typeof other === "object" &&
    one.length === other.length && one.every((value, index) => value === other[index]));

  return {
    now() {
      const shown = new Map([[document, [scrollX, scrollY, visualViewport.scale]]]);
      for (const scope of scopes.all()) {
        for (const element of allIn(scope, WATCHED)) shown.set(element, shownBy(element));
      }
      for (const element of scopes.scrolled) {
        if (!shown.has(element)) shown.set(element, [scrollLeftOf(element), scrollTopOf(element)]);
      }
      return { changes: scopes.changes(), shown };
    },
    // How much has changed from one moment to the other, or in between. What is in one of the moments
    // only was brought by a mutation, or was not known to us before.
    between(before, amid, after) {
      let number = after.changes - before.changes;
      for (const [element, value] of amid.shown) {
        const changed = [before, after].some(({ shown }) => shown.has(element) && !same(shown.get(element), value));
        if (changed) number += 1;
      }
      return number;
    },
  };
}
