"""Training asks PyTorch for large pages before it is imported."""

import os
import subprocess
import sys

SCRIPT = """
import os, sys
from omegaconf import OmegaConf
from gan.commands import train

class Seen(BaseException): pass

def find(self, name, *rest):
    if name == "torch":
        print(os.environ.get("THP_MEM_ALLOC_ENABLE"))
        raise Seen
sys.meta_path.insert(0, type("Finder", (), {"find_spec": find})())
try:
    train._train(OmegaConf.create({"metrics": {}}))
except Seen:
    pass
"""


def test_before_pytorch_is_imported() -> None:
    for given, expected in ({}, "1"), ({"THP_MEM_ALLOC_ENABLE": "0"}, "0"):
        own = {k: v for k, v in os.environ.items() if k != "THP_MEM_ALLOC_ENABLE"}
        environment = {**own, **given, "PYTHONPATH": os.pathsep.join(sys.path)}
        out = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True
        )
        assert out.stdout.strip() == expected, out.stderr
