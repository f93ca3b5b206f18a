"""A trainer of tiny networks on images whose labels can be read off them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from ganbench import ImageSpec, LabeledImages, Step, Terms
from ganbench.default_plugins.conditionings import Concat
from ganbench.default_plugins.losses import BCE, WGANGP
from ganbench.default_plugins.optimizers import SGD, Adam, AdamW, RMSprop
from ganbench.models.networks import build
from ganbench.records.training_settings import TrainingSettings
from ganbench.testing.fixtures.networks import TinyConv
from ganbench.training.trainer import Trainer

BUILT_IN = {plugin.name: plugin() for plugin in (Adam, AdamW, RMSprop, SGD)}
CPU = torch.device("cpu")
IMAGE = ImageSpec(1, 4, 3)
SETTINGS = TrainingSettings(
    updates="alternating",
    batch_size=8,
    kimg=0.08,
    n_critic=1,
    optimizer="adam",
    g_lr=2e-3,
    d_lr=2e-3,
    betas=(0.5, 0.999),
    ema=0.0,
    precision="float32",
    channels_last=False,
    log_every=4,
)


def data_of(count: int = 48, image: ImageSpec = IMAGE) -> LabeledImages:
    """Images whose every pixel is ten times their label, so that pairs can be told apart."""
    labels = torch.arange(count) % image.num_classes
    pixels = (10 * labels).to(torch.uint8)[:, None, None, None]
    return LabeledImages(
        pixels.expand(-1, image.channels, image.resolution, image.resolution).contiguous(), labels
    )


def trainer_of(
    *losses,
    seed=0,
    conditioning=None,
    data=None,
    on_window=None,
    g_norm="layer",
    d_norm="layer",
    transforms=(),
    owned=None,
    scheduled=(),
    optimizers=None,
    image=IMAGE,
    device=CPU,
    **how,
):
    """`optimizers`: G's and D's, or else the built-in one that the settings name."""
    torch.manual_seed(seed)
    method = conditioning or Concat()
    generator, discriminator = build(
        TinyConv(), method, method, image, g_norm=g_norm, d_norm=d_norm, transforms=transforms
    )
    settings = replace(SETTINGS, **how)
    return Trainer(
        generator,
        discriminator,
        losses or (BCE(),),
        data or data_of(),
        TinyConv().latents,
        settings=settings,
        seed=seed,
        device=device,
        on_window=on_window or (lambda window: None),
        owned=owned,
        scheduled=scheduled,
        optimizers=optimizers or (BUILT_IN[settings.optimizer],) * 2,
    )


def weights(module: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in module.parameters()]


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@dataclass(kw_only=True)
class Spy(WGANGP):
    """WGAN-GP that keeps the labels of everything it saw."""

    name = "spy"
    seen: list[tuple[str, Step]] = field(default_factory=list)
    scored: list[Tensor | None] = field(default_factory=list)

    def discriminator_loss(self, step: Step) -> Terms:
        self.seen.append(("discriminator", step))

        def score(images, labels, *, track_inputs=False):
            self.scored.append(labels)
            return step.score(images, labels, track_inputs=track_inputs)

        return super().discriminator_loss(replace(step, score=score))

    def generator_loss(self, step: Step) -> Terms:
        self.seen.append(("generator", step))
        return super().generator_loss(step)
