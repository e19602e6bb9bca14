"""What the panels of a page answer, without a browser."""

import asyncio
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image, ImageSequence
from torch import Tensor

from gan import pictures
from gan.algorithms.directions import Walks
from gan.algorithms.interpolation import interpolate_images, walk
from gan.algorithms.styles import mix, truncate, truncating
from gan.algorithms.traversal import traverse
from gan.backbones.pixels import to_uint8
from gan.demo.model import Model, as_grid
from tests.demo.kinds import FILE, KINDS, SIDE, model_of, stored

gr = pytest.importorskip("gradio", reason="the page needs gradio")


def open_panel(kind: Any, model: Model) -> Any:
    """Return a panel of a model that it suits."""
    assert kind.suits(model)
    return kind(model)


def pixels(picture: Image.Image) -> Tensor:
    """Return a gray picture as uint8 (H, W)."""
    return torch.tensor(list(picture.getdata()), dtype=torch.uint8).view(picture.size[::-1])


def check(shown: list[Any], images: Tensor) -> None:
    """Compare pictures of a gallery with images."""
    assert len(shown) == len(images)
    for (picture, _), image in zip(shown, to_uint8(images), strict=True):
        assert pixels(picture).equal(image[0])


@pytest.fixture(scope="module")
def classes() -> Model:
    return model_of("classes")


@pytest.fixture(scope="module")
def styles() -> Model:
    return model_of("styles")


@pytest.mark.parametrize("kind", KINDS)
def test_components_and_events_are_those_stored(kind: str) -> None:
    known, remedy = json.loads(FILE.read_text())[kind], "python -m tests.demo.kinds"
    found = stored(kind)
    assert found["components"] == known["components"], remedy
    assert found["events"] == known["events"], remedy


def test_samples_of_a_seed_and_a_class(classes: Model) -> None:
    from gan.demo.samples import SamplePanel

    panel, game = open_panel(SamplePanel, classes), classes.game
    drawn, shown, picked, told, *walks = panel.draw(3, 12, None, 3.0)
    check(shown, game.sample(12, 3))
    assert (picked, told, walks) == ([], "Nothing is picked.", [None, None])
    assert (drawn.seed, drawn.count, drawn.truncation) == (3, 12, 3.0)
    y = torch.full((5,), 7)
    check(panel.draw(2, 5, "7", 3.0)[1], game.sample(5, 2, y))
    check(panel.draw(2, 5, "7", 0.4)[1], game.decode(game.latents(5, 2, 0.4), y, 2))
    assert len(panel.draw(0, 900, None, 3.0)[1]) == 64
    with pytest.raises(gr.Error, match="Seed: give a whole number from 0"):
        panel.draw(1.5, 4, None, 3.0)
    with pytest.raises(gr.Error, match="Images: give a whole number from 1"):
        panel.draw(1, 0, None, 3.0)


def test_samples_of_styles_take_psi(styles: Model) -> None:
    from gan.demo.samples import SamplePanel

    shown = open_panel(SamplePanel, styles).draw(1, 4, None, 0.5)[1]
    with truncating(styles.game.averaged, 0.5):
        expected = styles.game.sample(4, 1)
    full = to_uint8(expected).permute(0, 2, 3, 1).squeeze(-1)
    assert [pixels(picture).tolist() for picture, _ in shown] == full.tolist()


def test_picks_and_the_walk_between_them(classes: Model) -> None:
    from gan.demo.samples import SamplePanel

    panel, game = open_panel(SamplePanel, classes), classes.game
    grid = [(f"{k}.png", None) for k in range(4)]
    drawn = panel.draw(5, 4, "1", 3.0)[0]
    assert panel.show_walk(drawn, [2]) == (None, None)
    picked: list[int] = []
    for number in (2, 0, 3, 2):
        gallery, picked, told = panel.pick(grid, picked, SimpleNamespace(index=number))
    assert (picked, told) == ([0, 3], "Picked: 0, 3")
    assert [entry["caption"] for entry in gallery.value] == ["1", None, None, "2"]
    strip, film = panel.show_walk(drawn, picked)
    z, y = game.latents(4, 5, None)[[0, 3]], torch.ones(2).long()
    rows = walk(game, z, y, 8).flatten(0, 1)
    assert strip.tobytes() == as_grid(rows, 8).tobytes()
    with Image.open(film) as opened:
        assert opened.size == (240, 240)
        frames = [frame.info["duration"] for frame in ImageSequence.Iterator(opened)]
    assert sum(frames) == 60 * (2 * 29 - 2)  # there and back, each end once
    *_, told, strip, film = panel.clear(grid)
    assert (told, strip, film) == ("Nothing is picked.", None, None)


