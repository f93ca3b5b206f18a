"""The named terms of both players' losses: checked, merged, and summed over micro-batches."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from ganbench.contracts.losses import Terms
from ganbench.errors import ContractError
from ganbench.models.owned import label_of


class TermSums:
    """The terms of one step, summed over the micro-batches of its batch."""

    def __init__(self) -> None:
        self.terms: Terms = {}

    def add(self, terms: Terms, weight: float) -> None:
        """Add the terms of a micro-batch, times its share of the batch."""
        for name, term in terms.items():
            part = term if weight == 1 else term * weight
            self.terms[name] = self.terms[name] + part if name in self.terms else part


def merged(contributions: Iterable[tuple[object, Terms]]) -> Terms:
    """Return all terms of one player's objectives, each given with the plugin that it is of.

    Raises ContractError, which names the plugin, where terms are not scalar tensors, two bear the
    same name, or none has a gradient.
    """
    found: Terms = {}
    for plugin, terms in contributions:
        if not isinstance(terms, dict):
            raise ContractError(
                f"'{label_of(plugin)}' returned {type(terms).__name__}, not a dict of named terms"
            )
        for name, term in terms.items():
            _check(plugin, name, term)
            if name in found:
                raise ContractError(
                    f"'{label_of(plugin)}' returned a term '{name}' that another loss returned "
                    "too; terms of one player need different names"
                )
            found[name] = term
    if not any(term.requires_grad for term in found.values()):
        raise ContractError(
            "no term of one player's losses has a gradient; there is none, or it is detached"
        )
    return found


def _check(plugin: object, name: str, term: object) -> None:
    if not isinstance(term, Tensor):
        raise ContractError(
            f"'{label_of(plugin)}' returned term '{name}' as {type(term).__name__}; "
            "terms are scalar tensors"
        )
    if term.ndim:
        raise ContractError(
            f"'{label_of(plugin)}' returned term '{name}' with shape {tuple(term.shape)}; "
            "terms are scalars — add .mean()"
        )
