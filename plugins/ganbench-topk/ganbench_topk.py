"""Top-k training of the generator for ganbench."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ganbench import Loss, Regularizer, Scheduled, Step, hookimpl, logit_per_image


@dataclass(kw_only=True)
class TopK(Regularizer):
    """Let G learn from the share of its images that D takes most for real (Sinha et al., 2020)."""

    name = "top-k"
    whole_batch = True
    breaks_pairs = True
    share: Scheduled = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"share must be above 0 and at most 1, found {self.share}")

    def edit_generator_step(self, step: Step) -> Step:
        logits = logit_per_image(step.fake.logits)
        best = logits.topk(max(1, round(self.share * len(logits)))).indices
        return replace(step, fake=step.fake.kept(best), latents=step.latents[best])


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    register(TopK)
