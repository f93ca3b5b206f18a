"""What is advised can be done to what was trained, and all that textbooks advise is there."""

from __future__ import annotations

from dataclasses import replace

import pytest
from helpers import methods
from helpers.tiny_trainer import SETTINGS

from ganbench.default_plugins.architectures.dcgan import DCGAN
from ganbench.default_plugins.architectures.mlp import MLP
from ganbench.default_plugins.architectures.resnet import ResNet
from ganbench.default_plugins.architectures.textbook.bricks import BricksDCGAN
from ganbench.default_plugins.architectures.textbook.cdcgan import CDCGAN
from ganbench.default_plugins.architectures.textbook.faces import FacesWGAN
from ganbench.default_plugins.architectures.unrolled import UnrolledDCGAN
from ganbench.default_plugins.constraints import GradientPenalty, WeightClipping
from ganbench.default_plugins.losses import BCE, LSGAN, WGAN, WGANGP
from ganbench.default_plugins.optimizers import SGD, Adam, AdamW
from ganbench.records.training_settings import OwnSettings
from ganbench.training.diagnosis import Setup
from ganbench.training.diagnosis import remedies as known

FEATURES = methods.package("feature-matching").FeatureMatching


def setup_of(*losses, architecture=None, optimizer=None, **how) -> Setup:
    facts = {"num_images": 60_000, "d_norm": "batch", "labelled": True}
    facts |= {name: how.pop(name) for name in facts if name in how}
    return Setup(
        losses=losses or (BCE(),),
        architecture=architecture or DCGAN(),
        transforms=(),
        d_optimizer=optimizer or Adam(),
        settings=replace(SETTINGS, **how),
        **facts,
    )


def advised(trouble, setup: Setup) -> str:
    return "; ".join(known.applying(trouble, setup))


STRONG_D = known.STRONG_DISCRIMINATOR
DECAYING = {"discriminator": OwnSettings(weight_decay=0.01)}


@pytest.mark.parametrize(
    ("words", "setup", "other"),
    [
        ("target_noise: 0.1", setup_of(), setup_of(WGANGP())),
        ("target_noise: 0.1", setup_of(), setup_of(BCE(target_noise=0.1))),
        ("target_noise: 0.1", setup_of(), setup_of(LSGAN())),
        ("flip: 0.05", setup_of(), setup_of(WGAN(), GradientPenalty())),
        ("real_target: 0.9", setup_of(), setup_of(BCE(real_target=0.9))),
        ("real_target: 0.9", setup_of(LSGAN()), setup_of(WGANGP())),
        ("architecture.dropout", setup_of(), setup_of(architecture=MLP())),
        ("architecture.dropout", setup_of(), setup_of(architecture=DCGAN(dropout=0.5))),
        ("weight_decay: 1e-4", setup_of(), setup_of(optimizer=AdamW())),
        ("weight_decay: 1e-4", setup_of(), setup_of(WGAN(), WeightClipping())),
        ("weight_decay: 1e-4", setup_of(), setup_of(**DECAYING)),
        ("smaller architecture.width,", setup_of(), setup_of(architecture=MLP())),
        ("smaller architecture.width", setup_of(architecture=MLP()),
         setup_of(architecture=UnrolledDCGAN())),
        ("smaller architecture.widths", setup_of(architecture=BricksDCGAN()), setup_of()),
        ("lsgan, or wgan-gp", setup_of(), setup_of(LSGAN())),
        ("wgan-gp", setup_of(LSGAN()), setup_of(WGANGP())),
        ("training.n_critic: 1", setup_of(n_critic=3), setup_of()),
        ("diffaugment", setup_of(num_images=400), setup_of()),
    ],
)  # fmt: skip
def test_of_a_strong_d_each_remedy_is_advised_where_it_can_be_done(words, setup, other):
    assert words in advised(STRONG_D, setup)
    assert words not in advised(STRONG_D, other)


@pytest.mark.parametrize(
    ("trouble", "words", "setup", "other"),
    [
        (known.STRONG_GENERATOR, "training.batch_size", setup_of(), None),
        (known.COLLAPSE, "training.batch_size", setup_of(), None),
        (known.DIVERGENCE, "training.batch_size", setup_of(), None),
        (known.DIVERGENCE, "or wgan-gp", setup_of(), setup_of(WGANGP())),
        (known.DIVERGENCE, "or wgan-gp", setup_of(), setup_of(d_norm="spectral")),
        (known.DIVERGENCE, "larger gp_weight", setup_of(WGANGP()), setup_of()),
        (known.DIVERGENCE, "float32", setup_of(precision="bfloat16"), setup_of()),
        (known.DIVERGENCE, "betas", setup_of(betas=(0.9, 0.999)), setup_of()),
        (known.DIVERGENCE, "betas", setup_of(betas=(0.9, 0.999)),
         setup_of(optimizer=SGD(), betas=(0.9, 0.999))),
        (known.COLLAPSE, "wgan-gp", setup_of(), setup_of(WGANGP())),
        (known.COLLAPSE, "feature-matching", setup_of(), setup_of(BCE(), FEATURES())),
        (known.STRONG_GENERATOR, "less dropout", setup_of(architecture=FacesWGAN()), setup_of()),
        (known.STRONG_GENERATOR, "less weight decay", setup_of(**DECAYING), setup_of()),
        (known.STRONG_GENERATOR, "not softened", setup_of(BCE(flip=0.1)), setup_of()),
        (known.WEAK_DISCRIMINATOR, "positive gp_weight", setup_of(WGANGP()), setup_of()),
        (known.WEAK_DISCRIMINATOR, "wider clip", setup_of(WGAN(), WeightClipping()), setup_of()),
        (known.WEAK_DISCRIMINATOR, "n_critic: 5", setup_of(), setup_of(n_critic=5)),
        (known.WEAK_DISCRIMINATOR, "n_critic: 5", setup_of(), setup_of(updates="simultaneous")),
        (known.WEAK_DISCRIMINATOR, "labels belong", setup_of(), setup_of(labelled=False)),
        (known.CHECKERBOARD, "upsampling: nearest", setup_of(),
         setup_of(architecture=DCGAN(upsampling="nearest"))),
        (known.CHECKERBOARD, "multiples", setup_of(architecture=BricksDCGAN(g_kernel=3)),
         setup_of(architecture=BricksDCGAN())),
        (known.CHECKERBOARD, "multiples", setup_of(architecture=CDCGAN()),
         setup_of(architecture=CDCGAN(g_kernels=(4, 4, 4, 4)))),
        (known.CHECKERBOARD, "resnet", setup_of(architecture=CDCGAN()),
         setup_of(architecture=ResNet())),
    ],
)  # fmt: skip
def test_of_any_trouble_each_remedy_is_advised_where_it_can_be_done(trouble, words, setup, other):
    assert words in advised(trouble, setup)
    assert other is None or words not in advised(trouble, other)


@pytest.mark.parametrize(
    "losses", [(WGANGP(),), (WGAN(), GradientPenalty()), (WGAN(), WeightClipping())]
)
def test_no_critic_is_told_of_targets_or_of_itself(losses):
    for trouble in vars(known).values():
        if isinstance(trouble, tuple):
            text = advised(trouble, setup_of(*losses))
            for word in ("target_noise", "real_target", "flip", "wgan-gp"):
                assert word not in text, text


def test_where_nothing_is_known_of_the_training_all_is_said():
    assert len(known.applying(STRONG_D, None)) == len(STRONG_D)
