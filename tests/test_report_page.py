"""The report in a browser: Debian's Chromium, driven by Playwright. Left out where one of the two is missing."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import make_member, make_record
from test_writing import HOSTILE, hostile

from archbench import reporting
from archbench.publish.predictions import Kept
from archbench.publish.report.content import Source, content
from archbench.publish.report.document import document
from archbench.records.schema import Doubt, Measurement, Record, seal
from archbench.records.store import Store
from archbench.serving.server import Server
from archbench.serving.state import Live

CHROMIUM = shutil.which("chromium")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install 'archbench[test]'")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: apt-get install chromium")
LAYERS = {"nin": {"source_sha256": "s", "input": "3x32x32, 10 classes", "layers": [["features.0", "pool", [96, 16, 16], 0, 0]]}}
RESULTS = Path(__file__).parent.parent / "results"
WIDTHS = (380, 800, 1600)
AXE = ("serious", "critical")
# names through which a bar of any point or the dashed front goes
STRUCK = """() => [...document.querySelectorAll("#scatter .point text:not(.spare)")].filter((name) => {
  const box = name.getBBox();
  const isIn = ({ x, y }) => x > box.x && x < box.x + box.width && y > box.y && y < box.y + box.height;
  return [...document.querySelectorAll("#scatter .front, #scatter .point line")].some((line) =>
    Array.from({ length: 2000 }, (_, part) => line.getPointAtLength((part / 2000) * line.getTotalLength())).some(isIn));
}).map((name) => name.textContent)"""
CUT = "all => all.filter(each => each.scrollWidth > each.clientWidth).map(each => each.getAttribute('aria-label'))"
Page = Any
Open = Callable[..., Page]


def rows(macs: float, latency_s: float) -> list[Measurement]:
    at = {"batch": 1, "mode": "eager"}
    return [Measurement(name="latency_s", value=latency_s, low=0.9 * latency_s, high=1.1 * latency_s, method="m", at=at)]


def member(name: str, year: int, parents: tuple[str, ...], macs: float, latency_s: float) -> Record:
    counts = {"macs": {"pointwise": macs / 4, "dense_conv": 3 * macs / 4}, "params": {"dense_conv": macs / 100}}
    times = {"pointwise": 0.2, "dense_conv": 0.3}
    created = {"created": "2026-01-02T00:00:00.000+00:00", "group": f"{name}-profile"}
    return make_member(name, year, parents, counts, times, times, rows(macs, latency_s), **created)


def training(of: Record, seed: int, error_pct: float) -> Record:
    """A training of the network of another Record, with a curve of three epochs."""
    made = make_record(of.model.name, seed=seed, error_pct=error_pct, samples={"curves": {"loss": [2.3, 1.5, 0.9]}})
    return seal(**{**made.model_dump(exclude={"id"}), "model": of.model.model_dump()})


def records() -> list[Record]:
    """Three members, MACs of 2, 200 and 20 million; trainings of five seeds each with a curve; and names that would do harm."""
    members = [
        member("lenet", 1998, (), 2e6, 0.001),
        member("nin", 2014, ("lenet",), 200e6, 0.004),
        member("mobilenet", 2017, ("nin",), 20e6, 0.002),
    ]
    errors = (30.0, 10.0, 12.0)
    trained = [training(of, seed, error + seed / 10) for of, error in zip(members, errors, strict=True) for seed in range(5)]
    return [*members, *trained, *hostile()]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        made = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])  # CI runs as root
        yield made
        made.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report") / "report.html"
    out.write_text(document(content(Source(records(), Kept(None), layers=LAYERS))))
    return out


@pytest.fixture
def opened(browser: Any, written: Path) -> Iterator[Open]:
    """Opens the report, and holds afterwards that the console and the network stayed silent."""
    contexts, said = [], []

    def open_(width: int = 1200, theme: str = "light", url: str = "", at: str = "") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(5000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: (said.append("a dialog opened"), dialog.dismiss()))
        page.on("request", lambda request: None if request.url.startswith(("file:", "data:", url or "file:")) else said.append(request.url))
        page.goto((url or written.as_uri()) + at)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert said == []


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the report of the project's own results."""
    out = tmp_path_factory.mktemp("shipped") / "report.html"
    out.write_text(document(content(reporting.source(RESULTS))))
    return out.as_uri()


def write(path: Path, *of: Record) -> str:
    """The address of a report of these."""
    path.write_text(document(content(Source(of, Kept(None)))))
    return path.as_uri()


def table(page: Page, caption: str) -> Any:
    return page.locator("#tables .table").filter(has=page.get_by_role("heading", name=re.compile(caption)))


