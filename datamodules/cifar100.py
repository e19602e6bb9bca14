"""CIFAR-100."""

from torchvision import datasets

from datamodules.cifar10 import CIFAR10, batch_files

_NAMES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup
dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower
leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid
otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray
road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
wardrobe whale willow_tree wolf woman worm
"""


class CIFAR100(CIFAR10):
    """CIFAR-100: 50,000 + 10,000 photographs of 100 classes, 32x32, colour, with the fine labels.

    Source: Krizhevsky 2009, Learning multiple layers of features from tiny images.
    """

    name = "cifar100"
    source = datasets.CIFAR100
    label_key = "fine_labels"
    class_names = tuple(_NAMES.split())
    files = batch_files(datasets.CIFAR100)
