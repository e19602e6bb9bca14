"""The page in a browser, at 3 runs and at 200."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gan.commands.main import dispatch
from gan.sweeps.job import Outcome, State
from tests.reports import made_up

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on PATH"),
]
MOST_BYTES, MOST_SECONDS = 20 * 2**20, 3.0
SEEDS = {3: 2, 200: 4}  # by the number of runs
DECODE = """Promise.all([...document.querySelectorAll("#grids img")]
.map((image) => image.decode().then(() => image.naturalWidth)))"""


@dataclass
class Opened:
    """A page in the browser.

    Attributes:
        page: the page.
        said: messages of its console, and requests but that of its file.
        seconds: of the processor until the tables answered, and of all scripts at the start.
    """

    page: "Page"
    said: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def texts(self, selector: str) -> list[str]:
        """Return the texts of elements that are shown."""
        return [e.inner_text() for e in self.page.query_selector_all(selector) if e.is_visible()]

    def scroll_to(self, name: str) -> None:
        """Show a section."""
        self.page.evaluate(f"document.getElementById('{name}').scrollIntoView()")


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module", params=SEEDS)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page on made-up runs, with a failed one, and figures of the first."""
    folder = tmp_path_factory.mktemp("report")
    made_up.many(folder / "runs", request.param, SEEDS[request.param])
    for run in sorted((folder / "runs").iterdir())[:2]:
        (run / "figures").mkdir()
        (run / "figures" / "spectra.png").write_bytes(made_up.png(1))
    (folder / "runs" / "failed").mkdir()
    Outcome(State.FAILED, "CUDA out of memory", overrides=["model=big"]).save(
        folder / "runs" / "failed"
    )
    out = folder / "report.html"
    dispatch(["report", f"runs={folder}/runs", f"out={out}"])
    return out


@pytest.fixture
def width() -> int:
    """Return the width of the window in pixels."""
    return 1400


@pytest.fixture
def opened(browser: "Browser", written: Path, width: int) -> Iterator[Opened]:
    page = browser.new_page(viewport={"width": width, "height": 844})
    page.set_default_timeout(120_000)  # milliseconds; other programs may share the processors
    found = Opened(page)
    page.on("console", lambda message: found.said.append(message.text))
    page.on("pageerror", lambda error: found.said.append(str(error)))
    page.on("request", lambda asked: found.said.append(asked.url))
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(written.as_uri())
    metrics = session.send("Performance.getMetrics")["metrics"]
    found.seconds = next(m["value"] for m in metrics if m["name"] == "ThreadTime")
    yield found
    local = (written.as_uri(), "data:", "blob:")
    assert [line for line in found.said if not line.startswith(local)] == []
    page.close()


@pytest.mark.parametrize("width", [1400, 390])
def test_it_is_small_and_starts_fast(written: Path, opened: Opened) -> None:
    assert written.stat().st_size < MOST_BYTES
    assert opened.seconds < MOST_SECONDS
    beyond = opened.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert beyond <= 0  # tables scroll, the page does not


def test_a_heading_sorts(opened: Opened) -> None:
    def order() -> list[float]:
        texts = opened.texts("#leaderboard tbody.row tr:not(.seed) td:nth-child(2) .best")
        return [float(text.split()[0]) for text in texts]

    at_first = order()
    assert at_first == sorted(at_first)
    opened.page.click("#leaderboard th:nth-child(2) button")
    assert order() == at_first[::-1]
    opened.page.click("#leaderboard th:nth-child(2) button")
    assert order() == at_first


def test_the_filter_hides_rows(opened: Opened) -> None:
    total = len(opened.texts("tbody.row"))
    opened.page.fill("#filter", "model=big failed")
    assert "CUDA out of memory" in opened.texts("tbody.row")[0]
    assert len(opened.texts("tbody.row")) == 1
    assert opened.page.inner_text("#count").startswith("1 of")
    opened.page.fill("#filter", "")
    assert len(opened.texts("tbody.row")) == total


def test_seeds_unfold(opened: Opened) -> None:
    assert opened.texts("tr.seed") == []
    opened.page.click(".seeds >> nth=0")
    assert len(opened.texts("tr.seed")) in SEEDS.values()


def test_curves_follow_the_choice(opened: Opened) -> None:
    def lines() -> int:
        opened.scroll_to("curves")
        opened.page.wait_for_selector(".plot .lines path, #charts .empty")
        return opened.page.locator(".chart >> nth=0").locator(".lines path.js-line").count()

    chosen = opened.page.evaluate("chosen.size")
    assert lines() == chosen
    opened.page.check("#mean")
    assert lines() == len(opened.texts("#legend > span")) < chosen
    opened.page.select_option("#axis", "hours")
    assert "hours" in opened.page.inner_html(".plot >> nth=0")
    count = opened.page.locator(".chart").count()
    opened.page.click("#names button[aria-pressed=false] >> nth=0")
    assert opened.page.locator(".chart").count() == count + 1
    opened.page.click("#none")
    assert lines() == 0
    assert opened.texts("#charts .empty")


def test_the_slider_shows_earlier_pictures(opened: Opened) -> None:
    opened.scroll_to("samples")
    opened.page.wait_for_selector("#grids figure")
    image = opened.page.locator("#grids img").first
    last = image.get_attribute("src")
    assert "step 150" in opened.texts("#grids figcaption")[0]
    opened.page.locator("#time").fill("0")
    assert image.get_attribute("src") != last
    assert "step 50, 3,200 images" in opened.texts("#grids figcaption")[0]
    opened.page.click("#play")
    opened.page.wait_for_selector("#grids figcaption:has-text('step 100')")
    opened.page.click("#play")
    image.click()
    assert opened.page.is_visible("dialog img")


def test_settings_classes_and_figures(opened: Opened) -> None:
    opened.page.click("#all")
    opened.scroll_to("settings")
    opened.page.wait_for_selector("#differences table, #differences .empty")
    groups = opened.page.evaluate("shownGroups().length")
    assert opened.page.locator("#differences th").count() == groups + 1 > 2
    opened.scroll_to("classes")
    opened.page.wait_for_selector("#tables table")
    assert "class 3" in opened.page.inner_text("#tables th >> nth=4")
    opened.scroll_to("figures")
    opened.page.wait_for_selector("#gallery img")
    assert opened.texts("#gallery h3") == ["spectra"]
    assert opened.page.locator("#gallery img").count() == 2


def test_every_picture_is_decoded(opened: Opened) -> None:
    opened.scroll_to("samples")
    opened.page.wait_for_selector("#grids figure")
    widths: Any = opened.page.evaluate(DECODE)
    assert len(widths) > 1
    assert min(widths) > 90
