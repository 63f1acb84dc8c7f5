// A point for each network.

const MOST_NAMED = 150; // points, beyond which no names fit
const LONGEST_SHOWN = 40; // characters of a name
const COSTS = ["macs", "params", "latency", "memory"]; // of which less is better
const SIGN = 7.6; // pixels that one of them takes
const BESIDE = [
  [9, 4, "start"],
  [-9, 4, "end"],
  [0, -10, "middle"],
  [0, 19, "middle"],
  [8, -7, "start"],
  [8, 15, "start"],
  [-8, -7, "end"],
  [-8, 15, "end"],
]; // places of a name beside its point, the first that is free

const behindIt = (records) => (records.length === 1 ? `Record ${records[0]}` : `Record ${records[0]} and ${records.length - 1} more`);
const unitOf = (quantity) => (quantity.unit ? ` ${quantity.unit}` : "");
const titleOf = (quantity) => (quantity.unit ? `${quantity.name}, ${quantity.unit}` : quantity.name);
const writeOf = (quantity) => (quantity.key === "year" ? String : short);

const isDoubtful = (point, quantity) => Boolean(point.doubtful?.includes(quantity.key));

function shownValue(quantity, point) {
  const write = writeOf(quantity),
    [value, low, high] = point.values[quantity.key];
  const interval = high === undefined ? "" : ` [${write(low)}–${write(high)}]`;
  return `${quantity.name} ${write(value)}${interval}${unitOf(quantity)}${isDoubtful(point, quantity) ? ", doubtful" : ""}`;
}

// Where a quantity lies between two pixels: its scale, and of a point the pixel of its value and of the ends of its interval.
function placed(quantity, isLog, points, from, to, edge) {
  const of = ({ values }) => values[quantity.key],
    fits = (value) => !isLog || value > 0;
  const scale = scaled(points.flatMap(of).filter(fits), from, to, isLog, quantity.key === "year");
  const ends = (point) =>
    of(point)
      .slice(1)
      .map((end) => (fits(end) ? scale.at(end) : edge));
  return { ...scale, of: (point) => scale.at(of(point)[0]), ends };
}

// The intervals of a point, as lines.
function barsOf(point, x, y) {
  const [cx, cy] = [x.of(point), y.of(point)],
    [left, right] = x.ends(point),
    [low, high] = y.ends(point);
  const upright = high !== undefined && { x1: cx, x2: cx, y1: low, y2: high },
    level = right !== undefined && { x1: left, x2: right, y1: cy, y2: cy };
  return [upright, level].filter(Boolean);
}

function scatter(figure, hint, points, qx, qy, isLog) {
  const width = widthOf(figure),
    height = Math.round(Math.max(280, Math.min(560, 0.55 * width)));
  const has = ({ values }, { key }, log) => values[key] && (!log || values[key][0] > 0);
  const known = points.filter((point) => has(point, qx, isLog[0]) && has(point, qy, isLog[1]));
  if (!known.length) return { drawn: h("p", { class: "dim" }, "No network here has both."), left: points.length };
  const x = placed(qx, isLog[0], known, MARGIN.left + 4, width - MARGIN.right, MARGIN.left);
  const y = placed(qy, isLog[1], known, height - MARGIN.bottom, MARGIN.top, height - MARGIN.bottom);
  const from = (one, other, { key }) => one.values[key][0] - other.values[key][0];
  const order = [...known].sort((one, other) => from(one, other, qx) || from(one, other, qy));
  const places = order.map((point) => [x.of(point), y.of(point)]),
    bars = order.map((point) => barsOf(point, x, y)),
    front = qy.key === "error" && COSTS.includes(qx.key) && order.length > 2 ? steps(order, places, qy.key) : [];
  const labels = labelled(order, places, [...bars.flat(), ...front], width);
  const isHollow = (point) => isDoubtful(point, qx) || isDoubtful(point, qy);
  const marks = order.map((point, place) => {
    const [cx, cy] = places[place];
    const mark = s(
      "g",
      { class: isHollow(point) ? "point hollow" : "point" },
      bars[place].map((ends) => s("line", ends)),
      s("circle", { class: "reach at", cx, cy, r: 12 }),
      s("circle", { class: "dot", cx, cy, r: 5 }),
      labels[place],
    );
    return selectable(mark, point, [point.model, shownValue(qx, point), shownValue(qy, point), behindIt(point.records)], hint, place === 0);
  });
  const drawn = s(
    "svg",
    { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `${titleOf(qy)} against ${titleOf(qx)}` },
    axes(x, y, { width, height }, [titleOf(qx), titleOf(qy)], [writeOf(qx), writeOf(qy)]),
    front.length > 0 && s("path", { class: "front", d: pathOf(front) }),
    s("g", {}, marks),
    s("g", { class: "above", "aria-hidden": "true" }),
  );
  return { drawn, left: points.length - known.length, front: front.length > 0, hollow: order.some(isHollow) };
}

