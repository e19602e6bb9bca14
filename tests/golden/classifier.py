"""What a domain classifier computes and how it trains, as stored numbers.

``python -m tests.golden.classifier`` stores them anew.
"""

import json
from pathlib import Path

import torch

from gan.backbones.classifier import Classifier, Training
from tests.golden import formula
from tests.golden.values import probe
from tests.metrics.tiny_data import TinySplit

FILE = Path(__file__).parent / "classifier.json"
TRAINING = Training(rounds=(6, 10), enough=2.0, batch_size=8, learning_rate=0.01, flip=True)


def compute() -> dict[str, list[float]]:
    """Return the size and the product with waves of features, logits and changes of weights."""
    net = Classifier(1, 16, 3)
    formula.fill(net)
    pixels = formula.waves((24, 1, 16, 16)).mul(90).add(128).clamp(0, 255).to(torch.uint8)
    split, indices = TinySplit(pixels, torch.arange(24) % 3), torch.arange(24)
    net.eval()
    with torch.no_grad():
        values = {"features": probe([net.pool(pixels)]), "logits": probe([net(pixels)])}
    before = [parameter.detach().clone() for parameter in net.parameters()]
    TRAINING.fit(net, split, indices, seed=3, device=torch.device("cpu"))
    change = [a - b for a, b in zip(net.parameters(), before, strict=True)]
    return {**values, "change": probe(change), "statistics": probe([*net.buffers()])}


if __name__ == "__main__":
    FILE.write_text(json.dumps(compute(), indent=1) + "\n")
