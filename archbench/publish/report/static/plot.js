// Plots as SVG: scales, axes, points with their intervals, curves.

const MARGIN = { top: 30, right: 18, bottom: 42, left: 52 }, GAP = 12;

// A scale from [low, high] to pixels, linear or logarithmic, and its ticks.
function scaled(values, from, to, isLog) {
  const turn = isLog ? Math.log10 : (value) => value, back = isLog ? (value) => 10 ** value : (value) => value;
  let low = turn(Math.min(...values)), high = turn(Math.max(...values));
  const pad = high > low ? 0.06 * (high - low) : isLog ? 0.3 : Math.abs(high) * 0.1 || 1;
  const touches = !isLog && low >= 0 && low - pad < 0;
  [low, high] = [touches ? 0 : low - pad, high + pad];
  const at = (value) => from + ((turn(value) - low) / (high - low)) * (to - from);
  const room = Math.max(2, Math.floor(Math.abs(to - from) / 75));
  return { at, ticks: isLog ? logTicks(back(low), back(high), room) : linearTicks(low, high, room) };
}

function linearTicks(low, high, room) {
  const raw = (high - low) / room, size = 10 ** Math.floor(Math.log10(raw));
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
  const decades = Math.ceil(Math.log10(high / low) / room), first = Math.ceil(Math.log10(low));
  return Array.from({ length: room + 1 }, (_, place) => 10 ** (first + place * decades)).filter((tick) => tick <= high);
}

// Grid, ticks and titles; a year is no `2.01 k`.
function axes(x, y, size, titles, write = [short, short]) {
  const { width, height } = size, right = width - MARGIN.right, bottom = height - MARGIN.bottom;
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

// A box beside what the pointer or the focus is at.
function hinted(figure) {
  const box = h("div", { class: "hint", hidden: true });
  figure.append(box);
  return {
    show(target, lines) {
      box.replaceChildren(h("b", {}, lines[0]), ...lines.slice(1).map((line) => h("span", {}, line)));
      box.hidden = false;
      const there = target.getBoundingClientRect(), around = figure.getBoundingClientRect();
      const left = there.left - around.left + there.width / 2, top = there.top - around.top;
      box.style.left = `${Math.max(0, Math.min(left + GAP, around.width - box.offsetWidth))}px`;
      box.style.top = `${top - box.offsetHeight - GAP / 2 < 0 ? top + there.height + GAP / 2 : top - box.offsetHeight - GAP / 2}px`;
    },
    hide() { box.hidden = true; },
  };
}

// What points and bars have in common: a hint, a click, Enter, and arrows that walk from one to the next.
function selectable(mark, row, lines, hint, isFirst) {
  const label = labelOf(row);
  const choose = () => select(label, label === selected ? null : row.records);
  const leave = () => hint.hide(), enter = () => hint.show(mark.querySelector(".at"), lines);
  const attributes = { role: "button", tabindex: isFirst ? 0 : -1, "aria-label": lines.join("; "), "aria-pressed": String(label === selected), "data-label": label };
  for (const [name, value] of Object.entries(attributes)) mark.setAttribute(name, value);
  mark.classList.toggle("chosen", label === selected);
  for (const [name, listener] of Object.entries({ pointerenter: enter, focus: enter, pointerleave: leave, blur: leave, click: choose })) mark.addEventListener(name, listener);
  mark.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const marks = [...mark.parentNode.querySelectorAll("[role=button]")], next = marks[marks.indexOf(mark) + step];
    if (event.key === "Enter" || event.key === " ") choose();
    else if (event.key === "Escape") return hint.hide();
    else if (next) next.focus();
    else return;
    event.preventDefault();
  });
  return mark;
}

const behindIt = (records) => (records.length === 1 ? `Record ${records[0]}` : `Record ${records[0]} and ${records.length - 1} more`);
const unitOf = (quantity) => (quantity.unit ? ` ${quantity.unit}` : "");
const titleOf = (quantity) => (quantity.unit ? `${quantity.name}, ${quantity.unit}` : quantity.name);
const writeOf = (quantity) => (quantity.key === "year" ? String : short);

function shownValue(quantity, values) {
  const write = writeOf(quantity), [value, low, high] = values;
  return `${quantity.name} ${write(value)}${high === undefined ? "" : ` [${write(low)}–${write(high)}]`}${unitOf(quantity)}`;
}

