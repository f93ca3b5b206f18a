"""Discriminators that also classify or contrast, for ganbench."""

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
    Loss,
    Scored,
    Step,
    Terms,
    hookimpl,
    logit_per_image,
)


class OneHotLatent(GeneratorConditioner):
    """z ++ one-hot(y)."""

    def __init__(self, latent_dim: int, num_classes: int) -> None:
        super().__init__(latent_dim + num_classes)
        self.register_buffer("one_hot", torch.eye(num_classes), persistent=False)

    def latent(self, z: Tensor, labels: Tensor) -> Tensor:
        return torch.cat([z, self.one_hot[labels]], dim=1)


@dataclass(kw_only=True)
class Classified(Conditioning):
    """What these have in common: one-hot labels in the latent, a weight beside D's loss."""

    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise ValueError(f"weight must not be negative, found {self.weight}")

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return OneHotLatent(latent_dim, num_classes)


# Contrasts


class Embedded(DiscriminatorConditioner):
    """Embeds features and classes on the unit sphere: D learns with reals, G with its images."""

    def __init__(
        self, image: ImageSpec, dim: int, weight: float, loss: Callable[..., Tensor]
    ) -> None:
        super().__init__(image.channels)
        self.dim, self.weight, self.loss = dim, weight, loss
        self.proxies = nn.Embedding(image.num_classes, dim)

    def head(self, feature_dim: int) -> nn.Module:
        self.embed = nn.Linear(feature_dim, self.dim)
        return LinearHead(feature_dim)

    def discriminator_loss(self, step: Step) -> Terms:
        return {"contrast": self._of(step.real)}

    def generator_loss(self, step: Step) -> Terms:
        return {"contrast": self._of(step.fake)}

    def _of(self, scored: Scored) -> Tensor:
        images = F.normalize(self.embed(scored.features), dim=1)
        proxies = F.normalize(self.proxies(scored.labels), dim=1)
        return self.weight * self.loss(images, proxies, scored.labels)


def conditional_contrastive(
    images: Tensor, proxies: Tensor, labels: Tensor, temperature: float
) -> Tensor:
    """Return the mean 2C loss of embedded images (N, E), their classes' (N, E) and labels (N,)."""
    to_proxies = (images * proxies).sum(1, keepdim=True) / temperature
    to_images = _without_itself(images @ images.T / temperature)
    same = labels[:, None] == labels
    attracting = torch.cat([to_proxies, to_images.masked_fill(~same, -torch.inf)], 1)
    everything = torch.cat([to_proxies, to_images], 1)
    return (everything.logsumexp(1) - attracting.logsumexp(1)).mean()


def data_to_data(
    images: Tensor, proxies: Tensor, labels: Tensor, temperature: float, margin: float
) -> Tensor:
    """Return the mean D2D-CE loss; `margin` is m_p, and m_n is 1 - m_p."""
    easy = ((images * proxies).sum(1, keepdim=True) - margin).clamp(max=0) / temperature
    hard = (images @ images.T - (1 - margin)).clamp(min=0) / temperature
    hard = hard.masked_fill(labels[:, None] == labels, -torch.inf)
    return (torch.cat([easy, hard], 1).logsumexp(1) - easy.squeeze(1)).mean()


def _without_itself(similarities: Tensor) -> Tensor:
    itself = torch.eye(len(similarities), dtype=torch.bool, device=similarities.device)
    return similarities.masked_fill(itself, -torch.inf)


@dataclass(kw_only=True)
class ContraGAN(Classified):
    """Images near their class's proxy and each other (Kang & Park, 2020)."""

    name = "contragan"
    whole_batch = True  # images are compared within it
    dim: int = 512  # of the embedding
    temperature: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_embedding(self.dim, self.temperature)

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        def loss(images: Tensor, proxies: Tensor, labels: Tensor) -> Tensor:
            return conditional_contrastive(images, proxies, labels, self.temperature)

        return Embedded(image, self.dim, self.weight, loss)


@dataclass(kw_only=True)
class ReACGAN(Classified):
    """Images near their proxy, up to a margin, and away from other classes (Kang et al., 2021)."""

    name = "reacgan"
    whole_batch = True
    weight: float = 0.5
    dim: int = 512
    temperature: float = 0.5
    margin: float = 0.98

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_embedding(self.dim, self.temperature)
        if not -1 <= self.margin <= 1:
            raise ValueError(f"margin is a cosine from -1 to 1, found {self.margin}")

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        def loss(images: Tensor, proxies: Tensor, labels: Tensor) -> Tensor:
            return data_to_data(images, proxies, labels, self.temperature, self.margin)

        return Embedded(image, self.dim, self.weight, loss)


def _check_embedding(dim: int, temperature: float) -> None:
    if dim < 1:
        raise ValueError(f"dim must be positive, found {dim}")
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, found {temperature}")