def test_codes() -> None:
    from gan.demo.codes import CodePanel

    model = model_of("codes")
    panel, game = open_panel(CodePanel, model), model.game
    assert panel.names == ["category 1", "continuous 1", "continuous 2"]
    z = game.prior.replace(game.prior.sample_each(4, range(16)), [7], [0.5, -1.0])
    check(panel.draw(4, None, 7, 0.5, -1.0), game.decode(z, None, 4))
    blocks = traverse(game, 5, 10, 2.0, 3, None)
    for name, block in zip(panel.names, blocks, strict=True):
        expected = as_grid(block.flatten(0, 1), block.shape[1])
        assert panel.traverse(name, 3, None).tobytes() == expected.tobytes()


def test_styles(styles: Model) -> None:
    from gan.demo.styles import DirectionPanel, MixingPanel, TruncationPanel

    game, labels = styles.game, [3] * 4
    mixed = mix(game, range(2), range(2, 5), [1, 3], 6, [3] * 5)
    shown = open_panel(MixingPanel, styles).draw(6, "3", 2, 3, 1, 3)
    assert shown.tobytes() == as_grid(mixed.flatten(0, 1), 4).tobytes()
    with pytest.raises(Exception, match="the first, 3, lies above the last, 1"):
        open_panel(MixingPanel, styles).draw(6, "3", 2, 3, 3, 1)
    rows = truncate(game, (-0.5, 0.0, 0.25, 0.5, 0.75, 1.0, 1.25), 4, 6, labels)
    shown = open_panel(TruncationPanel, styles).draw(6, "3")
    assert shown.tobytes() == as_grid(rows.flatten(0, 1), 7).tobytes()
    walks = Walks(game, 2, 1.5, 4, None, 6, labels).images(1, 7)
    shown = open_panel(DirectionPanel, styles).draw(6, "3", 2, 1.5)
    assert shown.tobytes() == as_grid(walks.flatten(0, 1), 7).tobytes()


def file_of(image: Tensor, path: Path) -> str:
    """Write an image (1, R, R) as a picture, and return its path."""
    Image.fromarray(to_uint8(image[None])[0, 0].numpy()).save(path)
    return str(path)


def test_encoding(tmp_path: Path) -> None:
    from gan.demo.uploads import EncodingPanel

    model = model_of("encoder")
    game = model.game
    images = to_uint8(torch.linspace(-1, 1, 2 * SIDE**2).view(2, 1, SIDE, SIDE)) / 127.5 - 1
    paths = [file_of(image, tmp_path / f"{k}.png") for k, image in enumerate(images)]
    shown, strip, _ = open_panel(EncodingPanel, model).encode(*paths, None)
    found = game.reconstruct(images, None)
    check(shown[::2], images)
    check(shown[1::2], found)
    noise = [(a - b).square().mean() for a, b in zip(found, images, strict=True)]
    told = [name for _, name in shown]
    assert told[::2] == ["picture"] * 2
    assert told[1::2] == [f"PSNR {float(10 * (4 / m).log10()):.1f} dB" for m in noise]
    rows = interpolate_images(game, images, 10, None)[0]
    expected = as_grid(torch.cat([images[:1], rows, images[1:]]), 12)
    assert strip.tobytes() == expected.tobytes()
    shown, strip, _ = open_panel(EncodingPanel, model).encode(paths[0], None, None)
    assert (len(shown), strip) == (2, None)


def test_classifying_and_projecting(tmp_path: Path) -> None:
    from gan.demo.uploads import ClassifyPanel, ProjectionPanel

    model = model_of("classifier")
    image = to_uint8(torch.linspace(-1, 1, SIDE**2).view(1, 1, SIDE, SIDE)) / 127.5 - 1
    path = file_of(image[0], tmp_path / "a.png")
    shown, shares, _ = open_panel(ClassifyPanel, model).classify(path)
    check(shown, image)
    expected = model.game.classify(image).softmax(1)[0].tolist()
    assert shares == pytest.approx({str(k): share for k, share in enumerate(expected)})
    sheet, errors = open_panel(ProjectionPanel, model).project(path, "4", 20, 1, False)
    assert sheet.size == as_grid(image.expand(3, -1, -1, -1), 3).size
    assert sheet.tobytes() != as_grid(image.expand(3, -1, -1, -1), 3).tobytes()
    assert errors


