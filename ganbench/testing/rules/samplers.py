"""What every sampler must do."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from ganbench.contracts.samplers import Prior, SamplingMethod
from ganbench.models.drawing import Trained
from ganbench.testing.fixtures.copies import copies
from ganbench.testing.fixtures.seeding import seeded
from ganbench.testing.fixtures.trained_models import (
    CLASSES,
    PICTURES,
    POINTS,
    labels_of,
    normal,
    trained,
    uniform,
)
from ganbench.testing.rulebook import Rulebook

COUNTS = (1, 5, 33)
rules = Rulebook()


def _can_draw(cls: type) -> bool:
    """Whether the kit has all that the sampler asks: networks of plugins' own it has not."""
    return not getattr(cls, "needs_own", False)


@rules.rule
def unsupported_priors_get_a_sentence(sampler: SamplingMethod) -> None:
    for prior in (normal, uniform):
        reason = sampler.unsupported(prior)
        assert reason is None or (isinstance(reason, str) and len(reason.split()) > 3), (
            f"unsupported() gives {reason!r}; give None, or say what keeps it from drawing"
        )


@rules.rule_where(_can_draw)
def images_are_as_many_as_asked(sampler: SamplingMethod) -> None:
    for image in (PICTURES, POINTS):
        model = trained(image, _prior(sampler))
        for count in COUNTS:
            labels = _labels(count) if image.num_classes else None
            images = model.draw(sampler, labels, count, _rng(count))
            assert not images.is_floating_point() or images.isfinite().all(), (
                "an image is not finite; do not divide by what may be 0"
            )


@rules.rule_where(_can_draw)
def labels_keep_their_order(sampler: SamplingMethod) -> None:
    labels = _labels(COUNTS[-1])
    images = trained(PICTURES, _prior(sampler)).draw(sampler, labels, len(labels), _rng(1))
    assert torch.equal(labels_of(images), labels), (
        "image i is not of labels[i]; give the generator the labels in the order of the images"
    )
    assert torch.equal(labels, _labels(COUNTS[-1])), (
        "it changes the labels it is given; work on a copy"
    )


@rules.rule_where(_can_draw)
def one_generator_gives_one_result(sampler: SamplingMethod) -> None:
    model = trained(PICTURES, _prior(sampler))
    once, again = (_drawn(copy.deepcopy(sampler), model, 1, others=seed) for seed in (1, 2))
    assert torch.equal(once, again), (
        "one state of `rng` gives two results; draw with generator=rng, not from torch's own "
        "generator, `random`, numpy or the clock"
    )
    other = _drawn(copy.deepcopy(sampler), model, 2, others=1)
    assert not torch.equal(once, other), (
        "another seed of `rng` gives the same images; draw from `rng`"
    )


@rules.rule_where(_can_draw)
def nothing_is_remembered(sampler: SamplingMethod) -> None:
    model = trained(PICTURES, _prior(sampler))
    before = _drawn(sampler, model, 1)
    _drawn(sampler, model, 2)
    assert torch.equal(before, _drawn(sampler, model, 1)), (
        "one seed gives other images after other draws; keep nothing from call to call"
    )


@rules.rule_where(_can_draw)
def model_stays_as_it_is(sampler: SamplingMethod) -> None:
    model = trained(PICTURES, _prior(sampler))
    networks = [network for network in (model.generator, model.discriminator) if network]
    before = [copy.deepcopy(network.state_dict()) for network in networks]
    _drawn(sampler, model, 1)
    for network, was in zip(networks, before, strict=True):
        now = network.state_dict()
        assert all(torch.equal(now[name], was[name]) for name in was), (
            "it changes a network's weights or buffers; the model is only to be asked"
        )


@rules.rule_where(_can_draw)
def survives_deepcopy_and_pickle(sampler: SamplingMethod) -> None:
    model = trained(PICTURES, _prior(sampler))
    expected = _drawn(sampler, model, 1)
    for how, twin in copies(sampler):
        assert torch.equal(expected, _drawn(twin, model, 1)), (
            f"after {how}, images differ; keep all that decides them in fields"
        )


def _prior(sampler: SamplingMethod) -> Prior:
    found = [prior for prior in (normal, uniform) if sampler.unsupported(prior) is None]
    assert found, "it supports no normal and no uniform prior; test it with options that do"
    return found[0]


def _labels(count: int) -> Tensor:
    return torch.arange(count) * 7 % CLASSES


def _rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _drawn(sampler: SamplingMethod, model: Trained, seed: int, *, others: int = 0) -> Tensor:
    """Images of a seed, where all generators but the one it is given have a seed of their own."""
    count = COUNTS[-1]
    with seeded(others, others=others), model.resting():
        return sampler.draw(model.shown(sampler), _labels(count), count, _rng(seed))
