"""Train a GAN: ``python train.py model=dcgan loss=hinge data=cifar10``."""

import os

# Idle threads sleep, so that runs side by side on one machine do not starve each other.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from gan.commands import arguments, resolvers, schema
from gan.commands.main import guarded
from gan.commands.train import train

resolvers.register()
schema.register()


@hydra.main(config_path="conf", config_name="train", version_base="1.3")
def main(config: DictConfig) -> float | None:
    """Train what the composed config describes and return the monitored metric."""
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return train(config)  # a failed job must not end the sweep
    return guarded(lambda: train(config))


if __name__ == "__main__":
    guarded(lambda: arguments.prepared(main))