def test_a_style_for_each_layer_has_smaller_errors(styles: Model, tmp_path: Path) -> None:
    from gan.demo.uploads import ProjectionPanel

    path = file_of(torch.linspace(-1, 1, 256).view(1, 16, 16), tmp_path / "a.png")
    panel, asked = open_panel(ProjectionPanel, styles), list[Any]()
    watched = SimpleNamespace(
        tqdm=lambda steps, desc, total: asked.append((desc, total)) or [*steps]  # type: ignore[func-returns-value]
    )
    sheets = [
        panel.project(path, "4", 3, seed, extended, watched)[0].tobytes()
        for seed, extended in ((1, False), (1, True), (2, False), (1, False))
    ]
    assert len(set(sheets)) == 3
    assert sheets[0] == sheets[3]
    assert asked == [("search", 4)] * 4


@pytest.mark.parametrize(("side", "degrade"), [(16, False), (None, False), (16, True)])
def test_translation(tmp_path: Path, side: int | None, degrade: bool) -> None:
    """A picture, perhaps degraded first, and its translation."""
    from gan.demo.translation import TranslationPanel

    model = model_of("degraded" if degrade else "domains")
    panel, asked = open_panel(TranslationPanel, model), list[Any]()
    words = ("Restore", True) if degrade else ("Translate", False)
    assert (panel.verb, panel.degrades) == words
    assert panel.title == f"{panel.verb} a picture"

    class Halves:
        """A translation to half of the values, and a degradation to negatives."""

        side = 16

        def degrading(self, seed: int) -> Any:
            asked.append(seed)
            return lambda number, image: (image, -image)

        def in_tiles(self, tile: None, overlap: None) -> Any:
            assert tile is overlap is None
            return lambda image: 3 * image

    panel.translation = lambda direction: asked.append(direction) or Halves()  # type: ignore[func-returns-value]
    image = to_uint8(torch.linspace(-1, 1, 20 * 20).view(1, 1, 20, 20)) / 127.5 - 1
    path = file_of(image[0], tmp_path / "a.png")
    shown, done = panel.translate(path, "ab", side is None, degrade, 7)
    names = ["picture", "degraded", "after"] if degrade else ["before", "after"]
    assert [name for _, name in shown] == names
    assert asked == (["ab", 7] if degrade else ["ab"])
    size = 20 if side is None else 16
    first = pixels(shown[0][0].convert("L"))
    assert first.shape == (size, size)
    sign = -3 if degrade else 3
    after = (sign * (first.float() / 127.5 - 1)).clamp(-1, 1)
    difference = pixels(shown[-1][0].convert("L")).float() - (after + 1) * 127.5
    assert difference.abs().max() <= 2
    assert done == model_of("encoder").upload(path, side)[1]


def test_the_scale_of_a_task_enlarges_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from gan.demo.translation import TranslationPanel

    model = model_of("degraded")
    panel, asked = open_panel(TranslationPanel, model), list[Any]()
    monkeypatch.setattr(type(model.game), "scale", 2)

    def upload(self: Model, path: str, side: int | None, domain: str) -> Any:
        asked.append((side, domain))
        return torch.zeros(1, 1, 8, 8), ""

    monkeypatch.setattr(Model, "upload", upload)
    panel.translation = lambda _: SimpleNamespace(
        side=4,
        degrading=lambda seed: lambda number, image: (image, image),
        in_tiles=lambda *_: lambda image: image,
    )
    for keep, degrade in ((False, True), (False, False), (True, True)):
        panel.translate("a.png", "ba", keep, degrade, 0)
    assert asked == [(8, "b"), (4, "b"), (None, "b")]


def test_the_translation_of_a_direction_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from gan.demo import translation

    model, read = model_of("domains"), list[Any]()
    monkeypatch.setattr(translation, "RunTranslation", lambda *given: read.append(given) or given)  # type: ignore[func-returns-value]
    panel = open_panel(translation.TranslationPanel, model)
    for _ in range(2):
        panel.translation("ba")
    assert read == [(model.run, None, "ba", model.game.device)]


