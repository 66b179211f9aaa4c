// Pixels that only scripts have made: of canvases, and of pictures that live in memory.
function makePictures(options, counts) {
  const read = [];

  // A small copy, to see whether a canvas was painted on.
  function printOf(canvas) {
    const small = new OffscreenCanvas(16, 16).getContext("2d", { willReadFrequently: true });
    small.drawImage(canvas, 0, 0, 16, 16);
    return small.getImageData(0, 0, 16, 16).data.join();
  }

  return {
    // The pixels as a data URL, or in a word why there are none.
    ofCanvas(canvas) {
      counts.canvases += 1;
      if (!options.canvas) return "off";
      if (!canvas.width || !canvas.height) return "empty";
      try {
        const pixels = canvas.toDataURL("image/png");
        read.push({ canvas, print: printOf(canvas) });
        return pixels;
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
    // How many canvases look different from what was read.
    changed: () => read.filter(({ canvas, print }) => printOf(canvas) !== print).length,
  };
}
