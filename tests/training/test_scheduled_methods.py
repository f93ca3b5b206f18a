"""Published methods that change while they train, from a benchmark file to the trainer."""

from __future__ import annotations

import copy

import pytest
from helpers import methods
from helpers.tiny_trainer import data_of, same, weights

from ganbench import ImageSpec
from ganbench.config import benchmark_file, plan
from ganbench.config.yaml_document import Document
from ganbench.errors import ConfigError
from ganbench.models.parts import Parts
from ganbench.records.cells import Cell
from ganbench.registry import registry
from ganbench.registry.registry import Registry
from ganbench.testing import parametrize_with_checks
from ganbench.training.build import make_trainer
from ganbench.training.state import TrainerState
from ganbench.training.trainer import Trainer

TEXT = """\
version: 1
name: scheduled
dataset: {name: ring, train_size: 400, test_size: 50}
loss: bce
conditioning: none
architecture: {name: mlp, width: 8, depth: 1}
training: {batch_size: 20, budget: {kimg: 0.8}, log_every: 10}
"""
NOISE = "transforms: [{name: instance-noise, std: {from: 0.2, to: 0, until: {epochs: 1}}}]\n"


@parametrize_with_checks(
    *(cls for name in ("fade_in", "instance_noise") for cls in methods.plugins(name))
)
def test_method_conforms(check):
    check()


@pytest.fixture(scope="module")
def with_methods() -> Registry:
    return registry.load([str(methods.FILES[n]) for n in ("fade_in", "instance_noise")])


@pytest.fixture
def cell(with_methods):
    def cell(text: str) -> Cell:
        asked = benchmark_file.parse(Document.parse(text, "b.yaml"), with_methods)
        (found,) = plan.make(asked, with_methods, device="cpu").cells
        return found

    return cell


def trainer_of(cell: Cell, plugins: Registry) -> Trainer:
    parts = Parts.of(cell, plugins)
    data = data_of(400, parts.image) if parts.image.resolution > 1 else None
    return make_trainer(cell, parts, data or parts.dataset.load("train", None), 0, "cpu")


def test_noise_is_annealed_and_gone_after_an_epoch(cell, with_methods):
    noisy = cell(TEXT + NOISE)
    assert noisy.transforms[0].options == {"std": {"from": 0.2, "to": 0.0, "until": {"kimg": 0.4}}}
    trainer = trainer_of(noisy, with_methods)
    (transform,) = trainer.discriminator.transforms
    for i in range(trainer.iterations):
        trainer.iterate()
        assert transform.std == pytest.approx(max(0.2 * (1 - i / 20), 0))


def test_schedule_of_an_option_is_counted_as_what_it_says(cell):
    base, same = cell(TEXT + NOISE), cell(TEXT + NOISE.replace("{epochs: 1}", "{steps: 20}"))
    assert base.id == same.id != cell(TEXT + NOISE.replace("0.2", "0.3")).id
    number = TEXT + "transforms: [{name: instance-noise, std: STD}]\n"
    held, plain = (cell(number.replace("STD", s)) for s in ("{from: 0.2, to: 0.2}", "0.2"))
    assert held.id == plain.id


@pytest.mark.parametrize(
    ("std", "message"),
    [
        ("{from: 0.2, to: -1}", "transform 'instance-noise': std must not be negative, found -1"),
        (
            "{from: 0.2}",
            "transform 'instance-noise': std: a schedule needs a finite number as 'to'",
        ),
        ("{from: a, to: 1}", "std: a schedule needs a finite number as 'from'"),
        ("often", "transform 'instance-noise': std: expected a number, found 'often'"),
    ],
)
def test_schedule_that_the_option_cannot_have_is_refused(cell, std, message):
    text = f"transforms: [{{name: instance-noise, std: {std}}}]\n"
    with pytest.raises(ConfigError) as caught:
        cell(TEXT + text)
    assert str(caught.value).startswith("b.yaml:8:")
    assert message in str(caught.value)


def test_option_that_is_not_scheduled_takes_no_schedule(cell):
    text = TEXT.replace("loss: bce", "loss: {name: bce, flip: {from: 0.1, to: 0}}")
    with pytest.raises(ConfigError, match=r"loss 'bce': flip: expected a number, found \{"):
        cell(text)


def fading(trainer: Trainer) -> list[float]:
    nets = (trainer.generator, trainer.discriminator, trainer.judged_generator)
    return [float(net.backbone.progress) for net in nets]


def test_fade_in_is_told_the_progress_and_ends_at_one(cell, with_methods, monkeypatch):
    image = ImageSpec(1, 4, 8)
    dataset = with_methods.lookup("dataset", "ring").cls
    monkeypatch.setattr(dataset, "image_spec", lambda self: image)
    text = TEXT.replace("{name: mlp, width: 8, depth: 1}", "{name: fade-in, width: 4}")
    found = cell(text)
    whole, states = trainer_of(found, with_methods), {}
    count = whole.iterations
    for i in range(count):
        if i in (3, 20, 39):
            states[i] = copy.deepcopy(whole.state().plain())
        whole.iterate()
        told = 1.0 if i + 1 == count else i / count
        assert fading(whole) == pytest.approx([told] * 3)
    for i, state in states.items():
        later = trainer_of(found, with_methods)
        later.restore(TrainerState.from_plain(state))
        for _ in range(i, count):
            later.iterate()
        for a, b in zip(whole.stateful.networks, later.stateful.networks, strict=True):
            assert same(weights(a), weights(b))
        assert fading(later) == [1.0] * 3
