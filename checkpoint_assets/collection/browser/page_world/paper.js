// The HTML that is being written: its text, places for what is only known later, and its limit.
function makePaper(maxLength) {
  let pieces = [];
  let text = "";
  let length = 0;

  // The pieces so far, with what was left open filled in; only foreign frames stay open.
  function taken() {
    const whole = [];
    let joined = "";
    for (const piece of [...pieces, text]) {
      if (piece.frame) { whole.push(joined, piece); joined = ""; } else joined += piece.text ?? piece;
    }
    return [...whole, joined];
  }

  const paper = {
    truncated: null,
    stopped: false,
    // Nothing more is written but the end tags.
    stop(reason) {
      paper.truncated ??= reason;
      paper.stopped = true;
    },
    write(more) {
      text += more;
      length += more.length;
    },
    // Text of the page's, which may be longer than what there is room for.
    own(more) {
      if (length + more.length <= maxLength) return paper.write(more);
      paper.stop("size");
      return paper.write(more.slice(0, Math.max(0, maxLength - length)));
    },
    attribute(name, value) {
      paper.write(` ${name}="`);
      paper.own(escapeAttribute(value));
      paper.write('"');
    },
    // A place whose text is given when it is known.
    later() {
      const place = { text: "" };
      pieces.push(text, place);
      text = "";
      return place;
    },
    // The attribute that shows a frame which another world writes down.
    foreign(frame, name) {
      pieces.push(text, { frame, name, quotes: [] });
      text = "";
    },
    // What is written meanwhile becomes the value of an attribute: of srcdoc, or a URL.
    quoted(name, writeAll) {
      const outer = { pieces, text, length };
      pieces = [];
      text = "";
      writeAll();
      const inner = taken();
      ({ pieces, text } = outer);
      const quote = name === "srcdoc" ? "markup" : "url";
      paper.write(` ${name}="${quote === "url" ? "data:text/html;charset=utf-8," : ""}`);
      for (const piece of inner) {
        if (piece.frame) {
          pieces.push(text, { ...piece, quotes: [...piece.quotes, quote] });
          text = "";
        } else {
          text += quote === "url" ? encodeURIComponent(piece.toWellFormed()) : escapeAttribute(piece);
        }
      }
      paper.write('"');
      length = outer.length + text.length - outer.text.length;
    },
    taken,
  };
  return paper;
}
