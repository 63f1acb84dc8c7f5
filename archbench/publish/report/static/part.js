// The part of one network: what it took, its figures, operators, layers, claims and Records.

const ARXIV = /^[\w.\/-]{4,30}$/;
let lastShown = null; // stays when nothing is selected any more

function partOf() {
  const label = selected ?? (modelByLabel.has(lastShown) ? lastShown : modelByLabel.has("nin") ? "nin" : data.models[0]?.label);
  lastShown = label ?? null;
  return modelByLabel.get(label);
}

const networkLink = (label) => (modelByLabel.has(label) ? h("a", { href: `#network-${encodeURIComponent(label)}` }, label) : label);
const listed = (labels) => labels.flatMap((label, place) => [place > 0 && ", ", networkLink(label)]);

function paperView({ title, arxiv, doi }) {
  const where = ARXIV.test(arxiv ?? "")
    ? h("a", { href: `https://arxiv.org/abs/${arxiv}`, rel: "noopener noreferrer" }, `arXiv:${arxiv}`)
    : doi
      ? `doi:${doi}`
      : null;
  return [h("cite", {}, title), where && ", ", where];
}

function factsOf(model) {
  const bullets = (texts) =>
    texts.length
      ? h(
          "ul",
          {},
          texts.map((text) => h("li", {}, text)),
        )
      : null;
  const children = childrenOf.get(model.label) ?? [];
  return [
    ["takes from NIN", model.takes],
    ["from", model.parents.length ? listed(model.parents) : null],
    ["taken up by", children.length ? listed(children) : null],
    ["paper", model.paper.title ? paperView(model.paper) : null],
    ["head", model.head_kind],
    [
      "published counts",
      bullets(
        model.published.map(({ params, macs, of, source }) => {
          const counts = [params && `${params.toLocaleString("en")} parameters`, macs && `${macs.toLocaleString("en")} MACs`];
          return `${of ? `with ${of}: ` : ""}${counts.filter(Boolean).join(", ")} (${source})`;
        }),
      ),
    ],
    ["claims", bullets(model.claims.map(({ text, where }) => `${text}${where ? ` (${where})` : ""}`))],
    ["departs", bullets(model.deviations)],
  ].filter(([, value]) => value);
}

function operatorsView(model) {
  if (!model.shares) return [];
  const width = 640,
    left = 92,
    row = 46,
    at = (share) => left + (share / 100) * (width - left - 2),
    rows = model.shares.rows;
  const kinds = [...new Set(rows.flatMap((each) => each.classes.map(([, coordinate]) => coordinate)))];
  const drawn = rows.map(({ of, classes }, place) => [
    s("text", { x: 0, y: place * row + 17 }, of),
    segments(
      classes.map(([, , share]) => share),
      classes.map(([, coordinate]) => coordinate),
      at,
      place * row + 4,
      18,
    ),
  ]);
  const said = rows.map(({ of, classes }) => [
    h("dt", {}, of),
    h("dd", {}, classes.map(([kind, , share]) => `${kind.replaceAll("_", " ")} ${share < 0.5 ? "<1" : Math.round(share)} %`).join(", ")),
  ]);
  return [
    h("h3", {}, "Operators"),
    legend(
      Object.keys(MEANING)
        .filter((kind) => kinds.includes(kind))
        .map((kind) => [kind, MEANING[kind]]),
    ),
    s(
      "svg",
      {
        class: "plot small",
        viewBox: `0 0 ${width} ${rows.length * row - 20}`,
        role: "img",
        "aria-label": `Shares of ${model.label} by operator class`,
      },
      drawn,
    ),
    h("dl", {}, said),
    h("p", { class: "dim" }, "from Record ", recordLink(model.shares.record)),
  ];
}

