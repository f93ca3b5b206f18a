"""Right samplers pass the kit, and wrong ones are caught by it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from helpers import methods, mutants
from torch import Tensor

from ganbench import Sampling, SamplingMethod
from ganbench.default_plugins.samplers import Plain, Rejection, Truncation
from ganbench.testing import parametrize_with_checks

(DDLS,) = methods.plugins("ddls")


@parametrize_with_checks(Plain, Truncation, Rejection(burn_in=300), DDLS)
def test_right_samplers_pass(check) -> None:
    check()


@dataclass(kw_only=True)
class DrawsElsewhere(Plain):
    """Latents from torch's own generator."""

    name = "draws-elsewhere"
    caught_by = {"one_generator_gives_one_result"}

    def draw(
        self, model: Sampling, labels: Tensor | None, count: int, rng: torch.Generator
    ) -> Tensor:
        return model.images(torch.randn(count, 3), labels)


@dataclass(kw_only=True)
class DrawsAlike(Plain):
    """A generator of its own."""

    name = "draws-alike"
    caught_by = {"one_generator_gives_one_result"}

    def draw(
        self, model: Sampling, labels: Tensor | None, count: int, rng: torch.Generator
    ) -> Tensor:
        return super().draw(model, labels, count, torch.Generator().manual_seed(0))


@dataclass(kw_only=True)
class SortsLabels(Plain):
    """Images class by class."""

    name = "sorts-labels"
    caught_by = {"labels_keep_their_order"}

    def draw(
        self, model: Sampling, labels: Tensor | None, count: int, rng: torch.Generator
    ) -> Tensor:
        return super().draw(model, None if labels is None else labels.sort().values, count, rng)


@dataclass(kw_only=True)
class SortsAway(Plain):
    """Sorts the labels that it was given."""

    name = "sorts-away"
    caught_by = {"labels_keep_their_order"}

    def draw(
        self, model: Sampling, labels: Tensor | None, count: int, rng: torch.Generator
    ) -> Tensor:
        if labels is not None:
            labels.copy_(labels.sort().values)
        return super().draw(model, labels, count, rng)


@dataclass(kw_only=True)
class KeepsFew(Plain):
    """Only the images that it likes, and no others in their place."""

    name = "keeps-few"
    caught_by = {"images_are_as_many_as_asked"}
    also = {"labels_keep_their_order"}

    def draw(
        self, model: Sampling, labels: Tensor | None, count: int, rng: torch.Generator
    ) -> Tensor:
        images = super().draw(model, labels, count, rng)
        return images[: max(1, count // 2)]


@dataclass(kw_only=True)
class Tunes(Plain):
    """Trains D on the way."""

    name = "tunes"
    needs_discriminator = True
    caught_by = {"model_stays_as_it_is"}

    def draw(
        self, model: Sampling, labels: Tensor | None, count: int, rng: torch.Generator
    ) -> Tensor:
        scored = model.score(model.generate(model.prior(count, rng), labels), labels)
        with torch.no_grad():
            for parameter in scored.discriminator.parameters():  # type: ignore[attr-defined]
                parameter.add_(1)
        return super().draw(model, labels, count, rng)


@dataclass(kw_only=True)
class GoesOn(Plain):
    """Begins where it ended."""

    name = "goes-on"
    caught_by = {"nothing_is_remembered"}
    last: list[Tensor] = field(default_factory=list, init=False)

    def draw(
        self, model: Sampling, labels: Tensor | None, count: int, rng: torch.Generator
    ) -> Tensor:
        latents = model.prior(count, rng)
        if self.last and self.last[0].shape == latents.shape:
            latents = (latents + self.last[0]) / 2
        self.last[:] = [latents]
        return model.images(latents, labels)


@dataclass(kw_only=True)
class ShrugsItOff(Truncation):
    """Says no more than no."""

    name = "shrugs-it-off"
    caught_by = {"unsupported_priors_get_a_sentence"}

    def unsupported(self, prior) -> str | None:
        few = int((prior(2000, torch.Generator().manual_seed(0)).abs() > 1).sum())
        return "no" if few else None


@mutants.parametrize(
    DrawsElsewhere, DrawsAlike, SortsLabels, SortsAway, KeepsFew, Tunes, GoesOn, ShrugsItOff
)
def test_wrong_samplers_are_caught(mutant: type) -> None:
    mutants.assert_caught(mutant)


def test_a_sampler_that_asks_d_says_so() -> None:
    @dataclass(kw_only=True)
    class Secretive(Rejection):
        """Rejection that does not say that it asks D."""

        name = "secretive"
        needs_discriminator = False

    said = mutants.failures(Secretive(burn_in=100))["images_are_as_many_as_asked"]
    assert said == (
        "sampler 'secretive': sampler 'secretive' asks model.score and does not say so; declare "
        "`needs_discriminator = True`"
    )


def test_a_sampler_of_networks_that_the_kit_has_not_is_not_drawn_from() -> None:
    @dataclass(kw_only=True)
    class Coded(SamplingMethod):
        """Of a network of InfoGAN's own."""

        name = "coded"
        needs_own = True

        def draw(
            self, model: Sampling, labels: Tensor | None, count: int, rng: torch.Generator
        ) -> Tensor:
            return model.images(model.own["infogan/q"](model.prior(count, rng)), labels)

    assert mutants.failures(Coded) == {}


@pytest.mark.parametrize("method", [Plain(), Truncation(psi=0.5)])
def test_one_seed_gives_one_result_whatever_else_was_drawn(method: SamplingMethod) -> None:
    from ganbench.testing.fixtures.trained_models import POINTS, normal, trained

    model = trained(POINTS, normal)
    once = model.draw(method, None, 7, torch.Generator().manual_seed(3))
    torch.rand(5)
    assert torch.equal(once, model.draw(method, None, 7, torch.Generator().manual_seed(3)))
