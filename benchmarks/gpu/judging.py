"""How fast a device judges: Inception, the eigenvalues of its covariance, and what is at hand."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from common import CUDA, DEVICE, MNIST, QUICK, attempt, data, row, timed, wall
from torch import Tensor
from torchvision.models import inception_v3

from ganbench import Features, ImageSpec
from ganbench.default_plugins.features.weights import frozen
from ganbench.evaluation import extraction
from ganbench.registry import registry
from ganbench.util import files

CPU = torch.device("cpu")


def inception(device: torch.device, images: int) -> None:
    """Random weights take as long as any."""
    net = inception_v3(weights=None, init_weights=False, aux_logits=True)

    def features(shown: Tensor) -> Features:
        large = F.interpolate(shown.float() / 128 - 1, (299, 299), mode="bilinear")
        return Features(net(large))

    extract = frozen(net, features, device)
    shown = torch.randint(256, (images, 3, 32, 32), dtype=torch.uint8, device=device)
    seconds = timed(lambda: extract(shown), warm=1)
    row(f"Inception of random weights on {device}, {images} at once", images, seconds)


def extractors() -> None:
    found, images = registry.load(), data(MNIST).images[: 512 if QUICK else 50_000]
    for name in ("mnist-cnn-v1", "random-conv"):
        for device in dict.fromkeys((CPU, DEVICE)):
            few = images if device == DEVICE else images[:2000]
            began = wall()
            parts = extraction.batches(
                found.extractor(name), ImageSpec(1, 28, 10), files.data(), few, device=device
            )
            extraction.concatenate(parts, len(few))
            row(f"{name} on {device}, from and to the CPU", len(few), wall() - began)


def solved(device: torch.device, size: int) -> None:
    torch.manual_seed(0)
    half = torch.randn(size, size, dtype=torch.float64)
    matrix = (half @ half.T).to(device)
    torch.linalg.eigvalsh(matrix)
    seconds = timed(lambda: torch.linalg.eigvalsh(matrix), warm=1)
    print(f"ROW eigvalsh in float64, {size}×{size}, on {device}: {seconds:.3f} s")


if __name__ == "__main__":
    attempt("Inception on the CPU", lambda: inception(CPU, 16))
    if CUDA:
        for at_once in (16, 64, 256):
            attempt("Inception", lambda at_once=at_once: inception(DEVICE, at_once))
    attempt("extractors", extractors)
    for device in dict.fromkeys((CPU, DEVICE)):
        attempt("eigenvalues", lambda device=device: solved(device, 256 if QUICK else 2048))