function scatter(figure, hint, points, qx, qy, isLog) {
  const width = widthOf(figure), height = Math.round(Math.max(280, Math.min(460, 0.55 * width)));
  const known = points.filter(({ values }) => [[qx, isLog[0]], [qy, isLog[1]]].every(([{ key }, log]) => values[key] && (!log || values[key][0] > 0)));
  if (!known.length) return { drawn: h("p", { class: "dim" }, "No network here has both."), left: points.length };
  const ends = (key, log) => known.flatMap(({ values }) => values[key].filter((value) => !log || value > 0));
  const x = scaled(ends(qx.key, isLog[0]), MARGIN.left + 4, width - MARGIN.right, isLog[0]);
  const y = scaled(ends(qy.key, isLog[1]), height - MARGIN.bottom, MARGIN.top, isLog[1]);
  const order = [...known].sort((one, other) => one.values[qx.key][0] - other.values[qx.key][0]);
  const places = order.map(({ values }) => [x.at(values[qx.key][0]), y.at(values[qy.key][0])]);
  const labels = labelled(order, places, width);
  const marks = order.map((point, place) => {
    const [cx, cy] = places[place], bars = [];
    const clipped = (key, log, at, least) => point.values[key].slice(1).map((end) => (log && end <= 0 ? least : at(end)));
    const [low, high] = clipped(qy.key, isLog[1], y.at, height - MARGIN.bottom), [left, right] = clipped(qx.key, isLog[0], x.at, MARGIN.left);
    if (high !== undefined) bars.push(s("line", { x1: cx, x2: cx, y1: low, y2: high }));
    if (right !== undefined) bars.push(s("line", { x1: left, x2: right, y1: cy, y2: cy }));
    const mark = s("g", { class: "point" }, bars, s("circle", { class: "reach at", cx, cy, r: 12 }), s("circle", { class: "dot", cx, cy, r: 5 }), labels[place]);
    return selectable(mark, point, [point.model, shownValue(qx, point.values[qx.key]), shownValue(qy, point.values[qy.key]), behindIt(point.records)], hint, place === 0);
  });
  const front = qy.key === "error" && order.length > 2 ? s("path", { class: "front", d: steps(order, places, qy.key) }) : null;
  const title = `${titleOf(qy)} against ${titleOf(qx)}`;
  const drawn = s("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": title }, axes(x, y, { width, height }, [titleOf(qx), titleOf(qy)], [writeOf(qx), writeOf(qy)]), front, s("g", {}, marks));
  return { drawn, left: points.length - known.length, front: Boolean(front) };
}

// The least errors from left to right: no other errs less at as little.
function steps(order, places, key) {
  let least = Infinity, path = "";
  order.forEach((point, place) => {
    if (point.values[key][0] >= least) return;
    least = point.values[key][0];
    path += path ? `H${places[place][0]}V${places[place][1]}` : `M${places[place].join(",")}`;
  });
  return path;
}

// Names beside their points, where there is room; the others tell theirs when pointed at.
function labelled(order, places, width) {
  const taken = places.map(([x, y]) => [x - 6, y - 6, x + 6, y + 6]), free = (box) => taken.every((other) => box[0] > other[2] || box[2] < other[0] || box[1] > other[3] || box[3] < other[1]);
  return order.map(({ model }, place) => {
    const [x, y] = places[place], long = 6.6 * model.length;
    if (model.length > 40) return null;
    for (const [dx, dy, anchor] of [[9, 4, "start"], [-9, 4, "end"], [0, -10, "middle"], [0, 19, "middle"]]) {
      const left = x + dx - { start: 0, end: long, middle: long / 2 }[anchor], box = [left, y + dy - 11, left + long, y + dy + 3];
      if (left > 0 && left + long < width && free(box)) {
        taken.push(box);
        return s("text", { x: x + dx, y: y + dy, "text-anchor": anchor }, model);
      }
    }
    return null;
  });
}

