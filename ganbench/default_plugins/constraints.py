"""The built-in regularizers, which bound D's slope beside any loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from torch import nn

from ganbench import (
    InputGradients,
    Loss,
    Regularizer,
    Scheduled,
    Scored,
    Step,
    Terms,
    clip_weights,
    gradient_penalty,
    hookimpl,
    interpolated,
    perturbed,
)


@dataclass(kw_only=True)
class GradientPenalty(Regularizer):
    """A penalty on D's slope at chosen images (Gulrajani et al., 2017).

    Zero-centred (`target: 0`) at reals it is R1 (Mescheder et al., 2018), where `weight` is half of
    gamma; one-sided, WGAN-LP (Petzka et al., 2018); `at: dragan`, DRAGAN's (Kodali et al., 2017);
    zero-centred with `reduce: max`, that of Lipschitz GANs (Zhou et al., 2019).
    """

    name = "gradient-penalty"
    asked_first = True  # as wgan-gp makes its own, to the last bit
    constrains = True
    unasked_norms = ("spectral",)  # papers of penalties have none
    weight: Scheduled = 10.0
    at: Literal["interpolates", "real", "fake", "dragan"] = "interpolates"
    target: float = 1.0
    one_sided: bool = False  # slopes below the target cost nothing
    norm: Literal["l2", "linf"] = "l2"
    every: int = 1  # lazy regularisation: one iteration in so many, weighted as much
    alpha: Literal["uniform", "normal"] = "uniform"  # the share of reals in interpolates
    noise: Literal["positive", "symmetric"] = "positive"  # of dragan, symmetric as in compare_gan
    reach: float = 0.5  # of dragan's noise, in standard deviations of the batch
    reduce: Literal["mean", "max"] = "mean"  # over images
    # Which of a pair has the share alpha: of fakes, as in Keras' example, normal shares lie around
    # the reals.
    alpha_of: Literal["real", "fake"] = field(default="real", metadata={"since": "0.2.0"})
    # Whether the slope is taken at all that D's backbone is shown, label maps beside the image
    label_maps: bool = field(default=False, metadata={"since": "0.2.0"})

    def __post_init__(self) -> None:
        for name in ("weight", "target", "reach"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, found {getattr(self, name)}")
        if self.every < 1:
            raise ValueError(f"every must be positive, found {self.every}")
        for name, place in (
            ("alpha", "interpolates"),
            ("alpha_of", "interpolates"),
            ("noise", "dragan"),
            ("reach", "dragan"),
        ):
            if self.at != place and getattr(self, name) != getattr(type(self), name):
                raise ValueError(f"{name} decides images of at: {place} alone, found at: {self.at}")

    @property
    def input_gradients(self) -> InputGradients:
        """Where it takes them."""
        given = {"real": InputGradients.REAL, "fake": InputGradients.FAKE}
        return given.get(self.at, InputGradients.OWN)

    @property
    def pairs_labels(self) -> bool:
        """Whether it looks between reals and fakes."""
        return self.at == "interpolates"

    @property
    def whole_batch(self) -> bool:
        """Whether the batch's width or its steepest image decides."""
        return self.at == "dragan" or self.reduce == "max"

    def discriminator_loss(self, step: Step) -> Terms:
        if self.every > 1 and step.iteration % self.every:
            return {}
        penalty = gradient_penalty(
            self._scored(step),
            self.target,
            one_sided=self.one_sided,
            norm=self.norm,
            reduce=self.reduce,
            label_maps=self.label_maps,
        )
        beside = "" if self.at == "interpolates" else f"_{self.at}"  # several go beside each other
        return {f"gradient_penalty{beside}": self.every * self.weight * penalty}

    def _scored(self, step: Step) -> Scored:
        if self.at == "interpolates":
            return interpolated(step, self.alpha, self.alpha_of)
        if self.at == "dragan":
            return perturbed(step, self.reach, self.noise)
        return step.real if self.at == "real" else step.fake


@dataclass(kw_only=True)
class WeightClipping(Regularizer):
    """D's weights, clipped after each of its steps (Arjovsky et al., 2017)."""

    name = "weight-clipping"
    constrains = True
    refused_norms = ("spectral",)  # what is used there are other weights than those clipped
    clip: float = 0.01

    def __post_init__(self) -> None:
        if not self.clip > 0:
            raise ValueError(f"clip must be positive, found {self.clip}")

    def after_discriminator_step(self, discriminator: nn.Module) -> None:
        clip_weights(discriminator, self.clip)


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    for regularizer in (GradientPenalty, WeightClipping):
        register(regularizer)