function layersView(model) {
  const none = h("p", { class: "dim" }, h("code", {}, `archbench show ${model.label}`), " lists its layers.");
  if (!model.layers) return [h("h3", {}, "Layers"), none];
  const { input, rows, same_code } = model.layers;
  const cells = rows.map(([name, kind, shape, params, macs]) => ({
    cells: [name || "(network)", kind.replaceAll("_", " "), shape.join("×"), params.toLocaleString("en"), macs.toLocaleString("en")],
    model: "",
    records: [],
  }));
  const notes = [
    "parameters and MACs of one image",
    ...(same_code ? [] : ["the code of this network has changed since the Records were made; these layers are of the zoo as it is now"]),
  ];
  const table = {
    caption: `Layers at ${times(input)}`,
    stated: [],
    headers: ["layer", "class", "output", "params", "MACs"],
    numbers: [null, null, null, rows.map((row) => row[3]), rows.map((row) => row[4])],
    rows: cells,
    notes,
    footnotes: [],
  };
  return [tableView(`layers-${model.label}`, table).element];
}

// Rows of the tables in which the network stands, as those tables have them, with the footnotes that they lead to and the note on the star.
function rowsOf(model, name) {
  const tables = data.pages.find((page) => page.name === name)?.tables ?? [];
  return tables.flatMap((table, number) => {
    const places = table.rows.flatMap((row, place) => (labelOf(row) === model.label || row.model === model.label ? [place] : []));
    if (!places.length) return [];
    const rows = places.map((place) => table.rows[place]),
      letters = new Set(rows.flatMap((row) => Object.values(row.marks ?? {}).flatMap((marks) => marks.split(",")))),
      starred = rows.some((row) => row.cells.some((cell) => cell.endsWith("*")));
    const part = {
      ...table,
      stated: [],
      notes: table.notes.filter((note) => starred && note.startsWith("*")),
      footnotes: table.footnotes.filter(([letter]) => letters.has(letter)),
      rows,
      numbers: table.numbers.map((values) => values && places.map((place) => values[place])),
    };
    return [tableView(`part-${name}-${number}`, part).element];
  });
}

function drawPart() {
  const place = body("network"),
    model = partOf();
  if (!model) return place.replaceChildren(h("p", {}, "No network has a Record yet."));
  const records = model.records.map((id) => recordById.get(id));
  const options = data.models.map((each) => [each.label, each.label]);
  const order = data.models.indexOf(model),
    step = (by) => () => select(data.models[(order + by + options.length) % options.length].label, []);
  const focused = document.activeElement?.id;
  const results = rowsOf(model, "results"),
    claims = rowsOf(model, "claims");
  place.replaceChildren(
    ...[
      h(
        "div",
        { class: "controls" },
        choice("network-choice", "Network", options, model.label, (label) => select(label, modelByLabel.get(label).records)),
        h("button", { type: "button", class: "button", id: "network-before", onclick: step(-1) }, "← earlier"),
        h("button", { type: "button", class: "button", id: "network-after", onclick: step(1) }, "later →"),
      ),
      h("h3", { id: "network-name" }, `${model.label}: ${model.title}${model.year === null ? "" : `, ${model.year}`}`),
      h(
        "dl",
        {},
        factsOf(model).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
      ),
      ...results,
      ...operatorsView(model),
      curvesView("Learning curves: training loss by epoch", records),
      ...claims,
      ...layersView(model),
      tableView(`records-of-${model.label}`, recordsTable(`Records of ${model.label}`, records)).element,
    ].filter(Boolean),
  );
  if (focused?.startsWith("network-")) document.getElementById(focused)?.focus();
}

function drawChosen() {
  const bar = document.getElementById("chosen");
  bar.hidden = selected === null;
  if (selected === null) return bar.replaceChildren();
  const model = modelByLabel.get(selected),
    shown = behind.slice(0, 6);
  bar.replaceChildren(
    h("strong", {}, selected),
    h("span", { class: "dim" }, `${model.title}${model.year === null ? "" : `, ${model.year}`}`),
    h("a", { href: "#network" }, "its part"),
    h(
      "span",
      { class: "ids" },
      behind.length ? "Records: " : "",
      shown.map(recordLink),
      behind.length > shown.length ? `and ${behind.length - shown.length} more` : "",
    ),
    h("button", { type: "button", class: "button", id: "clear", onclick: () => select(null) }, "Clear"),
  );
}

whenSelected.push(drawPart, drawChosen);
