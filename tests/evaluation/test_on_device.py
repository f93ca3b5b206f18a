"""Judging on a device: extractors compute there, and nothing is brought back batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from helpers import fake_gpu

from ganbench import FeatureExtractor, Features, ImageSpec, LabeledImages
from ganbench.default_plugins.datasets.mnist import MNIST
from ganbench.default_plugins.features.weights import as_pil_resizes
from ganbench.default_plugins.metrics.frechet import FID
from ganbench.default_plugins.metrics.kernel import KID
from ganbench.default_plugins.metrics.manifold import DensityCoverage, PrecisionRecall
from ganbench.default_plugins.metrics.path_length import PerceptualPathLength
from ganbench.evaluation import extraction
from ganbench.evaluation.evaluate import evaluate
from ganbench.evaluation.trial_evaluation import TrialEvaluation
from ganbench.models import sampling
from ganbench.util import float32, transfers

DIGITS = ImageSpec(1, 28, 10)
COUNT = 44
SEEN: list[tuple[str, bool]] = []


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(sampling, "BATCH", 16)
    assert sampling.at_once(DIGITS) == 16


@pytest.fixture
def gpu() -> Iterator[fake_gpu.Log]:
    with fake_gpu.working() as log:
        yield log


def digits(count: int, seed: int) -> LabeledImages:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (count, 1, 28, 28), dtype=torch.uint8, generator=generator)
    return LabeledImages(images, torch.arange(count) % 10)


def features(extractor: FeatureExtractor, image: ImageSpec, images, device="cpu") -> Features:
    where = torch.device(device)
    parts = extraction.batches(extractor, image, Path(), images, device=where)
    return extraction.concatenate(parts, len(images))


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("name", ["mnist-cnn-v1", "random-conv", "effnet-lite0(resolution=32)"])
def test_extractors_compute_on_the_device_and_are_copied_once(plugins, name, gpu):
    extractor, images = plugins.extractor(name), digits(COUNT, 0).images
    if why := extractor.missing(Path()):
        pytest.skip(why)
    expected = features(extractor, DIGITS, images)
    gpu.computed.clear()
    found = features(extractor, DIGITS, images, fake_gpu.device())
    batches = -(-COUNT // 16)
    assert gpu.convolutions >= batches
    kinds = sum(kind is not None for kind in expected)
    assert gpu.to_host.total() == kinds < batches  # the embedding, and the probabilities
    assert not gpu.waits
    for mine, theirs in zip(found, expected, strict=True):
        assert (mine is None) == (theirs is None)
        if mine is not None:
            assert mine.device.type == "cpu"
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_images_are_resized_on_the_device_as_on_the_cpu(gpu):
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (3, 3, 40, 40), dtype=torch.uint8, generator=generator)
    images[2] = images[2] // 200 * 255  # whose curves leave the range of bytes
    expected = as_pil_resizes(images, 224).int()
    found = as_pil_resizes(images.to(fake_gpu.device()), 224)
    assert not gpu.to_host
    steps = (found.cpu().int() - expected).abs()
    assert steps.max() <= 2
    assert (steps > 0).double().mean() < 0.02
    assert (steps > 1).double().mean() < 1e-4


@dataclass(kw_only=True)
class OfTheFormerContract(FeatureExtractor):
    """As extractors were written before they learnt the device, with a table of its own."""

    name = "of-the-former-contract"

    def load(self, image, root):
        table = torch.linspace(0, 1, 28 * 28)
        return lambda images: Features(images.flatten(1).float() * table)

    def fingerprint(self):
        return "former:v1"


def test_extractors_of_the_former_contract_work_on_the_cpu_and_are_warned(gpu):
    images = digits(20, 0).images
    with pytest.warns(FutureWarning, match="'of-the-former-contract': its `load` takes no device"):
        expected = features(OfTheFormerContract(), DIGITS, images)
    with pytest.warns(FutureWarning, match="asks for"):
        found = features(OfTheFormerContract(), DIGITS, images, fake_gpu.device())
    assert torch.equal(found.embedding, expected.embedding)


@dataclass(kw_only=True)
class BringsBack(FeatureExtractor):
    """One that brings each batch back to the CPU, as none should."""

    name = "brings-back"

    def load(self, image, root, device="cpu"):
        return lambda images: Features(images.flatten(1).float().cpu())

    def fingerprint(self):
        return "back:v1"


@pytest.mark.usefixtures("small_batches")
def test_what_is_brought_back_batch_by_batch_is_seen(gpu):
    features(BringsBack(), DIGITS, digits(COUNT, 0).images, fake_gpu.device())
    assert gpu.to_host.total() == -(-COUNT // 16)


METRICS = [
    FID(features="mnist-cnn-v1"),
    KID(features="mnist-cnn-v1", subset_size=40, subsets=3),
    PrecisionRecall(features="mnist-cnn-v1"),
    DensityCoverage(features="mnist-cnn-v1"),
]


class Digits(MNIST):
    """Its shape and names, with images that are nobody's."""

    def load(self, split, root):
        return digits(300, 7 if split == "train" else 8)


