"""Right feature extractors pass the kit, and wrong ones are caught by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
import torch
import torch.nn.functional as F
from helpers import mutants
from torch import Tensor, nn

from ganbench import FeatureExtractor, Features, ImageSpec
from ganbench.default_plugins.features.builtin import MnistCNNv1, Pixels
from ganbench.testing import parametrize_with_checks


@dataclass(kw_only=True)
class Means(FeatureExtractor):
    """Means of patches, and how bright each is."""

    name = "means"
    size: int = 2  # of the grid of patches
    scale: Literal["linear", "log"] = "linear"
    chunk: int = 100  # images at once, which changes nothing

    def unsupported(self, image: ImageSpec) -> str | None:
        if image.resolution < 4:
            return f"it takes images of 4×4 and more, and these are {image}"
        return None

    def load(
        self, image: ImageSpec, root: Path, device: torch.device | str = "cpu"
    ) -> Callable[[Tensor], Features]:
        return self.features

    @torch.inference_mode()
    def features(self, images: Tensor) -> Features:
        means = F.adaptive_avg_pool2d(self.scaled(images), self.size).flatten(1)
        return Features(means, means.softmax(1))

    def scaled(self, images: Tensor) -> Tensor:
        values = images.float() / 255
        return values.add(1e-2).log() if self.scale == "log" else values

    def fingerprint(self) -> str:
        return f"means:v1:{self.size}:{self.scale}"


@parametrize_with_checks(Means, Means(size=3, scale="log"), Pixels, MnistCNNv1)
def test_right_extractor_conforms(check):
    check()


@dataclass(kw_only=True)
class OfTheFormerContract(Means):
    """As extractors were written before they learnt the device."""

    name = "of-the-former-contract"

    def load(self, image: ImageSpec, root: Path) -> Callable[[Tensor], Features]:  # type: ignore[override]
        return self.features


def test_an_extractor_of_the_former_contract_conforms_and_is_warned():
    with pytest.warns(FutureWarning, match=r"load\(self, image, root, device\)"):
        assert mutants.failures(OfTheFormerContract) == {}


@dataclass(kw_only=True)
class RefusesCurtly(Means):
    """A refusal that explains nothing."""

    name = "refuses-curtly"
    caught_by = {"unsupported_images_get_a_sentence"}

    def unsupported(self, image: ImageSpec) -> str | None:
        return "no" if super().unsupported(image) else None


@dataclass(kw_only=True)
class Unflattened(Means):
    """Features that are maps."""

    name = "unflattened"
    caught_by = {"embeddings_are_finite_rows"}

    def features(self, images: Tensor) -> Features:
        return Features(F.adaptive_avg_pool2d(self.scaled(images), self.size))


@dataclass(kw_only=True)
class Squeezed(Means):
    """A single image loses its row."""

    name = "squeezed"
    caught_by = {"embeddings_are_finite_rows"}
    also = {"features_do_not_depend_on_the_batch"}

    def features(self, images: Tensor) -> Features:
        return Features(super().features(images).embedding.squeeze())


@dataclass(kw_only=True)
class DoublePrecision(Means):
    """Features in float64."""

    name = "double-precision"
    caught_by = {"embeddings_are_finite_rows"}

    def scaled(self, images: Tensor) -> Tensor:
        return super().scaled(images).double()


@dataclass(kw_only=True)
class Standardised(Means):
    """Divided by a deviation that may be zero."""

    name = "standardised"
    caught_by = {"embeddings_are_finite_rows"}
    also = {"probabilities_are_distributions"}

    def scaled(self, images: Tensor) -> Tensor:
        values = super().scaled(images)
        centred = values - values.mean((1, 2, 3), keepdim=True)
        return centred / centred.square().mean((1, 2, 3), keepdim=True).sqrt()


@dataclass(kw_only=True)
class LogitsInstead(Means):
    """Logits where probabilities belong."""

    name = "logits-instead"
    caught_by = {"probabilities_are_distributions"}

    def features(self, images: Tensor) -> Features:
        embedding = super().features(images).embedding
        return Features(embedding, embedding)


@dataclass(kw_only=True)
class CentresTheBatch(Means):
    """Brightness about the batch's mean."""

    name = "centres-the-batch"
    caught_by = {"features_do_not_depend_on_the_batch"}

    def scaled(self, images: Tensor) -> Tensor:
        values = super().scaled(images)
        return values - values.mean()


