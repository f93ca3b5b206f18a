"""Top-k against what it keeps, worked out by hand, and the conformance kit."""

from __future__ import annotations

import pytest
import torch
from ganbench_topk import TopK

from ganbench import DiscriminatorOutput, Scored, Step
from ganbench.testing import parametrize_with_checks


@parametrize_with_checks(TopK)
def test_conformance(check):
    check()


LOGITS = [0.3, -2.0, 1.5, 0.2, -0.1, 1.4]


def step_of(logits: list[float]) -> tuple[Step, torch.Tensor]:
    leaf = torch.tensor(logits, requires_grad=True)

    def judge(images, labels):
        return DiscriminatorOutput(leaf, leaf[:, None])

    count = len(logits)
    images = torch.arange(float(count)).view(-1, 1, 1, 1)
    scored = Scored(images, torch.arange(count), judge)
    latents = torch.arange(2.0 * count).view(-1, 2)
    return Step(scored, scored, latents, 0, lambda *a, **k: None, lambda z, y: z), leaf


@pytest.mark.parametrize(
    ("share", "kept"),
    [(1.0, [2, 5, 0, 3, 4, 1]), (0.5, [2, 5, 0]), (0.34, [2, 5]), (0.01, [2])],
)
def test_the_best_stay_with_labels_and_latents(share, kept):
    step, leaf = step_of(LOGITS)
    edited = TopK(share=share).edit_generator_step(step)
    assert edited.fake.labels.tolist() == kept
    assert edited.fake.images.flatten().tolist() == kept
    assert edited.latents.tolist() == [[2.0 * i, 2.0 * i + 1] for i in kept]
    assert edited.fake.logits.tolist() == pytest.approx([LOGITS[i] for i in kept])
    (slope,) = torch.autograd.grad(edited.fake.logits.mean(), leaf)
    expected = [1 / len(kept) if i in kept else 0.0 for i in range(6)]
    assert slope.tolist() == pytest.approx(expected)


def test_of_several_logits_their_mean_decides():
    logits = torch.tensor([[3.0, -3.0], [1.0, 1.0], [0.5, 0.0]])
    scored = Scored(torch.zeros(3, 1, 1, 1), None, lambda x, y: DiscriminatorOutput(logits, logits))
    step = Step(scored, scored, torch.eye(3), 0, lambda *a, **k: None, lambda z, y: z)
    assert TopK(share=0.3).edit_generator_step(step).latents.tolist() == [[0.0, 1.0, 0.0]]


def test_the_step_of_d_is_left_alone():
    step, _ = step_of(LOGITS)
    assert TopK().edit_discriminator_step(step) is step


def test_share_is_set_anew_as_it_falls():
    loss = TopK(share=1.0)
    step, _ = step_of(LOGITS)
    loss.share = 0.5
    assert len(loss.edit_generator_step(step).latents) == 3


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5])
def test_share_of_nothing_or_more_than_all_is_refused(share):
    with pytest.raises(ValueError, match=f"share must be above 0 and at most 1, found {share}"):
        TopK(share=share)
