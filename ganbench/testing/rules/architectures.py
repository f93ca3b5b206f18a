"""What every architecture must do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

from ganbench.contracts.architectures import Architecture
from ganbench.contracts.conditionings import Conditioning, Unconditioned
from ganbench.contracts.images import ImageSpec
from ganbench.contracts.losses import norm_per_sample
from ganbench.contracts.steps import Scored
from ganbench.models.calibration import copied
from ganbench.models.networks import (
    LAYERS,
    PER_SAMPLE,
    PLAIN_NORMS,
    ConditionalDiscriminator,
    ConditionalGenerator,
    build,
    has_styles,
    with_spectral,
)
from ganbench.testing.fixtures import kept_state
from ganbench.testing.fixtures.meta_device import on_meta
from ganbench.testing.fixtures.networks import (
    finite_gradients,
    holding_spectral_norms,
    random_images,
    shaken,
)
from ganbench.testing.fixtures.scheduled import told
from ganbench.testing.rulebook import Rulebook
from ganbench.training.changes import progress_buffers

RESOLUTIONS = (1, 2, 4, 8, 16, 28, 29, 32, 33, 48, 64, 100, 128, 256)
SPECS = tuple(ImageSpec(channels, size) for size in RESOLUTIONS for channels in (1, 2, 3))
COUNT = 4
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
def progress_stays_finite(architecture: Architecture) -> None:
    image = next(_smallest(architecture))
    generator, discriminator = _players(architecture, image)
    if not (progress_buffers(generator) or progress_buffers(discriminator)):
        return
    latents = torch.randn(COUNT, architecture.latent_dim)
    for progress in told(generator, discriminator):
        images = generator(latents, None)
        logits = discriminator(images, None).logits
        assert images.isfinite().all(), f"G's images are not finite{progress}"
        assert logits.isfinite().all(), f"D's logits are not finite{progress}"


@rules.rule
def latent_dim_is_positive(architecture: Architecture) -> None:
    found = getattr(architecture, "latent_dim", None)
    positive = isinstance(found, int) and found > 0
    assert positive, f"latent_dim is {found!r}; give it a default above zero"


@rules.rule
def unsupported_sizes_get_a_sentence(architecture: Architecture) -> None:
    for image in SPECS:
        reason = architecture.unsupported(image)
        assert reason is None or isinstance(reason, str), (
            f"unsupported() gives {reason!r} for {image}; give None or the reason"
        )
        assert reason is None or len(reason.split()) > 3, (
            f"unsupported() gives {reason!r} for {image}; say what sizes it builds"
        )


@rules.rule
def claimed_sizes_build(architecture: Architecture) -> None:
    """Sizes are built on the meta device, where shapes are computed and nothing else."""
    for image in _claimed(architecture):
        with on_meta("it"), torch.device("meta"):
            try:
                generator = _generator(architecture, image)
                discriminator = architecture.discriminator(image, _plain_norm(architecture))
                images = _images(generator, torch.empty(COUNT, architecture.latent_dim))
                features = discriminator(images)
            except (RuntimeError, ValueError) as error:
                if isinstance(error, NotImplementedError) or "device" in str(error):
                    raise
                raise AssertionError(
                    f"images of {image} cannot be built ({error}); have unsupported() refuse them, "
                    "with the sizes that it builds"
                ) from error
            expected = (COUNT, image.channels, image.resolution, image.resolution)
            assert images.shape == expected, f"images of {image} come out as {tuple(images.shape)}"
            promised = (COUNT, getattr(discriminator, "feature_dim", None))
            assert tuple(features.shape) == promised, (
                f"the features of {image} have shape {tuple(features.shape)}, but `feature_dim` "
                f"promises {promised}"
            )


@rules.rule
def images_are_in_range(architecture: Architecture) -> None:
    for image in _smallest(architecture):
        generator = shaken(_generator(architecture, image), 1.0)
        images = _images(generator, 10 * torch.randn(COUNT, architecture.latent_dim)).detach()
        assert images.dtype == torch.float32, f"images are {images.dtype}, not float32"
        assert images.abs().max() <= 1, (
            f"an image value is {float(images.abs().max()):.3g}; end in tanh, for [-1, 1]"
        )


@rules.rule
def images_depend_on_the_latent(architecture: Architecture) -> None:
    """It does so at whatever size of latent the conditioning asks for."""
    for image in _smallest(architecture):
        size = architecture.latent_dim + 3
        generator = shaken(_generator(architecture, image, latent_dim=size), 0.05)
        z = torch.randn(COUNT, size, requires_grad=True)
        noise = z[:, : architecture.latent_dim].detach()
        (slope,) = torch.autograd.grad(_images(generator, z, noise=noise).square().sum(), z)
        assert slope.any(0).all(), (
            "the images do not depend on every latent; use the `latent_dim` that generator() is "
            "given, which the conditioning may have enlarged"
        )


@rules.rule
def styles_are_of_each_image(architecture: Architecture) -> None:
    image = next(_smallest(architecture))
    generator = shaken(_generator(architecture, image), 0.05).eval()
    if not has_styles(generator):
        return
    styles = generator.styles(torch.randn(COUNT, architecture.latent_dim), None)  # type: ignore[operator]
    assert styles.ndim == 3 and len(styles) == COUNT, (  # noqa: PT018
        f"styles() gives {tuple(styles.shape)} for {COUNT} latents; give (N, L, W), a style for "
        "each layer"
    )
    styles = styles.detach().requires_grad_()
    (slope,) = torch.autograd.grad(generator.synthesise(styles)[0].sum(), styles)  # type: ignore[operator]
    assert slope[0].any(), "synthesise() makes images that do not depend on their styles"
    assert not slope[1:].any(), "synthesise() makes an image of the styles of others, too"


@rules.rule
def generator_norm_layers_receive_the_condition(architecture: Architecture) -> None:
    for image in _smallest(architecture):
        made: list[_Recorder] = []
        generator = architecture.generator(
            image, architecture.latent_dim, partial(_Recorder.into, made)
        )
        condition = torch.arange(COUNT)
        _images(generator, torch.randn(COUNT, architecture.latent_dim), condition)
        if not set(architecture.g_norms) - {"spectral"}:
            assert not made, "g_norms has no layers, but it makes some; name the norms it takes"
            continue
        assert made, "it makes no norm layer with norm(channels); make one, or set g_norms = ()"
        for layer in made:
            _assert_recorded(layer, (condition,))


@rules.rule
def discriminator_norm_layers_are_made_by_the_factory(architecture: Architecture) -> None:
    for image in _smallest(architecture):
        made: list[_Recorder] = []
        discriminator = architecture.discriminator(image, partial(_Recorder.into, made))
        discriminator(random_images(COUNT, image))
        if set(architecture.d_norms) <= {"none", "spectral"}:
            assert not made, f"d_norms is {architecture.d_norms}, but it makes norm layers"
            continue
        assert made, f"d_norms is {architecture.d_norms}, but it makes no layer with norm(channels)"
        for layer in made:
            _assert_recorded(layer, ())


@rules.rule
def generator_gradient_is_finite(architecture: Architecture) -> None:
    image = next(_smallest(architecture))
    for norm in architecture.g_norms or ("none",):
        generator, _ = _players(architecture, image, g_norm=norm)
        generator(torch.randn(COUNT, architecture.latent_dim)).square().mean().backward()
        idle = [n for n, p in generator.named_parameters() if p.grad is None]
        assert not idle, f"the generator's parameters {idle} are not used under norm '{norm}'"
        assert finite_gradients(generator), f"a gradient is not finite under g_norm '{norm}'"


@rules.rule
def stays_on_the_device(architecture: Architecture) -> None:
    image = next(_smallest(architecture))
    generator = _generator(architecture, image).to("meta")
    discriminator = architecture.discriminator(image, _plain_norm(architecture)).to("meta")
    with on_meta("it"):
        images = _images(generator, torch.empty(COUNT, architecture.latent_dim, device="meta"))
        for tensor in (images, discriminator(images)):
            assert tensor.device.type == "meta", (
                "its outputs are not on the device of its modules; register_buffer what it holds, "
                "and make tensors with device=x.device"
            )


@rules.rule
def survives_deepcopy(architecture: Architecture) -> None:
    """The average of the generator's weights is a copy of it."""
    image = next(_smallest(architecture))
    generator = _players(architecture, image)[0].eval()
    twin = copied(generator)
    z = torch.randn(COUNT, architecture.latent_dim)
    before = kept_state.images_of(generator, z)
    assert torch.equal(before, kept_state.images_of(twin, z)), (
        "a copy of the generator gives other images"
    )
    shaken(generator)
    assert torch.equal(before, kept_state.images_of(twin, z)), (
        "a copy of the generator shares its weights; keep modules in attributes, and in no function"
    )


