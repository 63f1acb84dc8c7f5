// Tables: sorted by a header, filtered by words, a part of the rows at a time so that a large store stays quick.

const FIRST = 60; // rows
const LONG = 40; // characters of a cell that wants room
const SHORT = 12; // characters of one that is not broken
const LONGEST_NAME = 26; // characters that are never broken

// A box that filters the rows of some tables, and a line that says how many of these have none left; `name` is its setting's.
function filterBox(name, views) {
  const hidden = h("p", { class: "dim", role: "status" });
  const tell = () => {
    const count = views.filter((view) => view.element.hidden).length;
    hidden.textContent = count ? `${plural(count, "table")} without such a row ${count === 1 ? "is" : "are"} hidden` : "";
  };
  const input = h("input", {
    id: `${name}-filter`,
    type: "search",
    value: settings.filters[name],
    placeholder: "words that a row must hold",
    oninput: (event) => {
      settings.filters[name] = event.target.value;
      views.forEach((view) => view.update());
      tell();
    },
  });
  tell();
  return [h("div", { class: "controls" }, h("label", { class: "wide" }, "Filter rows", input)), hidden];
}

// A figure, which may break before its interval and n where paper is narrow.
const figureText = (text) => text.split(/(?<= )(?=\[|n=)/).flatMap((part, place) => (place ? [h("wbr"), part] : [part]));

// A table with its caption, notes and footnotes; `update` after the filter has changed.
function tableView(key, table, filter = () => "") {
  const lengthOf = (row) => row.cells[0].length + (row.marks?.[0]?.length ?? 0);
  const longest = table.rows.reduce((most, row) => Math.max(most, Math.min(LONGEST_NAME, lengthOf(row))), 6);
  const head = h("tr"),
    rows = h("tbody"),
    more = h("button", {
      type: "button",
      class: "more",
      onclick: () => {
        settings.all[key] = true;
        update();
      },
    });
  const count = h("small", { role: "status" });
  const hasRecords = table.rows.some((row) => row.records.length);
  const named = table.headers.indexOf("model");
  let texts = null;

  const matches = () => {
    const words = filter().toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return table.rows.map((_, place) => place);
    texts ??= table.rows.map((row) => [...row.cells, ...row.records].join(" ").toLowerCase());
    return texts.flatMap((text, place) => (words.every((word) => text.includes(word)) ? [place] : []));
  };

  const sorted = (places) => {
    const { column, descending } = settings.sorts[key] ?? {};
    if (column === undefined) return places;
    const numbers = table.numbers[column];
    const value = (place) => (numbers ? numbers[place] : table.rows[place].cells[column]);
    const order = (one, other) => (numbers ? one - other : one.localeCompare(other, "en", { numeric: true }));
    const missing = (place) => value(place) === null || value(place) === "–";
    return [...places].sort(
      (one, other) => missing(one) - missing(other) || (missing(one) ? 0 : (descending ? -1 : 1) * order(value(one), value(other))),
    );
  };

  // From as it came to rising, to falling, and back; figures fall first.
  const sortBy = (column) => {
    const now = settings.sorts[key],
      first = Boolean(table.numbers[column]);
    if (now?.column !== column) settings.sorts[key] = { column, descending: first };
    else if (now.descending === first) settings.sorts[key] = { column, descending: !first };
    else delete settings.sorts[key];
    update();
  };

  const heading = (header, column) => {
    const now = settings.sorts[key];
    const sort = now?.column === column ? (now.descending ? "descending" : "ascending") : "none";
    return h(
      "th",
      { scope: "col", "aria-sort": sort, "data-printed": header, class: table.numbers[column] ? "figure" : "" },
      h("button", { type: "button", onclick: () => sortBy(column), id: `${key}-by-${column}` }, header),
    );
  };

  const cell = (row, label, text, column) => {
    const isFigure = Boolean(table.numbers[column]),
      words = isFigure ? figureText(text) : column === 0 || column === named ? soft(text) : whole(text),
      content = row.best?.includes(column) ? h("strong", {}, words) : words;
    const shown = column === named && label !== null ? h("button", { type: "button", class: "model" }, content) : content;
    const marks = row.marks?.[column] && h("sup", {}, row.marks[column]);
    const kind = isFigure ? "figure" : text.length > LONG ? "long" : text.length <= SHORT ? "short" : "";
    return h(column === 0 ? "th" : "td", { class: kind, scope: column === 0 ? "row" : null }, shown, marks);
  };

  // The Records stand last, or where a table is of Records behind the first cell.
  const withIds = (cells, made) => (hasRecords ? (table.idsFirst ? [cells[0], made(), ...cells.slice(1)] : [...cells, made()]) : cells);

  const line = (place) => {
    const row = table.rows[place],
      label = named < 0 ? null : labelOf(row);
    const cells = row.cells.map((text, column) => cell(row, label, text, column));
    const choose = (event) => {
      if (!event.target.closest("a, summary")) select(label, label === selected ? null : row.records.length ? row.records : undefined);
    };
    const attributes = label === null ? {} : { "data-model": label, class: label === selected ? "chosen" : "", onclick: choose };
    return h(
      "tr",
      attributes,
      withIds(cells, () => h("td", { class: "ids" }, ids(row.records))),
    );
  };

  const update = () => {
    const places = sorted(matches()),
      shown = settings.all[key] ? places : places.slice(0, FIRST);
    const focused = document.activeElement?.id;
    head.replaceChildren(...withIds(table.headers.map(heading), () => h("th", { scope: "col", class: "plain" }, "Records")));
    head.firstChild.style.minWidth = `min(${longest}ch + 1.6rem, 42vw)`;
    rows.replaceChildren(...shown.map(line));
    if (focused?.startsWith(`${key}-by-`)) document.getElementById(focused)?.focus();
    count.textContent = places.length === table.rows.length ? "" : `${places.length} of ${plural(table.rows.length, "row")}`;
    more.hidden = shown.length === places.length;
    more.textContent = `Show all ${places.length.toLocaleString("en")} rows`;
    made.hidden = table.rows.length > 0 && !places.length; // its notes with it
  };

  const notes = [
    ...table.notes.map((note) => h("li", {}, note)),
    ...table.footnotes.map(([letter, said]) => h("li", {}, h("sup", {}, letter), ` ${said}`)),
  ];
  const scroll = h(
    "div",
    { class: "scroll", tabindex: 0, role: "group", "aria-label": table.caption },
    h("table", {}, h("thead", {}, head), rows),
  );
  const made = h(
    "div",
    { class: "table" },
    h("h3", {}, table.caption),
    table.stated.length > 0 && h("p", { class: "dim" }, table.stated.join("; ")),
    count,
    scroll,
    more,
    notes.length > 0 && h("ul", { class: "notes" }, notes),
  );
  update();
  return { element: made, update };
}

// Links to Records; many of them folded.
function ids(records) {
  if (records.length < 2) return records.map(recordLink);
  const all = h("details", {}, h("summary", {}, `${records.length} Records`));
  all.addEventListener("toggle", () => {
    if (all.children.length === 1) all.append(...records.map(recordLink));
  });
  return [all];
}

function readingView(reading) {
  const answers = reading.answers.map(([question, lines]) => [
    question && h("h4", {}, question),
    h(
      "ul",
      {},
      lines.map((each) => h("li", {}, each)),
    ),
  ]);
  return h("div", { class: "reading" }, h("h3", {}, `Reading · ${reading.caption}`), answers);
}

function drawTables() {
  const place = body("tables");
  if (!data.pages.length) return place.replaceChildren(h("p", {}, "No Record holds anything for a table yet."));
  const page = data.pages.find((each) => each.name === settings.page) ?? data.pages[0];
  const views = page.tables.map((table, number) => tableView(`${page.name}-${number}`, table, () => settings.filters.tables));
  const open = (name) => {
    settings.page = name;
    drawTables();
    document.getElementById(`tab-${name}`).focus({ preventScroll: true });
  };
  const tabs = data.pages.map((each) =>
    h(
      "button",
      {
        type: "button",
        class: "tab",
        role: "tab",
        id: `tab-${each.name}`,
        "aria-selected": String(each === page),
        "aria-controls": "page",
        tabindex: each === page ? 0 : -1,
        onclick: () => open(each.name),
      },
      each.name,
    ),
  );
  const walk = (event) => {
    const count = data.pages.length,
      at = data.pages.indexOf(page),
      next = { ArrowRight: (at + 1) % count, ArrowLeft: (at + count - 1) % count, Home: 0, End: count - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    open(data.pages[next].name);
  };
  place.replaceChildren(
    h("div", { class: "tabs", role: "tablist", "aria-label": "Tables", onkeydown: walk }, tabs),
    ...filterBox("tables", views),
    h(
      "div",
      { id: "page", role: "tabpanel", "aria-labelledby": `tab-${page.name}` },
      views.map((view) => view.element),
      page.readings.map(readingView),
    ),
  );
}

whenSelected.push(() => {
  for (const row of document.querySelectorAll("tr[data-model]")) row.classList.toggle("chosen", row.dataset.model === selected);
});