def column(found: Any, place: int) -> list[str]:
    return [text.split(" ")[0] for text in found.locator(f"tbody tr > :nth-child({place})").all_inner_texts()]


def test_a_header_sorts_a_table_by_its_figures_and_back(opened: Open) -> None:
    page = opened()
    found = table(page, "^digits")
    page.get_by_role("searchbox").first.fill("n=5")
    order = column(found, 1)
    head = found.locator("thead th").nth(2)
    for sort, names in (("descending", ["lenet", "mobilenet", "nin"]), ("ascending", ["nin", "mobilenet", "lenet"]), ("none", order)):
        head.get_by_role("button").click()
        assert (head.get_attribute("aria-sort"), column(found, 1)) == (sort, names)


def test_words_filter_the_rows_of_all_tables(opened: Open) -> None:
    page = opened()
    page.get_by_role("searchbox").first.fill("NIN n=5")
    found = table(page, "^digits")
    assert found.locator("tbody tr").count() == 1
    assert found.get_by_role("status").inner_text() == f"1 of {3 + len(HOSTILE)} rows"
    page.get_by_role("searchbox").first.fill("nothing like it")
    assert page.locator("#page .table:visible, #page .notes:visible").count() == 0
    count = page.locator("#page .table").count()
    assert page.locator("#tables").get_by_role("status").first.inner_text().startswith(f"{count} table")
    page.get_by_role("searchbox").first.fill("")
    assert page.locator("#page .table:visible").count() == count


def test_a_click_on_a_point_selects_its_network_everywhere_and_leads_to_its_records(opened: Open) -> None:
    page = opened(at="#plots")
    point = page.locator("#scatter .point[data-label=nin]")
    point.hover()
    assert re.search(r"nin\n.*\n.*\nRecord [0-9a-f]{12} and \d+ more", page.locator("#scatter .hint").inner_text())
    point.click()
    assert page.locator("tr.chosen[data-model=nin]").count() > 1
    assert set(page.locator("tr.chosen").evaluate_all("all => all.map(each => each.dataset.model)")) == {"nin"}
    assert page.locator(".chip.chosen").inner_text() == "nin"
    assert page.locator("#shares .bar.chosen").get_attribute("data-label") == "nin"
    assert page.locator("#network-name").inner_text() == "nin: NIN, 2014"
    link = page.locator("#chosen .ids a").first
    link.click()
    assert page.locator("dialog code").first.inner_text() == link.inner_text()
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()
    page.keyboard.press("Escape")
    assert page.locator(".chosen").count() == 0


def test_axes_switch_to_logarithms_and_back(opened: Open) -> None:
    """MACs of 2, 20 and 200 million lie at equal distances on a logarithmic axis alone."""
    page = opened()

    def ratio() -> float:
        at = {name: page.locator(f"#scatter .point[data-label={name}] .dot").get_attribute("cx") for name in ("lenet", "mobilenet", "nin")}
        return (float(at["nin"]) - float(at["mobilenet"])) / (float(at["mobilenet"]) - float(at["lenet"]))

    assert page.get_by_label("log").first.is_checked()
    assert ratio() == pytest.approx(1)
    page.locator("#log-x").uncheck()
    assert ratio() == pytest.approx(10)  # 180 to 18
    page.select_option("#plot-y", "year")
    assert {"2000", "2010"} <= set(page.locator("#scatter .tick").all_text_contents())  # and no 2 k
    page.locator("#log-y").check()
    assert {"2000", "2010"} <= set(page.locator("#scatter .tick").all_text_contents())
    assert page.locator("#scatter svg").get_attribute("aria-label") == "year against MACs"


def test_the_front_is_of_costs_alone_and_begins_with_the_least_error_of_the_least_cost(opened: Open, tmp_path: Path) -> None:
    """Two networks of 2 million MACs, of which the front leaves the worse out; a year is no cost."""
    of = [member(name, year, (), macs, 0.001) for name, year, macs in (("a", 1998, 2e6), ("b", 1999, 2e6), ("c", 2000, 2e7))]
    trained = [training(each, 0, error) for each, error in zip(of, (30.0, 10.0, 5.0), strict=True)]
    page = opened(url=write(tmp_path / "front.html", *of, *trained))
    dot = page.locator("#scatter .point[data-label=b] .dot")
    begin = page.locator("#scatter .front").get_attribute("d").partition("H")[0]
    assert begin == f"M{dot.get_attribute('cx')},{dot.get_attribute('cy')}"
    assert page.locator("#scatter .spare").count() == 0
    assert page.evaluate(STRUCK) == []
    page.select_option("#plot-x", "year")
    assert page.locator("#scatter .tick").all_text_contents()[-3:] == ["1998", "1999", "2000"]
    assert page.locator("#scatter .point").count() == 3
    assert page.locator("#scatter .front").count() == 0


