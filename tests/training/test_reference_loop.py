"""The trainer does the mathematics of the textbook's own loop, step by step."""

from __future__ import annotations

import pytest
import torch
from helpers import scripts
from helpers.tiny_trainer import CPU, SETTINGS

from ganbench import ImageSpec, LabeledImages
from ganbench.default_plugins.architectures.textbook.cdcgan import CDCGAN
from ganbench.default_plugins.conditionings import EmbedMul
from ganbench.default_plugins.losses import BCE, LSGAN, WGANGP
from ganbench.default_plugins.optimizers import Adam
from ganbench.models.networks import build
from ganbench.training.trainer import Trainer

BATCH = 8
LOSSES = {"bce": BCE(), "lsgan": LSGAN(), "wgan-gp": WGANGP()}
G_NAMES = {
    "embedding.weight": "conditioner.embedding.weight",
    "again.weight": "backbone.again.0.weight",
    "again.bias": "backbone.again.0.bias",
    "up4.weight": "backbone.to_image.0.weight",
    **{f"up{i}.weight": f"backbone.convs.{i - 1}.weight" for i in (1, 2, 3)},
    **{
        f"norm{i}.{part}": f"backbone.norms.{i - 1}.norm.{part}"
        for i in (1, 2, 3)
        for part in ("weight", "bias")
    },
}


MANY = pytest.param(False, 50, marks=pytest.mark.integration)


@pytest.mark.parametrize(("channels_last", "steps"), [(False, 5), (True, 5), MANY])
@pytest.mark.parametrize("kind", LOSSES)
def test_losses_of_the_first_steps_are_those_of_the_textbooks_loop(kind, channels_last, steps):
    """Each step from the same weights and Adam's averages: rounding alone would part two free runs
    within ten steps."""
    reference = scripts.script("perf", "reference_loop")
    reference.N_CRITIC["wgan-gp"] = 2
    critic_steps = reference.N_CRITIC[kind]
    draws = torch.Generator().manual_seed(1)
    batches = [
        (
            torch.rand(BATCH, 1, 28, 28, generator=draws) * 2 - 1,
            torch.randint(10, (BATCH,), generator=draws),
        )
        for _ in range(steps * critic_steps)
    ]
    noise = [torch.rand(BATCH, 128, generator=draws) * 2 - 1 for _ in range(len(batches) + steps)]
    norm = "layer" if critic_steps > 1 else "batch"
    torch.manual_seed(0)
    g, d = reference.Generator(), reference.Discriminator(norm)
    trainer = trainer_like(kind, norm, critic_steps, channels_last)
    feed(trainer, list(batches), list(noise))
    d_terms = recorded(trainer)
    left = list(noise)
    plain = reference.train(kind, g, d, iter(batches), steps, noise=lambda count: left.pop(0))
    for step in range(steps):
        copy_weights(g, d, trainer)
        if step:
            copy_averages(plain.gi_frame.f_locals, g, d, trainer)
        torch.manual_seed(step)  # dropout's masks, and where penalties are taken
        trainer.iterate()
        torch.manual_seed(step)
        d_loss, g_loss = next(plain)
        assert float(sum(d_terms[-1].values())) == pytest.approx(d_loss, rel=1e-4, abs=1e-4)
        g_terms = trainer.log.g_meter.read()
        assert sum(g_terms.values()) == pytest.approx(g_loss, rel=1e-4, abs=1e-4)


def pairs(g, d, trainer: Trainer) -> list[tuple[torch.nn.Parameter, torch.nn.Parameter]]:
    """Each parameter of the textbook's networks, and the same one of the trainer's."""
    there = dict(trainer.generator.named_parameters())
    found = [(value, there.pop(G_NAMES[name])) for name, value in g.named_parameters()]
    assert not there
    return [*found, *zip(d.parameters(), trainer.discriminator.parameters(), strict=True)]


def shaped(theirs: torch.Tensor, ours: torch.Tensor) -> torch.Tensor:
    """The weights of a last convolution are a row in the order of channels-last memory here."""
    last = ours.ndim == 2 and theirs.ndim == 4
    return (theirs.permute(0, 2, 3, 1) if last else theirs).reshape(ours.shape)


def copy_weights(g, d, trainer: Trainer) -> None:
    """Give the trainer's networks the weights of the textbook's."""
    with torch.no_grad():
        for theirs, ours in pairs(g, d, trainer):
            ours.copy_(shaped(theirs, ours))


def copy_averages(loop, g, d, trainer: Trainer) -> None:
    """Give the trainer's optimisers the state of the textbook's, local variables of its loop."""
    theirs = {**loop["g_adam"].state, **loop["d_adam"].state}
    ours = {**trainer.g_optimizer.torch.state, **trainer.d_optimizer.torch.state}
    for a, b in pairs(g, d, trainer):
        for name, value in theirs[a].items():
            ours[b][name].copy_(shaped(value, ours[b][name]))


def trainer_like(kind, norm, critic_steps, channels_last) -> Trainer:
    """A trainer of the textbook's networks with its schedule."""
    method = EmbedMul(spread=None)
    generator, discriminator = build(
        CDCGAN(), method, method, ImageSpec(1, 28, 10), g_norm="batch", d_norm=norm
    )
    schedule = dict(vars(SETTINGS)) | {
        "batch_size": BATCH,
        "n_critic": critic_steps,
        "g_lr": 3e-4,
        "d_lr": 2e-4,
        "betas": (0.9, 0.999),
        "channels_last": channels_last,
    }
    return Trainer(
        generator,
        discriminator,
        [LOSSES[kind]],
        LabeledImages(torch.zeros(BATCH, 1, 28, 28), None),
        CDCGAN().latents,
        type(SETTINGS)(**schedule),
        seed=0,
        device=CPU,
        optimizers=(Adam(), Adam()),
    )


def recorded(trainer: Trainer) -> list[dict[str, torch.Tensor]]:
    """What each step of the discriminator returns, from now on."""
    found: list[dict[str, torch.Tensor]] = []
    step = trainer.discriminator_step

    def discriminator_step(*batch):
        found.append(step(*batch))
        return found[-1]

    trainer.discriminator_step = discriminator_step
    return found


def feed(trainer: Trainer, batches: list, noise: list) -> None:
    """The same images, labels and latents, in the same order."""
    layout = torch.channels_last if trainer.settings.channels_last else torch.contiguous_format

    def next_batch():
        images, labels = batches.pop(0)
        return images.contiguous(memory_format=layout), labels

    trainer.batches.next = next_batch
    trainer.prior = lambda count, generator, device: noise.pop(0)
