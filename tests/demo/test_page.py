"""The page of each kind of model, in headless Chromium."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from PIL import Image

from gan.demo.model import Model
from gan.runs.folder import Run
from tests.commands.test_cli import MLP, TINY, cli
from tests.commands.test_mix import STYLED
from tests.commands.test_translate import CYCLEGAN, NARROW, PIX2PIX, trained

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow
pytest.importorskip("gradio", reason="the page needs gradio")
CODES = ["model=infogan", "size=tiny", "model.generator.width=4", "model.discriminator.width=4"]
VAE = ["model=vae", "size=tiny", "model.generator.width=4", "model.encoder.width=4"]
ACGAN = ["model=acgan", "size=tiny", "model.generator.width=4", "model.discriminator.width=4"]
POINTS = ["data=ring", "metrics=[]", "batch_size=8", "accelerator=cpu"]
KINDS = {
    "plain": ([*TINY, *MLP, "steps=1"], ["Samples", "Project a picture"]),
    "classes": (
        [*TINY, *ACGAN, "steps=1"],
        ["Samples", "Project a picture", "Classify a picture"],
    ),
    "codes": ([*TINY, *CODES, "steps=1"], ["Samples", "Codes", "Project a picture"]),
    "styles": (
        STYLED,
        ["Samples", "Style mixing", "Truncation", "Directions", "Project a picture"],
    ),
    "encoder": ([*TINY, *VAE, "steps=1"], ["Samples", "Encode a picture", "Project a picture"]),
    "points": ([*POINTS, *MLP, "steps=1"], ["Samples"]),
}


def model_of(run: Path) -> Model:
    return Model.load(Run(run), None, torch.device("cpu"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the folder of a run of each kind."""
    place = tmp_path_factory.mktemp("runs")
    for name, (given, _) in KINDS.items():
        assert cli(*given, f"hydra.run.dir={place / name}") == 0
    made = {name: place / name for name in KINDS}
    made["restores"] = trained(place / "restores", *PIX2PIX, "task=denoise")
    made["both ways"] = trained(place / "both", *CYCLEGAN, *NARROW)
    return made


