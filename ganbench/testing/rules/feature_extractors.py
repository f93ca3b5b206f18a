"""What every feature extractor must do."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import typing
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ganbench.contracts.feature_extractors import FeatureExtractor, Features, Unavailable
from ganbench.contracts.images import ImageSpec
from ganbench.evaluation.extraction import NO_DEVICE, takes_device
from ganbench.testing.fixtures.meta_device import on_meta
from ganbench.testing.fixtures.networks import random_pixels
from ganbench.testing.fixtures.seeding import seeded
from ganbench.testing.rulebook import Rulebook
from ganbench.util import files

RESOLUTIONS = (1, 2, 4, 8, 16, 28, 32, 48, 64, 96, 128, 224, 256, 299)
SPECS = tuple(ImageSpec(channels, size) for size in RESOLUTIONS for channels in (1, 2, 3))
COUNT = 7
rules = Rulebook()


@rules.rule
def unsupported_images_get_a_sentence(extractor: FeatureExtractor) -> None:
    for image in SPECS:
        reason = extractor.unsupported(image)
        assert reason is None or (isinstance(reason, str) and len(reason.split()) > 3), (
            f"unsupported() gives {reason!r} for images of {image}; give None, or say which images "
            "have features"
        )


@rules.rule
def missing_weights_get_a_sentence(extractor: FeatureExtractor) -> None:
    """The rules that look at features pass where there are none on this machine."""
    reason = extractor.missing(files.data())
    assert reason is None or (isinstance(reason, str) and len(reason.split()) > 3), (
        f"missing() gives {reason!r}; give None, or say what is missing and what to do"
    )
    if reason is not None:
        with contextlib.suppress(Unavailable):
            extractor.load(_claimed(extractor)[0], files.data())
            raise AssertionError(
                f"missing() says '{reason}', and load() gives features all the same; raise "
                "Unavailable with that reason"
            )


@rules.rule
def embeddings_are_finite_rows(extractor: FeatureExtractor) -> None:
    for image in _smallest(extractor):
        function = extractor.load(image, files.data())
        for what, images in _batches(image):
            found = function(images)
            assert isinstance(found, Features), (
                f"the function that load() gives returns a {type(found).__name__}, not Features"
            )
            embedding = found.embedding
            assert (embedding.ndim, len(embedding)) == (2, len(images)), (
                f"the embedding of {len(images)} images has shape {tuple(embedding.shape)}; give "
                "(N, F): flatten(1), and no squeeze"
            )
            assert embedding.dtype == torch.float32, (
                f"the embedding is {embedding.dtype}; give float32, with .float()"
            )
            assert embedding.isfinite().all(), (
                f"the embedding of {what} is not finite; do not divide by 0"
            )


@rules.rule
def probabilities_are_distributions(extractor: FeatureExtractor) -> None:
    for image in _smallest(extractor):
        function = extractor.load(image, files.data())
        for what, images in _batches(image):
            found = function(images).probabilities
            if found is None:
                continue
            assert (found.ndim, len(found)) == (2, len(images)), (
                f"the probabilities of {len(images)} images have shape {tuple(found.shape)}; give "
                "(N, K)"
            )
            sums = found.double().sum(1)
            whole = bool((found >= 0).all()) and bool(((sums - 1).abs() < 1e-4).all())
            assert whole, f"the probabilities of {what} do not sum to one; give logits.softmax(1)"


@rules.rule
def features_do_not_depend_on_the_batch(extractor: FeatureExtractor) -> None:
    for image in _smallest(extractor):
        function, images = extractor.load(image, files.data()), random_pixels(COUNT, image)
        together = function(images)
        backwards = function(images.flip(0)).embedding.flip(0)
        for sizes in ([3, 4], [1] * COUNT):
            parts = [function(part) for part in images.split(sizes)]
            for what, whole, apart in (
                ("embedding", together.embedding, [p.embedding for p in parts]),
                ("probabilities", together.probabilities, [p.probabilities for p in parts]),
            ):
                if whole is None:
                    continue
                assert _close(whole, torch.cat([x for x in apart if x is not None])), (
                    f"an image's {what} depends on the other images of its batch; use evaluation "
                    "mode, and take no mean over the batch"
                )
        assert _close(together.embedding, backwards), (
            "the embedding depends on the images' order; keep theirs"
        )


@rules.rule
def different_images_have_different_features(extractor: FeatureExtractor) -> None:
    for image in _smallest(extractor):
        embedding = extractor.load(image, files.data())(random_pixels(COUNT, image)).embedding
        assert (embedding[0] - embedding[1:]).abs().amax(1).min() > 0, (
            "two random images have the same embedding; what it is made of ignores them"
        )


@rules.rule
def features_are_repeatable(extractor: FeatureExtractor) -> None:
    for image in _smallest(extractor):
        images = random_pixels(COUNT, image)
        with seeded(1, others=1):
            function = extractor.load(image, files.data())
            once = function(images).embedding
        with seeded(2, others=2):
            again = function(images).embedding
            anew = copy.deepcopy(extractor).load(image, files.data())(images).embedding
        assert _close(once, again), "the same images get other features; switch dropout off"
        assert _close(once, anew), (
            "loaded again, it gives other features; load weights, or draw them from a fixed seed"
        )


@rules.rule
def features_carry_no_graph(extractor: FeatureExtractor) -> None:
    for image in _smallest(extractor):
        found = extractor.load(image, files.data())(random_pixels(COUNT, image))
        for tensor in found:
            assert tensor is None or not tensor.requires_grad, (
                "features carry a graph, which fills the memory; use torch.inference_mode()"
            )


@rules.rule
def stays_on_the_device(extractor: FeatureExtractor) -> None:
    """On the meta device, where shapes are computed and nothing else.

    One whose load takes no device works on the CPU, which the next release refuses.
    """
    if not takes_device(extractor):
        warnings.warn(NO_DEVICE.format(extractor.name), FutureWarning, stacklevel=2)
        return
    for image in _smallest(extractor):
        with on_meta("it"), warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".* meta parameter", UserWarning)  # of its weights
            function = extractor.load(image, files.data(), "meta")
            for tensor in function(random_pixels(COUNT, image).to("meta")):
                assert tensor is None or tensor.device.type == "meta", (
                    "its features are not on the images' device; leave them there, where all "
                    "batches are brought to the CPU at once"
                )


@rules.rule
def images_are_not_modified(extractor: FeatureExtractor) -> None:
    for image in _smallest(extractor):
        images = random_pixels(COUNT, image)
        before = images.clone()
        extractor.load(image, files.data())(images)
        assert torch.equal(images, before), "it changes the images it is given; work on a copy"


@rules.rule
def fingerprint_is_stable(extractor: FeatureExtractor) -> None:
    found = extractor.fingerprint()
    telling = isinstance(found, str) and found.strip()
    assert telling, f"fingerprint() gives {found!r}, not a text"
    with seeded(2, others=2):
        anew = dataclasses.replace(extractor).fingerprint()  # type: ignore[type-var]
    assert found == extractor.fingerprint() == anew, (
        f"fingerprint() gives {found!r} and then {anew!r}; it may change only when features do"
    )
    assert " at 0x" not in found, f"fingerprint() gives {found!r}, which names a place in memory"


@rules.rule
def fingerprint_tells_options_apart(extractor: FeatureExtractor) -> None:
    for option, other in _variants(extractor):
        if other.fingerprint() != extractor.fingerprint():
            continue
        for image in _smallest(extractor):
            images = random_pixels(COUNT, image)
            with seeded(1):
                found = extractor.load(image, files.data())(images).embedding
            with seeded(1):
                others = other.load(image, files.data())(images).embedding
            assert _close(found, others), (
                f"option '{option}' changes the features and not fingerprint(), so that one's "
                "statistics would be taken for the other's; put it into fingerprint()"
            )


def _batches(image: ImageSpec) -> Iterator[tuple[str, Tensor]]:
    images = random_pixels(COUNT, image)
    yield "random images", images
    yield "one image", images[:1]
    for value in (0, 1 if image.resolution == 1 else 255):
        yield "constant images", torch.full_like(images, value)


def _smallest(extractor: FeatureExtractor) -> Iterator[ImageSpec]:
    """The smallest images it supports, at each channel count; and points, where it does.

    None where its weights are missing.
    """
    claimed = _claimed(extractor)
    if extractor.missing(files.data()) is not None:
        return
    for channels in sorted({image.channels for image in claimed}):
        fitting = [image for image in claimed if image.channels == channels]
        pictures = [image for image in fitting if image.resolution > 2] or fitting
        yield min(pictures, key=lambda image: image.resolution)
    yield from (image for image in claimed if (image.channels, image.resolution) == (2, 1))


def _claimed(extractor: FeatureExtractor) -> list[ImageSpec]:
    claimed = [image for image in SPECS if extractor.unsupported(image) is None]
    assert claimed, f"it supports none of the sizes {RESOLUTIONS}; test it with one that it does"
    return claimed


def _variants(extractor: FeatureExtractor) -> Iterator[tuple[str, FeatureExtractor]]:
    """The same extractor with one option changed, where another value is easily found."""
    hints = typing.get_type_hints(type(extractor))
    for field in dataclasses.fields(extractor):  # type: ignore[arg-type]
        if not field.init:
            continue
        for value in _others(hints[field.name], getattr(extractor, field.name)):
            try:
                other = dataclasses.replace(extractor, **{field.name: value})  # type: ignore[type-var]
                for image in _smallest(extractor):
                    if other.unsupported(image) is None:
                        other.load(image, files.data())
            except Exception:  # no value that this option takes
                continue
            if all(other.unsupported(image) is None for image in _smallest(extractor)):
                yield field.name, other


def _others(hint: Any, value: Any) -> list[Any]:
    if typing.get_origin(hint) is typing.Literal:
        return [choice for choice in typing.get_args(hint) if choice != value]
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [2 * value + 1, value + 1]
    return [2 * value + 1] if isinstance(value, float) else []


def _close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-3, atol=1e-5)
