"""What every architecture must do with the norms that it offers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from ganbench.contracts.architectures import Architecture
from ganbench.contracts.images import ImageSpec
from ganbench.contracts.losses import norm_per_sample
from ganbench.contracts.steps import Scored
from ganbench.models.calibration import copied
from ganbench.models.networks import (
    LAYERS,
    PER_SAMPLE,
    PLAIN_NORMS,
    ConditionalDiscriminator,
    with_spectral,
)
from ganbench.testing.fixtures import kept_state
from ganbench.testing.fixtures.backbones import COUNT, claimed, images_of, players_of, smallest
from ganbench.testing.fixtures.networks import (
    finite_gradients,
    holding_spectral_norms,
    random_images,
    shaken,
)
from ganbench.testing.fixtures.scheduled import told
from ganbench.testing.rulebook import Rulebook

LARGEST = 33  # pixels along a side, of images at which norms are looked for
rules = Rulebook()


def _per_sample_norms(cls: type) -> list[str]:
    return [norm for norm in getattr(cls, "d_norms", ()) if norm in PER_SAMPLE]


def _norms_of_independence(cls: type) -> list[str]:
    return _per_sample_norms(cls) if getattr(cls, "per_sample", True) else []


def _takes_spectral_norm(cls: type) -> bool:
    return "spectral" in getattr(cls, "g_norms", ())


@rules.rule
def norms_are_known(architecture: Architecture) -> None:
    known = ", ".join(PLAIN_NORMS)
    for field, norms in (("g_norms", architecture.g_norms), ("d_norms", architecture.d_norms)):
        unknown = sorted(set(norms) - set(with_spectral(tuple(PLAIN_NORMS))))
        assert not unknown, f"{field} names {unknown}; the norms are {known}"
        assert len(set(norms)) == len(norms), f"{field} names a norm twice: {norms}"
    assert architecture.d_norms, "d_norms is empty; ('none',) says that there are no norm layers"


@rules.rule
def generator_norm_layers_receive_the_condition(architecture: Architecture) -> None:
    for image in smallest(architecture):
        made: list[_Recorder] = []
        generator = architecture.generator(
            image, architecture.latent_dim, partial(_Recorder.into, made)
        )
        condition = torch.arange(COUNT)
        images_of(generator, torch.randn(COUNT, architecture.latent_dim), condition)
        if not set(architecture.g_norms) - {"spectral"}:
            assert not made, "g_norms has no layers, but it makes some; name the norms it takes"
            continue
        assert made, "it makes no norm layer with norm(channels); make one, or set g_norms = ()"
        for layer in made:
            _assert_recorded(layer, (condition,))


@rules.rule
def discriminator_norm_layers_are_made_by_the_factory(architecture: Architecture) -> None:
    """The smallest images may be too small for any, and those of twice the size are not."""
    for image in smallest(architecture):
        made = _norms_made(architecture, image)
        if set(architecture.d_norms) <= {"none", "spectral"}:
            assert not made, f"d_norms is {architecture.d_norms}, but it makes norm layers"
            continue
        for layer in made:
            _assert_recorded(layer, ())
        assert made or any(_norms_made(architecture, larger) for larger in _larger(architecture)), (
            f"d_norms is {architecture.d_norms}, but it makes no layer with norm(channels)"
        )


def _norms_made(architecture: Architecture, image: ImageSpec) -> list[_Recorder]:
    made: list[_Recorder] = []
    discriminator = architecture.discriminator(image, partial(_Recorder.into, made))
    discriminator(random_images(COUNT, image))
    return made


def _larger(architecture: Architecture) -> list[ImageSpec]:
    """Images that it claims, and that are large enough for norms and small enough for a check."""
    return [image for image in claimed(architecture) if image.resolution <= LARGEST]


@rules.rule_where(_takes_spectral_norm)
def spectral_norm_holds_in_the_generator(architecture: Architecture) -> None:
    """The weights that it multiplies with are the normalised ones, and a copy has them too.

    In evaluation, weights and the singular values that divide them grow alike.
    """
    image = next(smallest(architecture))
    first = architecture.g_norms[0]
    norm = f"{first}+spectral" if first in LAYERS else "spectral"
    try:
        generator, _ = players_of(architecture, image, g_norm=norm)
    except ValueError as error:
        raise AssertionError(f"under g_norm '{norm}' it cannot be built: {error}") from error
    z = torch.randn(COUNT, architecture.latent_dim)
    generator.eval()
    before = kept_state.images_of(generator, z)
    with torch.no_grad():
        for name, weight in generator.named_parameters(remove_duplicate=False):
            if name.endswith("parametrizations.weight.original"):
                weight.mul_(4)
    assert torch.allclose(before, kept_state.images_of(generator, z), atol=1e-4), (
        f"under g_norm '{norm}' images change where weights are four times as large, so they are "
        "used as they are; call layers, and not functions of their weights, or take spectral out "
        "of g_norms"
    )
    twin = copied(generator)
    assert torch.equal(kept_state.images_of(generator, z), kept_state.images_of(twin, z)), (
        f"under g_norm '{norm}' a copy of the generator gives other images"
    )


@rules.rule_for_each(_norms_of_independence)
def discriminator_is_per_sample(norm: str, architecture: Architecture) -> None:
    for image in smallest(architecture):
        _, discriminator = players_of(architecture, image, d_norm=norm)
        images = random_images(COUNT, image)
        disturbed = images.clone()
        disturbed[0] = -images[0]
        shift = (_logits(discriminator, images) - _logits(discriminator, disturbed)).abs()
        assert shift[0] > 0, f"under d_norm '{norm}' a logit ignores its own image"
        assert shift[1:].max() <= 1e-3 * shift[0] + 1e-7, (
            f"under d_norm '{norm}' a logit depends on the other images of the batch; make every "
            "norm layer with norm(channels), or where it is meant, declare `per_sample = False`"
        )


@torch.no_grad()
def _logits(discriminator: ConditionalDiscriminator, images: Tensor) -> Tensor:
    """In training mode, but with the same dropout and without steps of the power iteration."""
    torch.manual_seed(1)
    with _sentence_of(images):
        return holding_spectral_norms(discriminator)(images).logits


@contextmanager
def _sentence_of(images: Tensor) -> Iterator[None]:
    """Say of which images a norm cannot be, such as instance norm of a single place."""
    try:
        yield
    except ValueError as error:
        raise AssertionError(
            f"of images of {images.shape[3]} pixels along a side it cannot be called under a norm "
            f"of d_norms ({error}); leave that norm out, or have unsupported() refuse such images"
        ) from error


@rules.rule_for_each(_per_sample_norms)
def gradient_penalty_passes_through(norm: str, architecture: Architecture) -> None:
    image = next(smallest(architecture))
    _, discriminator = players_of(architecture, image, d_norm=norm)
    shaken(discriminator, 0.05)  # residual branches may start at zero
    for progress in told(discriminator):
        scored = Scored(random_images(COUNT, image), None, discriminator, track_inputs=True)
        with _sentence_of(scored.images):
            scored.output  # noqa: B018
        (norm_per_sample(scored.input_gradient) - 1).square().mean().backward()
        assert finite_gradients(discriminator), (
            f"under d_norm '{norm}' a gradient penalty gives gradients that are not finite"
            f"{progress}"
        )
    reached = [p.grad for p in discriminator.parameters() if p.ndim > 1]
    assert all(gradient is not None and bool(gradient.any()) for gradient in reached), (
        f"under d_norm '{norm}' a gradient penalty does not reach every weight; use operators "
        "that can be differentiated twice"
    )


class _Recorder(nn.Module):
    """A norm layer that changes nothing and remembers how it was called."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.calls: list[tuple[tuple[int, ...], tuple[object, ...]]] = []

    @classmethod
    def into(cls, made: list[_Recorder], channels: int) -> _Recorder:
        made.append(cls(channels))
        return made[-1]

    def forward(self, h: Tensor, *rest: object) -> Tensor:
        self.calls.append((tuple(h.shape), rest))
        return h


def _assert_recorded(layer: _Recorder, expected: tuple[object, ...]) -> None:
    assert layer.calls, "a norm layer is made but never called"
    for shape, rest in layer.calls:
        assert shape[1] == layer.channels, (
            f"norm({layer.channels}) is called with {shape[1]} channels"
        )
        how = "layer(h, condition)" if expected else "layer(h)"
        assert len(rest) == len(expected), f"call every norm layer as {how}"
        assert all(a is b for a, b in zip(rest, expected, strict=True)), (
            "a norm layer gets something other than the condition; hand it on unopened"
        )