@rules.rule
def what_the_generator_keeps_is_in_its_state(architecture: Architecture) -> None:
    kept_state.assert_is_in_the_state(_normed_generator(architecture), architecture.latent_dim)


@rules.rule
def statistics_over_batches_are_renewed(architecture: Architecture) -> None:
    generator = _normed_generator(architecture)
    kept_state.assert_statistics_are_renewed(generator, architecture.latent_dim)


@rules.rule_where(_takes_spectral_norm)
def spectral_norm_holds_in_the_generator(architecture: Architecture) -> None:
    """The weights that it multiplies with are the normalised ones, and a copy has them too.

    In evaluation, weights and the singular values that divide them grow alike.
    """
    image = next(_smallest(architecture))
    first = architecture.g_norms[0]
    norm = f"{first}+spectral" if first in LAYERS else "spectral"
    try:
        generator, _ = _players(architecture, image, g_norm=norm)
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
    for image in _smallest(architecture):
        _, discriminator = _players(architecture, image, d_norm=norm)
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
    return holding_spectral_norms(discriminator)(images).logits


@rules.rule_for_each(_per_sample_norms)
def gradient_penalty_passes_through(norm: str, architecture: Architecture) -> None:
    image = next(_smallest(architecture))
    _, discriminator = _players(architecture, image, d_norm=norm)
    shaken(discriminator, 0.05)  # residual branches may start at zero
    for progress in told(discriminator):
        scored = Scored(random_images(COUNT, image), None, discriminator, track_inputs=True)
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


