"""What is measured while a training runs, without waiting for the device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from ganbench.contracts.losses import Scored, Terms


class Meter:
    """Means of scalar tensors by name; their sums stay on the device until they are read."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, terms: Terms) -> None:
        for name, term in terms.items():
            self._sums[name] = self._sums[name] + term if name in self._sums else term
            self._counts[name] = self._counts.get(name, 0) + 1

    def read(self) -> dict[str, float]:
        means = {name: total.item() / self._counts[name] for name, total in self._sums.items()}
        self._sums, self._counts = {}, {}
        return means


class TermSums:
    """The terms of one step, summed over the pieces of its batch."""

    def __init__(self) -> None:
        self.terms: Terms = {}

    def add(self, terms: Terms, share: float) -> None:
        """`share` is the piece's of the batch."""
        for name, term in terms.items():
            part = term if share == 1 else term * share
            self.terms[name] = self.terms[name] + part if name in self.terms else part


def outputs_of_d(real: Scored, fake: Scored, boundary: float | None) -> Terms:
    """D's mean output on what its loss looked at in D's step, and how often it was right."""
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
    if boundary is None or not fake.was_judged:
        return {}
    return {"g_accuracy": (fake.logits.detach() > boundary).float().mean()}


def gradient_norm(parameters: Iterable[Tensor]) -> Tensor:
    """The Euclidean norm of all gradients together."""
    gradients: Sequence[Tensor] = [p.grad for p in parameters if p.grad is not None]
    return torch.stack(torch._foreach_norm(list(gradients))).norm()