def test_the_lineage_is_walked_with_the_arrows(opened: Open) -> None:
    page = opened()
    page.locator(".chip[data-chip=nin]").click()
    assert set(page.locator(".chip.kin").all_inner_texts()) == {"lenet", "mobilenet"}
    page.keyboard.press("ArrowDown")
    assert page.locator("#network-name").inner_text() == "mobilenet: MOBILENET, 2017"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.locator("#network-name").inner_text() == "lenet: LENET, 1998"
    page.locator("#network").get_by_role("link", name="nin", exact=True).click()
    part = page.locator("#network")
    assert "What nin took." in part.inner_text()
    assert part.locator("tr", has_text="features.0").inner_text().split("\t")[:3] == ["features.0", "pool", "96×16×16"]
    assert "pointwise 25 %, dense conv 75 %" in part.inner_text()
    assert part.locator(".run").count() == 5


def test_learning_curves_stand_apart_by_condition_and_lead_to_their_records(opened: Open, tmp_path: Path) -> None:
    nin = member("nin", 2014, (), 2e6, 0.001)
    runs = [training(nin, seed, 10.0) for seed in (0, 1)]
    fields = runs[0].model_dump(exclude={"id"})
    longer = seal(**fields | {"key": "longer", "config": fields["config"] | {"training": {**fields["config"]["training"], "epochs": 99}}})
    page = opened(url=write(tmp_path / "curves.html", nin, *runs, longer))
    plots = page.locator("#network .curves figure")
    assert sorted(plots.nth(place).locator(".run").count() for place in range(plots.count())) == [1, 2]
    assert page.locator("#network .curves figure", has_text="99 epochs").locator(".run").count() == 1
    line = page.locator(f"#network .run[href='#record-{runs[1].id}']")
    line.focus()
    assert page.locator("#network .curves .hint:visible").inner_text().split("\n") == [
        *("nin, seed 1", "training loss 0.9 at the end", f"Record {runs[1].id}")
    ]
    page.keyboard.press("Enter")
    assert page.locator("dialog h2").inner_text() == "nin · training · seed 1"


def test_a_doubtful_time_is_a_hollow_point_that_says_so(opened: Open, tmp_path: Path) -> None:
    fields = member("nin", 2014, (), 2e6, 0.001).model_dump(exclude={"id"})
    fields["warnings"] = [Doubt(code="noisy", message="m", at={"batch": 1}).model_dump()]
    page = opened(url=write(tmp_path / "hollow.html", member("lenet", 1998, (), 2e6, 0.002), seal(**fields)))
    assert page.locator("#scatter .hollow").evaluate_all("all => all.map(each => each.dataset.label)") == ["nin"]
    assert "ms, doubtful; Record" in page.locator("#scatter .hollow").get_attribute("aria-label")
    assert "hollow: a doubtful time" in page.locator("#scatter figcaption").inner_text()
    page.select_option("#plot-y", "params")
    assert page.locator("#scatter .hollow").count() == 0


def test_points_are_reached_with_the_keyboard(opened: Open) -> None:
    page = opened()
    page.locator("#scatter .point").first.focus()
    page.keyboard.press("ArrowRight")
    name = page.evaluate("document.activeElement.dataset.label")
    page.keyboard.press("Enter")
    assert page.locator("#chosen strong").inner_text() == name


def test_tabs_are_walked_with_the_keyboard(opened: Open) -> None:
    page = opened()
    tabs = page.locator("[role=tab]")
    names = tabs.all_inner_texts()
    tabs.first.focus()
    for key, name in {"ArrowLeft": names[-1], "ArrowRight": names[0], "End": names[-1], "Home": names[0]}.items():
        page.keyboard.press(key)
        assert page.locator("[role=tab][aria-selected=true]").inner_text() == name


def test_an_address_opens_a_record_and_a_page_of_tables(opened: Open) -> None:
    last = records()[3]
    page = opened(at=f"#record-{last.id}")
    assert page.locator("dialog h2").inner_text() == "lenet · training · seed 0"
    assert "test_error_pct" in page.locator("dialog").inner_text()
    page.evaluate("location.hash = 'tables-lineage'")
    page.locator("#tab-lineage[aria-selected=true]").wait_for()
    assert not page.locator("dialog").is_visible()


