"""Mixtures of labels: both ends are plain labels, and what lies between is what is looked up."""

from __future__ import annotations

import pytest
import torch
from helpers import toys
from torch import Tensor, nn

from ganbench import Conditioning, ContractError, ImageSpec
from ganbench.default_plugins import conditionings as built_in
from ganbench.default_plugins.architectures import DCGAN
from ganbench.models import networks
from ganbench.models.label_mixing import mixed_labels
from ganbench.models.latents import draw
from ganbench.models.sampling import generate
from ganbench.registry import registry

CPU = torch.device("cpu")
ARCHITECTURE = DCGAN(width=4, latent_dim=6, init_std=None)
BUILT_INS = (
    built_in.Concat,
    built_in.EmbedMul,
    built_in.EmbedConcat,
    built_in.ImageMul,
    built_in.ConditionalBatchNorm,
    built_in.Projection,
)


@pytest.fixture(scope="module")
def scattered(tmp_path_factory):
    plugin = toys.write_plugin(tmp_path_factory.mktemp("plugin"))
    return registry.load([str(plugin)]).lookup("conditioning", "scattered").cls


def generator_of(method: Conditioning) -> networks.ConditionalGenerator:
    torch.manual_seed(0)
    image = ImageSpec(1, 28, 3)
    return networks.build(ARCHITECTURE, method, method, image, g_norm="batch", d_norm="none")[0]


def images(generator: nn.Module, weights: dict[int, float]) -> Tensor:
    with mixed_labels(weights, 4) as labels:
        return generate(generator, draw(ARCHITECTURE, 4, 0), labels, CPU)


@pytest.mark.parametrize("method", BUILT_INS, ids=lambda cls: cls.name)
def test_ends_are_the_plain_labels(method):
    generator = generator_of(method())
    for label in range(3):
        plain = generate(generator, draw(ARCHITECTURE, 4, 0), torch.full((4,), label), CPU)
        assert torch.equal(images(generator, {label: 1.0}), plain)
        assert torch.equal(images(generator, {0: 0.0, label: 1.0} | {label: 1.0}), plain)
        tiny = {(label + 1) % 3: 1e-30, label: 1.0}  # goes the way of mixtures
        assert torch.equal(images(generator, tiny), plain)


@pytest.mark.parametrize("method", BUILT_INS, ids=lambda cls: cls.name)
def test_what_lies_between_differs_from_both_and_moves_steadily(method):
    generator = generator_of(method())
    found = [images(generator, {0: 1 - w, 2: w}) for w in (0.0, 0.01, 0.5, 1.0)]
    near, far = ((found[i] - found[0]).abs().mean() for i in (1, 2))
    assert 0 < near < far
    assert not torch.equal(found[2], found[3])


def test_embeddings_are_mixed_by_weight():
    generator = generator_of(built_in.EmbedConcat())
    table = generator.conditioner.embedding.weight
    z = draw(ARCHITECTURE, 4, 0)
    with mixed_labels({0: 0.25, 2: 0.75}, 4) as labels:
        latent = generator.conditioner.latent(z, labels)
    assert type(latent) is Tensor
    torch.testing.assert_close(latent[:, 6:], (0.25 * table[0] + 0.75 * table[2]).expand(4, -1))
    assert torch.equal(latent[:, :6], z)


def test_weights_may_be_negative():
    generator = generator_of(built_in.Concat())
    with mixed_labels({0: 1.0, 1: -1.0, 2: 1.0}, 2) as labels:
        latent = generator.conditioner.latent(torch.zeros(2, 6), labels)
    assert latent[:, 6:].tolist() == [[1, -1, 1]] * 2


@pytest.mark.parametrize("way", ["rows", "one_hot", "scatter", "assign", "compare"])
def test_the_ways_in_which_people_write_one_hot_are_mixed(scattered, way):
    conditioner = generator_of(scattered(way=way)).conditioner
    with mixed_labels({1: 0.25, 2: 0.75}, 2) as labels:
        latent = conditioner.latent(torch.zeros(2, 6), labels)
    assert latent[:, 6:].tolist() == [[0, 0.25, 0.75]] * 2


def test_values_of_single_labels_cannot_be_mixed(scattered):
    with pytest.raises(ContractError, match="works on its labels with 'item'"):
        images(generator_of(scattered(way="item")), {0: 0.5, 1: 0.5})


def test_a_generator_that_ignores_labels_is_said_to(scattered):
    with pytest.raises(ContractError, match="nothing was looked up"):
        images(generator_of(scattered(way="ignore")), {0: 0.5, 1: 0.5})


def test_shapes_and_devices_of_mixtures_are_those_of_labels():
    with mixed_labels({0: 0.5, 1: 0.5}, 3) as labels:
        assert labels.shape == (3,)
        assert labels.dtype == torch.int64
        assert labels.device == CPU
        assert len(labels[1:].to(CPU)) == 2
        first, *_ = labels.split(2)
        assert torch.eye(2)[first].tolist() == [[0.5, 0.5]] * 2


def test_other_tensors_are_left_alone():
    with mixed_labels({0: 0.5, 1: 0.5}, 3) as labels:
        assert (torch.arange(3).float() * 2).tolist() == [0, 2, 4]
        torch.eye(2)[labels]
