// The whole page, its colours, its addresses, and newer data where a server has it.

const POLL_MS = 2000;
const SHOWN = 3; // sentences of a part of the summary

function drawSummary() {
  const counts = data.counts;
  document.getElementById("counts").textContent = `${plural(counts.records, "Record")} of ${plural(counts.models, "network")}`;
  const more = (lines) =>
    lines.length > 0 &&
    h(
      "details",
      {},
      h("summary", {}, `${lines.length} more`),
      lines.map((line) => h("p", {}, line)),
    );
  const source = (page) =>
    data.pages.some((each) => each.name === page) && h("p", {}, h("a", { href: `#tables-${page}` }, `Table: ${page}`));
  body("summary").replaceChildren(
    h(
      "div",
      { class: "parts" },
      data.summary.map(({ title, sentences, page }) => {
        const [, first, rest] = /^(.*?)(?: · | (?=\()|$)(.*)$/s.exec(title);
        return h(
          "div",
          { class: "part" },
          h("h3", {}, first, rest && h("small", {}, rest)),
          sentences.slice(0, SHOWN).map((line) => h("p", {}, line)),
          more(sentences.slice(SHOWN)),
          source(page),
        );
      }),
    ),
  );
}

function drawMethod() {
  const { rules, paragraphs, more } = data.method;
  body("method").replaceChildren(
    h(
      "ul",
      {},
      rules.map((rule) => h("li", {}, rule)),
    ),
    ...(paragraphs.length
      ? [
          h(
            "details",
            {},
            h("summary", {}, `${plural(paragraphs.length, "paragraph")} of settings, as a paper would say them`),
            paragraphs.map((text) => h("p", {}, text)),
          ),
        ]
      : []),
    ...(more ? [h("p", { class: "dim" }, `${more} more sets of settings: archbench cite says them.`)] : []),
    h("p", {}, data.pages.some((page) => page.name === "environment") && h("a", { href: "#tables-environment" }, "Table: environment")),
  );
}

function draw() {
  index();
  if (selected !== null && !modelByLabel.has(selected)) [selected, behind] = [null, []];
  for (const each of [drawSummary, drawPlots, drawTables, drawLineage, drawPart, drawRecords, drawMethod, drawChosen]) each();
}

// `#record-ID` opens a Record, `#network-NAME` a network's part, `#tables-NAME` a page of tables.
function follow() {
  let [, kind, name] = /^#(record|network|tables)-(.*)$/s.exec(location.hash) ?? [];
  if (!kind) return;
  try {
    name = decodeURIComponent(name);
  } catch {
    return;
  }
  if (kind === "record") return openRecord(name);
  document.getElementById("record").close();
  if (kind === "network" && modelByLabel.has(name)) select(name, modelByLabel.get(name).records);
  if (kind === "tables") {
    settings.page = name;
    settings.filters.tables = "";
    drawTables();
  }
  document.getElementById(kind).scrollIntoView();
}

function setTheme(theme) {
  const button = document.getElementById("theme"),
    isDark = theme === "dark" || (theme === null && matchMedia("(prefers-color-scheme: dark)").matches);
  if (theme) document.documentElement.dataset.theme = theme;
  button.textContent = isDark ? "Light" : "Dark";
  button.dataset.next = isDark ? "light" : "dark";
}

function kept(name, value) {
  // a page from the disk may have no store
  try {
    if (value === undefined) return localStorage.getItem(name);
    localStorage.setItem(name, value);
  } catch {
    /* it is asked again next time */
  }
  return null;
}

class Failed extends Error {}

// Ask a server whether its Records have changed, and take the new data.
async function poll() {
  const live = document.getElementById("live");
  if (!document.hidden) {
    try {
      const state = await (await fetch("state", { cache: "no-store" })).text();
      if (state !== document.body.dataset.state) {
        const answer = await fetch("data.json");
        if (!answer.ok) throw new Failed((await answer.text()).trim());
        data = await answer.json();
        document.body.dataset.state = state;
        const focused = document.activeElement?.id,
          [x, y] = [window.scrollX, window.scrollY];
        draw();
        if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
        window.scrollTo(x, y);
      }
      [live.textContent, live.className] = ["live", ""];
    } catch (error) {
      const why = error instanceof Failed ? error.message : "the server does not answer";
      [live.textContent, live.className] = [`${why}; this is its last state`, "lost"];
    }
  }
  setTimeout(poll, POLL_MS);
}

const theme = kept("archbench-theme");
setTheme(["light", "dark"].includes(theme) ? theme : null);
document.getElementById("theme").addEventListener("click", (event) => {
  const { next } = event.target.dataset;
  setTheme(next);
  kept("archbench-theme", next);
});
document.getElementById("record").addEventListener("close", () => {
  if (location.hash.startsWith("#record-")) history.replaceState(null, "", location.pathname + location.search);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.getElementById("record").open && selected !== null) select(null);
});
window.addEventListener("hashchange", follow);
window.addEventListener("beforeprint", () => print(true));
window.addEventListener("afterprint", () => print(false));
draw();
follow();
if (document.body.dataset.state) poll();
