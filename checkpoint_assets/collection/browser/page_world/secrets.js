// What must not leave the page: private parts and fields, and where they are in the picture.
function makeSecrets(options) {
  const privateName = new RegExp(options.privateNames, "i");
  const privatePurpose = new RegExp(options.privatePurposes, "i");
  const selector = options.privateSelectors.join(",");
  const surveyed = new Set();
  const hidden = [];
  const watched = [];
  const redactions = {};
  return {
    redactions,
    // Looks for all private parts of a scope at once.
    survey(scope) {
      if (selector !== "") for (const element of allIn(scope, selector)) surveyed.add(element);
    },
    // Of an element in a scope, or in a template, which no search of a scope finds.
    isPrivate: (element, live) => live ? surveyed.has(element) : selector !== "" && matches(element, selector),
    // Which rule makes the value of this form control private, if any.
    ruleOf(element) {
      if (element.type === "password") return "password";
      if (privatePurpose.test(attributeOf(element, "autocomplete") || "")) return "autocomplete";
      const named = ["name", "id"].some((key) => privateName.test(attributeOf(element, key) || ""));
      return named ? "name" : null;
    },
    hide(element, frames, rule) {
      redactions[rule] = (redactions[rule] || 0) + 1;
      hidden.push({ element, frames: [...frames], rule });
    },
    // A frame that another world reads: what is hidden in it moves with it.
    watch: (element, frames) => { watched.push({ element, frames: [...frames] }); },
    // Where they are now.
    boxes() {
      const boxes = [];
      for (const { element, frames, rule } of hidden) {
        const { left, top, right, bottom } = boxThrough(placeOf(frames), boxOf(element));
        if (right > left && bottom > top) {
          boxes.push({ x: left, y: top, width: right - left, height: bottom - top, rule });
        }
      }
      return boxes;
    },
    // The same by element, with the frames that are watched.
    places: () => new Map([...hidden, ...watched].map(({ element, frames }) =>
      [element, boxThrough(placeOf(frames), boxOf(element))])),
    // Whether there is something to hide now that was not there when the page was written down.
    isNew(scopes) {
      const known = new Set(hidden.map(({ element }) => element));
      const within = (element) => {
        for (let at = element; at; at = parentNode(at) ?? at.host) if (known.has(at)) return true;
        return false;
      };
      const fields = selector === "" ? "input,textarea" : `input,textarea,${selector}`;
      return scopes.some((scope) => [...allIn(scope, fields)].some((element) =>
        (this.isPrivate(element, false) || (element.value && this.ruleOf(element))) && !within(element)));
    },
  };
}

// Where the inside of the innermost of these frames is, in the viewport of the outermost document:
// its origin, its scale, and as much of it as can be seen.
function placeOf(frames) {
  const FAR = 1e9;
  let place = { x: 0, y: 0, scale: 1, left: -FAR, top: -FAR, right: FAR, bottom: FAR, turned: false };
  for (const frame of frames) {
    const box = boxOf(frame);
    const seen = boxThrough(place, box);
    const scale = box.width / frame.offsetWidth || 1;
    const style = getComputedStyle(frame);
    place = {
      x: place.x + (box.left + (frame.clientLeft + parseFloat(style.paddingLeft)) * scale) * place.scale,
      y: place.y + (box.top + (frame.clientTop + parseFloat(style.paddingTop)) * scale) * place.scale,
      scale: place.scale * scale,
      ...seen,
      // In a frame that is turned or squeezed nobody knows what is where.
      turned: place.turned || Math.abs(scale - (box.height / frame.offsetHeight || 1)) > 0.01,
    };
  }
  return place;
}

// A box in a frame, in the viewport of the outermost document: as much of it as can be seen.
function boxThrough(place, box) {
  const { x, y, scale, left, top, right, bottom } = place;
  if (place.turned) return { left, top, right, bottom };
  return {
    left: Math.max(left, x + box.left * scale),
    top: Math.max(top, y + box.top * scale),
    right: Math.min(right, x + box.right * scale),
    bottom: Math.min(bottom, y + box.bottom * scale),
  };
}
