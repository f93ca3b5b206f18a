"""Optimisers as plugins build them, looked at before anyone relies on them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ganbench.contracts.optimizers import Optimizer
from ganbench.errors import ContractError
from ganbench.records.training_settings import PlayerSettings


def built(
    plugin: Optimizer, parameters: Sequence[Tensor], settings: PlayerSettings
) -> torch.optim.Optimizer:
    """Return a plugin's optimiser. Raises ContractError where it is not as `Optimizer` says."""
    found = plugin.build(list(parameters), settings)  # type: ignore[arg-type]
    who = f"build() of optimizer '{plugin.name}'"
    if not isinstance(found, torch.optim.Optimizer):
        raise ContractError(
            f"{who} returned {type(found).__name__}; return a torch.optim.Optimizer"
        )
    if len(found.param_groups) != 1:
        raise ContractError(
            f"{who} made {len(found.param_groups)} parameter groups; make one of all weights"
        )
    if plugin.extrapolates and not callable(getattr(found, "extrapolate", None)):
        raise ContractError(
            f"optimizer '{plugin.name}' says `extrapolates`, and the {type(found).__name__} that "
            "build() returned has no method extrapolate()"
        )
    return found
