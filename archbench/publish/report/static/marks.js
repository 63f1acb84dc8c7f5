// Points and bars: what they say, and that a click selects their network everywhere.

const GAP = 12;

// A box beside what the pointer or the focus is at.
function hinted(figure) {
  const box = h("div", { class: "hint", hidden: true });
  figure.append(box);
  return {
    show(target, lines) {
      box.replaceChildren(h("b", {}, lines[0]), ...lines.slice(1).map((line) => h("span", {}, line)));
      box.hidden = false;
      const there = target.getBoundingClientRect(),
        around = figure.getBoundingClientRect();
      const left = there.left - around.left + there.width / 2,
        top = there.top - around.top;
      box.style.left = `${Math.max(0, Math.min(left + GAP, around.width - box.offsetWidth))}px`;
      box.style.top = `${top - box.offsetHeight - GAP / 2 < 0 ? top + there.height + GAP / 2 : top - box.offsetHeight - GAP / 2}px`;
    },
    hide() {
      box.hidden = true;
    },
  };
}

// What points and bars have in common: a hint, a click, Enter, and arrows that walk from one to the next.
function selectable(mark, row, lines, hint, isFirst) {
  const label = labelOf(row);
  const choose = () => select(label, label === selected ? null : row.records);
  const leave = () => hint.hide(),
    enter = () => hint.show(mark.querySelector(".at"), lines);
  const attributes = {
    role: "button",
    tabindex: isFirst ? 0 : -1,
    "aria-label": lines.join("; "),
    "aria-pressed": String(label === selected),
    "data-label": label,
  };
  for (const [name, value] of Object.entries(attributes)) mark.setAttribute(name, value);
  mark.classList.toggle("chosen", label === selected);
  for (const [name, listener] of Object.entries({ pointerenter: enter, focus: enter, pointerleave: leave, blur: leave, click: choose }))
    mark.addEventListener(name, listener);
  mark.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const marks = [...mark.parentNode.querySelectorAll("[role=button]")],
      next = marks[marks.indexOf(mark) + step];
    if (event.key === "Enter" || event.key === " ") choose();
    else if (event.key === "Escape") return hint.hide();
    else if (next) next.focus();
    else return;
    event.preventDefault();
  });
  return mark;
}

// The selected point's name again, above all other points.
function raiseName() {
  for (const above of document.querySelectorAll(".plot .above")) {
    const name = above.parentNode.querySelector(".point.chosen text");
    above.replaceChildren(...(name ? [name.cloneNode(true)] : []));
  }
}

whenSelected.push(() => {
  for (const mark of document.querySelectorAll("[data-label]")) {
    mark.classList.toggle("chosen", mark.dataset.label === selected);
    mark.setAttribute("aria-pressed", String(mark.dataset.label === selected));
  }
  raiseName();
});
