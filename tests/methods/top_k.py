"""Top-k training (Sinha et al., 2020, arXiv 2002.06224), as a plugin."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ganbench import Regularizer, Step, hookimpl, logit_per_image


@dataclass(kw_only=True)
class TopK(Regularizer):
    """Let G learn from the share of its images that D takes most for real."""

    name = "top-k"
    whole_batch = True
    breaks_pairs = True
    share: float = 0.5

    def edit_generator_step(self, step: Step) -> Step:
        logits = logit_per_image(step.fake.logits)
        best = logits.topk(max(1, round(self.share * len(logits)))).indices
        return replace(step, fake=step.fake.kept(best), latents=step.latents[best])


@hookimpl
def register_losses(register):
    register(TopK)
