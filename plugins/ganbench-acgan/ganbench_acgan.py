"""AC-GAN conditioning for ganbench."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import (
    Conditioning,
    DiscriminatorConditioner,
    DiscriminatorOutput,
    GeneratorConditioner,
    ImageSpec,
    LinearHead,
    Scored,
    Step,
    Terms,
    hookimpl,
)


class OneHotLatent(GeneratorConditioner):
    """z ++ one-hot(y)."""

    def __init__(self, latent_dim: int, num_classes: int) -> None:
        super().__init__(latent_dim + num_classes)
        self.register_buffer("one_hot", torch.eye(num_classes), persistent=False)

    def latent(self, z: Tensor, labels: Tensor) -> Tensor:
        return torch.cat([z, self.one_hot[labels]], dim=1)


class AuxiliaryHead(LinearHead):
    """One logit for real or fake, and one for each class; the label itself stays unseen."""

    def __init__(self, feature_dim: int, num_classes: int) -> None:
        super().__init__(feature_dim)
        self.classifier = nn.Linear(feature_dim, num_classes)

    def forward(self, features: Tensor, labels: Tensor | None) -> DiscriminatorOutput:
        output = super().forward(features, labels)
        return output._replace(class_logits=self.classifier(features))


class AuxiliaryClassifier(DiscriminatorConditioner):
    """D also learns to name the class, and G to have its images named rightly."""

    def __init__(self, image: ImageSpec, weight: float, on_fakes: bool) -> None:
        super().__init__(image.channels)
        self.num_classes, self.weight, self.on_fakes = image.num_classes, weight, on_fakes

    def head(self, feature_dim: int) -> nn.Module:
        return AuxiliaryHead(feature_dim, self.num_classes)

    def discriminator_loss(self, step: Step) -> Terms:
        terms = {"class_real": self._cross_entropy(step.real)}
        if self.on_fakes:
            terms["class_fake"] = self._cross_entropy(step.fake)
        return terms

    def generator_loss(self, step: Step) -> Terms:
        return {"class_fake": self._cross_entropy(step.fake)}

    def _cross_entropy(self, scored: Scored) -> Tensor:
        return self.weight * F.cross_entropy(scored.output.class_logits, scored.labels)


@dataclass(kw_only=True)
class ACGAN(Conditioning):
    """One-hot labels in the latent, a classifier beside D's logit (Odena et al., 2017)."""

    name = "acgan"
    gives_class_logits = True
    weight: float = 1.0
    on_fakes: bool = True  # D's classifier learns from fakes too, as in the paper

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise ValueError(f"weight must not be negative, found {self.weight}")

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return OneHotLatent(latent_dim, num_classes)

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return AuxiliaryClassifier(image, self.weight, self.on_fakes)


@hookimpl
def register_conditionings(register: Callable[[type[Conditioning]], None]) -> None:
    register(ACGAN)
