"""Train a GAN: ``python train.py model=dcgan loss=hinge data=cifar10``."""

import sys

from gan.commands.main import main

if __name__ == "__main__":
    main(["train", *sys.argv[1:]])
