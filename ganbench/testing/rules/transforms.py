"""What every transform must do."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor

from ganbench.contracts.images import ImageSpec
from ganbench.contracts.steps import Step
from ganbench.contracts.transforms import Transform
from ganbench.testing.fixtures.copies import copies
from ganbench.testing.fixtures.kept_attributes import assert_storable, kept_graph
from ganbench.testing.fixtures.loss_steps import Adversary, stage_for
from ganbench.testing.fixtures.meta_device import on_meta
from ganbench.testing.fixtures.networks import random_images
from ganbench.testing.fixtures.scheduled import STALE, has_scheduled_options, set_and_built
from ganbench.testing.fixtures.seeding import seeded
from ganbench.testing.rulebook import Rulebook
from ganbench.training.changes import PROGRESS, has_progress

RESOLUTIONS = (1, 2, 4, 7, 8, 16, 28, 29, 32, 64)
SPECS = tuple(ImageSpec(channels, size, 3) for size in RESOLUTIONS for channels in (1, 2, 3))
COUNTS = (1, 2, 3, 4, 5, 6, 8, 9, 12)
SEEDS = range(8)
OBSERVED = 40  # steps
SURE = 10.0  # a logit
LARGEST = 16  # side of the images that are computed with; larger ones are only measured
rules = Rulebook()


def _is_per_sample(cls: type) -> bool:
    return bool(getattr(cls, "per_sample", True))


def _observes(cls: type) -> bool:
    return getattr(cls, "observe", Transform.observe) is not Transform.observe


@rules.rule
def unsupported_batches_get_a_sentence(transform: Transform) -> None:
    for image in SPECS:
        for count in COUNTS:
            reason = transform.unsupported(image, count)
            assert reason is None or (isinstance(reason, str) and len(reason.split()) > 3), (
                f"unsupported() gives {reason!r} for {count} images of {image}; give None, or say "
                "what it can transform"
            )


@rules.rule
def shapes_are_as_promised(transform: Transform) -> None:
    for image, count in _claimed(transform):
        promised = transform.image_spec(image)
        assert isinstance(promised, ImageSpec), (
            f"image_spec() gives a {type(promised).__name__}, no ImageSpec"
        )
        assert promised.num_classes == image.num_classes, (
            f"image_spec() makes {promised.num_classes} classes of {image.num_classes}; use "
            "dataclasses.replace(image, ...), which keeps them"
        )
        given = tuple(transform.apply(random_images(count, image)).shape)
        expected = (promised.channels, promised.resolution, promised.resolution)
        assert given[1:] == expected, (
            f"{count} images of {image} come out as {given}, and image_spec() promises {promised}"
        )
        if transform.per_sample:
            assert given[0] == count, (
                f"{count} images come out as {given[0]}; declare `per_sample = False`"
            )
        else:
            assert 0 < given[0] <= count, f"{count} images come out as {given[0]}"
            assert count % given[0] == 0, (
                f"{count} images come out as {given[0]}, so that some count more than others; "
                "refuse such batches in unsupported()"
            )


@rules.rule
def images_stay_finite_float32(transform: Transform) -> None:
    for image, count in _computed(transform):
        for images in (random_images(count, image), -torch.ones_like(random_images(count, image))):
            out = transform.apply(images)
            assert out.dtype == torch.float32, (
                f"float32 images come out as {out.dtype}; keep the type"
            )
            assert out.isfinite().all(), "an output is not finite; do not divide by what may be 0"


@rules.rule
def gradient_reaches_every_image(transform: Transform) -> None:
    for image, count in _computed(transform):
        reached = torch.zeros(count, dtype=torch.bool)
        for seed in SEEDS:
            gradient = _gradient(transform, random_images(count, image), seed)
            assert gradient.isfinite().all(), (
                "a gradient at the images is not finite; do not divide by what may be 0"
            )
            reached |= gradient.flatten(1).any(1)
        assert reached.all(), (
            f"of {count} images, {int((~reached).sum())} got no gradient in {len(SEEDS)} draws; G "
            "trains through them: keep it differentiable, and use every image"
        )


@rules.rule
def gradient_is_true(transform: Transform) -> None:
    """Along two directions, the outputs change as their gradient says."""
    size = 1e-2
    for image, count in _computed(transform):
        images = 0.4 * random_images(count, image)
        for direction in (torch.randn_like(images), torch.ones_like(images)):
            told = float((_gradient(transform, images, 1) * direction).sum())
            ahead, behind = (_weighed(transform, images + s * direction, 1) for s in (size, -size))
            seen = float((ahead - behind) / (2 * size))
            assert abs(told - seen) <= 0.02 * abs(seen) + 0.02 * float(direction.norm()), (
                f"the outputs change by {seen:.3g} where their gradient says {told:.3g}; do not "
                "detach what is made of the images"
            )


@rules.rule
def images_are_not_modified(transform: Transform) -> None:
    for image, count in _computed(transform):
        images = random_images(count, image)
        before = images.clone()
        transform.apply(images)
        assert torch.equal(images, before), "it changes the images it is given; work on a copy"


@rules.rule
def draws_come_from_torch(transform: Transform) -> None:
    for image, count in _computed(transform):
        images = random_images(count, image)
        with seeded(1, others=1):
            once = copy.deepcopy(transform).apply(images)
        with seeded(1, others=2):
            again = copy.deepcopy(transform).apply(images)
        assert torch.equal(once, again), (
            "one torch seed gives two outputs; draw with torch.rand and the like, not with "
            "`random`, numpy or the clock"
        )


@rules.rule
def random_state_is_not_reset(transform: Transform) -> None:
    image, count = next(_computed(transform))
    after = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        transform.apply(random_images(count, image))
        after.append(torch.rand(4))
    assert not torch.equal(*after), (
        "it seeds torch's generator, and so ties what losses draw to itself; leave seeds alone"
    )


@rules.rule_where(_is_per_sample)
def output_is_made_of_its_own_image(transform: Transform) -> None:
    for image, count in _computed(transform):
        if count == 1:
            continue
        moved = False
        for seed in SEEDS:
            images = random_images(count, image)
            disturbed = images.clone()
            disturbed[0] = -images[0] / 2
            shift = _applied(transform, images, seed) - _applied(transform, disturbed, seed)
            assert shift[1:].abs().max() <= 1e-6, (
                "an output depends on another image of the batch; declare `per_sample = False`"
            )
            moved |= bool(shift[0].any())
        assert moved, "an output does not depend on its own image; make it of that"


@rules.rule
def nothing_is_remembered(transform: Transform) -> None:
    image, count = next(_computed(transform))
    images = random_images(count, image)
    before = _applied(transform, images, 1)
    for other, number in _computed(transform):
        transform.apply(random_images(number, other))
    with seeded(1):
        after = transform.apply(images)
    assert torch.equal(before, after), (
        "one seed gives another output after other calls; keep nothing from call to call"
    )


@rules.rule_where(_observes)
def what_it_observes_is_kept_in_attributes(transform: Transform) -> None:
    """Steps of a D that is sure of reals, and of one that is sure of the contrary."""
    image, count = next(_computed(transform))
    for level in (-SURE, SURE):
        twin = copy.deepcopy(transform)
        for _ in range(OBSERVED):
            twin.observe(_observed_step(image, count, level))
        if kept := kept_graph(vars(twin)):
            raise AssertionError(
                f"after observe(), its attribute '{kept}' holds the step's graph, and with it all "
                "of its memory; detach what it keeps"
            )
        assert_storable(twin)
        assert repr(vars(twin)) != repr(vars(transform)), (
            f"{OBSERVED} steps of D leave its attributes as they were; keep what observe() learns "
            "in them, where a checkpoint finds it, or leave it out"
        )


def _observed_step(image: ImageSpec, count: int, level: float) -> Step:
    """A step of D in which its logits of reals are about this high."""
    stage = stage_for(
        Adversary(), count=count, channels=image.channels, resolution=image.resolution
    )
    with torch.no_grad():
        stage.discriminator.logit.bias.fill_(level)  # type: ignore[union-attr, operator]
    steps: list[Step] = []

    def seen(step: Step) -> Step:
        steps.append(step)
        return step

    stage.terms(Adversary(), "discriminator", seen=seen)
    return steps[0]


@rules.rule
def survives_deepcopy_and_pickle(transform: Transform) -> None:
    image, count = next(_computed(transform))
    images = random_images(count, image)
    expected = _applied(transform, images, 1)
    for how, twin in copies(transform):
        assert torch.equal(expected, _applied(twin, images, 1)), (
            f"after {how}, outputs differ; keep all that decides them in fields"
        )


@rules.rule
def works_under_autocast(transform: Transform) -> None:
    """Trainers with precision bfloat16 run it so."""
    for image, count in _computed(transform):
        images = random_images(count, image).requires_grad_()
        try:
            with torch.autocast("cpu", torch.bfloat16):
                out = transform.apply(images)
        except RuntimeError as error:
            raise AssertionError(
                f"under autocast to bfloat16 it raises {type(error).__name__} ({error}); convert "
                "to the images' type with .to(images.dtype)"
            ) from error
        assert out.isfinite().all(), (
            "under autocast to bfloat16, an output is not finite; compute in float32"
        )
        if out.requires_grad:
            out.float().sum().backward()


@rules.rule
def stays_on_the_device(transform: Transform) -> None:
    for image, count in _computed(transform):
        images = random_images(count, image).to("meta")
        with on_meta("it"):
            out = transform.apply(images)
            assert out.device == images.device, (
                "its outputs are not on the images' device; make tensors with device=images.device"
            )


@rules.rule_where(has_scheduled_options)
def scheduled_options_take_effect(transform: Transform) -> None:
    image, count = next(_computed(transform))
    images = random_images(count, image)
    for name, changed, built in set_and_built(transform):
        assert torch.allclose(_applied(changed, images, 1), _applied(built, images, 1)), (
            STALE.format(name, "images", name)
        )


@rules.rule
def progress_stays_finite(transform: Transform) -> None:
    if not has_progress(transform):
        return
    for image, count in _computed(transform):
        for progress in (0.0, 0.5, 0.99, 1.0):
            told = copy.deepcopy(transform)
            setattr(told, PROGRESS, progress)
            assert _applied(told, random_images(count, image), 1).isfinite().all(), (
                f"at progress {progress:g} an output is not finite; it goes from 0 to 1, both of "
                "which it is once"
            )


def _claimed(transform: Transform) -> list[tuple[ImageSpec, int]]:
    """Batches it admits: of each shape, the smallest and two larger ones, one of them odd."""
    claimed = []
    for image in SPECS:
        counts = [n for n in COUNTS if transform.unsupported(image, n) is None]
        odd = [n for n in counts if n % 2 and n > 1]
        claimed += [(image, n) for n in sorted({*counts[:1], *odd[-1:], *counts[-1:]})]
    assert claimed, (
        f"it supports none of the sizes {RESOLUTIONS} in batches of {COUNTS}; test it with options "
        "that do"
    )
    return claimed


def _computed(transform: Transform) -> Iterator[tuple[ImageSpec, int]]:
    """For each channel count, the largest small images it admits, in its largest batch."""
    claimed = _claimed(transform)
    for channels in sorted({image.channels for image, _ in claimed}):
        fitting = [c for c in claimed if c[0].channels == channels]
        small = [c for c in fitting if c[0].resolution <= LARGEST] or fitting
        yield max(small, key=lambda c: (c[0].resolution, c[1]))


def _applied(transform: Transform, images: Tensor, seed: int) -> Tensor:
    """By a copy, which no other call has changed."""
    with seeded(seed):
        return copy.deepcopy(transform).apply(images)


def _weighed(transform: Transform, images: Tensor, seed: int) -> Tensor:
    """The outputs' sum with fixed random weights."""
    out = _applied(transform, images, seed)
    weights = torch.rand(out.shape, generator=torch.Generator().manual_seed(0))
    return (out.double() * weights).sum()


def _gradient(transform: Transform, images: Tensor, seed: int) -> Tensor:
    images = images.clone().requires_grad_()
    value = _weighed(transform, images, seed)
    if not value.requires_grad:
        return torch.zeros_like(images)
    (gradient,) = torch.autograd.grad(value, images, allow_unused=True)
    return torch.zeros_like(images) if gradient is None else gradient
