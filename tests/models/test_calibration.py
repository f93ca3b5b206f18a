"""What a generator keeps beside its weights is that of the weights it is judged with."""

from __future__ import annotations

import pytest
import torch
from helpers.tiny_trainer import trainer_of
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from ganbench import ImageSpec
from ganbench.contracts.conditionings import GeneratorConditioner
from ganbench.models.calibration import copied, copy_buffers, not_renewed, settle_spectral_norms
from ganbench.models.networks import ConditionalGenerator
from ganbench.models.sampling import generate, recalibrate
from ganbench.testing.fixtures.networks import TinyConv

CPU = torch.device("cpu")
COUNT = 1024


class Own(nn.BatchNorm2d):
    """A subclass that hands its momentum on, which may not be None then."""

    def forward(self, h):
        return F.batch_norm(
            h, self.running_mean, self.running_var, None, None, self.training, self.momentum
        )


class Scaled(nn.Module):
    def forward(self, h):
        return 5 * h + 1


class Stranger(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("stored_mean", torch.zeros(2))
        self.register_buffer("stored_var", torch.ones(2))


class Backbone(nn.Module):
    def __init__(self, *layers: nn.Module, shape=(2, 4, 4)) -> None:
        super().__init__()
        self.shape, self.layers = shape, nn.Sequential(*layers)

    def forward(self, z, condition):
        return self.layers(z.view(-1, *self.shape))


def generator_of(*layers: nn.Module, **shape) -> ConditionalGenerator:
    return ConditionalGenerator(
        GeneratorConditioner(32), Backbone(*layers, **shape), ImageSpec(2, 4)
    )


def latents() -> torch.Tensor:
    return 3 * torch.randn(COUNT, 32, generator=torch.Generator().manual_seed(0)) + 2


@pytest.mark.parametrize(
    "norm",
    [
        nn.BatchNorm2d(2),
        nn.BatchNorm2d(2, momentum=None),
        nn.BatchNorm2d(2, affine=False),
        nn.SyncBatchNorm(2),
        nn.InstanceNorm2d(2, track_running_stats=True),
        Own(2),
    ],
    ids=repr,
)
def test_every_kind_of_norm_gets_the_statistics_of_these_latents(norm):
    momentum = norm.momentum
    norm.running_mean.fill_(50.0)
    norm.running_var.fill_(50.0)
    generator = generator_of(norm)
    recalibrate(generator, latents(), None, CPU)
    values = latents().view(COUNT, 2, -1)
    instance = isinstance(norm, nn.InstanceNorm2d)
    variance = values.var(-1).mean(0) if instance else values.transpose(0, 1).flatten(1).var(1)
    torch.testing.assert_close(norm.running_mean, values.mean((0, 2)), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(norm.running_var, variance, atol=0.05, rtol=1e-2)
    assert norm.momentum == momentum
    assert not norm.training
    images = generate(generator, latents(), None, CPU)
    assert images.mean().item() == pytest.approx(0, abs=0.01)
    assert images.std().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("shape", [(32,), (2, 4, 2, 2)], ids=["1d", "3d"])
def test_batch_norm_of_other_ranks(shape):
    norm = nn.BatchNorm1d(32) if len(shape) == 1 else nn.BatchNorm3d(2)
    recalibrate(generator_of(norm, shape=shape), latents(), None, CPU)
    assert norm.running_mean.mean().item() == pytest.approx(2, abs=0.05)
    assert norm.running_var.mean().item() == pytest.approx(9, abs=0.5)


@pytest.mark.parametrize("kind", [nn.BatchNorm2d, Own])
def test_layer_that_is_used_twice_averages_over_both_uses(kind):
    norm = kind(2)
    recalibrate(generator_of(norm, Scaled(), norm), latents(), None, CPU)
    # Of latents with mean 2 and variance 9, and then of 1 and 25.
    assert norm.running_mean.mean().item() == pytest.approx(1.5, abs=0.05)
    assert norm.running_var.mean().item() == pytest.approx(17, abs=0.5)


def test_what_is_no_norm_works_as_in_evaluation_meanwhile():
    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("steps", torch.tensor(0))

        def forward(self, h):
            self.steps += self.training
            return h

    counter, norm = Counter(), nn.BatchNorm2d(2)
    recalibrate(generator_of(nn.Dropout(0.9), counter, norm), latents(), None, CPU)
    assert counter.steps == 0
    assert norm.running_var.mean().item() == pytest.approx(9, abs=0.5)  # not dropout's


@pytest.mark.parametrize("normed", [parametrizations.spectral_norm, nn.utils.spectral_norm])
def test_spectral_norms_are_of_these_weights(normed):
    torch.manual_seed(0)
    layer = normed(nn.Conv2d(2, 2, 3, padding=1))
    average = copied(generator_of(layer))
    with torch.no_grad():
        for weight in average.parameters():
            weight.copy_(torch.randn_like(weight))
    settle_spectral_norms(average.eval())
    generate(average, latents()[:2], None, CPU)  # the hook's weight is made as it is called
    found = torch.linalg.matrix_norm(average.backbone.layers[0].weight.flatten(1), 2)
    assert found.item() == pytest.approx(1, abs=0.01)


def test_layer_that_holds_on_to_a_graph_is_copied():
    generator = generator_of(nn.utils.spectral_norm(nn.Conv2d(2, 2, 1)))
    images = generator(latents()[:2])
    assert images.requires_grad
    twin = copied(generator.eval())
    assert torch.equal(generator(latents()[:2]), twin(latents()[:2]))


def test_buffers_of_every_kind_follow():
    live = generator_of(nn.BatchNorm2d(2))
    average = copied(live)
    layer = live.backbone.layers[0]
    layer.register_buffer("kept", torch.zeros(1), persistent=False)
    average.backbone.layers[0].register_buffer("kept", torch.zeros(1), persistent=False)
    live(latents())
    layer.kept = torch.ones(3)  # replaced, and of another shape
    copy_buffers(live, average)
    for theirs, own in zip(live.buffers(), average.buffers(), strict=True):
        assert torch.equal(theirs, own)
        assert theirs.data_ptr() != own.data_ptr()
    assert average.backbone.layers[0].num_batches_tracked == 1


def test_only_norms_of_unknown_classes_are_told_of():
    known = (nn.BatchNorm2d(2), Own(2), nn.Conv2d(2, 2, 1), nn.GroupNorm(1, 2))
    assert not_renewed(generator_of(*known)) == []
    assert not_renewed(generator_of(*known, Stranger(), Stranger())) == ["Stranger"]


def test_average_of_a_generator_under_spectral_norm_is_bounded_and_saved():
    """After a training, with running statistics beside it, and built again from its state."""
    trainer = trainer_of(g_norm="batch+spectral", kimg=0.24, ema=0.9)
    averaged = trainer.run().generator
    z, labels = torch.randn(64, TinyConv().latent_dim), torch.arange(64) % 3
    recalibrate(averaged, z, labels, CPU)
    images = generate(averaged, z, labels, CPU)
    for layer in (averaged.backbone.project, averaged.backbone.to_image):
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
        assert largest.item() == pytest.approx(1, abs=0.01)
    again = trainer_of(g_norm="batch+spectral", seed=1).generator
    again.load_state_dict(averaged.state_dict())
    assert torch.equal(generate(again, z, labels, CPU), images)