def test_whole_numbers_and_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    from gan.demo.answers import answering, whole
    from gan.errors import InputError

    assert (whole(0, "Seed"), whole(3.0, "Seed", 3)) == (0, 3)
    for value, least in ((None, 0), (-1, 0), (2.5, 0), (2, 3)):
        with pytest.raises(gr.Error, match=f"Seed: give a whole number from {least}") as refused:
            whole(value, "Seed", least)
        assert not refused.value.print_exception

    def fail(error: Exception) -> None:
        raise error

    call = answering(fail)
    assert call.__name__ == "fail"
    with pytest.raises(gr.Error, match="&lt;b&gt; is absent") as refused:
        call(InputError("<b> is absent"))
    assert (refused.value.title, refused.value.print_exception) == ("Not possible", False)
    own = gr.Error("own")
    with pytest.raises(gr.Error, match="own") as refused:
        call(error=own)
    assert refused.value is own
    with pytest.raises(ZeroDivisionError):
        call(ZeroDivisionError())
    assert answering(lambda a, b: a - b)(5, b=3) == 2  # the lock is free again


def test_classes_of_codes_and_of_walks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels are given to the functions that draw, one each."""
    from gan.demo.codes import CodePanel
    from gan.demo.styles import MixingPanel

    model, asked = model_of("codes"), list[Any]()
    panel = open_panel(CodePanel, model)
    monkeypatch.setattr(Model, "labels", lambda _, name, count: torch.full((count,), int(name)))
    monkeypatch.setattr(
        "gan.demo.codes.traverse",
        lambda *given: asked.append(given) or [torch.zeros(5, 10, 1, 8, 8)] * 3,  # type: ignore[func-returns-value]
    )
    panel.traverse("category 1", 3, "7")
    assert asked[0][1:] == (5, 10, 2.0, 3, [7] * 5)
    assert MixingPanel(model).labels("2", 3) == [2, 2, 2]
    monkeypatch.setattr(Model, "labels", lambda *_: None)
    assert MixingPanel(model).labels(None, 3) is None


def test_a_model_says_what_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for kind, named, names in (
        ("encoder", "VAE", "DCGANGenerator"),
        ("domains", "CycleGAN", "ResNetTranslator"),
    ):
        model = model_of(kind)
        run = SimpleNamespace(
            path=tmp_path / "x" / ".." / "mine",
            checkpoint=lambda *names: SimpleNamespace(name=" or ".join(names)),
        )
        model = Model(run, "last", model.game, model.config)  # type: ignore[arg-type]
        monkeypatch.setattr(model.game.clock, "step", 12_345)
        assert model.title == "mine"
        data = str(model.config.data["_target_"]).rpartition(".")[2]
        assert model.description == f"{named} ({names}) on {data}, step 12,345, last"


def test_a_page_of_panels(classes: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    from gan.demo import page

    monkeypatch.setattr(Model, "title", "mine")
    monkeypatch.setattr(Model, "description", "what it is")
    found = page.panels_of(classes)
    built = page.build_page(classes, found)
    assert (built.title, built.analytics_enabled) == ("mine", False)
    config = built.get_config_file()
    tabs = [part["props"]["label"] for part in config["components"] if part["type"] == "tabitem"]
    assert tabs == [panel.title for panel in found]
    assert config["components"][0]["props"]["value"] == "## mine\nwhat it is"
    other = SimpleNamespace(game=SimpleNamespace(averaged=None), draws_images=False)
    other.run = SimpleNamespace(path="here")
    with pytest.raises(Exception, match="run=here: its model is no game"):
        page.panels_of(other)  # type: ignore[arg-type]


def test_a_page_is_served_to_this_machine_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from gan.demo import page
    from gan.demo.panel import CSS

    given: dict[str, Any] = {}

    class Server:
        """Notes how it is launched."""

        taken = False

        def launch(self, **settings: Any) -> tuple[None, str, None]:
            given.update(settings)
            if self.taken:
                raise OSError("Cannot find empty port")
            return None, "http://127.0.0.1:7861", None

    server: Any = Server()
    monkeypatch.setenv("NO_PROXY", "example.org")
    monkeypatch.delenv("no_proxy", raising=False)
    assert page.serve(server, 7861, browser=True) == "http://127.0.0.1:7861"
    assert (os.environ["NO_PROXY"], os.environ["no_proxy"]) == (
        "example.org,127.0.0.1",
        "127.0.0.1",
    )
    assert (given["server_port"], given["inbrowser"], given["css"]) == (7861, True, CSS)
    assert given["server_name"] == "127.0.0.1"
    assert given.items() >= page._LAUNCH.items()
    assert "Source" not in given["theme"].font  # of Google
    assert "IBM" not in given["theme"].font_mono
    hosts, own = given["app_kwargs"]["middleware"]
    assert hosts.kwargs == {"allowed_hosts": ["127.0.0.1", "localhost"]}
    assert own.cls is page.OwnSourcesOnly
    server.taken = True
    with pytest.raises(Exception, match="port=80: it is taken"):
        page.serve(server, 80, browser=False)


def test_answers_name_their_own_host_as_the_only_source() -> None:
    from gan.demo.page import OwnSourcesOnly

    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (scope, receive) == ({"type": "http"}, None)
        await send({"type": "http.response.start", "headers": []})
        await send({"type": "http.response.body", "body": b"x"})

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(OwnSourcesOnly(app)({"type": "http"}, None, send))  # type: ignore[arg-type]
    ((name, value),) = sent[0]["headers"]
    assert name == b"content-security-policy"
    assert value.startswith(b"default-src 'self'")
    assert sent[1] == {"type": "http.response.body", "body": b"x"}


def test_uploads_at_their_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan.demo.model._PIXELS", 12)
    model = model_of("encoder")
    for height, refused in ((3, False), (4, True)):
        path = file_of(torch.zeros(1, height, 4), tmp_path / f"{height}.png")
        if refused:
            with pytest.raises(Exception, match=r"4\.png has more than 12 pixels"):
                model.upload(path, None)
        else:
            assert model.upload(path, None)[0].shape == (1, 1, 3, 4)


def test_a_film_of_large_pictures_is_not_enlarged() -> None:
    from gan.demo.samples import save_film

    for side, size in ((300, 300), (100, 200)):
        with Image.open(save_film(torch.zeros(2, 1, side, side))) as film:
            assert film.size == (size, size)
            assert film.info.get("loop") == 0


def test_samples_without_truncation_or_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    from gan.demo.samples import SamplePanel, truncates
    from gan.errors import InputError

    def refuse(*_: object) -> None:
        raise InputError("no end")

    assert truncates(model_of("classes").game.prior)
    monkeypatch.setattr("gan.latents.Codes.truncate", refuse)
    assert not truncates(model_of("codes").game.prior)
    model = model_of("codes")
    panel = open_panel(SamplePanel, model)
    assert (panel.truncated, panel.styled) == (False, False)
    drawn, shown, *_ = panel.draw(3, 4, None, 0.5)
    check(shown, model.game.sample(4, 3))
    z = model.game.latents(4, 3)[[1, 2]]
    assert panel.walk(drawn, [1, 2], 3).equal(walk(model.game, z, None, 3))
    assert panel.show_walk(drawn, [1, 2])[0] is not None
    assert model.classes == []


def test_the_suits_of_panels() -> None:
    """Each panel suits the kinds of models that can do it, and no others."""
    from gan.demo.page import PANELS

    suited = {
        kind: [panel.__name__.removesuffix("Panel") for panel in PANELS if panel.suits(model)]
        for kind in KINDS
        for model in [model_of(kind)]
    }
    latent = ["Sample", "Projection"]
    assert suited == {
        "classes": latent,
        "classifier": [*latent, "Classify"],
        "codes": ["Sample", "Code", "Projection"],
        "degraded": ["Translation"],
        "domains": ["Translation"],
        "encoder": ["Sample", "Encoding", "Projection"],
        "points": ["Point"],
        "styles": ["Sample", "Mixing", "Truncation", "Direction", "Projection"],
    }


def test_points() -> None:
    from gan.demo.samples import PointPanel, SamplePanel

    model = model_of("points")
    assert not SamplePanel.suits(model)
    panel = open_panel(PointPanel, model)
    shown = panel.draw(0, 100, None)
    assert shown.size == (512, 512)
    expected = pictures.picture(model.game.sample(100, 0, None), 1).permute(1, 2, 0).numpy()
    assert shown.tobytes() == expected.tobytes() != panel.draw(1, 100, None).tobytes()
    assert panel.draw(0, 1, None).size == (512, 512)
    with pytest.raises(gr.Error, match="Points: give a whole number from 1"):
        panel.draw(0, 0, None)