def test_nothing_is_cut_on_a_phone_a_tablet_and_a_screen(opened: Open) -> None:
    page = opened()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        for name in page.locator(".tab").all_inner_texts():
            page.locator(f"#tab-{name}").click()
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (width, name)
        page.locator(".chip[data-chip=nin]").click()
        page.locator("#chosen .ids a").first.click()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
        assert page.locator("dialog").evaluate("each => each.scrollWidth <= each.clientWidth"), width
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")


def test_no_table_of_the_project_is_cut_on_a_screen(opened: Open, shipped: str) -> None:
    page = opened(width=1600, url=shipped)
    for name in page.locator(".tab").all_inner_texts():
        page.locator(f"#tab-{name}").click()
        assert page.locator(".scroll").evaluate_all(CUT) == [], name
    page.locator("#records").get_by_role("button", name="Show all").click()
    for kind in ("training", "profile"):
        page.locator("#records tr", has_text=kind).first.locator(".ids a").click()
        assert page.locator("dialog .scroll").evaluate_all(CUT) == [], kind
        page.keyboard.press("Escape")


def test_no_name_in_a_plot_of_the_project_is_struck_through(opened: Open, shipped: str) -> None:
    """Against MACs, or else what there is where no network of a condition was counted."""
    page = opened(width=1600, url=shipped)
    for condition in page.locator("#plot-set option").all_inner_texts():
        page.select_option("#plot-set", label=condition)
        if page.locator("#plot-x option[value=macs]").count():
            page.select_option("#plot-x", "macs")
        assert page.locator("#scatter .point text:not(.spare)").count() > 0
        assert page.evaluate(STRUCK) == [], condition


def test_paper_repeats_the_names_of_all_columns_and_shows_no_words_of_the_screen(opened: Open, shipped: str) -> None:
    pdf = pytest.importorskip("pypdfium2", reason="pypdfium2 is not installed")
    page = opened(url=shipped)
    pages = [each.get_textpage().get_text_bounded() for each in pdf.PdfDocument(page.pdf(format="A4"))]
    heads = tuple({" ".join(" ".join(each.locator("thead th").all_inner_texts()).split()) for each in page.locator("table").all()} - {""})
    continued = [" ".join(text.split()) for text in pages if text.startswith("model ")]
    assert continued
    assert [text for text in continued if not text.startswith(heads)] == []
    assert "A line leads" not in "".join(pages)


@pytest.mark.parametrize(("theme", "rules"), [("light", None), ("dark", ["color-contrast"])])
def test_axe_finds_nothing_serious(opened: Open, shipped: str, theme: str, rules: list[str] | None) -> None:
    """On the page as it opens. In the dark only the colours are others."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    page = opened(theme=theme, url=shipped)
    options = {"resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
    found = axe.Axe().run(page, options=options).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in AXE] == []


def test_the_switch_turns_light_into_dark(opened: Open) -> None:
    page = opened()

    def ground() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light = ground()
    page.locator("#theme").click()
    assert ground() != light
    page.emulate_media(media="print")
    assert ground() in (light, "rgba(0, 0, 0, 0)")  # paper is white


def test_hostile_text_stays_text(opened: Open) -> None:
    page = opened()
    assert page.locator("script").count() == 2
    assert page.locator("#network-choice option").all_inner_texts().count(HOSTILE[0]) == 1
    for name in HOSTILE[:6]:
        page.evaluate("name => { location.hash = `network-${encodeURIComponent(name)}` }", name)
        page.wait_for_function("name => document.querySelector('#chosen strong').textContent === name", arg=name)
    assert page.evaluate("Object.keys(window).filter(name => name.startsWith('alert('))") == []


def test_many_rows_are_shown_when_they_are_asked_for(opened: Open, browser: Any, tmp_path: Path) -> None:
    many = [make_record("nin", seed=seed % 60, key=f"k{seed}", group=f"g{seed % 2}") for seed in range(70)]
    page = opened(url=write(tmp_path / "many.html", *(seal(**each.model_dump(exclude={"id"})) for each in many)))
    assert page.locator("#records tbody tr").count() == 60
    page.locator("#records").get_by_role("button", name="Show all 70 rows").click()
    assert page.locator("#records tbody tr").count() == 70


def test_a_live_page_takes_new_records(opened: Open, tmp_path: Path) -> None:
    Store(tmp_path).save(make_record("nin"))
    with Server(Live(tmp_path, reporting.source), 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            page = opened(url=f"http://127.0.0.1:{server.port}/")
            assert page.locator("#counts").inner_text() == "1 Record of 1 network"
            Store(tmp_path).save(make_record("vgg"))
            page.get_by_text("2 Records of 2 networks", exact=True).wait_for()
            assert page.locator("#live").inner_text() == "live"
        finally:
            server.shutdown()
            thread.join()