function drawPlots() {
  const place = body("plots");
  if (!data.plots.length) return place.replaceChildren(h("p", {}, "No Record holds figures to plot yet."));
  const largest = data.plots.reduce((best, each, number) => (each.points.length > data.plots[best].points.length ? number : best), 0);
  const set = data.plots[settings.set ?? largest] ?? data.plots[largest];
  const known = data.quantities.filter(({ key }) => set.points.some(({ values }) => values[key]));
  const asked = (key, usual) => known.find((each) => each.key === key) ?? usual.map((name) => known.find((each) => each.key === name)).find(Boolean) ?? known[0];
  const qx = asked(settings.x, ["macs", "params", "year"]), qy = asked(settings.y, ["error", "latency", "params"]);
  const usualLog = (quantity) => !["error", "year"].includes(quantity.key) && quantity.unit !== "%";
  const isLog = [settings.logX ?? usualLog(qx), settings.logY ?? usualLog(qy)];
  const set_ = (name, turn = (value) => value) => (value) => { settings[name] = turn(value); drawPlots(); };
  const quantities = known.map(({ key, name }) => [key, name]);
  const figure = h("figure", { id: "scatter" }), caption = h("figcaption", { class: "dim" }), hint = hinted(figure);
  const focused = document.activeElement?.id;
  place.replaceChildren(
    h("div", { class: "controls" },
      choice("plot-set", "Under equal conditions", data.plots.map((each, number) => [number, `${each.caption} (${each.points.length})`]), data.plots.indexOf(set), set_("set", Number), "wide"),
      choice("plot-x", "Across", quantities, qx.key, (value) => { settings.logX = null; set_("x")(value); }), tick("log-x", "log", isLog[0], set_("logX")),
      choice("plot-y", "Up", quantities, qy.key, (value) => { settings.logY = null; set_("y")(value); }), tick("log-y", "log", isLog[1], set_("logY"))),
    figure, ...sharesView(),
  );
  if (["plot-set", "plot-x", "plot-y", "log-x", "log-y"].includes(focused)) document.getElementById(focused)?.focus();
  const draw = () => {
    const { drawn, left, front } = scatter(figure, hint, set.points, qx, qy, isLog);
    figure.replaceChildren(drawn, figure.querySelector(".hint"), caption);
    caption.textContent = [
      front && "dashed: no other network here errs less at as little", "bars: 95 % intervals",
      left && `${plural(left, "network")} without both figures${isLog.some(Boolean) ? ", or with one that a logarithm does not have," : ""} not shown`,
      "a click selects a network everywhere",
    ].filter(Boolean).join("; ");
  };
  onWidth(figure, draw);
}

let onPaper = false; // while the page is printed, plots are drawn for the width of its paper
const PAPER = 700, redrawn = new Map();
const widthOf = (figure) => (onPaper ? PAPER : Math.max(280, figure.clientWidth));

function print(isBegun) {
  onPaper = isBegun;
  for (const [figure, draw] of redrawn) if (figure.isConnected) draw(); else redrawn.delete(figure);
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
  new ResizeObserver(() => { if (figure.isConnected && figure.clientWidth !== width) { width = figure.clientWidth; draw(); } }).observe(figure);
}

// A curve for each Record, over epochs.
function curveView(title, records) {
  const width = 640, height = 240, curves = records.filter((record) => record.curves.loss).slice(0, 24).map((record) => record.curves.loss);
  const values = curves.flat().filter((value) => value !== null);
  if (!values.length) return null;
  const x = scaled([1, Math.max(...curves.map((curve) => curve.length))], MARGIN.left + 4, width - MARGIN.right, false);
  const y = scaled(values, height - MARGIN.bottom, MARGIN.top, false);
  x.ticks = x.ticks.filter((tick) => Number.isInteger(tick) && tick > 0);
  const lines = curves.map((curve) => s("polyline", { class: "curve", points: curve.flatMap((value, epoch) => (value === null ? [] : [`${x.at(epoch + 1)},${y.at(value)}`])).join(" ") }));
  const dots = curves.map((curve) => curve.length === 1 && curve[0] !== null && s("circle", { class: "channels", cx: x.at(1), cy: y.at(curve[0]), r: 3 }));
  return h("figure", { class: "curves" }, h("h4", {}, title), s("svg", { class: "plot small", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}, ${plural(curves.length, "training")}` }, axes(x, y, { width, height }, ["epoch", "training loss"]), lines, dots));
}

whenSelected.push(() => {
  for (const mark of document.querySelectorAll("[data-label]")) {
    mark.classList.toggle("chosen", mark.dataset.label === selected);
    mark.setAttribute("aria-pressed", String(mark.dataset.label === selected));
  }
});
