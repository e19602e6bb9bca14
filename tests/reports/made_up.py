"""Run folders in the format of real ones, made up."""

import csv
import json
import random
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from gan.runs.results import Results

FID, RECALL = "domain/fid", "domain/recall"
STAMP: dict[str, Any] = {
    "backbone": "domain",
    "weights_hash": "5d501114",
    "real_data": "digits",
    "real_split": "train",
    "real_count": 1437,
    "real_fingerprint": "1981dd4a",
    "num_fakes": 2000,
    "weights": "averaged",
    "sample_seed": 0,
}
CONFIG = """\
size: tiny
steps: {steps}
batch_size: 64
seed: {seed}
name: null
run_dir: {folder}
model:
  _target_: gan.algorithms.gan.GAN
  generator: {{_target_: gan.networks.{model}.Generator, width: 16}}
  seed: ${{seed}}
loss: {{_target_: gan.losses.{loss}.Loss}}
data: {{_target_: datamodules.digits.Digits, resolution: 16}}
metrics: {{}}
evaluation: {{every: 50}}
callbacks: {{samples: {{every: 25}}}}
"""


@cache
def png(seed: int, size: tuple[int, int] = (341, 273)) -> bytes:
    """Return a PNG file of noise, which compresses worse than samples do."""
    content = BytesIO()
    noise = random.Random(seed).randbytes(size[0] * size[1])
    Image.frombytes("L", size, noise).convert("RGB").save(content, "PNG")
    return content.getvalue()


def values(fid: float) -> dict[str, float]:
    """Return what a run measured."""
    memorised = {"nearest_real": 5.0, "copies": 0.01, "copying_z": fid - 20, "fid_gap": 0.1}
    classes = {f"domain/intra_fid/{label}": fid + label for label in range(10)}
    return {
        FID: fid,
        RECALL: 1 / fid,
        **{f"domain/{k}": v for k, v in memorised.items()},
        **classes,
    }


def results(folder: Path, fid: float, steps: int, seed: int, **given: Any) -> Results:
    """Return the results of a run."""
    fixed: dict[str, Any] = {
        "run": str(folder),
        "name": None,
        "steps": steps,
        "images": 64 * steps,
        "images_per_second": 1000.0,
        "seconds": 3.0,
        "seed": seed,
        "monitor": FID,
        "final": {"step": steps, **values(fid + 1)},
        "best": {"step": steps - 50, **values(fid)},
        "baseline": {FID: 0.5, RECALL: 0.9},
        "protocols": {FID: "aaaaaaaa", RECALL: "bbbbbbbb"},
        "stamp": STAMP,
        "versions": {},
        "commit": None,
        "hardware": "none",
        "parameters": {"G": 1000, "D": 500},
    }
    return Results(**{**fixed, **given})


def write_table(folder: Path, fid: float, steps: int) -> None:
    """Write the ``metrics.csv`` of a run that logs at 1000 images a second."""
    rows: dict[int, dict[str, float | str]] = {}
    for step in [1, *range(10, steps + 1, 10)]:
        rows[step] = {"step": step, "images": 64 * step, "images_per_second": 1000.0}
        rows[step] |= {"discriminator/adversarial": 1 + 1 / step, "logits/real": step / 100}
    for step in range(50, steps + 1, 50):
        measured = values(fid + (steps - step) / 10)
        rows[step] |= {"protocol": "whole", **measured, f"best/{FID}": fid}
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(k for row in rows.values() for k in row)))
        writer.writeheader()
        writer.writerows(rows.values())


def run(
    folder: Path,
    fid: float = 5.0,
    model: str = "dcgan",
    loss: str = "hinge",
    seed: int = 0,
    steps: int = 150,
    pictures: Sequence[int] = (),
    **given: Any,
) -> Path:
    """Write a run folder and return it.

    Args:
        folder: that is made.
        fid: at the best step.
        model: on its command line.
        loss: likewise.
        seed: likewise.
        steps: that it trained.
        pictures: steps at which it drew samples.
        given: entries of ``results.json``.
    """
    for name in (".hydra", "samples"):
        (folder / name).mkdir(parents=True)
    config = CONFIG.format(folder=folder, model=model, loss=loss, seed=seed, steps=steps)
    (folder / ".hydra" / "config.yaml").write_text(config)
    typed = json.dumps([f"model={model}", f"loss={loss}", f"seed={seed}", "++evaluation.every=50"])
    (folder / ".hydra" / "overrides.yaml").write_text(typed)
    (folder / "classes.json").write_text(json.dumps([f"class {label}" for label in range(10)]))
    (folder / "results.json").write_text(
        json.dumps(asdict(results(folder, fid, steps, seed, **given)))
    )
    write_table(folder, fid, steps)
    for step in pictures:
        (folder / "samples" / f"step_{step:08d}.png").write_bytes(png(step))
    return folder


def many(folder: Path, count: int, seeds: int) -> None:
    """Write so many runs, with up to ``seeds`` seeds for the same settings."""
    for number in range(count):
        group, seed = divmod(number, seeds)
        fid = 5 + group + seed / 10
        names = f"model{group % 10}", f"loss{group // 10}"
        run(folder / f"{number:03d}", fid, *names, seed, pictures=(50, 100, 150))
