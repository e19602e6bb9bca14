"""Fashion-MNIST."""

from torchvision import datasets

from datamodules.mnist import MNIST, idx_files


class FashionMNIST(MNIST):
    """60,000 + 10,000 images of clothing, 28x28, grey, processed as :class:`MNIST`.

    Source: Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747.
    """

    name = "fashion_mnist"
    source = datasets.FashionMNIST
    class_names = tuple(datasets.FashionMNIST.classes)
    files = idx_files(
        "FashionMNIST",
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a",
        "15d484375f8d13e6eb1aabb0c3f46965",
    )
