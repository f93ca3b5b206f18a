"""What every architecture must do."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganbench.contracts.architectures import Architecture
from ganbench.models.calibration import copied
from ganbench.models.networks import ConditionalGenerator, has_styles
from ganbench.testing.fixtures import kept_state
from ganbench.testing.fixtures.backbones import (
    COUNT,
    SPECS,
    d_norm_of,
    generator_of,
    images_of,
    of_each_size,
    players_of,
    smallest,
)
from ganbench.testing.fixtures.meta_device import on_meta
from ganbench.testing.fixtures.networks import finite_gradients, shaken
from ganbench.testing.fixtures.scheduled import told
from ganbench.testing.rulebook import Rulebook
from ganbench.testing.rules import architecture_norms
from ganbench.training.changes import progress_buffers

rules = Rulebook(architecture_norms.rules)


@rules.rule
def progress_stays_finite(architecture: Architecture) -> None:
    image = next(smallest(architecture))
    generator, discriminator = players_of(architecture, image)
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
    for image in of_each_size(architecture):
        with on_meta("it"), torch.device("meta"), torch.no_grad():
            try:
                generator = architecture.generator(image, architecture.latent_dim, _Sized)
                discriminator = architecture.discriminator(image, d_norm_of(architecture))
                images = images_of(generator, torch.empty(COUNT, architecture.latent_dim))
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
    for image in smallest(architecture):
        generator = shaken(generator_of(architecture, image), 1.0)
        images = images_of(generator, 10 * torch.randn(COUNT, architecture.latent_dim)).detach()
        assert images.dtype == torch.float32, f"images are {images.dtype}, not float32"
        assert images.abs().max() <= 1, (
            f"an image value is {float(images.abs().max()):.3g}; end in tanh, for [-1, 1]"
        )


@rules.rule
def images_are_dark_and_bright(architecture: Architecture) -> None:
    """Whatever the weights, some values are below zero and some above, as in images of data."""
    image = next(smallest(architecture))
    values = []
    for size in (0.3, 1.0, 1.0):
        generator = shaken(generator_of(architecture, image), size)
        latents = 10 * torch.randn(COUNT, architecture.latent_dim)
        values.append(images_of(generator, latents).detach())
    low, high = float(min(x.min() for x in values)), float(max(x.max() for x in values))
    assert low < 0 < high, (
        f"its images go from {low:.3g} to {high:.3g}, and those of data from -1 to 1; end in tanh"
    )


@rules.rule
def images_depend_on_the_latent(architecture: Architecture) -> None:
    """It does so at whatever size of latent the conditioning asks for."""
    for image in smallest(architecture):
        size = architecture.latent_dim + 3
        generator = shaken(generator_of(architecture, image, latent_dim=size), 0.05)
        z = torch.randn(COUNT, size, requires_grad=True)
        noise = z[:, : architecture.latent_dim].detach()
        (slope,) = torch.autograd.grad(images_of(generator, z, noise=noise).square().sum(), z)
        assert slope.any(0).all(), (
            "the images do not depend on every latent; use the `latent_dim` that generator() is "
            "given, which the conditioning may have enlarged"
        )


@rules.rule
def styles_are_of_each_image(architecture: Architecture) -> None:
    image = next(smallest(architecture))
    generator = shaken(generator_of(architecture, image), 0.05).eval()
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
def generator_gradient_is_finite(architecture: Architecture) -> None:
    image = next(smallest(architecture))
    for norm in architecture.g_norms or ("none",):
        generator, _ = players_of(architecture, image, g_norm=norm)
        generator(torch.randn(COUNT, architecture.latent_dim)).square().mean().backward()
        idle = [n for n, p in generator.named_parameters() if p.grad is None]
        assert not idle, f"the generator's parameters {idle} are not used under norm '{norm}'"
        assert finite_gradients(generator), f"a gradient is not finite under g_norm '{norm}'"


@rules.rule
def stays_on_the_device(architecture: Architecture) -> None:
    image = next(smallest(architecture))
    generator = generator_of(architecture, image).to("meta")
    discriminator = architecture.discriminator(image, d_norm_of(architecture)).to("meta")
    with on_meta("it"):
        images = images_of(generator, torch.empty(COUNT, architecture.latent_dim, device="meta"))
        for tensor in (images, discriminator(images)):
            assert tensor.device.type == "meta", (
                "its outputs are not on the device of its modules; register_buffer what it holds, "
                "and make tensors with device=x.device"
            )


@rules.rule
def survives_deepcopy(architecture: Architecture) -> None:
    """The average of the generator's weights is a copy of it."""
    image = next(smallest(architecture))
    generator = players_of(architecture, image)[0].eval()
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


def _normed_generator(architecture: Architecture) -> ConditionalGenerator:
    return players_of(architecture, next(smallest(architecture)))[0]


class _Sized(nn.Module):
    """A norm layer that looks at the channels, which is all that it is on the meta device."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, h: Tensor, condition: Tensor | None) -> Tensor:
        if h.shape[1] != self.channels:
            raise ValueError(f"norm({self.channels}) is called with {h.shape[1]} channels")
        return h
