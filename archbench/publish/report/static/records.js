// Records: all of them as a table, and one in full.

const KINDS = { train: "training", profile: "profile", evaluated: "evaluated", imported: "imported" };
const [NAME, VALUE, N, METHOD, AT] = [0, 1, 4, 5, 6]; // places in a measurement

const measured = (record, name) =>
  record.measurements.find((row) => data.pool[row[NAME]] === name && (name !== "latency_s" || data.pool[row[AT]].batch === 1));
const day = (created) => created.slice(0, 16).replace("T", " ");

function recordsTable(caption, records) {
  const errors = records.map((record) => measured(record, "test_error_pct")?.[VALUE] ?? null);
  const latencies = records.map((record) => measured(record, "latency_s")?.[VALUE] ?? null);
  const inMs = latencies.map((latency) => (latency === null ? null : 1e3 * latency));
  const rows = records.map((record, place) => ({
    cells: [
      record.model,
      KINDS[record.kind],
      record.status.replaceAll("_", " "),
      record.seed === null ? "–" : String(record.seed),
      errors[place] === null ? "–" : errors[place].toFixed(2),
      short(inMs[place]),
      day(record.created),
      data.pool[record.setting],
    ],
    model: record.model,
    records: [record.id],
  }));
  const seeds = records.map((record) => record.seed);
  const headers = ["model", "kind", "status", "seed", "test error, %", "latency, ms", "made", "of"];
  return {
    caption,
    stated: [],
    headers,
    numbers: [null, null, null, seeds, errors, inMs, null, null],
    rows,
    notes: [],
    footnotes: [],
    idsFirst: true,
  };
}

function drawRecords() {
  const place = body("records");
  const table = tableView("records", recordsTable("All Records, the newest first", data.records), () => settings.filters.records);
  const failed = data.records.filter((record) => record.failure);
  place.replaceChildren(
    ...[
      data.problems.length &&
        h(
          "ul",
          { class: "notes warning" },
          data.problems.map((problem) => h("li", {}, problem)),
        ),
      failed.length &&
        h(
          "details",
          {},
          h("summary", {}, `${plural(failed.length, "run")} without a result`),
          h(
            "ul",
            {},
            failed.slice(0, 200).map((record) => h("li", {}, recordLink(record.id), ` ${record.model}: ${record.failure}`)),
          ),
        ),
      ...filterBox("records", [table]),
      table.element,
    ].filter(Boolean),
  );
}

function figureOf([place, value, low, high, n]) {
  const digits = (each) =>
    each === null
      ? "–"
      : Math.abs(each) >= 1e3
        ? each.toLocaleString("en", { maximumFractionDigits: 0 })
        : String(Number(each.toPrecision(4)));
  return {
    name: data.pool[place],
    value: digits(value),
    interval: low === null ? "" : `${digits(low)} to ${digits(high)}`,
    n: n === null ? "" : String(n),
  };
}

const inWords = (at) =>
  Object.entries(at)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ");

function measurementTable(record) {
  const rows = record.measurements.map((row) => {
    const { name, value, interval, n } = figureOf(row);
    return { cells: [name, inWords(data.pool[row[AT]]), value, interval, n, data.pool[row[METHOD]]], model: "", records: [] };
  });
  const numbers = [null, null, record.measurements.map((row) => row[VALUE]), null, record.measurements.map((row) => row[N]), null];
  const headers = ["measurement", "of", "value", "95 % interval", "n", "method"];
  return { caption: "Measurements", stated: [], headers, numbers, rows, notes: [], footnotes: [] };
}

const folded = (title, values) =>
  h(
    "details",
    {},
    h("summary", {}, title),
    h("pre", {}, JSON.stringify(Object.fromEntries(Object.entries(values).map(([name, place]) => [name, data.pool[place]])), null, 1)),
  );

function recordView(record) {
  const [channels, pixels, classes, knobs] = data.pool[record.input];
  const facts = [
    ["Record", h("code", {}, record.id)],
    ["network", h("a", { href: `#network-${encodeURIComponent(record.model)}` }, record.model)],
    ["input", `${channels}×${pixels}×${pixels}, ${classes} classes${Object.keys(knobs).length ? `; ${inWords(knobs)}` : ""}`],
    ["condition", data.pool[record.condition]],
    ["status", record.status.replaceAll("_", " ") + (record.failure ? `: ${record.failure}` : "")],
    ["made", `${day(record.created)}, in ${short(record.duration_s)} s`],
    ["code of the network", h("code", {}, record.source)],
    ["file", h("code", {}, record.file)],
    ["cite, verify", h("code", {}, `archbench cite ${record.id}; archbench verify ${record.id}`)],
  ];
  const doubts = [...record.doubts, ...(record.uncounted.length ? [`not counted: ${record.uncounted.join(", ")}`] : [])];
  return [
    h("button", { type: "button", class: "button close", onclick: () => document.getElementById("record").close() }, "Close"),
    h("h2", { id: "record-title" }, `${record.model} · ${KINDS[record.kind]}${record.seed === null ? "" : ` · seed ${record.seed}`}`),
    h(
      "dl",
      {},
      facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
    ),
    doubts.length > 0 &&
      h(
        "ul",
        { class: "notes warning" },
        doubts.map((doubt) => h("li", {}, doubt)),
      ),
    curvesView("Loss by epoch", [record]),
    record.measurements.length > 0 && tableView(`record-${record.id}`, measurementTable(record)).element,
    folded("Settings", record.config),
    folded("Environment", record.environment),
    record.files.length > 0 &&
      h(
        "details",
        {},
        h("summary", {}, "Files beside the Record"),
        h(
          "ul",
          {},
          record.files.map(([path, bytes, hash]) => h("li", {}, h("code", {}, path), ` ${short(bytes)}B, SHA-256 ${hash}`)),
        ),
      ),
  ].filter(Boolean);
}

function openRecord(id) {
  const dialog = document.getElementById("record"),
    record = recordById.get(id);
  if (!record) return;
  dialog.replaceChildren(...recordView(record));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}
