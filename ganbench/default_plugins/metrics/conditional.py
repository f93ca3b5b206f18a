"""Whether samples are what was asked for, class by class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ganbench import Column, Evaluation, Metric, OfClasses, Unavailable, hookimpl, require_classes
from ganbench.default_plugins.metrics.classes import class_name


@dataclass(kw_only=True)
class ConditionalAccuracy(Metric):
    """The share of samples that a judge trained on real data puts into the class asked for."""

    name = "cond-accuracy"
    cheap = True

    @property
    def columns(self) -> tuple[Column, ...]:
        return (
            Column(
                "cond-accuracy",
                "",
                "max",
                digits=3,
                title="cond. accuracy",
                rel_tol=0.0,
                abs_tol=0.02,
                gated=True,
            ),
            Column("cond-accuracy-worst", "", "max", digits=3, title="worst class"),
        )

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        asked = evaluation.fake.labels
        if asked is None:
            raise Unavailable("the generator is not told a class")
        if evaluation.image.condition_dim:
            require_classes(evaluation)  # says that there are none, rather than no judge of them
        right = evaluation.classes() == asked
        shares = {
            class_name(evaluation.dataset, label): right[asked == label].double().mean().item()
            for label in asked.unique().tolist()
        }
        worst = min(shares, key=lambda name: shares[name])
        return {
            "cond-accuracy": OfClasses(right.double().mean().item(), shares),
            "cond-accuracy-worst": OfClasses(shares[worst], {}, worst),
        }


@hookimpl
def register_metrics(register: Callable[[type[Metric]], None]) -> None:
    register(ConditionalAccuracy)
