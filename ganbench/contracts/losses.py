"""What a loss sees, and what it gives back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from enum import Flag, auto
from functools import cached_property
from typing import ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ganbench.errors import ContractError

Terms = dict[str, Tensor]
"""Named scalar terms of one player's objective. The trainer minimises their sum and logs each."""


class DiscriminatorOutput(NamedTuple):
    """What the discriminator says of a batch. A NamedTuple, so that `torch.compile` returns it."""

    logits: Tensor  # (N,) unbounded; never a probability
    features: Tensor  # (N, F) what the head saw; under autocast, `Scored.features` is its float32
    class_logits: Tensor | None = None  # (N, K) from an auxiliary classifier


class InputGradients(Flag):
    """The batches at which a loss differentiates D's logits with respect to the images."""

    NONE = 0
    REAL = auto()
    FAKE = auto()
    OWN = auto()  # images the loss makes itself, such as WGAN-GP's interpolates


class Scored:
    """Images, their labels and, on first use, what the discriminator says of them."""

    def __init__(
        self,
        images: Tensor,  # (N, C, H, W) in [-1, 1]
        labels: Tensor | None,  # (N,) class ids
        discriminator: Callable[[Tensor, Tensor | None], DiscriminatorOutput],
        *,
        track_inputs: bool = False,
    ) -> None:
        self.images = images.detach().requires_grad_() if track_inputs else images
        self.labels = labels
        self._discriminator = discriminator
        self._track_inputs = track_inputs

    @cached_property
    def output(self) -> DiscriminatorOutput:
        """All that D says of the images, asked once."""
        return self._discriminator(self.images, self.labels)

    @property
    def was_judged(self) -> bool:
        """Whether D has been asked about these images."""
        return "output" in vars(self)

    @property
    def logits(self) -> Tensor:
        """D's verdicts, (N,), unbounded: higher is more real."""
        return self.output.logits

    @property
    def features(self) -> Tensor:
        """What D's head saw, (N, F), in float32."""
        return self.output.features.float()  # only where they are read

    @cached_property
    def input_gradient(self) -> Tensor:
        """The gradient of each image's logit at that image, (N, C, H, W), itself differentiable.

        Raises ContractError where the loss did not declare it in `input_gradients`.
        """
        if not self._track_inputs:
            raise ContractError(
                "input_gradient was read on images that are not tracked; declare them in the "
                "loss's `input_gradients`, or pass track_inputs=True to step.score()"
            )
        (gradient,) = torch.autograd.grad(self.logits.sum(), self.images, create_graph=True)
        return gradient.float()


class Score(Protocol):
    """D, to be asked about images of a loss's own making."""

    def __call__(
        self, images: Tensor, labels: Tensor | None, *, track_inputs: bool = False
    ) -> Scored:
        """Return images (N, C, H, W) in [-1, 1] with what D says of them.

        Give `track_inputs` where their `input_gradient` will be read.
        """


@dataclass(frozen=True)
class Step:
    """What a loss sees of one player's step.

    `fake.images[i]` was generated for the label of `real.images[i]`, unless the benchmark asks for
    `fake_labels: random`, as it may for losses that do not say `pairs_labels`; `fake.labels` says
    for which.
    """

    real: Scored
    fake: Scored  # graph to G in the generator's step, none in the discriminator's
    latents: Tensor  # (N, Z) that made `fake`
    iteration: int
    score: Score  # D on images of the loss's own making
    generate: Callable[[Tensor, Tensor | None], Tensor]  # G on latents of its own choosing


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The schedule a loss was published with. The YAML's `training` may override each field."""

    n_critic: int = 1
    optimizer: str = "adam"
    g_lr: float = 2e-4
    d_lr: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)


class Loss(ABC):
    """A contribution to both players' objectives. Subclasses are dataclasses of their options.

    A loss never steps an optimiser, calls `backward`, samples or moves data; whatever it does not
    look at in the `Step` is not computed.
    """

    name: ClassVar[str]  # in benchmark files
    recipe: ClassVar[Recipe] = Recipe()  # the schedule it was published with
    input_gradients: ClassVar[InputGradients] = InputGradients.NONE  # where it takes them
    needs_labels: ClassVar[bool] = False  # whether the data must have classes
    needs_class_logits: ClassVar[bool] = False  # of a D with an auxiliary classifier
    whole_batch: ClassVar[bool] = False
    """Whether a term is no mean over images (batch statistics, a count of steps): such a loss
    cannot be given a batch in pieces."""
    pairs_labels: ClassVar[bool] = False
    """Whether it looks at `fake.images[i]` beside `real.images[i]`, which then need one label."""
    boundary: float | None = None
    """D's output above which the loss takes an image for real; None: it draws no such line."""

    @abstractmethod
    def discriminator_loss(self, step: Step) -> Terms:
        """Return named scalars that D minimises."""

    @abstractmethod
    def generator_loss(self, step: Step) -> Terms:
        """Return named scalars that G minimises."""

    def after_discriminator_step(self, discriminator: nn.Module) -> None:  # noqa: B027
        """Constrain D's weights once its optimiser has stepped. Most losses need nothing here."""


class Regularizer(Loss):
    """A loss that only makes sense beside another; adds nothing unless overridden."""

    def discriminator_loss(self, step: Step) -> Terms:
        """Return named scalars that D minimises beside the loss's own."""
        return {}

    def generator_loss(self, step: Step) -> Terms:
        """Return named scalars that G minimises beside the loss's own."""
        return {}


def norm_per_sample(x: Tensor, eps: float = 1e-12) -> Tensor:
    """Return each sample's Euclidean norm, (N, ...) -> (N,), with a finite gradient at zero."""
    return (x.flatten(1).square().sum(1) + eps).sqrt()
