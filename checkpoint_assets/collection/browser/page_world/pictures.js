// Pixels that only scripts have made: of canvases, and of pictures that live in memory.
function makePictures(options, counts) {
  return {
    // The pixels as a data URL, or in a word why there are none.
    ofCanvas(canvas) {
      counts.canvases += 1;
      if (!options.canvas) return "off";
      if (!canvas.width || !canvas.height) return "empty";
      try {
        return canvas.toDataURL("image/png");
      } catch (tainted) {
        counts.tainted_canvases += 1;
        return "tainted";
      }
    },
    ofImage(image) {
      try {
        const canvas = document.implementation.createHTMLDocument("").createElement("canvas");
        [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
        canvas.getContext("2d").drawImage(image, 0, 0);
        return canvas.toDataURL("image/png");
      } catch (unreadable) {
        return null;
      }
    },
  };
}
