"""Data sets that everyone knows, by name: downloaded once, and held to their checksums."""

ORDER = ("mnist_like", "cifar", "svhn", "stl10", "celeba", "flowers102")
