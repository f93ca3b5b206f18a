"""The losses themselves: whether a change of the code changed the mathematics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ganbench import Column, Evaluation, Metric, Unavailable, hookimpl


@dataclass(kw_only=True)
class FinalLosses(Metric):
    """The sum of each player's terms, averaged over the last window of training.

    On one platform the same seed gives the same numbers. A gate compares them seed by seed, so that
    a few iterations tell a refactoring from a change of what is computed.
    """

    name = "final-losses"

    @property
    def columns(self) -> tuple[Column, ...]:
        exact: dict[str, Any] = {"kind": "numerics", "rel_tol": 1e-5, "abs_tol": 1e-5}
        return (
            Column("d-loss", digits=6, title="D loss", **exact),
            Column("g-loss", digits=6, title="G loss", **exact),
        )

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        if not evaluation.windows:
            raise Unavailable("nothing was trained")
        last = evaluation.windows[-1]
        return {"d-loss": sum(last.d_terms.values()), "g-loss": sum(last.g_terms.values())}


@hookimpl
def register_metrics(register: Callable[[type[Metric]], None]) -> None:
    register(FinalLosses)
