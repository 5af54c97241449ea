"""The HTML report in a real browser: it draws, filters, prints, is accessible and runs no name."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile import HOSTILE, hostile

from semaudit.report.document import Report
from semaudit.report.html import to_html

pytestmark = pytest.mark.slow

CHROMIUM = next((p for n in ("chromium", "chromium-browser") if (p := shutil.which(n))), None)
DRAWN = "html[data-drawn=all]"
NEAR = "place => place.scrollIntoView({behavior: 'instant'})"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("there is no chromium here")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def written(
    kept_report: Report, kept_audit: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(to_html(kept_report, kept_audit), encoding="utf-8")
    return path


def opened(browser: Any, path: Path, said: list[str], *, drawn: bool = True, **context: Any) -> Any:
    """The page, drawn; whatever the console says or the page asks for is added to ``said``."""
    page = browser.new_context(**context).new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda request: said.append(request.url))
    page.goto(path.as_uri())
    if drawn:  # a chart is drawn when it comes near
        for place in page.locator("[data-chart]").all():
            place.evaluate(NEAR)
            place.locator(".plot-container").wait_for(state="attached")
        page.wait_for_selector(DRAWN, state="attached")
    return page


def asked(said: list[str], path: Path) -> list[str]:
    return [each for each in said if each != path.as_uri() and not each.startswith("data:")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_draws_without_a_word(browser: Any, written: Path, scheme: str, width: int) -> None:
    said: list[str] = []
    size = {"width": width, "height": 900}
    page = opened(browser, written, said, viewport=size, color_scheme=scheme)
    assert asked(said, written) == []
    charts = page.locator("[data-chart]").count()
    assert page.locator("[data-chart] > .plot-container").count() == charts > 10
    # Nothing sticks out: wide tables and the heat map scroll by themselves.
    assert page.evaluate("document.documentElement.scrollWidth") == width
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 23)"
    assert dark == (scheme == "dark")


def test_charts_are_drawn_when_they_come_near(browser: Any, written: Path) -> None:
    still = {"viewport": {"width": 390, "height": 800}, "reduced_motion": "reduce"}
    page = opened(browser, written, [], drawn=False, **still)
    count, done = page.locator("[data-chart]"), page.locator("[data-chart] > .plot-container")
    count.first.evaluate(NEAR)
    done.first.wait_for(state="attached")
    page.wait_for_timeout(500)
    assert 1 <= done.count() < count.count() / 2
    # The room of all is kept, so that a link leads to where it says, and nothing moves.
    before = page.evaluate("document.documentElement.scrollHeight")
    page.evaluate("location.hash = '#manifest'")
    page.wait_for_timeout(500)
    assert page.locator(DRAWN).count() == 0
    assert page.locator("#manifest-heading").bounding_box()["y"] < 800
    for place in count.all():
        place.evaluate(NEAR)
        place.locator(".plot-container").wait_for(state="attached")
    page.wait_for_selector(DRAWN, state="attached")
    assert abs(page.evaluate("document.documentElement.scrollHeight") - before) < 40


def test_the_filters_and_the_keyboard(browser: Any, written: Path) -> None:
    page = opened(browser, written, [])
    probes = page.eval_on_selector_all(".card", "cards => cards.map(card => card.dataset.probe)")
    assert page.inner_text("#filtered") == "4 of 4 pictures"
    page.select_option("#filter-probe", probes[0])
    count = probes.count(probes[0])
    assert page.inner_text("#filtered") == f"{count} of 4 pictures"
    assert page.locator(".card:visible").count() == count
    page.select_option("#filter-probe", "")
    clean = page.get_attribute(".card >> nth=0", "data-class")
    page.select_option("#filter-class", clean)
    assert page.locator(f".card:visible:not([data-class='{clean}'])").count() == 0
    page.keyboard.press("Tab")
    page.locator("#theme").focus()
    page.keyboard.press("Enter")
    assert page.get_attribute("html", "data-theme") == "dark"
    assert page.inner_text("#theme") == "Light colours"
    summary = page.locator("summary", has_text="As a table").first
    summary.focus()
    page.keyboard.press("Enter")
    assert page.locator("figure details[open] table").is_visible()


def test_the_onsets_of_a_probe(browser: Any, written: Path) -> None:
    page = opened(browser, written, [])
    bars = "document.querySelector('[data-chart=onset-chart]').data[0].y.join()"
    before = page.evaluate(bars)
    page.select_option("[data-choice=onset-chart] select", index=1)
    assert page.evaluate(bars) != before


def test_hover_tells_the_values(browser: Any, written: Path) -> None:
    page = opened(browser, written, [], viewport={"width": 1280, "height": 900})
    chart = page.locator("[data-chart=probe-0]")
    chart.scroll_into_view_if_needed()
    box = chart.locator(".points path").last.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    told = chart.locator(".hovertext").text_content()
    assert "shift" in told
    assert "SSIM" in told


def test_it_prints(browser: Any, written: Path, tmp_path: Path) -> None:
    page = opened(browser, written, [], drawn=False, color_scheme="dark")
    content = page.pdf(path=tmp_path / "report.pdf", format="A4", print_background=True)
    assert content.startswith(b"%PDF")
    assert len(content) > 50_000
    assert page.get_attribute("html", "data-theme") is None
    assert page.locator(DRAWN).count() == 1  # paper has every chart


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Any, written: Path, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python")
    script = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    page = opened(browser, written, [], color_scheme=scheme)
    page.eval_on_selector_all("details", "all => all.forEach(each => { each.open = true; })")
    page.evaluate(script)
    found = page.evaluate("axe.run(document)")
    assert len(found["passes"]) > 20
    assert [each["id"] for each in found["violations"]] == []


def test_no_script_of_a_name_runs(
    browser: Any, kept_report: Report, kept_audit: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in" / "audit"
    path = tmp_path / "hostile.html"
    path.write_text(to_html(hostile(kept_report, kept_audit, folder, HOSTILE), folder), "utf-8")
    said: list[str] = []
    page = opened(browser, path, said, viewport={"width": 390, "height": 900})
    assert asked(said, path) == []
    assert page.evaluate("window.owned") is None
    assert page.locator("[onerror], [onload], svg a, [href^='javascript']").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.locator("svg text", has_text="</script>").count() > 0
    page.screenshot(path=tmp_path / "hostile.png", full_page=True)