@dataclass(kw_only=True)
class TrainingMode(Means):
    """Batch norm that still trains."""

    name = "training-mode"
    caught_by = {"features_do_not_depend_on_the_batch"}

    def load(
        self, image: ImageSpec, root: Path, device: torch.device | str = "cpu"
    ) -> Callable[[Tensor], Features]:
        norm = nn.BatchNorm1d(image.channels * self.size**2).to(device)

        @torch.no_grad()
        def features(images: Tensor) -> Features:
            found = self.features(images).embedding
            return Features(norm(torch.cat([found, found + 0.1]))[: len(found)])

        return features


@dataclass(kw_only=True)
class Dropout(Means):
    """Dropout that is still on."""

    name = "dropout"
    caught_by = {"features_are_repeatable"}
    also = {"features_do_not_depend_on_the_batch"}

    def scaled(self, images: Tensor) -> Tensor:
        return F.dropout(super().scaled(images), 0.5)


@dataclass(kw_only=True)
class RandomWeights(Means):
    """A projection that is drawn anew wherever it is loaded."""

    name = "random-weights"
    caught_by = {"features_are_repeatable"}

    def load(
        self, image: ImageSpec, root: Path, device: torch.device | str = "cpu"
    ) -> Callable[[Tensor], Features]:
        weights = torch.randn(image.channels * self.size**2, 5).to(device)
        return lambda images: Features(self.features(images).embedding @ weights)


@dataclass(kw_only=True)
class WithGraph(Means):
    """A network whose gradients nobody needs."""

    name = "with-graph"
    caught_by = {"features_carry_no_graph"}

    def load(
        self, image: ImageSpec, root: Path, device: torch.device | str = "cpu"
    ) -> Callable[[Tensor], Features]:
        scale = nn.Parameter(torch.ones((), device=device))
        return lambda images: Features(scale * self.features(images).embedding.clone())


@dataclass(kw_only=True)
class BringsBatchesBack(Means):
    """Features that leave the device batch by batch."""

    name = "brings-batches-back"
    caught_by = {"stays_on_the_device"}

    def scaled(self, images: Tensor) -> Tensor:
        return super().scaled(images).cpu()


@dataclass(kw_only=True)
class StaysOnTheCPU(Means):
    """Weights that are left where they were made."""

    name = "stays-on-the-cpu"
    caught_by = {"stays_on_the_device"}

    def load(
        self, image: ImageSpec, root: Path, device: torch.device | str = "cpu"
    ) -> Callable[[Tensor], Features]:
        weights = torch.arange(float(image.channels * self.size**2))
        return lambda images: Features(self.features(images).embedding * weights)


@dataclass(kw_only=True)
class InvertsInPlace(Means):
    """Pictures that everyone sees inverted from now on."""

    name = "inverts-in-place"
    caught_by = {"images_are_not_modified"}
    also = mutants.MOST

    def scaled(self, images: Tensor) -> Tensor:
        images.bitwise_not_()
        return super().scaled(images)


@dataclass(kw_only=True)
class IgnoresTheImage(Means):
    """The same for every image."""

    name = "ignores-the-image"
    caught_by = {"different_images_have_different_features"}

    def scaled(self, images: Tensor) -> Tensor:
        return torch.zeros_like(super().scaled(images))


@dataclass(kw_only=True)
class NoFingerprint(Means):
    """A fingerprint of nothing."""

    name = "no-fingerprint"
    caught_by = {"fingerprint_is_stable"}
    also = {"fingerprint_tells_options_apart"}

    def fingerprint(self) -> str:
        return ""


@dataclass(kw_only=True)
class FingerprintOfThePlace(Means):
    """A fingerprint that names a place in memory."""

    name = "fingerprint-of-the-place"
    caught_by = {"fingerprint_is_stable"}

    def fingerprint(self) -> str:
        return f"means:{object.__repr__(self)}"


@dataclass(kw_only=True)
class FingerprintForgets(Means):
    """A fingerprint without an option that changes the features."""

    name = "fingerprint-forgets"
    caught_by = {"fingerprint_tells_options_apart"}

    def fingerprint(self) -> str:
        return f"means:v1:{self.size}"


@mutants.parametrize(
    *(cls for cls in list(globals().values()) if "caught_by" in getattr(cls, "__dict__", ()))
)
def test_wrong_extractor_is_caught(mutant):
    mutants.assert_caught(mutant)
