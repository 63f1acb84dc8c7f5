// Learning curves: a small plot for each condition and recipe, a line for each seed's Record, which leads to it.

const MOST_CURVES = 24; // in one plot
const CURVE = { width: 440, height: 230 };

function curvesView(title, records) {
  const trained = records.filter((record) => record.curves.loss?.some((value) => value !== null));
  if (!trained.length) return null;
  const keyOf = (record) => `${record.condition} ${record.group}`,
    captionOf = (record) => `${data.pool[record.condition]}${record.config.tuned === undefined ? "" : " · tuned"}`;
  const keys = [...new Set(trained.map(keyOf))];
  const of = (key) => trained.filter((record) => keyOf(record) === key);
  return h(
    "div",
    {},
    h("h3", {}, title),
    h(
      "div",
      { class: "curves" },
      keys.map((key) => curvePlot(captionOf(of(key)[0]), of(key))),
    ),
  );
}

function curvePlot(caption, records) {
  const shown = records.slice(0, MOST_CURVES),
    curves = shown.map((record) => record.curves.loss),
    { width, height } = CURVE;
  const x = scaled([1, Math.max(...curves.map((curve) => curve.length))], MARGIN.left + 4, width - MARGIN.right, false, true);
  const losses = curves.flat().filter((value) => value !== null);
  const y = scaled(losses, height - MARGIN.bottom, MARGIN.top, false);
  x.ticks = x.ticks.filter((tick) => tick > 0);
  const figure = h("figure", {}, h("h4", {}, caption)),
    hint = hinted(figure);
  const drawn = s(
    "svg",
    { class: "plot small", viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `training loss by epoch, ${caption}` },
    axes(x, y, CURVE, ["epoch", "training loss"]),
    shown.map((record) => curveLine(record, x, y, hint)),
  );
  const more = records.length > shown.length ? `, ${shown.length} of them shown` : "";
  figure.append(drawn, h("figcaption", { class: "dim" }, `${plural(records.length, "training")}${more}`));
  return figure;
}

// A line with a dot at its end, and round both a wider one that is easier to meet.
function curveLine(record, x, y, hint) {
  const dots = record.curves.loss.flatMap((value, epoch) => (value === null ? [] : [[x.at(epoch + 1), y.at(value)]])),
    points = dots.join(" "),
    [cx, cy] = dots.at(-1);
  const lines = [
    `${record.model}, seed ${record.seed}`,
    `training loss ${short(record.curves.loss.findLast((value) => value !== null))} at the end`,
    `Record ${record.id}`,
  ];
  const link = s(
    "a",
    { class: "run", href: `#record-${record.id}`, "aria-label": lines.join("; ") },
    s("polyline", { class: "reach", points }),
    s("polyline", { class: "curve", points }),
    s("circle", { class: "at", cx, cy, r: 3 }),
  );
  const enter = () => hint.show(link.querySelector(".at"), lines);
  for (const [name, listener] of Object.entries({ pointerenter: enter, focus: enter, pointerleave: hint.hide, blur: hint.hide }))
    link.addEventListener(name, listener);
  return link;
}