@pytest.mark.usefixtures("small_batches")
def test_metrics_say_of_a_device_what_they_say_of_the_cpu(plugins, tmp_path, gpu, monkeypatch):
    found = []
    for where in ("cpu", fake_gpu.device()):
        monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / torch.device(where).type))
        for counter in (gpu.computed, gpu.to_host):
            counter.clear()
        seen = TrialEvaluation(
            Digits(), digits(300, 7), digits(200, 1), plugins, tmp_path, device=where
        )
        found.append(evaluate(METRICS, seen))
    assert gpu.convolutions
    assert not found[1].errors
    batches = -(-300 // 16) + -(-200 // 16)
    assert gpu.to_host.total() < batches  # results, and no batch by itself
    for mine, theirs in zip(found[1].values, found[0].values, strict=True):
        assert mine.value == pytest.approx(theirs.value, rel=1e-4, abs=1e-6)
        assert mine.protocol == theirs.protocol
    assert not any(value.device.type != "cpu" for value in seen.features("mnist-cnn-v1"))


def test_rows_come_in_few_large_pieces_and_those_of_the_cpu_as_they_are(gpu):
    parts = [(torch.full((4, 2), float(i)),) for i in range(9)]
    there = [(part.to(fake_gpu.device()),) for (part,) in parts]
    assert [one for (one,) in transfers.on_cpu(parts)] == [one for (one,) in parts]
    gpu.to_host.clear()
    pieces = [one for (one,) in transfers.on_cpu(there, at_once=4 * 32)]
    assert [len(piece) for piece in pieces] == [16, 16, 4]
    assert gpu.to_host.total() == 3
    assert torch.equal(torch.cat(pieces), torch.cat([one for (one,) in parts]))


def test_free_memory_bounds_how_many_images_an_extractor_is_given(monkeypatch):
    free = {"bytes": 10 * 2 * extraction.OF_AN_IMAGE}
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free["bytes"], 2**40))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 96 * 2**20)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 32 * 2**20)
    cuda = torch.device("cuda", 0)
    assert extraction._at_once(DIGITS, cuda) == 11
    free["bytes"] = 0
    assert extraction._at_once(DIGITS, cuda) == 1
    free["bytes"] = 80 * 2**30
    assert extraction._at_once(DIGITS, cuda) == sampling.at_once(DIGITS)
    assert extraction._at_once(DIGITS, torch.device("cpu")) == sampling.at_once(DIGITS)


@dataclass(kw_only=True)
class Noting(FeatureExtractor):
    """Notes what torch is told of float32 while it works."""

    name = "noting"

    def load(self, image, root, device="cpu"):
        def features(images):
            SEEN.append((torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32))
            return Features(images.flatten(1).float())

        return features

    def fingerprint(self):
        return "noting:v1"


def test_every_extractor_works_in_full_float32():
    SEEN.clear()
    with float32.tf32():
        features(Noting(), DIGITS, digits(4, 0).images)
        assert torch.get_float32_matmul_precision() == "high"
    assert SEEN == [("highest", False)]


class Styles:
    """A mapped generator whose styles and images lie on a device."""

    def __init__(self, device):
        source = torch.Generator().manual_seed(0)
        self.styles = torch.randn(2, 96, 1, 4, generator=source).to(device)
        self.matrix = torch.randn(4, 28 * 28, generator=source).to(device) / 10

    def pairs(self, count):
        begins, ends = self.styles[:, :count]
        return zip(begins.split(16), ends.split(16), strict=True)

    def images(self, styles, noise=0):
        return (styles[:, 0] @ self.matrix).tanh().view(-1, 1, 28, 28)


def test_path_lengths_stay_on_the_device_until_the_last(plugins, tmp_path, gpu):
    metric = PerceptualPathLength(features="random-conv", num_samples=96, epsilon=0.05)
    found = []
    for where in (torch.device("cpu"), fake_gpu.device()):
        gpu.to_host.clear()
        seen = TrialEvaluation(
            Digits(), digits(8, 7), digits(8, 1), plugins, tmp_path,
            generator=Styles(where), device=where,
        )  # fmt: skip
        found += metric.compute(seen).values()
    assert gpu.to_host.total() < 96 // 16
    assert found[0] == pytest.approx(found[1], rel=1e-4)
