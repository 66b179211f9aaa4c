// Draws twelve months of prices onto a canvas, sharp on any screen, again when its size changes.

const MONTHS = ["Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Jan", "Feb", "Mar"];
const euro = (cents) => `€${(cents / 100).toFixed(2)}`;

function draw(canvas, prices) {
  const scale = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.font = '13px "Avenir Next", "Segoe UI", "Helvetica Neue", "DejaVu Sans Condensed", sans-serif';

  const edge = { left: 58, right: 16, top: 18, bottom: 30 };
  const spread = Math.max(...prices) - Math.min(...prices) || prices[0] / 10;
  const step = [5, 10, 20, 50, 100, 200, 500, 1000].find((size) => spread / size <= 3) ?? 2000;
  const low = Math.floor((Math.min(...prices) - step / 2) / step) * step;
  const high = Math.ceil((Math.max(...prices) + step / 2) / step) * step;
  const x = (month) => edge.left + (month * (width - edge.left - edge.right)) / (prices.length - 1);
  const y = (price) => edge.top + ((high - price) * (height - edge.top - edge.bottom)) / (high - low);

  pen.fillStyle = "#5b655d";
  pen.strokeStyle = "#e6dfd1";
  pen.textBaseline = "middle";
  for (let price = low; price <= high; price += step) {
    pen.textAlign = "right";
    pen.fillText(euro(price), edge.left - 10, y(price));
    pen.beginPath();
    pen.moveTo(edge.left, Math.round(y(price)) + 0.5);
    pen.lineTo(width - edge.right, Math.round(y(price)) + 0.5);
    pen.stroke();
  }
  pen.textAlign = "center";
  const every = width < 420 ? 3 : 2;
  MONTHS.forEach((name, month) => {
    if (month % every === 0) pen.fillText(name, x(month), height - 11);
  });

  const line = new Path2D();
  prices.forEach((price, month) => {
    if (month === 0) line.moveTo(x(0), y(price));
    else {
      const middle = (x(month - 1) + x(month)) / 2;
      line.bezierCurveTo(middle, y(prices[month - 1]), middle, y(price), x(month), y(price));
    }
  });
  const area = new Path2D(line);
  area.lineTo(x(prices.length - 1), height - edge.bottom);
  area.lineTo(x(0), height - edge.bottom);
  area.closePath();
  const fade = pen.createLinearGradient(0, edge.top, 0, height - edge.bottom);
  fade.addColorStop(0, "#b4532a40");
  fade.addColorStop(1, "#b4532a00");
  pen.fillStyle = fade;
  pen.fill(area);
  pen.strokeStyle = "#b4532a";
  pen.lineWidth = 2.5;
  pen.lineJoin = "round";
  pen.stroke(line);

  const last = prices.length - 1;
  pen.fillStyle = "#fffefb";
  pen.beginPath();
  pen.arc(x(last), y(prices[last]), 5.5, 0, 2 * Math.PI);
  pen.fill();
  pen.stroke();
}

export function drawPrices(canvas) {
  const prices = JSON.parse(canvas.dataset.history);
  draw(canvas, prices);
  window.addEventListener("resize", () => draw(canvas, prices));
}
