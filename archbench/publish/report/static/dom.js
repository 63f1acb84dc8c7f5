// Elements. What the data says becomes text and nothing else: nothing here reads markup.

function element(namespace, tag, attributes, children) {
  const made = namespace ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

const h = (tag, attributes = {}, ...children) => element(false, tag, attributes, children);
const s = (tag, attributes = {}, ...children) => element(true, tag, attributes, children);
const body = (id) => document.querySelector(`#${id} > .body`);

// A name that may break behind its underscores and plus signs.
const soft = (text) => text.split(/(?<=[_+])/).flatMap((part, place) => (place ? [h("wbr"), part] : [part]));

const LONGEST_WHOLE = 26; // characters

// Text whose words and intervals do not break at their hyphens.
const whole = (text) =>
  text
    .split(/(\S+[-–]\S+)/)
    .map((part, place) => (place % 2 && part.length <= LONGEST_WHOLE ? h("span", { class: "whole" }, part) : part));

// One of several choices: `options` are [value, text].
function choice(id, text, options, value, change, kind = "") {
  const made = options.map(([each, shown]) => h("option", { value: each, selected: String(each) === String(value) }, shown));
  return h("label", { class: kind }, text, h("select", { id, onchange: (event) => change(event.target.value) }, made));
}

function tick(id, text, checked, change) {
  return h(
    "label",
    { class: "check" },
    h("input", { id, type: "checkbox", checked, onchange: (event) => change(event.target.checked) }),
    text,
  );
}

// `967 k`, `4.09 G`, `0.0312`: three digits.
function short(value) {
  if (value === null || value === undefined) return "–";
  const rounded = Number(value.toPrecision(3)), // first, so that 999,600 is 1 M
    size = Math.abs(rounded);
  for (const [factor, unit] of [
    [1e9, " G"],
    [1e6, " M"],
    [1e3, " k"],
  ]) {
    if (size >= factor) return `${Number((rounded / factor).toPrecision(3))}${unit}`;
  }
  return String(rounded);
}

const times = (text) => text.replaceAll(/(\d)x(?=\d)/g, "$1×");
const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
