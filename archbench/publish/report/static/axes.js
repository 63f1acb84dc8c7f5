// Scales, axes, and plots that are as wide as their place.

const MARGIN = { top: 30, right: 18, bottom: 42, left: 52 };

// A scale from [low, high] to pixels, linear or logarithmic, and its ticks, which of years and epochs are whole.
function scaled(values, from, to, isLog, isWhole = false) {
  const turn = isLog ? Math.log10 : (value) => value,
    back = isLog ? (value) => 10 ** value : (value) => value;
  let low = turn(Math.min(...values)),
    high = turn(Math.max(...values));
  const pad = high > low ? 0.06 * (high - low) : isLog ? 0.3 : isWhole ? 1 : Math.abs(high) * 0.1 || 1;
  const touches = !isLog && low >= 0 && low - pad < 0;
  [low, high] = [touches ? 0 : low - pad, high + pad];
  const at = (value) => from + ((turn(value) - low) / (high - low)) * (to - from);
  const room = Math.max(3, Math.floor(Math.abs(to - from) / 75));
  const isLinear = !isLog || isWhole;
  return { at, ticks: isLinear ? linearTicks(back(low), back(high), room, isWhole ? 1 : 0) : logTicks(back(low), back(high), room) };
}

function linearTicks(low, high, room, least = 0) {
  const raw = Math.max((high - low) / room, least),
    size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * size).find((each) => each >= raw);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, place) => Number(((first + place) * step).toPrecision(12)));
}

function logTicks(low, high, room) {
  for (const factors of [[1, 2, 3, 5], [1, 2, 5], [1, 3], [1]]) {
    const ticks = [];
    for (let power = Math.floor(Math.log10(low)); 10 ** power <= high; power += 1) {
      ticks.push(...factors.map((factor) => Number((factor * 10 ** power).toPrecision(6))).filter((tick) => tick >= low && tick <= high));
    }
    if (ticks.length <= Math.max(room, 3)) return ticks.length > 1 ? ticks : linearTicks(low, high, room).filter((tick) => tick > 0);
  }
  const decades = Math.ceil(Math.log10(high / low) / room),
    first = Math.ceil(Math.log10(low));
  return Array.from({ length: room + 1 }, (_, place) => 10 ** (first + place * decades)).filter((tick) => tick <= high);
}

// Grid, ticks and titles; a year is no `2.01 k`.
function axes(x, y, size, titles, write = [short, short]) {
  const { width, height } = size,
    right = width - MARGIN.right,
    bottom = height - MARGIN.bottom;
  return [
    y.ticks.map((tick) => [
      s("line", { class: "grid", x1: MARGIN.left, x2: right, y1: y.at(tick), y2: y.at(tick) }),
      s("text", { class: "tick", x: MARGIN.left - 7, y: y.at(tick) + 4, "text-anchor": "end" }, write[1](tick)),
    ]),
    x.ticks.map((tick) => [
      s("line", { class: "grid", x1: x.at(tick), x2: x.at(tick), y1: bottom, y2: bottom + 5 }),
      s("text", { class: "tick", x: x.at(tick), y: bottom + 18, "text-anchor": "middle" }, write[0](tick)),
    ]),
    s("line", { class: "grid", x1: MARGIN.left, x2: right, y1: bottom, y2: bottom }),
    s("text", { class: "axis", x: right, y: height - 5, "text-anchor": "end" }, titles[0]),
    s("text", { class: "axis", x: 2, y: 14 }, titles[1]),
  ];
}

let onPaper = false; // while the page is printed, plots are drawn for the width of its paper
const PAPER = 700; // pixels
const redrawn = new Map();
const widthOf = (figure) => (onPaper ? PAPER : Math.max(280, figure.clientWidth));

function print(isBegun) {
  onPaper = isBegun;
  for (const [figure, draw] of redrawn)
    if (figure.isConnected) draw();
    else redrawn.delete(figure);
  for (const each of document.querySelectorAll(isBegun ? ".part details:not([open]), .ids details:not([open])" : "details[data-printed]")) {
    each.open = isBegun;
    each.toggleAttribute("data-printed", isBegun);
    if (isBegun) each.dispatchEvent(new Event("toggle"));
  }
}

// Draw now, and again when the width has changed.
function onWidth(figure, draw) {
  let width = figure.clientWidth;
  draw();
  redrawn.set(figure, draw);
  new ResizeObserver(() => {
    if (figure.isConnected && figure.clientWidth !== width) {
      width = figure.clientWidth;
      draw();
    }
  }).observe(figure);
}
