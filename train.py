"""Train a GAN: ``python train.py model=dcgan loss=hinge data=cifar10``."""

import os
import sys
from pathlib import Path

# Idle threads sleep, so that runs side by side on one machine do not starve each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from gan.commands.main import guarded
from gan.commands.train import train
from gan.runs import arguments
from gan.runs.cleanup import Footprint
from gan.settings import resolvers, schema
from gan.sweeps import job
from gan.sweeps import tpe as search
from gan.sweeps.callback import concluded

resolvers.register()
schema.register()
search.register()
footprint = Footprint(sys.argv[1:])


@hydra.main(config_path="conf", config_name="train", version_base="1.3")
def main(config: DictConfig) -> float | None:
    """Train what the composed config describes and return the monitored metric.

    A job of a sweep trains in a process of its own.
    """
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return job.run(config)
    footprint.folder = Path(HydraConfig.get().runtime.output_dir)
    return guarded(lambda: train(config))


if __name__ == "__main__":
    with concluded(), footprint:
        guarded(lambda: arguments.prepared(main))
