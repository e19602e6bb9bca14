"""Settings of commands at the ends of their ranges: the last that is taken, the first that is not.

The run folder is not there, which is refused after all settings: where the line names it, the
settings were taken.
"""

from pathlib import Path

import pytest
from PIL import Image

from gan.commands.main import dispatch
from gan.errors import InputError

TAKEN = [
    "sample n=1",
    "sample seed=0",
    "sample columns=1",
    "sample langevin=1 langevin_step=1e-9",
    "sample langevin=0 truncation=0.5",
    "sample truncation=0.001",
    "interpolate rows=1",
    "interpolate steps=2",
    "interpolate labels=[1] rows=3",
    "interpolate labels=[1,2,3] rows=3",
    "interpolate split=test styles=false",
    "traverse rows=1",
    "traverse columns=2",
    "traverse extent=0.001",
    "mix rows=1",
    "mix columns=1",
    "mix rows=1 columns=1 sources=[0,0]",
    "truncate rows=1",
    "truncate psis=[0]",
    "directions rows=1",
    "directions columns=2",
    "directions extent=0.001",
    "project index=0",
    "project image=x.png",
    "project index=0 noise=0.1 corrupt=true",
    "project index=0 hole=[0,0,1,1]",
    "project index=0 mask=x.png",
    "film frames=2",
    "film width=16",
    "film fps=50",
    "film fps=0.001",
    "film seconds=0.001",
    "film hold=0.001",
    "film out=x.webp",
    "nearest n=1",
    "nearest k=1",
    "nearest columns=1",
    "nearest pixels=true",
    "nearest backbone=inception weights=x.pth",
    "embed n=3",
    "embed split=validation",
    "spectrum n=1",
    "spectrum split=test",
    "encode out=z.npz n=1",
    "encode out=z.npz map=0",
    "encode out=z.npz steps=1",
    "encode out=z.npz seed=0",
    "encode out=z.npz images={place}/in",
    "encode out=z.npz images={place}/in/0.png",
    "reconstruct columns=1",
    "reconstruct n=1",
    "reconstruct indices=[0]",
    "evaluate n=1",
    "evaluate seeds=1",
    "evaluate batch_size=1",
    "evaluate standing=0",
    "demo port=1",
    "demo port=65535",
    "classify split=validation data.root=x out={place}/empty",
    "classify images={place}/in out={place}/new",
    "translate images={place}/in out={place}/empty direction=ba",
    "translate images={place}/in out={place}/empty resize=false tile=8 overlap=2",
    "restore images={place}/in out={place}/empty seed=0 tile=8",
    "export format=torch_export out={place}/empty",
]
REFUSED = [
    ("sample n=0", "n=0"),
    ("sample seed=-1", "seed=-1"),
    ("sample columns=0", "columns=0"),
    ("sample langevin=-1", "langevin=-1"),
    ("sample langevin_step=0", "langevin_step=0"),
    ("sample langevin_step=inf", "langevin_step=inf"),
    ("sample langevin=1 truncation=0.5", "give one of the two"),
    ("interpolate rows=3 labels=[1,2]", "2 given for rows=3"),
    ("traverse extent=inf", "extent=inf"),
    ("mix columns=0", "columns=0"),
    ("mix rows=1 columns=1 sources=[1,2,3]", "give 2 numbers"),
    ("truncate seed=-1", "seed=-1"),
    ("project", "image: name a picture"),
    ("project index=0 image=x.png", "image: name a picture"),
    ("project index=0 mask=x.png hole=[0,0,1,1]", "give one of the two"),
    ("project index=0 hole=[0,0,1]", "hole="),
    ("project index=0 noise=-0.1", "noise="),
    ("project index=0 noise=inf", "noise="),
    ("project index=0 corrupt=true", "corrupt"),
    ("film width=15", "width=15"),
    ("film frames=1", "frames=1"),
    ("film fps=50.1", "fps=50.1"),
    ("film seconds=0", "seconds=0"),
    ("film hold=inf", "hold=inf"),
    ("film fps=1 seconds=1", "give one of the two"),
    ("nearest columns=0", "columns=0"),
    ("nearest seed=-1", "seed=-1"),
    ("nearest pixels=true weights=x.pth", "leave one out"),
    ("embed n=2", "n=2"),
    ("encode out=z.npz seed=-1", "seed=-1"),
    ("encode out=z.npz steps=0", "steps=0"),
    ("encode out=z.npz images={place}/in indices=[1]", "no such setting"),
    ("encode out=z.npz images={place}/in data.root=x", "leave data.root or images out"),
    ("evaluate batch_size=0", "batch_size=0"),
    ("evaluate n=0", "n=0"),
    ("evaluate seeds=0", "seeds=0"),
    ("evaluate fake=x", "fake: it is for real="),
    ("demo port=0", "port=0"),
    ("demo port=65536", "port=65536"),
    ("translate images={place}/in out={place}/empty direction=aa", "direction=aa"),
    ("translate images={place}/in out={place}/empty overlap=2", "overlap: pictures are resized"),
    ("translate images={place}/in out={place}/empty tile=2", "tile: pictures are resized"),
    ("translate images={place}/in out={place}/in/new", "it lies in images="),
    ("translate images={place}/new_before_after.png out={place}/new", "its sheet would replace"),
    ("restore images={place}/in out={place}/empty seed=-1", "seed=-1"),
    ("restore images={place}/in out={place}/in", "files are in it already"),
    ("restore images={place}/in out={place}/in/0.png", "it is there already"),
    ("export format=onx", "did you mean 'onnx'"),
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder with a picture in a folder, one outside, and an empty folder."""
    (tmp_path / "in").mkdir()
    (tmp_path / "empty").mkdir()
    for name in ("in/0.png", "new_before_after.png"):
        Image.new("L", (4, 4)).save(tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("line", TAKEN)
def test_the_last_value_that_is_taken(line: str, place: Path) -> None:
    name, *given = line.format(place=place).split()
    with pytest.raises(InputError, match=r"^\S*nowhere\b.*no run folder"):
        dispatch([name, "run=nowhere", *given])


@pytest.mark.parametrize(("line", "words"), REFUSED)
def test_the_first_value_that_is_refused(line: str, words: str, place: Path) -> None:
    name, *given = line.format(place=place).split()
    with pytest.raises(InputError) as caught:
        dispatch([name, "run=nowhere", *given])
    assert words in str(caught.value)
    assert "no run folder" not in str(caught.value)


def test_paths_of_pictures_may_begin_with_the_home_folder(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(place))
    for line in ("encode out=z.npz", f"restore out={place}/empty", f"classify out={place}/new"):
        name, *given = line.split()
        with pytest.raises(InputError, match="no run folder"):
            dispatch([name, "run=nowhere", "images=~/in", *given])
