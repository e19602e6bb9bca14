"""Train a GAN: ``python train.py model=dcgan loss=hinge data=cifar10``."""

import sys

import hydra
from omegaconf import DictConfig

from gan.commands import arguments, resolvers, schema
from gan.commands.main import guarded
from gan.commands.train import train

resolvers.register()
schema.register()


@hydra.main(config_path="conf", config_name="train", version_base="1.3")
def main(config: DictConfig) -> float | None:
    """Train what the composed config describes and return the monitored metric."""
    return train(config)


if __name__ == "__main__":
    sys.exit(guarded(lambda: arguments.prepared(main), sys.argv))