@pytest.fixture(scope="module")
def addresses(
    runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """Return the address of the page of each run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        from gan.demo.page import build_page, panels_of, serve

        models = {name: model_of(run) for name, run in runs.items()}
        pages = {name: build_page(model, panels_of(model)) for name, model in models.items()}
        yield {name: serve(page, None, browser=False) for name, page in pages.items()}
        for page in pages.values():
            page.close()


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Return headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Chromium, Debian's package chromium")
    with playwright.sync_playwright() as tools:
        opened = tools.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


class Visit:
    """A page in the browser, with all that it asked for and complained of."""

    def __init__(self, page: "Page", address: str) -> None:
        self.page, self.address = page, address
        self.asked: list[str] = []
        self.faults: list[str] = []
        page.set_default_timeout(60_000)
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._note)
        page.goto(address)
        page.wait_for_selector("button[role=tab]")

    def _note(self, message: object) -> None:
        if getattr(message, "type", "") == "error":
            self.faults.append(getattr(message, "text", ""))

    def check(self) -> None:
        """Nothing came from elsewhere, and nothing failed."""
        own = (self.address, "data:", "blob:")
        assert [url for url in self.asked if not url.startswith(own)] == []
        assert self.faults == []

    def open(self, title: str) -> None:
        self.page.locator("button[role=tab]", has_text=title).first.click()

    def press(self, name: str) -> None:
        self.page.locator("button.primary:visible", has_text=name).click()

    def upload(self, path: Path) -> None:
        self.page.locator("div[role=tabpanel]:visible input[type=file]").first.set_input_files(path)
        self.page.wait_for_selector(f"div[role=tabpanel] :text('{path.stem}')")

    def cells(self, count: int) -> None:
        self.page.wait_for_function(
            f"[...document.querySelectorAll('.thumbnail-item img')]"
            f".filter(x => x.offsetParent).length == {count}"
        )

    def picture(self) -> None:
        self.page.wait_for_selector("div[role=tabpanel] .image-frame img:visible")

    def refusal(self) -> str:
        """Return the refusal that is shown, and close it."""
        shown = self.page.locator(".toast-body").first
        text = shown.inner_text()
        self.page.locator(".toast-close").first.click()
        shown.wait_for(state="detached")
        return text


@pytest.fixture
def visit(
    browser: "Browser", addresses: dict[str, str], request: pytest.FixtureRequest
) -> Iterator[Visit]:
    """Return a visit of the page of the kind that the test names."""
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    yield Visit(page, addresses[request.param])
    page.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_shows_what_its_model_can_do(kind: str, runs: dict[str, Path]) -> None:
    from gan.demo.page import panels_of

    assert [panel.title for panel in panels_of(model_of(runs[kind]))] == KINDS[kind][1]


def test_pages_of_models_on_images(runs: dict[str, Path]) -> None:
    from gan.demo.page import panels_of

    titles = {
        kind: [panel.title for panel in panels_of(model_of(runs[kind]))]
        for kind in ("restores", "both ways")
    }
    # a cycle over a degradation restores one way
    assert titles == {"restores": ["Restore a picture"], "both ways": ["Restore a picture"]}


@pytest.mark.parametrize("kind", ["plain", "classes", "styles"])
def test_samples_are_those_of_the_command(kind: str, runs: dict[str, Path]) -> None:
    from gan.demo.samples import Draw, SamplePanel

    model = model_of(runs[kind])
    panel = SamplePanel(model)
    free = Draw(seed=4, count=5, label=None, truncation=1.0 if kind == "styles" else 3.0)
    torch.testing.assert_close(panel.images(free), model.game.sample(5, seed=4))
    tight = Draw(seed=4, count=5, label=None, truncation=0.2)
    difference = (panel.images(tight) - panel.images(free)).abs().max()
    assert difference > 1e-4
    assert panel.walk(free, [3, 0, 4], 6).shape == (2, 6, 1, 16, 16)


@pytest.mark.parametrize("visit", ["classes"], indirect=True)
def test_picked_samples_are_walked_between(visit: Visit) -> None:
    page = visit.page
    visit.cells(24)
    for number in (5, 2, 5, 9):  # 5 is picked and let go
        page.locator(".thumbnail-item").nth(number).click()
    page.wait_for_selector(":text('Picked: 2, 9')")
    page.wait_for_function("document.querySelectorAll('.image-frame img').length == 2")
    captions = page.locator(".caption-label").all_inner_texts()
    assert captions == ["1", "2"]
    page.locator("button", has_text="Clear picks").click()
    page.wait_for_selector(":text('Nothing is picked.')")
    visit.check()


@pytest.mark.parametrize("visit", ["classes"], indirect=True)
def test_a_class_of_its_own(visit: Visit) -> None:
    page = visit.page
    visit.cells(24)
    before = page.locator(".thumbnail-item img").first.get_attribute("src")
    page.locator("input[aria-label=Class]:visible").first.click()
    page.locator("[role=option]", has_text="7").click()
    page.wait_for_function(
        "src => document.querySelector('.thumbnail-item img').src != src", arg=before
    )
    visit.check()


@pytest.mark.parametrize("visit", ["styles"], indirect=True)
def test_styles(visit: Visit) -> None:
    for title, button in (
        ("Style mixing", "Mix"),
        ("Truncation", "Truncate"),
        ("Directions", "Walk"),
    ):
        visit.open(title)
        visit.press(button)
        visit.picture()
    visit.check()


@pytest.mark.parametrize("visit", ["codes"], indirect=True)
def test_codes(visit: Visit) -> None:
    visit.open("Codes")
    visit.cells(16)
    visit.press("Show all its values")
    visit.picture()
    visit.check()


@pytest.mark.parametrize(
    ("visit", "title", "button"),
    [
        ("plain", "Project a picture", "Project"),
        ("encoder", "Encode a picture", "Encode"),
        ("classes", "Classify a picture", "Classify"),
        ("restores", "Restore a picture", "Restore"),
        ("both ways", "Restore a picture", "Restore"),
    ],
    indirect=["visit"],
)
def test_uploads(visit: Visit, title: str, button: str, tmp_path: Path) -> None:
    """A picture is read; none, and one that is broken, are refused in words."""
    visit.open(title)
    visit.press(button)
    assert "Upload a picture first" in visit.refusal()
    Image.new("RGB", (50, 31), (10, 200, 30)).save(tmp_path / "good.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "good.png").read_bytes()[:60])
    visit.upload(tmp_path / "broken.png")
    visit.press(button)
    refused = visit.refusal()
    assert "broken.png" in refused
    assert str(tmp_path) not in refused
    visit.page.locator("div[role=tabpanel]:visible button[aria-label*='lear']").first.click()
    visit.upload(tmp_path / "good.png")
    visit.press(button)
    visit.page.wait_for_selector(
        "div[role=tabpanel] .thumbnail-item img:visible, "
        "div[role=tabpanel] .image-frame img:visible"
    )
    visit.check()


@pytest.mark.parametrize("visit", [*KINDS, "both ways"], indirect=True)
def test_a_phone_shows_all_columns(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 390, "height": 800})
    visit.page.wait_for_timeout(500)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
    visit.check()


def test_other_hosts_and_sources_are_refused(addresses: dict[str, str]) -> None:
    import httpx

    address = addresses["plain"]
    answer = httpx.get(address)
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")
    assert httpx.get(address, headers={"host": "evil.example"}).status_code == 400
