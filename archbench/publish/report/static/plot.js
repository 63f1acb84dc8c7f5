// A point for each network, and curves over epochs.

const MOST_NAMED = 150; // points, beyond which no names fit
const LONGEST_SHOWN = 40; // characters of a name
const COSTS = ["macs", "params", "latency", "memory"]; // of which less is better
const SIGN = 7.6; // pixels that one of them takes
const BESIDE = [
  [9, 4, "start"],
  [-9, 4, "end"],
  [0, -10, "middle"],
  [0, 19, "middle"],
]; // places of a name beside its point, the first that is free

const behindIt = (records) => (records.length === 1 ? `Record ${records[0]}` : `Record ${records[0]} and ${records.length - 1} more`);
const unitOf = (quantity) => (quantity.unit ? ` ${quantity.unit}` : "");
const titleOf = (quantity) => (quantity.unit ? `${quantity.name}, ${quantity.unit}` : quantity.name);
const writeOf = (quantity) => (quantity.key === "year" ? String : short);

function shownValue(quantity, values) {
  const write = writeOf(quantity),
    [value, low, high] = values;
  return `${quantity.name} ${write(value)}${high === undefined ? "" : ` [${write(low)}–${write(high)}]`}${unitOf(quantity)}`;
}

function scatter(figure, hint, points, qx, qy, isLog) {
  const width = widthOf(figure),
    height = Math.round(Math.max(280, Math.min(460, 0.55 * width)));
  const known = points.filter(({ values }) =>
    [
      [qx, isLog[0]],
      [qy, isLog[1]],
    ].every(([{ key }, log]) => values[key] && (!log || values[key][0] > 0)),
  );
  if (!known.length) return { drawn: h("p", { class: "dim" }, "No network here has both."), left: points.length };
  const ends = (key, log) => known.flatMap(({ values }) => values[key].filter((value) => !log || value > 0));
  const x = scaled(ends(qx.key, isLog[0]), MARGIN.left + 4, width - MARGIN.right, isLog[0]);
  const y = scaled(ends(qy.key, isLog[1]), height - MARGIN.bottom, MARGIN.top, isLog[1]);
  const from = (one, other, { key }) => one.values[key][0] - other.values[key][0];
  const order = [...known].sort((one, other) => from(one, other, qx) || from(one, other, qy));
  const places = order.map(({ values }) => [x.at(values[qx.key][0]), y.at(values[qy.key][0])]);
  const labels = labelled(order, places, width);
  const marks = order.map((point, place) => {
    const [cx, cy] = places[place],
      bars = [];
    const clipped = (key, log, at, least) => point.values[key].slice(1).map((end) => (log && end <= 0 ? least : at(end)));
    const [low, high] = clipped(qy.key, isLog[1], y.at, height - MARGIN.bottom),
      [left, right] = clipped(qx.key, isLog[0], x.at, MARGIN.left);
    if (high !== undefined) bars.push(s("line", { x1: cx, x2: cx, y1: low, y2: high }));
    if (right !== undefined) bars.push(s("line", { x1: left, x2: right, y1: cy, y2: cy }));
    const mark = s(
      "g",
      { class: "point" },
      bars,
      s("circle", { class: "reach at", cx, cy, r: 12 }),
      s("circle", { class: "dot", cx, cy, r: 5 }),
      labels[place],
    );
    return selectable(
      mark,
      point,
      [point.model, shownValue(qx, point.values[qx.key]), shownValue(qy, point.values[qy.key]), behindIt(point.records)],
      hint,
      place === 0,
    );
  });
  const front = qy.key === "error" && COSTS.includes(qx.key) && order.length > 2 ? s("path", { class: "front", d: steps(order, places, qy.key) }) : null;
  const title = `${titleOf(qy)} against ${titleOf(qx)}`;
  const drawn = s(
    "svg",
    { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": title },
    axes(x, y, { width, height }, [titleOf(qx), titleOf(qy)], [writeOf(qx), writeOf(qy)]),
    front,
    s("g", {}, marks),
    s("g", { class: "above", "aria-hidden": "true" }),
  );
  return { drawn, left: points.length - known.length, front: Boolean(front) };
}

// The least errors from left to right: no other errs less at as little.
function steps(order, places, key) {
  let least = Infinity,
    path = "";
  order.forEach((point, place) => {
    if (point.values[key][0] >= least) return;
    least = point.values[key][0];
    path += path ? `H${places[place][0]}V${places[place][1]}` : `M${places[place].join(",")}`;
  });
  return path;
}

// Names beside their points, where there is room; that of another is shown while it is selected.
function labelled(order, places, width) {
  const taken = places.map(([x, y]) => [x - 6, y - 6, x + 6, y + 6]);
  const free = (box) => taken.every((other) => box[0] > other[2] || box[2] < other[0] || box[1] > other[3] || box[3] < other[1]);
  return order.map(({ model }, place) => {
    const [x, y] = places[place];
    const name = model.length > LONGEST_SHOWN ? `${model.slice(0, LONGEST_SHOWN)}…` : model;
    const long = SIGN * name.length;
    for (const [dx, dy, anchor] of order.length > MOST_NAMED ? [] : BESIDE) {
      const left = x + dx - { start: 0, end: long, middle: long / 2 }[anchor];
      const box = [left, y + dy - 11, left + long, y + dy + 3];
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
    const { drawn, left, front } = scatter(figure, hint, set.points, qx, qy, isLog);
    figure.replaceChildren(drawn, figure.querySelector(".hint"), caption);
    raiseName();
    caption.textContent = [
      front && "dashed: no other network here errs less at as little",
      "bars: 95 % intervals",
      left && `not shown: ${plural(left, "network")} without both figures${isLog.some(Boolean) ? ", or without a logarithm of one" : ""}`,
      "a click selects a network everywhere",
    ]
      .filter(Boolean)
      .join("; ");
  };
  onWidth(figure, draw);
}

// A curve for each Record, over epochs.
function curveView(title, records) {
  const width = 640,
    height = 240,
    curves = records
      .filter((record) => record.curves.loss)
      .slice(0, 24)
      .map((record) => record.curves.loss);
  const values = curves.flat().filter((value) => value !== null);
  if (!values.length) return null;
  const x = scaled([1, Math.max(...curves.map((curve) => curve.length))], MARGIN.left + 4, width - MARGIN.right, false);
  const y = scaled(values, height - MARGIN.bottom, MARGIN.top, false);
  x.ticks = x.ticks.filter((tick) => Number.isInteger(tick) && tick > 0);
  const lines = curves.map((curve) =>
    s("polyline", {
      class: "curve",
      points: curve.flatMap((value, epoch) => (value === null ? [] : [`${x.at(epoch + 1)},${y.at(value)}`])).join(" "),
    }),
  );
  const dots = curves.map(
    (curve) => curve.length === 1 && curve[0] !== null && s("circle", { class: "channels", cx: x.at(1), cy: y.at(curve[0]), r: 3 }),
  );
  return h(
    "figure",
    { class: "curves" },
    h("h4", {}, title),
    s(
      "svg",
      {
        class: "plot small",
        viewBox: `0 0 ${width} ${height}`,
        role: "img",
        "aria-label": `${title}, ${plural(curves.length, "training")}`,
      },
      axes(x, y, { width, height }, ["epoch", "training loss"]),
      lines,
      dots,
    ),
  );
}
