"""One batch of real images for all of an iteration's steps of D."""

from __future__ import annotations

import pytest
import torch
from helpers.tiny_trainer import trainer_of


def batches_seen(trainer) -> list[torch.Tensor]:
    """The real images of each step of D in three iterations."""
    seen = []
    step = trainer.discriminator_step

    def watched(images, labels):
        seen.append(images.clone())
        return step(images, labels)

    trainer.discriminator_step = watched
    for _ in range(3):
        trainer.iterate()
    return seen


def test_shared_all_steps_of_an_iteration_see_the_batch_that_the_first_one_saw():
    shared = batches_seen(trainer_of(n_critic=3, critic_batches="shared"))
    own = batches_seen(trainer_of(n_critic=3))
    for at in (0, 3, 6):
        assert torch.equal(shared[at], shared[at + 1])
        assert torch.equal(shared[at], shared[at + 2])
        assert not torch.equal(own[at], own[at + 1])
    assert [shared[0].tolist(), shared[3].tolist(), shared[6].tolist()] == [
        own[0].tolist(), own[1].tolist(), own[2].tolist()
    ]  # the same order of the data  # fmt: skip


def test_shared_images_count_once():
    """40 images in batches of 8 are five iterations, of three steps of D each."""
    progress = trainer_of(n_critic=3, kimg=0.04, critic_batches="shared").run().progress
    assert (progress.images, progress.iteration) == (40, 5)
    assert (progress.g_updates, progress.d_updates) == (5, 15)


@pytest.mark.parametrize("critic_batches", ["own", "shared"])
def test_with_one_step_of_d_there_is_nothing_to_share(critic_batches):
    found = trainer_of(n_critic=1, kimg=0.08, critic_batches=critic_batches).run()
    assert found.progress.images == 80
    assert found.windows[-1].d_terms == trainer_of(kimg=0.08).run().windows[-1].d_terms


def test_epochs_are_counted_by_what_is_taken_of_the_data():
    windows = trainer_of(n_critic=5, kimg=0.096, critic_batches="shared").run().windows
    assert windows[-1].epoch == 2  # of six batches


def test_steps_of_one_batch_have_fakes_of_their_own():
    trainer = trainer_of(n_critic=2, critic_batches="shared")
    drawn, prior = [], trainer.prior
    trainer.prior = lambda *given: drawn.append(prior(*given)) or drawn[-1]
    trainer.iterate()
    assert not torch.equal(drawn[0], drawn[1])