// The least errors from left to right: no other errs less at as little. Lines, across and down in turn.
function steps(order, places, key) {
  let least = Infinity;
  const corners = places.filter((_, place) => {
    const isLess = order[place].values[key][0] < least;
    least = Math.min(least, order[place].values[key][0]);
    return isLess;
  });
  return corners.slice(1).flatMap(([x, y], before) => {
    const [x1, y1] = corners[before];
    return [
      { x1, x2: x, y1, y2: y1 },
      { x1: x, x2: x, y1, y2: y },
    ];
  });
}

const pathOf = (lines) => `M${lines[0].x1},${lines[0].y1}${lines.map(({ x2, y2 }) => `H${x2}V${y2}`).join("")}`;

// Names beside their points, where there is room beside these and `lines`; that of another is shown while it is selected.
function labelled(order, places, lines, width) {
  const taken = places.map(([x, y]) => [x - 6, y - 6, x + 6, y + 6]);
  taken.push(...lines.map(({ x1, x2, y1, y2 }) => [Math.min(x1, x2), Math.min(y1, y2), Math.max(x1, x2), Math.max(y1, y2)]));
  const free = (box) => taken.every((other) => box[0] > other[2] || box[2] < other[0] || box[1] > other[3] || box[3] < other[1]);
  return order.map(({ model }, place) => {
    const [x, y] = places[place];
    const name = model.length > LONGEST_SHOWN ? `${model.slice(0, LONGEST_SHOWN)}…` : model;
    const long = SIGN * name.length;
    for (const [dx, dy, anchor] of order.length > MOST_NAMED ? [] : BESIDE) {
      const left = x + dx - { start: 0, end: long, middle: long / 2 }[anchor];
      const box = [left, y + dy - 12, left + long, y + dy + 4];
      if (left > 0 && left + long < width && free(box)) {
        taken.push(box);
        return s("text", { x: x + dx, y: y + dy, "text-anchor": anchor }, name);
      }
    }
    const [dx, dy, anchor] = BESIDE[x + long + 9 < width ? 0 : 1];
    return s("text", { class: "spare", x: x + dx, y: y + dy, "text-anchor": anchor }, name);
  });
}

function drawPlots() {
  const place = body("plots");
  if (!data.plots.length) return place.replaceChildren(h("p", {}, "No Record holds figures to plot yet."));
  const largest = data.plots.reduce((best, each, number) => (each.points.length > data.plots[best].points.length ? number : best), 0);
  const set = data.plots[settings.set ?? largest] ?? data.plots[largest];
  const known = data.quantities.filter(({ key }) => set.points.some(({ values }) => values[key]));
  const asked = (key, usual) =>
    known.find((each) => each.key === key) ?? usual.map((name) => known.find((each) => each.key === name)).find(Boolean) ?? known[0];
  const qx = asked(settings.x, ["macs", "params", "year"]),
    qy = asked(settings.y, ["error", "latency", "params"]);
  const usualLog = (quantity) => !["error", "year"].includes(quantity.key) && quantity.unit !== "%";
  const isLog = [settings.logX ?? usualLog(qx), settings.logY ?? usualLog(qy)];
  const set_ =
    (name, turn = (value) => value) =>
    (value) => {
      settings[name] = turn(value);
      drawPlots();
    };
  const quantities = known.map(({ key, name }) => [key, name]);
  const figure = h("figure", { id: "scatter" }),
    caption = h("figcaption", { class: "dim" }),
    hint = hinted(figure);
  const focused = document.activeElement?.id;
  place.replaceChildren(
    h(
      "div",
      { class: "controls" },
      choice(
        "plot-set",
        "Under equal conditions",
        data.plots.map((each, number) => [number, `${each.caption} (${each.points.length})`]),
        data.plots.indexOf(set),
        set_("set", Number),
        "wide",
      ),
      choice("plot-x", "Across", quantities, qx.key, (value) => {
        settings.logX = null;
        set_("x")(value);
      }),
      tick("log-x", "log", isLog[0], set_("logX")),
      choice("plot-y", "Up", quantities, qy.key, (value) => {
        settings.logY = null;
        set_("y")(value);
      }),
      tick("log-y", "log", isLog[1], set_("logY")),
    ),
    figure,
    ...sharesView(),
  );
  if (["plot-set", "plot-x", "plot-y", "log-x", "log-y"].includes(focused)) document.getElementById(focused)?.focus();
  const draw = () => {
    const { drawn, left, front, hollow } = scatter(figure, hint, set.points, qx, qy, isLog);
    figure.replaceChildren(drawn, figure.querySelector(".hint"), caption);
    raiseName();
    const said = [
      front && "dashed: no other network here errs less at as little",
      hollow && "hollow: a doubtful time, starred in the table of results, whose notes say why",
      "bars: 95 % intervals",
      left && `not shown: ${plural(left, "network")} without both figures${isLog.some(Boolean) ? ", or without a logarithm of one" : ""}`,
    ];
    caption.replaceChildren(said.filter(Boolean).join("; "), h("span", { class: "screen" }, "; a click selects a network everywhere"));
  };
  onWidth(figure, draw);
}
