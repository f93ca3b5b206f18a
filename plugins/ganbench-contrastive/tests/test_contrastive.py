"""Contrasts and classifiers against second writings of their formulas, and the conformance kit."""

from __future__ import annotations

import math

import pytest
import torch
from ganbench_contrastive import (
    ADCGAN,
    TACGAN,
    ContraGAN,
    MultiHinge,
    ReACGAN,
    conditional_contrastive,
    crammer_singer,
    data_to_data,
)
from torch import Tensor

from ganbench import DiscriminatorOutput, ImageSpec, Scored, Step
from ganbench.testing import parametrize_with_checks

CLASSES = 5
IMAGE = ImageSpec(channels=1, resolution=8, num_classes=CLASSES)
LABELS = torch.tensor([3, 0, 3, 1, 0, 3])


@parametrize_with_checks(ContraGAN(dim=4), ReACGAN(dim=4), TACGAN, ADCGAN, MultiHinge)
def test_conformance(check):
    check()


def unit(*shape: int) -> Tensor:
    rows = torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return rows / rows.norm(dim=1, keepdim=True)


IMAGES, TABLE = unit(6, 3), unit(CLASSES, 3).flip(0)
PROXIES = TABLE[LABELS]


def similar(a: Tensor, b: Tensor) -> float:
    return float((a * b).sum())


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_2c_is_the_formula_of_the_paper(temperature):
    found = conditional_contrastive(IMAGES, PROXIES, LABELS, temperature)
    losses = []
    for i in range(6):
        own = math.exp(similar(IMAGES[i], PROXIES[i]) / temperature)
        pairs = {k: math.exp(similar(IMAGES[i], IMAGES[k]) / temperature) for k in range(6)}
        same = sum(v for k, v in pairs.items() if k != i and LABELS[k] == LABELS[i])
        every = sum(v for k, v in pairs.items() if k != i)
        losses.append(-math.log((own + same) / (own + every)))
    assert found.item() == pytest.approx(sum(losses) / 6)


@pytest.mark.parametrize(("temperature", "margin"), [(0.5, 0.98), (0.2, 0.3)])
def test_d2d_ce_is_the_formula_of_the_paper(temperature, margin):
    found = data_to_data(IMAGES, PROXIES, LABELS, temperature, margin)
    losses = []
    for i in range(6):
        easy = math.exp(min(0.0, similar(IMAGES[i], PROXIES[i]) - margin) / temperature)
        hard = sum(
            math.exp(max(0.0, similar(IMAGES[i], IMAGES[k]) - (1 - margin)) / temperature)
            for k in range(6)
            if LABELS[k] != LABELS[i]
        )
        losses.append(-math.log(easy / (easy + hard)))
    assert found.item() == pytest.approx(sum(losses) / 6)


def test_an_image_alone_costs_nothing():
    for loss in (
        conditional_contrastive(IMAGES[:1], PROXIES[:1], LABELS[:1], 1.0),
        data_to_data(IMAGES[:1], PROXIES[:1], LABELS[:1], 0.5, 0.98),
        data_to_data(IMAGES[[0, 2, 5]], PROXIES[[0, 2, 5]], LABELS[[0, 2, 5]], 0.5, 0.98),
    ):
        assert loss.item() == pytest.approx(0, abs=1e-7)


def test_beyond_the_margin_there_is_nothing_to_learn():
    """A proxy nearer than m_p, and images of other classes at more than m_n."""
    images = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], requires_grad=True)
    labels = torch.tensor([0, 1])
    loss = data_to_data(images, images.detach().clone(), labels, 0.5, 0.9)
    (slope,) = torch.autograd.grad(loss, images)
    assert loss.item() == pytest.approx(math.log(2))  # e^0 / (e^0 + e^0)
    assert not slope.any()


def test_multi_class_hinge_by_hand():
    scores = torch.tensor([[2.0, 0.5, -1.0], [0.0, 3.0, 2.5]])
    # 1 + 0.5 - 2 < 0 costs nothing; 1 + 3 - 2.5 is 1.5
    assert crammer_singer(scores, torch.tensor([0, 2])).item() == pytest.approx(1.5 / 2)
    assert crammer_singer(scores, torch.tensor([2, 0])).item() == pytest.approx((4 + 4) / 2)


def scored(logits: Tensor, classes: Tensor, labels: Tensor, features: Tensor | None = None):
    seen = logits[:, None] if features is None else features

    def judge(images, labels):
        return DiscriminatorOutput(logits, seen, classes)

    return Scored(torch.zeros(len(labels), 1, 1, 1), labels, judge)


