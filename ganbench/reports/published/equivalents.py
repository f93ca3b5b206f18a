"""Losses that are another loss with a bound on D, so that a published model is found as either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol


class Named(Protocol):
    """A plugin with options: one that is asked for, or one of a cell."""

    @property
    def name(self) -> str:
        """What benchmark files call it."""

    @property
    def options(self) -> Mapping[str, Any]:
        """Its options: of a cell all, of a published model those that it names."""


class Part(NamedTuple):
    """A loss or a regularizer with options."""

    name: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Equivalent:
    """What a loss of one word is made of."""

    loss: Part
    regularizer: Part
    renamed: Mapping[str, str]  # options of the one word, by those of the regularizer

    def of(self, options: Mapping[str, Any]) -> tuple[Part, Part]:
        """Return the loss and the regularizer for options of the one word."""
        given = {new: options[old] for new, old in self.renamed.items() if old in options}
        return self.loss, Part(self.regularizer.name, {**self.regularizer.options, **given})


_PENALTY = {"target": 1.0, "one_sided": False, "norm": "l2", "every": 1, "reduce": "mean"}
_BCE = {"real_target": 1.0, "flip": 0.0, "target_noise": 0.0, "saturating": False}

EQUIVALENTS = {
    "wgan-gp": Equivalent(
        Part("wgan", {}),
        Part("gradient-penalty", {"at": "interpolates", "alpha": "uniform", **_PENALTY}),
        {"weight": "gp_weight"},
    ),
    "dragan": Equivalent(
        Part("bce", _BCE),
        Part("gradient-penalty", {"at": "dragan", "noise": "positive", **_PENALTY}),
        {"weight": "gp_weight", "reach": "noise"},
    ),
    "wgan-clip": Equivalent(Part("wgan", {}), Part("weight-clipping", {}), {"clip": "clip"}),
}


def spelt_out(loss: Named, regularizers: Sequence[Named]) -> tuple[Part, ...]:
    """Return a loss and its regularizers, with what a loss of one word is made of in its place."""
    others = [Part(one.name, one.options) for one in regularizers]
    if loss.name not in EQUIVALENTS:
        return (Part(loss.name, loss.options), *others)
    return (*EQUIVALENTS[loss.name].of(loss.options), *others)
