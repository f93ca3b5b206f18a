"""Every built-in obeys the rules of its kind. That the rules catch what they are there for is shown
in test_mutants_*.py, and how the kit behaves in test_kit.py."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from helpers import mutants
from PIL import Image

from ganbench.default_plugins import (
    architectures,
    conditionings,
    constraints,
    executors,
    losses,
    reporters,
)
from ganbench.default_plugins.architectures import DCGAN, MLP, ResNet
from ganbench.default_plugins.conditionings import (
    Concat,
    ConditionalBatchNorm,
    EmbedConcat,
    EmbedMul,
    ImageMul,
    Projection,
    Unconditional,
)
from ganbench.default_plugins.constraints import GradientPenalty, WeightClipping
from ganbench.default_plugins.datasets import mixtures, mnist
from ganbench.default_plugins.datasets.image_folder import ImageFolder
from ganbench.default_plugins.executors import Inline, Local
from ganbench.default_plugins.features import builtin as features
from ganbench.default_plugins.losses import BCE, LSGAN, WGAN, WGANGP
from ganbench.default_plugins.metrics import conditional, coverage, frechet, numerics
from ganbench.default_plugins.metrics.speed import Throughput, TimeTo
from ganbench.registry.kinds import KINDS
from ganbench.testing import parametrize_with_checks
from ganbench.testing.fixtures.networks import TinyConv


@parametrize_with_checks(BCE, LSGAN, WGAN, WGANGP, GradientPenalty, WeightClipping)
def test_loss_conforms(check):
    check()


@parametrize_with_checks(
    BCE(saturating=True),
    BCE(real_target=0.9),
    BCE(flip=0.3),
    BCE(target_noise=0.1),
    WGANGP(gp_weight=0.1),
    GradientPenalty(at="real", target=0.0, weight=5.0),
    GradientPenalty(at="fake", target=5.0, one_sided=True),
    GradientPenalty(at="dragan", noise="symmetric"),
    GradientPenalty(norm="linf", reduce="max", alpha="normal"),
)
def test_loss_with_options_conforms(check):
    check()


CONDITIONINGS = (
    Unconditional,
    Concat,
    EmbedMul,
    EmbedConcat,
    ImageMul,
    ConditionalBatchNorm,
    Projection,
)


@parametrize_with_checks(*CONDITIONINGS)
def test_conditioning_conforms(check):
    check()


@parametrize_with_checks(
    MLP,
    TinyConv,
    DCGAN(width=4, max_width=32),
    DCGAN(width=4, max_width=32, upsampling="nearest", g_width=8, dropout=0.2),
    ResNet(width=8),
)
def test_architecture_conforms(check):
    check()


def registered(hook: str, *modules: ModuleType) -> list[type]:
    """What these modules would register."""
    found: list[type] = []
    for module in modules:
        getattr(module, hook)(found.append)
    return found


@parametrize_with_checks(
    *registered(
        "register_metrics",
        conditional,
        coverage,
        frechet,
        numerics,
    ),
    Throughput(),
    TimeTo(targets={"modes": 8, "fid@pixels": 0.5}),
)
def test_metric_conforms(check):
    check()


@parametrize_with_checks(*registered("register_datasets", mixtures, mnist))
def test_data_set_conforms(check):
    check()


@pytest.mark.parametrize("folders", [("",), ("cats", "dogs")], ids=["unlabelled", "labelled"])
def test_folder_of_pictures_conforms(tmp_path: Path, folders) -> None:
    for i, folder in enumerate(folders):
        (tmp_path / folder).mkdir(exist_ok=True)
        for value in (0, 90, 255):
            Image.new("RGB", (9, 8), (value, 50 * i, 0)).save(tmp_path / folder / f"{value}.png")
    assert mutants.failures(ImageFolder(path=str(tmp_path), resolution=8)) == {}


def test_folder_that_is_not_there_conforms(tmp_path: Path) -> None:
    assert mutants.failures(ImageFolder(path=str(tmp_path / "absent"))) == {}


@parametrize_with_checks(*registered("register_feature_extractors", features))
def test_feature_extractor_conforms(check):
    check()


@parametrize_with_checks(*registered("register_reporters", reporters))
def test_reporter_conforms(check):
    check()


@parametrize_with_checks(Local)
def test_executor_conforms(check):
    check()


@parametrize_with_checks(Inline)
def test_executor_in_this_process_conforms(check):
    check()


def test_every_built_in_is_checked():
    assert registered("register_losses", losses) == [BCE, LSGAN, WGAN, WGANGP]
    assert registered("register_losses", constraints) == [GradientPenalty, WeightClipping]
    assert set(registered("register_conditionings", conditionings)) == set(CONDITIONINGS)
    assert set(registered("register_architectures", architectures)) == {MLP, DCGAN, ResNet}
    assert set(registered("register_executors", executors)) == {Local, Inline}


def test_every_kind_has_checks():
    for kind in KINDS.values():
        assert import_module(kind.rules).rules(kind.contract_class())