def step_of(real: Scored, fake: Scored) -> Step:
    latents = torch.zeros(len(fake.labels), 2)
    return Step(real, fake, latents, 0, lambda *a, **k: None, lambda z, y: z)


def test_multi_hinge_takes_d_for_the_class_of_fakes():
    labels = torch.tensor([1])
    real = scored(torch.tensor([0.7]), torch.tensor([[0.2, 0.4]]), labels)
    fake = scored(torch.tensor([-0.3]), torch.tensor([[0.9, 0.1]]), labels)
    loss = MultiHinge()
    terms = loss.discriminator_loss(step_of(real, fake))
    assert terms["real"].item() == pytest.approx(1 + 0.2 - 0.4)  # of 0.2, 0.4, -0.7
    assert terms["fake"].item() == pytest.approx(1 + 0.9 - 0.3)  # of 0.9, 0.1, 0.3
    assert loss.generator_loss(step_of(real, fake))["adversarial"].item() == pytest.approx(1.8)


def made(conditioning):
    side = conditioning.discriminator(IMAGE)
    return side, side.head(3)


def test_twin_is_fooled_where_the_classifier_is_heeded():
    torch.manual_seed(0)
    side, _ = made(TACGAN(weight=2.0))
    features, classes = torch.randn(6, 3), torch.randn(6, CLASSES)
    one = scored(torch.zeros(6), classes, LABELS, features)
    step = step_of(one, one)

    def cross_entropy(logits: Tensor) -> float:
        probabilities = logits.exp() / logits.exp().sum(1, keepdim=True)
        return -probabilities[range(6), LABELS].log().mean().item()

    twin = features @ side.twin.weight.T + side.twin.bias
    expected = [2 * cross_entropy(classes), 2 * cross_entropy(twin)]
    of_d, of_g = side.discriminator_loss(step), side.generator_loss(step)
    assert [t.item() for t in of_d.values()] == pytest.approx(expected, rel=1e-5)
    assert [t.item() for t in of_g.values()] == pytest.approx([expected[0], -expected[1]], rel=1e-5)


def test_doubled_classes_are_told_apart():
    """G's two terms together are the log of the odds of generated against real."""
    torch.manual_seed(0)
    side, _ = made(ADCGAN(weight=1.5))
    features = torch.randn(6, 3)
    one = scored(torch.zeros(6), torch.zeros(6, CLASSES), LABELS, features)
    logits = features @ side.classifier.weight.T + side.classifier.bias
    log_p = logits - logits.exp().sum(1, keepdim=True).log()
    as_real, as_fake = -log_p[range(6), LABELS], -log_p[range(6), LABELS + CLASSES]
    terms = side.discriminator_loss(step_of(one, one))
    expected = [1.5 * as_real.mean().item(), 1.5 * as_fake.mean().item()]
    assert [t.item() for t in terms.values()] == pytest.approx(expected, rel=1e-5)
    odds = logits[range(6), LABELS + CLASSES] - logits[range(6), LABELS]
    terms = side.generator_loss(step_of(one, one))
    assert sum(terms.values()).item() == pytest.approx(1.5 * odds.mean().item(), rel=1e-4)


@pytest.mark.parametrize("method", [ContraGAN(dim=4, weight=3.0), ReACGAN(dim=4, weight=3.0)])
def test_embeddings_are_on_the_sphere_and_weighed(method):
    torch.manual_seed(0)
    side, head = made(method)
    features = torch.randn(6, 3)
    one = scored(torch.zeros(6), None, LABELS, features)
    images = features @ side.embed.weight.T + side.embed.bias
    images = images / images.norm(dim=1, keepdim=True)
    proxies = side.proxies.weight[LABELS]
    proxies = proxies / proxies.norm(dim=1, keepdim=True)
    expected = 3 * side.loss(images, proxies, LABELS)
    step = step_of(one, one)
    for terms in (side.discriminator_loss(step), side.generator_loss(step)):
        torch.testing.assert_close(terms["contrast"], expected)
    assert head(features, None).class_logits is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: TACGAN(weight=-1.0), r"weight must not be negative, found -1\.0"),
        (lambda: ContraGAN(dim=0), "dim must be positive, found 0"),
        (lambda: ReACGAN(temperature=0.0), r"temperature must be positive, found 0\.0"),
        (lambda: ReACGAN(margin=1.5), r"margin is a cosine from -1 to 1, found 1\.5"),
    ],
)
def test_wrong_options_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
