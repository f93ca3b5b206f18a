"""Drawing images from a trained generator."""

from __future__ import annotations

import pytest
import torch
from helpers import fake_gpu
from torch import Tensor, nn

from ganbench import ImageSpec
from ganbench.contracts.images import quantise
from ganbench.default_plugins.architectures import DCGAN, MLP
from ganbench.default_plugins.conditionings import Concat, Unconditional
from ganbench.models.networks import BatchNorm, build
from ganbench.models.sampling import (
    BATCH,
    at_once,
    calibration_samples,
    draw_latents,
    evaluating,
    generate,
    recalibrate,
)

CPU = torch.device("cpu")


def generator_of(g_norm: str = "batch", conditioning=Concat):
    torch.manual_seed(0)
    method, image = conditioning(), ImageSpec(1, 28, 3)
    architecture = DCGAN(width=4, latent_dim=6, init_std=None)
    return build(architecture, method, method, image, g_norm=g_norm, d_norm="none")[0]


def test_quantise_inverts_the_scaling_of_training_images():
    pixels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(quantise(pixels.float().div(127.5).sub(1)), pixels)


def test_quantise_leaves_its_input_alone():
    images = torch.tensor([0.5, 2.0])
    quantise(images)
    assert images.tolist() == [0.5, 2.0]


def test_latents_repeat_by_seed_and_name():
    architecture = MLP(latent_dim=4)
    first = draw_latents(architecture, 50, 1)
    assert torch.equal(first, draw_latents(architecture, 50, 1))
    assert not torch.equal(first, draw_latents(architecture, 50, 2))
    assert not torch.equal(first, draw_latents(architecture, 50, 1, name="other"))


def test_draws_do_not_touch_the_global_random_state():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    draw_latents(MLP(latent_dim=2), 5, seed=0)
    assert torch.equal(torch.rand(1), expected)


def test_latents_are_standard_normal():
    latents = draw_latents(MLP(latent_dim=3), 20_000, seed=0)
    assert latents.shape == (20_000, 3)
    assert latents.mean(0).tolist() == pytest.approx([0, 0, 0], abs=0.04)
    assert latents.std(0).tolist() == pytest.approx([1, 1, 1], abs=0.03)


def first_norm_input(generator: nn.Module, latents: Tensor, labels: Tensor | None) -> Tensor:
    """What the generator's first norm layer, which no other one precedes, is given."""
    seen = []
    norm = next(m for m in generator.modules() if isinstance(m, BatchNorm))
    handle = norm.register_forward_hook(lambda module, args, output: seen.append(args[0]))
    with evaluating(generator), torch.no_grad():
        generator(latents, labels)
    handle.remove()
    return seen[0].transpose(0, 1).flatten(1)  # (C, N * H * W)


