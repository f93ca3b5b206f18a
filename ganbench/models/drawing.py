"""Sampling methods at work on a trained model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from ganbench.contracts.architectures import Architecture
from ganbench.contracts.images import quantise
from ganbench.contracts.samplers import Sampling, SamplingMethod
from ganbench.contracts.steps import Scored
from ganbench.errors import ContractError, GanbenchError
from ganbench.models import sampling
from ganbench.models.networks import ConditionalDiscriminator, ConditionalGenerator, frozen
from ganbench.util.process_settings import as_if_not_called
from ganbench.util.random_streams import accelerators, seed_others


@dataclass(frozen=True)
class Trained:
    """Networks that have been trained, whose norm layers are calibrated."""

    architecture: Architecture
    generator: ConditionalGenerator
    device: torch.device
    dtype: torch.dtype  # of the data set's images
    discriminator: ConditionalDiscriminator | None = None
    own: Mapping[str, nn.Module] = field(default_factory=dict)  # by PLUGIN/NAME

    def draw(
        self, method: SamplingMethod, labels: Tensor | None, count: int, rng: torch.Generator
    ) -> Tensor:
        """Return images (count, C, H, W) on the CPU, in the data set's own type.

        What layers and transforms draw of torch's own generators is decided by the seed of `rng`.
        Raises ContractError where the method returns something else.
        """
        with as_if_not_called(accelerators(self.device)), self.resting():
            torch.manual_seed(rng.initial_seed())
            seed_others(rng.initial_seed(), "sampler")
            images = method.draw(self.shown(method), labels, count, rng)
        return self._checked(method, images, count)

    def shown(self, method: SamplingMethod) -> Sampling:
        """Return what a method sees of it."""
        return Sampling(
            self.architecture.latents,
            self._generate,
            self._images,
            sampling.at_once(self.generator.image),
            self._score if method.needs_discriminator else partial(_refused, method),
            self.own if method.needs_own else {},
        )

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Have all networks in evaluation mode, and their weights ask for no gradients."""
        networks = [self.generator, self.discriminator, *self.own.values()]
        with ExitStack() as stack:
            for network in networks:
                if network is not None:
                    stack.enter_context(sampling.evaluating(network))
                    stack.enter_context(frozen(network.parameters()))
            yield

    def _generate(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        images: Tensor = self.generator(latents.to(self.device), self._here(labels))
        return images

    def _images(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        return sampling.generate(
            self.generator, latents.detach(), labels, self.device, dtype=self.dtype
        )

    def _score(
        self, images: Tensor, labels: Tensor | None, *, track_inputs: bool = False
    ) -> Scored:
        if self.discriminator is None:
            raise GanbenchError("there is no discriminator to be asked")
        return Scored(
            images.to(self.device),
            self._here(labels),
            self.discriminator,
            track_inputs=track_inputs,
            keep_graph=True,
        )

    def _here(self, labels: Tensor | None) -> Tensor | None:
        return None if labels is None else labels.to(self.device)

    def _checked(self, method: SamplingMethod, images: Tensor, count: int) -> Tensor:
        shape = self.generator.image
        expected = (count, shape.channels, shape.resolution, shape.resolution)
        found = tuple(images.shape) if isinstance(images, Tensor) else type(images).__name__
        if found != expected:
            raise ContractError(
                f"sampler '{method.name}' returned {found}, and {expected} was asked for; return "
                "an image for each label, in their order"
            )
        images = images.detach()
        if images.dtype == torch.float32 and self.dtype == torch.uint8:
            images = quantise(images)
        if images.dtype != self.dtype:
            raise ContractError(
                f"sampler '{method.name}' returned images of {images.dtype}; return what "
                "model.images or model.generate gives"
            )
        return images.cpu()


def _refused(
    method: SamplingMethod, images: Tensor, labels: Tensor | None, *, track_inputs: bool = False
) -> Scored:
    raise ContractError(
        f"sampler '{method.name}' asks model.score and does not say so; declare "
        "`needs_discriminator = True`"
    )
