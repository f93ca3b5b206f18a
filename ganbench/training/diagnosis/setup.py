"""What was trained and how, as far as it decides which remedies there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ganbench.contracts.architectures import Architecture
from ganbench.contracts.losses import Loss
from ganbench.contracts.optimizers import Optimizer
from ganbench.contracts.transforms import Transform
from ganbench.models.parts import Parts
from ganbench.records.schedules import Schedule
from ganbench.records.training_settings import TrainingSettings


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A cell's plugins, settings and data."""

    losses: Sequence[Loss]  # the adversarial one, then regularizers
    architecture: Architecture
    transforms: Sequence[Transform]
    d_optimizer: Optimizer
    settings: TrainingSettings
    d_norm: str
    num_images: int
    labelled: bool  # whether either player is told labels

    @classmethod
    def of(cls, parts: Parts, settings: TrainingSettings, d_norm: str, num_images: int) -> Setup:
        """Return that of a cell's plugins."""
        told = parts.g_conditioning.needs_labels or parts.d_conditioning.needs_labels
        return cls(
            losses=parts.losses,
            architecture=parts.architecture,
            transforms=parts.transforms,
            d_optimizer=parts.optimizers[1],
            settings=settings,
            d_norm=d_norm,
            num_images=num_images,
            labelled=told,
        )

    @property
    def loss(self) -> Loss:
        """The adversarial loss."""
        return self.losses[0]

    @property
    def beta1(self) -> float:
        """The first beta, as training begins."""
        beta = self.settings.betas[0]
        return beta.start if isinstance(beta, Schedule) else beta

    @property
    def is_bounded(self) -> bool:
        """Whether anything bounds D's slope."""
        return (
            hasattr(self.loss, "gp_weight")
            or any(loss.constrains for loss in self.losses)
            or "spectral" in self.d_norm
        )

    @property
    def alternates(self) -> bool:
        """Whether either player may take more steps than the other."""
        return self.settings.updates == "alternating"

    @property
    def d_weight_decay(self) -> float | None:
        """D's weight decay as training begins; None: its optimiser does not go by one."""
        if "weight_decay" not in self.d_optimizer.defaults:
            return None
        said = self.settings.of("discriminator", "weight_decay")
        said = said.start if isinstance(said, Schedule) else said
        return self.d_optimizer.defaults["weight_decay"] if said is None else said

    def has(self, name: str) -> bool:
        """Whether a loss, regularizer or transform of this name takes part."""
        return name in {*(one.name for one in self.losses), *(one.name for one in self.transforms)}

    def of_loss(self, option: str) -> float | None:
        """Return a number that the loss goes by, or None."""
        return _number(getattr(self.loss, option, None))

    def of_architecture(self, option: str) -> float | None:
        """Return a number that the architecture goes by, or None."""
        return _number(getattr(self.architecture, option, None))

    @property
    def uneven_kernels(self) -> bool:
        """Whether a transposed convolution's stride does not divide its kernel."""
        found = vars(self.architecture)
        if found.get("upsampling", "transposed") != "transposed":
            return False
        kernels = found.get("g_kernels", (0, found.get("g_kernel", 0)))[1:]
        strides = found.get("g_strides", ()) or found.get("strides", ()) or (2,)
        return any(kernel % stride for kernel in kernels for stride in strides)


def _number(value: object) -> float | None:
    if isinstance(value, Schedule):
        return value.start
    return value if isinstance(value, int | float) else None
