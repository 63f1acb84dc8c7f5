// what the theme leaves out for those who use the keyboard or have a page read to them
document$.subscribe(() =>
  requestAnimationFrame(() => {
    document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
    document.querySelectorAll(".md-typeset__scrollwrap, .picture").forEach((each) => (each.tabIndex = 0));
  }),
);
