"""How the weights of a player follow their gradients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from ganbench.records.training_settings import PlayerSettings

if TYPE_CHECKING:
    import torch
    from torch import nn

NOTHING: Mapping[str, float] = MappingProxyType({})


class Optimizer(ABC):
    """How one player's weights follow their gradients. Subclasses are dataclasses of options.

    All that what is built keeps from step to step is in its `state` and `param_groups`, as with
    torch's own: checkpoints hold its `state_dict()`.
    """

    name: ClassVar[str]  #: in benchmark files
    defaults: ClassVar[Mapping[str, float]] = NOTHING
    """Which of `weight_decay`, `momentum` and `eps` it goes by, and what each is where a benchmark
    file says nothing. The plan refuses those that it does not name."""
    uses_betas: ClassVar[bool] = True
    """Whether it goes by `betas`; where not, the plan refuses those given for its player alone."""
    extrapolates: ClassVar[bool] = False
    """Whether each update takes two gradients, the second of the next batch and at the point that
    `extrapolate()` of what is built moves to; its `step()` starts from where that began. Such an
    optimiser needs `updates: simultaneous`."""

    @abstractmethod
    def build(
        self, parameters: list[nn.Parameter], settings: PlayerSettings
    ) -> torch.optim.Optimizer:
        """Return the optimiser of these weights, in one parameter group.

        The trainer may change the group's numbers, such as `lr`, between two steps.
        """
