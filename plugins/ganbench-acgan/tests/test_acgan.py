"""AC-GAN against its closed forms and the conformance kit."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from ganbench_acgan import ACGAN
from torch import Tensor

from ganbench import DiscriminatorOutput, ImageSpec, Scored, Step
from ganbench.default_plugins.architectures import DCGAN
from ganbench.default_plugins.losses import WGANGP
from ganbench.models.networks import build
from ganbench.testing import parametrize_with_checks
from ganbench.training.game import frozen

CLASSES = 10
MNIST = ImageSpec(channels=1, resolution=28, num_classes=CLASSES)


@parametrize_with_checks(ACGAN, ACGAN(weight=0.3, on_fakes=False))
def test_conformance(check):
    check()


def scored(class_logits: Tensor, labels: Tensor) -> Scored:
    images = torch.zeros(len(labels), 1, 1, 1)
    logits = torch.zeros(len(labels))
    return Scored(
        images, labels, lambda x, y: DiscriminatorOutput(logits, logits[:, None], class_logits)
    )


def step_of(real: Tensor, fake: Tensor, labels: Tensor) -> Step:
    latents = torch.zeros(len(labels), 2)
    return Step(
        scored(real, labels), scored(fake, labels), latents, 0, lambda *a, **k: None, lambda z, y: z
    )


def player(conditioning: ACGAN):
    return conditioning.discriminator(MNIST)


@pytest.mark.parametrize("level", [-40.0, 0.0, 3.0])
@pytest.mark.parametrize("count", [1, 2, 64])
def test_equal_class_logits_cost_the_log_of_the_number_of_classes(count, level):
    logits = torch.full((count, CLASSES), level)
    step = step_of(logits, logits, torch.arange(count) % CLASSES)
    side = player(ACGAN())
    terms = side.discriminator_loss(step)
    assert terms.keys() == {"class_real", "class_fake"}
    assert [term.item() for term in terms.values()] == pytest.approx([math.log(CLASSES)] * 2)
    terms = side.generator_loss(step)
    assert terms.keys() == {"class_fake"}
    assert terms["class_fake"].item() == pytest.approx(math.log(CLASSES))


def test_cross_entropy_is_of_logits_and_its_gradient_the_error_of_the_softmax():
    torch.manual_seed(0)
    real, fake = torch.randn(2, 4, CLASSES, requires_grad=True)
    labels = torch.tensor([3, 0, 9, 3])
    terms = player(ACGAN(weight=2.0)).discriminator_loss(step_of(real, fake, labels))
    for logits, term in ((real, terms["class_real"]), (fake, terms["class_fake"])):
        probabilities = logits.detach().exp() / logits.detach().exp().sum(1, keepdim=True)
        expected = -2 * probabilities[range(4), labels].log().mean().item()
        assert term.item() == pytest.approx(expected, rel=1e-5)
        (gradient,) = torch.autograd.grad(term, logits, retain_graph=True)
        error = probabilities - F.one_hot(labels, CLASSES)
        torch.testing.assert_close(gradient, 2 * error / 4)


def test_confident_mistakes_cost_as_much_as_their_logits_differ():
    logits = torch.zeros(1, CLASSES)
    logits[0, 1] = 50.0
    terms = player(ACGAN()).discriminator_loss(step_of(logits, logits, torch.tensor([2])))
    assert terms["class_real"].item() == pytest.approx(50.0)


def test_reals_and_fakes_are_judged_apart():
    right, wrong = torch.zeros(2, 1, CLASSES)
    right[0, 4], wrong[0, 5] = 10.0, 10.0
    terms = player(ACGAN()).discriminator_loss(step_of(right, wrong, torch.tensor([4])))
    assert terms["class_real"].item() == pytest.approx(math.log1p(9 * math.exp(-10)), rel=1e-3)
    assert terms["class_fake"].item() == pytest.approx(10 + math.log1p(9 * math.exp(-10)))


def test_classifier_can_be_kept_from_fakes():
    logits = torch.zeros(2, CLASSES)
    step = step_of(logits, logits, torch.tensor([0, 1]))
    side = player(ACGAN(on_fakes=False))
    assert side.discriminator_loss(step).keys() == {"class_real"}
    assert side.generator_loss(step).keys() == {"class_fake"}


def test_latent_ends_in_the_one_hot_label():
    side = ACGAN().generator(5, CLASSES)
    z, labels = torch.randn(3, 5), torch.tensor([7, 0, 7])
    latent = side.latent(z, labels)
    assert side.latent_dim == 5 + CLASSES
    assert torch.equal(latent[:, :5], z)
    assert torch.equal(latent[:, 5:], F.one_hot(labels, CLASSES).float())


def players(d_norm: str):
    torch.manual_seed(0)
    method = ACGAN()
    return build(DCGAN(width=8), method, method, MNIST, g_norm="batch", d_norm=d_norm)


def test_label_enters_the_discriminator_nowhere():
    _, discriminator = players("layer")
    images = torch.rand(4, 1, 28, 28)
    a, b = (discriminator(images, labels) for labels in (torch.arange(4), torch.arange(4) + 3))
    assert torch.equal(a.logits, b.logits)
    assert torch.equal(a.class_logits, b.class_logits)


def test_head_has_one_logit_and_one_per_class():
    _, discriminator = players("layer")
    features = discriminator.backbone.feature_dim
    parameters = sum(p.numel() for p in discriminator.head.parameters())
    assert parameters == (features + 1) * (1 + CLASSES)


def test_it_trains_beside_wgan_gp():
    generator, discriminator = players("none")
    loss, side = WGANGP(), discriminator.conditioner
    images, labels, z = torch.rand(4, 1, 28, 28), torch.arange(4), torch.randn(4, 100)

    def score(images, labels, *, track_inputs=False):
        return Scored(images, labels, discriminator, track_inputs=track_inputs)

    def step() -> Step:
        fakes = generator(z, labels)
        return Step(score(images, labels), score(fakes, labels), z, 0, score, generator)

    with frozen(generator.parameters()):
        now = step()
        terms = {**loss.discriminator_loss(now), **side.discriminator_loss(now)}
        torch.stack([*terms.values()]).sum().backward()
    assert terms.keys() == {"wasserstein", "gradient_penalty", "class_real", "class_fake"}
    assert all(term.isfinite() for term in terms.values())
    assert discriminator.head.classifier.weight.grad.any()
    with frozen(discriminator.parameters()):
        now = step()
        terms = {**loss.generator_loss(now), **side.generator_loss(now)}
        torch.stack([*terms.values()]).sum().backward()
    assert terms.keys() == {"adversarial", "class_fake"}
    assert generator.backbone.project.weight.grad[:, 100:104].any(0).all()


def test_class_logits_stay_float32_under_autocast():
    _, discriminator = players("layer")
    with torch.autocast("cpu", torch.bfloat16):
        output = discriminator(torch.rand(4, 1, 28, 28), torch.arange(4))
    assert output.class_logits.dtype == torch.float32


def test_options_are_those_that_the_readme_lists():
    assert [field.name for field in dataclasses.fields(ACGAN)] == ["weight", "on_fakes"]


def test_negative_weight_is_refused():
    with pytest.raises(ValueError, match=r"weight must not be negative, found -1\.0"):
        ACGAN(weight=-1.0)
