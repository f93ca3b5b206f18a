"""Blocks, older keys and recipes say what each player's updates are, and ids count what is said."""

from __future__ import annotations

import dataclasses

import pytest
from helpers import methods

from ganbench.config import benchmark_file, plan
from ganbench.config.yaml_document import Document
from ganbench.errors import ConfigError
from ganbench.records.cells import Cell
from ganbench.records.schedules import Schedule
from ganbench.records.training_settings import HalfLife, OwnSettings
from ganbench.registry import registry
from ganbench.registry.discovery import PluginSource

TEXT = """\
version: 1
name: bench
dataset: ring
loss: bce
conditioning: none
architecture: {name: mlp, width: 8}
"""


@pytest.fixture
def cell(planned):
    """The cell whose training is as a text says."""

    def cell(training: str, loss: str = "bce") -> Cell:
        (found,) = planned(
            TEXT.replace("loss: bce", f"loss: {loss}") + f"training: {training}\n"
        ).cells
        return found

    return cell


@pytest.fixture
def refused(cell):
    """Why a training is refused."""

    def refused(training: str) -> str:
        with pytest.raises(ConfigError) as caught:
            cell(training)
        return str(caught.value)

    return refused


@pytest.mark.parametrize(
    ("blocks", "keys"),
    [
        ("{generator: {lr: 1e-3}, discriminator: {lr: 2e-3}}", "{g_lr: 1e-3, d_lr: 2e-3}"),
        ("{generator: {optimizer: sgd}, discriminator: {optimizer: sgd}}", "{optimizer: sgd}"),
        ("{optimizer: {name: sgd}}", "{optimizer: sgd}"),
        ("{optimizer: {name: adam, amsgrad: false}}", "{optimizer: adam}"),
        (
            "{generator: {betas: [0, 0.9]}, discriminator: {betas: [0, 0.9]}}",
            "{betas: [0, 0.9]}",
        ),
        ("{generator: {weight_decay: 0, eps: 1e-8}}", "{}"),
        ("{optimizer: adamw, discriminator: {weight_decay: 0.01}}", "{optimizer: adamw}"),
        ("{generator: {lr: {from: 1e-3, to: 1e-4}}}", "{g_lr: {from: 1e-3, to: 1e-4}}"),
        ("{generator: {}, n_gen: 1}", "{}"),
        (
            "{optimizer: adam, discriminator: {optimizer: sgd}}",
            "{optimizer: sgd, generator: {optimizer: adam}}",
        ),
    ],
)
def test_what_comes_to_the_same_has_one_id(cell, blocks, keys):
    assert cell(blocks).id == cell(keys).id


def test_what_differs_has_ids_of_its_own(cell):
    trainings = [
        "{}",
        "{generator: {weight_decay: 0.1}}",
        "{discriminator: {weight_decay: 0.1}}",
        "{generator: {weight_decay: {from: 0.1, to: 0}}}",
        "{optimizer: {name: adam, amsgrad: true}}",
        "{generator: {optimizer: {name: adam, amsgrad: true}}}",
        "{discriminator: {optimizer: {name: adam, amsgrad: true}}}",
        "{discriminator: {optimizer: sgd}}",
        "{generator: {optimizer: sgd}}",
        "{optimizer: sgd}",
        "{discriminator: {betas: [0, 0.9]}}",
        "{generator: {betas: [0, 0.9]}}",
        "{generator: {clip_grad_norm: 1}}",
        "{n_gen: 2}",
        "{ema: {half_life: 10}}",
        "{ema: {half_life: 10, ramp_up: 0.05}}",
        "{ema: {half_life: 10, start: {kimg: 1}}}",
    ]
    assert len({cell(training).id for training in trainings}) == len(trainings)


def test_blocks_leave_the_other_player_with_the_recipe(cell):
    found = cell("{generator: {optimizer: adam, betas: [0, 0.9]}}", loss="wgan-gp")
    schedule = found.schedule
    assert (schedule.optimizer, schedule.betas) == ("adam", (0.0, 0.9))
    assert schedule.discriminator == OwnSettings()
    other = cell("{discriminator: {optimizer: rmsprop, eps: 1e-6, momentum: 0.5}}").schedule
    assert other.optimizer == "adam"
    assert other.discriminator == OwnSettings(optimizer="rmsprop", eps=1e-6, momentum=0.5)