def _claimed(architecture: Architecture) -> list[ImageSpec]:
    claimed = [image for image in SPECS if architecture.unsupported(image) is None]
    assert claimed, f"it supports none of the sizes {RESOLUTIONS}; test it with one that it builds"
    return claimed


def _smallest(architecture: Architecture) -> Iterator[ImageSpec]:
    """The smallest images it claims, at each channel count."""
    claimed = _claimed(architecture)
    for channels in sorted({image.channels for image in claimed}):
        fitting = [image for image in claimed if image.channels == channels]
        yield min(fitting, key=lambda image: image.resolution)


def _generator(
    architecture: Architecture, image: ImageSpec, latent_dim: int | None = None
) -> nn.Module:
    def norm(channels: int) -> nn.Module:
        return Unconditioned(nn.GroupNorm(1, channels))

    return architecture.generator(image, latent_dim or architecture.latent_dim, norm)


def _images(
    generator: nn.Module, z: Tensor, condition: Tensor | None = None, noise: Tensor | None = None
) -> Tensor:
    """Images of a backbone, called as a cell's generator calls it."""
    if has_styles(generator):
        made: Tensor = generator.synthesise(generator.styles(z, condition))  # type: ignore[operator]
        return made
    sees_noise = bool(getattr(generator, "sees_noise", False))
    extra = ((z if noise is None else noise),) if sees_noise else ()
    images: Tensor = generator(z, condition, *extra)
    return images


def _normed_generator(architecture: Architecture) -> ConditionalGenerator:
    return _players(architecture, next(_smallest(architecture)))[0]


def _plain_norm(architecture: Architecture) -> Callable[[int], nn.Module]:
    offered = [norm for norm in architecture.d_norms if norm in PER_SAMPLE]
    return PLAIN_NORMS[offered[0] if offered else architecture.d_norms[0]]


def _players(
    architecture: Architecture,
    image: ImageSpec,
    *,
    g_norm: str | None = None,
    d_norm: str | None = None,
) -> tuple[ConditionalGenerator, ConditionalDiscriminator]:
    plain = Conditioning()
    return build(
        architecture,
        plain,
        plain,
        image,
        g_norm=g_norm or (architecture.g_norms or ("none",))[0],
        d_norm=d_norm or architecture.d_norms[0],
    )
