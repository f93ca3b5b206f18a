"""What is measured while a training runs, without waiting for the device."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from ganbench.contracts.losses import Terms
from ganbench.contracts.steps import Player, Scored, Step
from ganbench.errors import Diverged
from ganbench.training.ranks import Ranks


class Meter:
    """Means of scalar tensors by name; their sums stay on the device until they are read."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, terms: Terms) -> None:
        """Count a value of each of these means."""
        for name, term in terms.items():
            self._sums[name] = self._sums[name] + term if name in self._sums else term
            self._counts[name] = self._counts.get(name, 0) + 1

    def include(self, other: Meter) -> None:
        """Count all that another has measured, whose tensors may be overwritten later."""
        for name, total in other._sums.items():
            self._sums[name] = self._sums[name] + total if name in self._sums else total.clone()
            self._counts[name] = self._counts.get(name, 0) + other._counts[name]

    def means(self) -> dict[str, float]:
        """Return the means since the last reading, waiting for the device, and go on."""
        return {name: total.item() / self._counts[name] for name, total in self._sums.items()}

    def read(self) -> dict[str, float]:
        """Return the means since the last reading, waiting for the device, and begin anew."""
        means = self.means()
        self._sums, self._counts = {}, {}
        return means


def average(meters: Sequence[Meter], ranks: Ranks) -> None:
    """Put the means over all processes in the place of what each has measured."""
    sums = {(i, name): sum for i, m in enumerate(meters) for name, sum in m._sums.items()}
    for (i, name), mean in ranks.mean(sums).items():
        meters[i]._sums[name] = mean


def signals_of(player: Player, step: Step, boundary: float | None) -> Terms:
    """Return what D made of the images of a player's step."""
    if player == "discriminator":
        return outputs_of_d(step.real, step.fake, boundary)
    return share_that_fools_d(step.fake, boundary)


def outputs_of_d(real: Scored, fake: Scored, boundary: float | None) -> Terms:
    """Return D's mean outputs on what its loss looked at in its own step.

    Where the loss has a boundary between real and fake, also the share of logits that were right.
    """
    found: Terms = {}
    for name, scored, sign in (("d_real", real, 1.0), ("d_fake", fake, -1.0)):
        if not scored.was_judged:
            continue
        logits = scored.logits.detach()
        found[name] = logits.mean()
        if boundary is not None:
            found[f"{name}_accuracy"] = (sign * (logits - boundary) > 0).float().mean()
    return found


def share_that_fools_d(fake: Scored, boundary: float | None) -> Terms:
    """Return the share of G's images that D takes for real; nothing without a boundary."""
    if boundary is None or not fake.was_judged:
        return {}
    return {"g_accuracy": (fake.logits.detach() > boundary).float().mean()}


def gradient_norm(parameters: Iterable[Tensor]) -> Tensor:
    """Return the Euclidean norm of all gradients together."""
    gradients: Sequence[Tensor] = [p.grad for p in parameters if p.grad is not None]
    return torch.stack(torch._foreach_norm(list(gradients))).norm()


def check_finite(
    d_terms: dict[str, float], g_terms: dict[str, float], signals: dict[str, float], kimg: float
) -> None:
    """Raise Diverged with the name of the first mean of a window that is not finite."""
    named = {
        **{f"the discriminator's term '{name}'": value for name, value in d_terms.items()},
        **{f"the generator's term '{name}'": value for name, value in g_terms.items()},
        **{name.replace("_", " "): value for name, value in signals.items()},
    }
    for name, value in named.items():
        if not math.isfinite(value):
            raise Diverged(f"{name} became {value} after {kimg:.1f} kimg")
