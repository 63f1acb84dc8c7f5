// The lineage by year: who took the idea from whom. A click, or the arrows, walk it.

const GROUPS = [
  ["plain", "networks for small images"],
  ["imagenet", "networks for ImageNet"],
  ["all", "all networks"],
];
const isImagenet = (label) => label.endsWith("_imagenet");

function members() {
  const all = data.models.filter((model) => model.is_member),
    some = all.filter((model) => isImagenet(model.label)).length;
  const group = settings.lineage ?? (some < all.length ? "plain" : "imagenet");
  return { all, group, shown: all.filter((model) => group === "all" || isImagenet(model.label) === (group === "imagenet")) };
}

// Everything above or below a network, itself left out.
function reached(label, next) {
  const found = new Set(),
    waiting = [label];
  while (waiting.length)
    for (const each of next(waiting.pop()) ?? [])
      if (each !== label && !found.has(each)) {
        found.add(each);
        waiting.push(each);
      }
  return found;
}

const parentsOf = (label) => modelByLabel.get(label)?.parents;
const kinOf = (label) => new Set([...reached(label, parentsOf), ...reached(label, (each) => childrenOf.get(each))]);

function drawLineage() {
  const place = body("lineage"),
    { all, group, shown } = members();
  if (!all.length) return place.replaceChildren(h("p", {}, "None of these networks is of the lineage."));
  const years = [...new Set(shown.map((model) => model.year))],
    lines = s("svg", { "aria-hidden": "true" });
  const list = h(
    "ol",
    { class: "years" },
    lines,
    years.map((year) =>
      h("li", {}, h("time", {}, String(year)), h("div", { class: "chips" }, shown.filter((model) => model.year === year).map(chip))),
    ),
  );
  place.replaceChildren(
    h(
      "div",
      { class: "controls" },
      choice("lineage-group", "Show", GROUPS, group, (value) => {
        settings.lineage = value;
        drawLineage();
        document.getElementById("lineage-group").focus();
      }),
    ),
    h(
      "p",
      { class: "dim" },
      "The bar in each network is the share of its MACs that mix channels only.",
      h(
        "span", // of what paper has not
        { class: "screen" },
        " A line leads from a network to those that took from it. ",
        "Arrow keys: up to a parent, down to a child, left and right to neighbours.",
      ),
    ),
    list,
  );
  requestAnimationFrame(() => setTimeout(() => onWidth(list, () => connect(list, lines)))); // once the page is there
}

function chip(model) {
  const share = model.shares?.channels ?? null;
  const meter =
    share === null
      ? null
      : s(
          "svg",
          { viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" },
          s("rect", { class: "rest", width: 100, height: 4 }),
          s("rect", { class: "channels", width: share, height: 4 }),
        );
  const said = share === null ? model.title : `${model.title}; ${Math.round(share)} % of the MACs mix channels only`;
  return h(
    "button",
    {
      type: "button",
      class: "chip",
      "data-chip": model.label,
      "aria-pressed": String(model.label === selected),
      title: said,
      onclick: () => select(model.label),
      onkeydown: walk,
    },
    soft(model.label),
    meter,
  );
}

function walk(event) {
  const label = event.currentTarget.dataset.chip,
    chips = [...document.querySelectorAll("[data-chip]")];
  const named = (labels) => chips.find((each) => labels?.includes(each.dataset.chip));
  const next = {
    ArrowUp: () => named(parentsOf(label)),
    ArrowDown: () => named(childrenOf.get(label)),
    ArrowLeft: () => chips[chips.indexOf(event.currentTarget) - 1],
    ArrowRight: () => chips[chips.indexOf(event.currentTarget) + 1],
  }[event.key]?.();
  if (!next) return;
  event.preventDefault();
  next.focus();
  select(next.dataset.chip, modelByLabel.get(next.dataset.chip).records);
}

const ASIDE = 5; // pixels between a button and a line that goes round it

// From below a parent to above its child; round the buttons between them where it would go straight behind these, and seem to end there.
function line(above, box, all, around) {
  const [x1, y1] = [above.left + above.width / 2 - around.left, above.bottom - around.top],
    [x2, y2] = [box.left + box.width / 2 - around.left, box.top - around.top];
  const end = x2 + around.left;
  const between = all.filter(({ left, right, top, bottom }) => top > above.bottom && bottom < box.top && left < end && end < right);
  if (between.length && Math.abs(x2 - x1) < box.width / 2) {
    const right = Math.max(above.right, box.right, ...between.map((each) => each.right)) - around.left + ASIDE;
    const [from, to] = [above, box].map((each) => [each.right - around.left, each.top + each.height / 2 - around.top]);
    const pull = (end) => end + (right - end) / 0.75; // of which a curve goes three quarters
    return `M${from}C${pull(from[0])},${from[1]} ${pull(to[0])},${to[1]} ${to}`;
  }
  const bend = Math.max(14, 0.4 * Math.abs(y2 - y1));
  return `M${x1},${y1}C${x1},${y1 + bend} ${x2},${y2 - bend} ${x2},${y2}`;
}

// Lines between the buttons, wherever they came to lie.
function connect(list, lines) {
  const around = list.getBoundingClientRect(),
    boxes = new Map();
  for (const each of list.querySelectorAll("[data-chip]")) boxes.set(each.dataset.chip, each.getBoundingClientRect());
  const paths = [];
  for (const [label, box] of boxes) {
    for (const parent of parentsOf(label)) {
      const above = boxes.get(parent);
      if (!above) continue;
      paths.push(s("path", { "data-from": parent, "data-to": label, d: line(above, box, [...boxes.values()], around) }));
    }
  }
  lines.replaceChildren(...paths);
  markKin();
}

function markKin() {
  const kin = selected === null ? new Set() : kinOf(selected),
    near = (label) => label === selected || kin.has(label);
  for (const each of document.querySelectorAll("[data-chip]")) {
    each.classList.toggle("chosen", each.dataset.chip === selected);
    each.classList.toggle("kin", kin.has(each.dataset.chip));
    each.setAttribute("aria-pressed", String(each.dataset.chip === selected));
  }
  const above = selected === null ? new Set() : new Set([selected, ...reached(selected, parentsOf)]);
  const below = selected === null ? new Set() : new Set([selected, ...reached(selected, (each) => childrenOf.get(each))]);
  for (const path of document.querySelectorAll(".years path")) {
    const { from, to } = path.dataset;
    path.classList.toggle("kin", near(from) && near(to) && ((above.has(from) && above.has(to)) || (below.has(from) && below.has(to))));
  }
}

whenSelected.push(markKin);