# Classifiers


class ClassifyingHead(LinearHead):
    """One logit for real or fake, and one for each class; the label itself stays unseen."""

    def __init__(self, feature_dim: int, num_classes: int) -> None:
        super().__init__(feature_dim)
        self.classifier = nn.Linear(feature_dim, num_classes)

    def forward(self, features: Tensor, labels: Tensor | None) -> DiscriminatorOutput:
        output = super().forward(features, labels)
        return output._replace(class_logits=self.classifier(features))


class TwinClassifiers(DiscriminatorConditioner):
    """A classifier of reals and its twin of fakes, which G is to fool."""

    def __init__(self, image: ImageSpec, weight: float) -> None:
        super().__init__(image.channels)
        self.num_classes, self.weight = image.num_classes, weight

    def head(self, feature_dim: int) -> nn.Module:
        self.twin = nn.Linear(feature_dim, self.num_classes)
        return ClassifyingHead(feature_dim, self.num_classes)

    def discriminator_loss(self, step: Step) -> Terms:
        return {"class_real": self._named(step.real), "twin_fake": self._by_twin(step.fake)}

    def generator_loss(self, step: Step) -> Terms:
        return {"class_fake": self._named(step.fake), "twin_fake": -self._by_twin(step.fake)}

    def _named(self, scored: Scored) -> Tensor:
        return self.weight * F.cross_entropy(scored.class_logits, scored.labels)

    def _by_twin(self, scored: Scored) -> Tensor:
        return self.weight * F.cross_entropy(self.twin(scored.features), scored.labels)


class DoubledClasses(DiscriminatorConditioner):
    """A classifier of twice the classes: each as of reals, and as of fakes."""

    def __init__(self, image: ImageSpec, weight: float) -> None:
        super().__init__(image.channels)
        self.num_classes, self.weight = image.num_classes, weight

    def head(self, feature_dim: int) -> nn.Module:
        self.classifier = nn.Linear(feature_dim, 2 * self.num_classes)
        return LinearHead(feature_dim)

    def discriminator_loss(self, step: Step) -> Terms:
        return {
            "class_real": self._as(step.real, 0),
            "class_fake": self._as(step.fake, self.num_classes),
        }

    def generator_loss(self, step: Step) -> Terms:
        return {
            "class_as_real": self._as(step.fake, 0),
            "class_as_fake": -self._as(step.fake, self.num_classes),
        }

    def _as(self, scored: Scored, first: int) -> Tensor:
        logits = self.classifier(scored.features)
        return self.weight * F.cross_entropy(logits, scored.labels + first)


@dataclass(kw_only=True)
class TACGAN(Classified):
    """Twin auxiliary classifiers, against AC-GAN's loss of variety (Gong et al., 2019)."""

    name = "tac"
    gives_class_logits = True

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return TwinClassifiers(image, self.weight)


@dataclass(kw_only=True)
class ADCGAN(Classified):
    """A classifier that tells real classes from generated ones (Hou et al., 2022)."""

    name = "adc"

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return DoubledClasses(image, self.weight)


@dataclass(kw_only=True)
class MultiHinge(Loss):
    """The hinge of K + 1 classes, of which the last are fakes (Kavalerov et al., 2021).

    D's logit, negated, stands for the class of fakes beside the class logits.
    """

    name = "multi-hinge"
    breaks = {
        "discriminator_separates_real_from_fake": "reals are told by the logits of their classes, "
        "which in the kit's critic go up and down with D's logit"
    }
    needs_labels = True
    needs_class_logits = True

    def discriminator_loss(self, step: Step) -> Terms:
        fakes = torch.full_like(step.fake.labels, _number_of_classes(step.fake))
        return {
            "real": self._hinge(step.real, step.real.labels),
            "fake": self._hinge(step.fake, fakes),
        }

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": self._hinge(step.fake, step.fake.labels)}

    def _hinge(self, scored: Scored, classes: Tensor) -> Tensor:
        return crammer_singer(_scores(scored), classes)


def crammer_singer(scores: Tensor, classes: Tensor) -> Tensor:
    """Return the mean of max(0, 1 + largest other score - own score) of scores (N, K)."""
    own = scores.gather(1, classes[:, None])
    others = scores.scatter(1, classes[:, None], -torch.inf).amax(1, keepdim=True)
    return F.relu(1 + others - own).mean()


def _scores(scored: Scored) -> Tensor:
    return torch.cat([scored.class_logits, -logit_per_image(scored.logits)[:, None]], 1)


def _number_of_classes(scored: Scored) -> int:
    return scored.class_logits.shape[1]


@hookimpl
def register_conditionings(register: Callable[[type[Conditioning]], None]) -> None:
    for conditioning in (ContraGAN, ReACGAN, TACGAN, ADCGAN):
        register(conditioning)


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    register(MultiHinge)