def test_amounts_and_schedules_are_resolved(cell):
    found = cell(
        "{batch_size: 10, n_gen: 2, n_critic: 4, budget: {kimg: 10}, "
        "ema: {half_life: 5, start: {steps: 100}}, "
        "generator: {weight_decay: {from: 0, to: 1, until: {steps: 50}}}}"
    ).schedule
    assert found.ema == HalfLife(half_life=5, start=2.0)  # 50 iterations of 40 images
    assert found.generator.weight_decay == Schedule.of({"from": 0, "to": 1, "until": {"kimg": 1.0}})
    share = cell("{budget: {kimg: 10}, ema: {half_life: 5, start: 0.5}}").schedule
    assert share.ema == HalfLife(half_life=5, start=5.0)


@pytest.mark.parametrize(
    ("training", "why"),
    [
        ("{g_lr: 1, generator: {lr: 1}}", "training.g_lr and training.generator.lr are the same"),
        ("{generator: {momentum: 0.5}}", "optimizer 'adam' of the generator has no momentum; it"),
        (
            "{optimizer: sgd, discriminator: {betas: [0, 0.9]}}",
            "optimizer 'sgd' of the discriminator has no betas; it goes by",
        ),
        (
            "{generator: {optimizer: {name: sgd, nesterov: true}}}",
            "optimizer 'sgd' of the generator cannot be made: ValueError: Nesterov momentum",
        ),
        ("{updates: simultaneous, n_gen: 2}", "n_gen of loss 'bce' is 2 here; add n_gen: 1"),
        ("{optimizer: adamm}", "unknown optimizer 'adamm'; did you mean 'adam'?"),
        ("{generator: {optimizer: {name: adam, alpha: 1}}}", "has no option 'alpha'"),
        ("{generator: {weight_decay: -1}}", "training.generator.weight_decay"),
        ("{discriminator: {clip_grad_norm: 0}}", "training.discriminator.clip_grad_norm"),
        ("{generator: {rate: 1}}", "unknown key 'rate'"),
        ("{ema: {half_life: 0}}", "ema.half_life"),
        ("{ema: {ramp_up: 1}}", "'training.ema.half_life' is missing"),
        ("{ema: {half_life: 1, start: 3}}", "expected a share of the budget from 0 to 1"),
        ("{ema: 1.5}", "training.ema"),
        ("{n_gen: 0}", "training.n_gen"),
    ],
)
def test_what_cannot_be_meant_is_refused(refused, training, why):
    assert why in refused(training)


def test_optimizers_of_plugins_are_part_of_the_cell():
    mine = registry.Registry()
    mine.add_built_ins()
    source = PluginSource("extra", "ganbench-extra", "1.2")
    mine.add(methods.module("extra_adam"), source)

    def planned(training: str) -> Cell:
        document = Document.parse(f"{TEXT}training: {training}\n", "b.yaml")
        (cell,) = plan.make(benchmark_file.parse(document, mine), mine, device="cpu").cells
        return cell

    with pytest.raises(ConfigError, match=r"add training\.updates: simultaneous"):
        planned("{optimizer: extra-adam}")
    found = planned("{updates: simultaneous, discriminator: {optimizer: extra-adam}}")
    assert found.g_optimizer is None
    assert found.d_optimizer.source.startswith("ganbench-extra 1.2")
    assert found.d_optimizer in found.specs()
    assert found.schedule.extrapolates
    assert found.schedule.images_per_iteration == 2 * found.schedule.batch_size
    newer = dataclasses.replace(found.d_optimizer, source="ganbench-extra 1.3", counted_as="")
    assert dataclasses.replace(found, d_optimizer=newer).id != found.id


def test_budgets_in_steps_count_those_of_g(cell):
    found = cell("{batch_size: 10, n_gen: 2, n_critic: 4, budget: {steps: 100}}").schedule
    assert found.kimg == 2.0  # 50 iterations of 40 images
