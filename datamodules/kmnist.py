"""Kuzushiji-MNIST."""

from torchvision import datasets

from datamodules.mnist import MNIST, idx_files


class KMNIST(MNIST):
    """60,000 + 10,000 images of ten cursive hiragana, 28x28, grey, processed as :class:`MNIST`.

    Checksums are known of the compressed files, which torchvision compares on download; the
    uncompressed files are compared with the length in their headers.

    Source: Clanuwat, Bober-Irizar, Kitamoto, Lamb, Yamamoto and Ha 2018, Deep learning for
    classical Japanese literature, arXiv:1812.01718.
    """

    name = "kmnist"
    source = datasets.KMNIST
    class_names = tuple(datasets.KMNIST.classes)
    files = idx_files("KMNIST", None, None, None, None)