def test_recalibration_finds_the_statistics_of_these_weights():
    generator = generator_of()
    norm = next(m for m in generator.modules() if isinstance(m, BatchNorm))
    norm.running_mean.fill_(7.0)
    norm.running_var.fill_(7.0)
    latents, labels = draw_latents(MLP(latent_dim=6), 1024, seed=0), torch.arange(1024) % 3
    expected = first_norm_input(generator, latents, labels)
    recalibrate(generator, latents, labels, CPU)
    torch.testing.assert_close(norm.running_mean, expected.mean(1), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(norm.running_var, expected.var(1), atol=1e-3, rtol=2e-2)
    assert norm.num_batches_tracked == 4


def test_recalibration_forgets_every_earlier_one():
    generator, latents = (
        generator_of(conditioning=Unconditional),
        draw_latents(MLP(latent_dim=6), 512, seed=0),
    )
    first = [b.clone() for b in _recalibrated(generator, latents)]
    _recalibrated(generator, draw_latents(MLP(latent_dim=6), 512, seed=1))
    again = _recalibrated(generator, latents)
    assert len(first) > 3
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def _recalibrated(generator: nn.Module, latents: Tensor) -> list[Tensor]:
    recalibrate(generator, latents, None, CPU)
    return list(generator.buffers())


def test_recalibration_leaves_weights_and_gradients_alone():
    generator = generator_of()
    before = [p.detach().clone() for p in generator.parameters()]
    recalibrate(generator, draw_latents(MLP(latent_dim=6), 300, seed=0), torch.arange(300) % 3, CPU)
    for now, then in zip(generator.parameters(), before, strict=True):
        assert torch.equal(now, then)
        assert now.grad is None
    assert not generator.training


def test_generator_without_batch_norm_is_not_recalibrated():
    generator = generator_of("layer")
    called = []
    generator.register_forward_hook(lambda *args: called.append(args))
    recalibrate(generator, draw_latents(MLP(latent_dim=6), 300, seed=0), torch.arange(300) % 3, CPU)
    assert called == []


@pytest.mark.parametrize("g_norm", ["batch", "instance", "layer", "none"])
def test_generate_does_not_depend_on_batching(g_norm):
    generator = generator_of(g_norm)
    count = BATCH + 70
    latents, labels = draw_latents(MLP(latent_dim=6), count, seed=0), torch.arange(count) % 3
    recalibrate(generator, latents, labels, CPU)
    whole = generate(generator, latents, labels, CPU)
    parts = [
        generate(generator, latents[part], labels[part], CPU)
        for part in (slice(0, 1), slice(1, 333), slice(333, count))
    ]
    assert whole.shape == (count, 1, 28, 28)
    torch.testing.assert_close(torch.cat(parts), whole, atol=1e-5, rtol=1e-5)


def test_generate_gives_the_label_of_each_latent():
    generator = generator_of("layer")
    latents = draw_latents(MLP(latent_dim=6), 1, seed=0).expand(4, -1)
    images = generate(generator, latents, torch.tensor([0, 1, 0, 2]), CPU)
    assert torch.allclose(images[0], images[2])
    assert not torch.allclose(images[0], images[1])
    assert not torch.allclose(images[1], images[3])


@pytest.mark.parametrize("training", [True, False])
def test_generate_restores_the_mode(training):
    generator = generator_of().train(training)
    before = [b.clone() for b in generator.buffers()]
    images = generate(generator, draw_latents(MLP(latent_dim=6), 3, seed=0), torch.arange(3), CPU)
    assert generator.training is training
    assert not images.requires_grad
    assert all(torch.equal(a, b) for a, b in zip(before, generator.buffers(), strict=True))


def test_generate_without_labels():
    generator = generator_of(conditioning=Unconditional)
    images = generate(generator, draw_latents(MLP(latent_dim=6), 3, seed=0), None, CPU)
    assert images.dtype == torch.float32
    assert images.abs().max() <= 1


def test_evaluating_restores_the_mode_after_an_error():
    module = nn.Linear(1, 1)

    def fail() -> None:
        with evaluating(module):
            raise RuntimeError(f"training is {module.training}")

    with pytest.raises(RuntimeError, match="training is False"):
        fail()
    assert module.training


def test_large_images_are_made_a_few_at_a_time():
    assert [at_once(ImageSpec(1, 28)), at_once(ImageSpec(3, 64))] == [500, 500]
    assert at_once(ImageSpec(3, 256)) == 42
    assert at_once(ImageSpec(3, 1024)) == 16
    assert [calibration_samples(ImageSpec(3, size)) for size in (64, 256)] == [5120, 512]


def test_no_more_go_through_the_generator_than_that():
    generator = generator_of()
    generator.image = ImageSpec(3, 256)
    sizes = set()
    generator.register_forward_hook(lambda net, given, made: sizes.add(len(given[0])))
    latents, labels = draw_latents(MLP(latent_dim=6), 100, seed=0), torch.arange(100) % 3
    images = generate(generator, latents, labels, CPU)
    assert sizes == {42, 16}
    recalibrate(generator, latents, labels, CPU)
    assert max(sizes) == 42
    assert len(images) == 100


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_a_device_quantises_there_and_samples_are_copied_once(dtype):
    generator = generator_of()
    latents, labels = torch.randn(BATCH + 20, 6), torch.arange(BATCH + 20) % 3
    expected = generate(generator, latents, labels, CPU, dtype=dtype)
    with fake_gpu.working() as log:
        there = generator.to(fake_gpu.device())
        log.to_host.clear()
        found = generate(there, latents, labels, fake_gpu.device(), dtype=dtype)
    assert log.to_host.total() == 1
    assert log.convolutions > 0
    assert bool(log.computed["round"]) == (dtype == torch.uint8)
    assert not log.waits
    assert (found.device.type, found.dtype) == ("cpu", dtype)
    assert torch.equal(found, expected)
