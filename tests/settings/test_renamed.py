from typing import Any

import pytest

from gan.errors import InputError
from gan.settings.renamed import current, refuse
from gan.settings.validation import validate


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("metrics=none", "metrics=[]"),
        ("metrics=inception", "backbone=inception"),
        ("measures=[fid,kid]", "metrics=[fid,kid]"),
        ("probes=[cas]", "metrics=[cas]"),
        ("metrics.every=5", "evaluation.every=5"),
        ("++metrics.num_fakes=50", "++evaluation.num_fakes=50"),
        ("metrics.weights=a=b.pt", "backbone.weights=a=b.pt"),
        ("metrics.weights_hash=0a", "backbone.weights_hash=0a"),
        ("metrics.backbone.training.rounds=[9]", "backbone.training.rounds=[9]"),
        ("measures.kid.subsets=9", "metrics.kid.subsets=9"),
        ("~measures.fid", "~metrics.fid"),
        ("metrics=[fid]", None),
        ("metrics.kid.subsets=9", None),
        ("backbone=inception", None),
        ("evaluation.every=5", None),
    ],
)
def test_names_of_today(old: str, new: str | None) -> None:
    assert current(old) == new
    if new is None:
        refuse([old])
    else:
        assert current(new) is None
        with pytest.raises(InputError, match="is called") as caught:
            refuse(["steps=1", old])
        assert str(caught.value) == f"{old}: this setting is called {new} now"


def test_a_command_without_the_new_key_reads_its_own() -> None:
    refuse(["metrics=domain"], known={"runs", "metrics"})
    with pytest.raises(InputError, match="backbone=domain"):
        refuse(["metrics=domain"], known={"metrics", "backbone"})


def test_values_in_a_file_are_refused(config: Any) -> None:
    node = config("+metrics.every=5")
    with pytest.raises(InputError, match=r"metrics\.every: .* evaluation\.every now"):
        validate(node)
