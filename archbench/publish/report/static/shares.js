// Shares of MACs beside shares of time, a pair of bars for each member of the lineage.

const SHARES = [
    ["macs", "MACs"],
    ["time", "time"],
  ],
  ROW = 30,
  PAPER_ROW = 27; // as close as bars can stand, so that a page holds many

const legend = (names) =>
  h(
    "ul",
    { class: "legend" },
    names.map(([kind, text]) => h("li", {}, h("i", { class: kind }), text)),
  );
const MEANING = {
  channels: "channels only (1×1)",
  space: "space only",
  both: "both at once",
  head: "head",
  rest: "norm, activation, pooling, other",
};

function sharesView() {
  if (!data.shares.length) return [];
  const largest = data.shares.reduce((best, each, number) => (each.rows.length > data.shares[best].rows.length ? number : best), 0);
  const set = data.shares[settings.shares ?? largest] ?? data.shares[largest];
  const figure = h("figure", { id: "shares" }),
    hint = hinted(figure),
    box = figure.querySelector(".hint");
  const draw = () =>
    figure.replaceChildren(
      bars(figure, hint, set),
      box,
      h("figcaption", { class: "dim" }, "Of each network the upper bar is of its MACs, the lower of its time, where that was measured."),
    );
  queueMicrotask(() => onWidth(figure, draw));
  return [
    h("h3", {}, "Where the MACs and the time are"),
    h(
      "div",
      { class: "controls" },
      choice(
        "shares-set",
        "Members of the lineage, by year",
        data.shares.map((each, number) => [number, `${each.caption} (${each.rows.length})`]),
        data.shares.indexOf(set),
        (value) => {
          settings.shares = Number(value);
          drawPlots();
          document.getElementById("shares-set").focus();
        },
        "wide",
      ),
    ),
    legend(set.coordinates.map((kind) => [kind, MEANING[kind]])),
    figure,
  ];
}

function bars(figure, hint, set) {
  const width = widthOf(figure),
    left = Math.min(220, Math.round(0.4 * width)),
    most = Math.floor(left / 7.2),
    height = onPaper ? PAPER_ROW : ROW;
  const at = (share) => left + (share / 100) * (width - left - 2);
  const marks = set.rows.map((row, place) => {
    const top = place * height,
      name = row.model.length > most ? `${row.model.slice(0, most - 1)}…` : row.model;
    const lines = SHARES.map(
      ([key, word]) =>
        `${word}: ${row[key] ? set.coordinates.map((kind, each) => `${kind} ${Math.round(row[key][each])} %`).join(", ") : "not measured"}`,
    );
    const mark = s(
      "g",
      { class: "bar" },
      s("rect", { class: "back at", x: 0, y: top, width, height }),
      s("text", { x: left - 8, y: top + 19, "text-anchor": "end" }, name),
      SHARES.map(([key], number) => segments(row[key], set.coordinates, at, top + 4 + 12 * number)),
    );
    return selectable(
      mark,
      { model: row.model, records: [row.record] },
      [`${row.model}${row.year ? `, ${row.year}` : ""}`, ...lines, `Record ${row.record}`],
      hint,
      place === 0,
    );
  });
  return s(
    "svg",
    { class: "plot", viewBox: `0 0 ${width} ${set.rows.length * height}`, role: "group", "aria-label": "Shares of MACs and of time" },
    marks,
  );
}

function segments(shares, kinds, at, y, height = 10) {
  let before = 0;
  return (shares ?? []).map((share, place) => {
    const x = at(before);
    before += share;
    return share > 0 && s("rect", { class: kinds[place], x, y, width: Math.max(0, at(before) - x - 1), height });
  });
}
