"""What a loss declares, owns and gives back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Flag, auto
from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from ganbench.contracts.images import ImageSpec, LabelKind
from ganbench.contracts.steps import Player, Step
from ganbench.records.schedules import Schedule

Terms = dict[str, Tensor]
"""Named scalar terms of one player's objective. The trainer minimises their sum and logs each."""


class InputGradients(Flag):
    """The batches at which a loss differentiates D's logits with respect to the images."""

    NONE = 0
    REAL = auto()
    FAKE = auto()
    OWN = auto()  #: images the loss makes itself, such as WGAN-GP's interpolates


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The schedule a loss was published with. The YAML's `training` may override each field."""

    n_critic: int = 1
    optimizer: str = "adam"
    g_lr: float | Schedule = 2e-4
    d_lr: float | Schedule = 2e-4
    betas: tuple[float | Schedule, float | Schedule] = (0.5, 0.999)


class Owned(NamedTuple):
    """A network of a plugin's own, and the player that trains it."""

    module: nn.Module
    player: Player


@dataclass(frozen=True)
class Shapes:
    """The sizes that a network of a plugin's own may need."""

    image: ImageSpec  #: of the data
    latent_dim: int
    feature_dim: int  #: of what D's head sees


class Loss(ABC):
    """A contribution to both players' objectives. Subclasses are dataclasses of their options.

    A loss never steps an optimiser, calls `backward`, samples or moves data; whatever it does not
    look at in the `Step` is not computed. Where options decide them, `input_gradients`,
    `pairs_labels`, `whole_batch`, `looks_ahead` and `asked_first` may be properties.
    """

    name: ClassVar[str]  #: in benchmark files
    recipe: ClassVar[Recipe] = Recipe()  #: the schedule it was published with
    input_gradients: ClassVar[InputGradients] = InputGradients.NONE  #: where it takes them
    needs_labels: ClassVar[bool] = False  #: whether the data must have labels
    label_kinds: ClassVar[tuple[LabelKind, ...]] = ("ids",)
    """What labels it can do with where it needs some; one that needs none hands on any."""
    needs_class_logits: ClassVar[bool] = False  #: of a D with an auxiliary classifier
    whole_batch: ClassVar[bool] = False
    """Whether a term is no mean over images (batch statistics, a count of steps): such a loss
    cannot be given a batch in pieces."""
    pairs_labels: ClassVar[bool] = False
    """Whether it looks at `fake.images[i]` beside `real.images[i]`, which then need one label."""
    breaks_pairs: ClassVar[bool] = False
    """Whether its edits leave fakes that are not of their reals' labels, or not as many: refused
    beside losses that say `pairs_labels`."""
    looks_ahead: ClassVar[bool] = False
    """Whether it asks `step.at` or `Scored.layers`: D and G are then not compiled, as compiled
    networks have their own weights alone, and do not say what their layers make."""
    asked_first: ClassVar[bool] = False
    """Whether its terms are made before those of losses that do not say so. The order of gradients'
    sums, and so the last bit of weights, depends on it; nothing else does."""
    needs_constraint: ClassVar[bool] = False
    """Whether D's slope must be bounded by something beside it: a regularizer that says
    `constrains`, or spectral norm. `loss: all` leaves such losses out."""
    constrains: ClassVar[bool] = False
    """Whether it bounds D's slope, for losses that say `needs_constraint`."""
    refused_norms: ClassVar[tuple[str, ...]] = ()
    """Norms of D under which it does not work: cells that ask for them are refused."""
    unasked_norms: ClassVar[tuple[str, ...]] = ()
    """Norms of D that cells get only where they ask for them, or the architecture has no other."""
    boundary: float | None = None
    """D's output above which the loss takes an image for real; None: it draws no such line."""

    def networks(self, shapes: Shapes) -> dict[str, Owned]:
        """Return networks of its own by name, newly made; `step.own` hands them back.

        Called once, after G and D were made and on the default device. They are trained with the
        player that each names, averaged where that is G, and saved. Most losses need none.
        """
        return {}

    def edit_discriminator_step(self, step: Step) -> Step:
        """Return what every loss is to see in the place of a step of D: `replace(step, ...)`.

        Edits are made in the order of the file, this one after those before it.
        """
        return step

    def edit_generator_step(self, step: Step) -> Step:
        """Return what every loss is to see in the place of a step of G."""
        return step

    @abstractmethod
    def discriminator_loss(self, step: Step) -> Terms:
        """Return named scalars that D minimises."""

    @abstractmethod
    def generator_loss(self, step: Step) -> Terms:
        """Return named scalars that G minimises."""

    def after_discriminator_step(self, discriminator: nn.Module) -> None:  # noqa: B027
        """Constrain D's weights once its optimiser has stepped. Most losses need nothing here."""

    def after_generator_step(self, generator: nn.Module) -> None:  # noqa: B027
        """Constrain G's weights once its optimiser has stepped. Most losses need nothing here."""


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
