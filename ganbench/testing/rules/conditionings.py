"""What every conditioning must do."""

from __future__ import annotations

import copy
from typing import get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from ganbench.contracts.conditionings import (
    Conditioning,
    DiscriminatorConditioner,
    GeneratorConditioner,
)
from ganbench.contracts.images import ImageSpec
from ganbench.contracts.losses import Shapes, Terms, norm_per_sample
from ganbench.contracts.steps import Player, Scored, Step
from ganbench.models.calibration import copied
from ganbench.models.networks import ConditionalDiscriminator, ConditionalGenerator, build
from ganbench.models.owned import OwnedNetworks
from ganbench.testing.fixtures import kept_state
from ganbench.testing.fixtures.loss_steps import Adversary
from ganbench.testing.fixtures.meta_device import on_meta
from ganbench.testing.fixtures.networks import (
    TinyConv,
    finite_gradients,
    holding_spectral_norms,
    random_images,
    random_labels,
    shaken,
    without_gradient,
)
from ganbench.testing.rulebook import Rulebook
from ganbench.training.game import Game
from ganbench.training.micro_batches import MicroBatch

Players = tuple[ConditionalGenerator, ConditionalDiscriminator]
SPECS = tuple(ImageSpec(channels, 8, classes) for channels in (1, 3) for classes in (2, 10))
SPEC = ImageSpec(1, 8, 3)
COUNT = 6
rules = Rulebook()


def _needs_labels(cls: type) -> bool:
    return bool(getattr(cls, "needs_labels", True))


def _needs_no_labels(cls: type) -> bool:
    return not _needs_labels(cls)


@rules.rule
def sizes_are_true(conditioning: Conditioning) -> None:
    for image in SPECS:
        latents, labels = torch.randn(COUNT, 5), random_labels(COUNT, image.num_classes)
        g_side = conditioning.generator(5, image.num_classes)
        d_side = conditioning.discriminator(image)
        said, given = g_side.latent_dim, tuple(g_side.latent(latents, labels).shape)
        assert given == (COUNT, said), f"latent() gives {given}, but `latent_dim` says {said}"
        shape = tuple(d_side.image(random_images(COUNT, image), labels).shape)
        expected = (COUNT, d_side.channels, image.resolution, image.resolution)
        assert shape == expected, f"image() gives {shape}, but `channels` promises {expected}"


@rules.rule_where(_needs_labels)
def labels_reach_a_player(conditioning: Conditioning) -> None:
    assert any(_conditioned(conditioning)), (
        "neither player's conditioner differs from the plain one; declare `needs_labels = False`"
    )


@rules.rule_where(_needs_labels)
def labels_change_the_image(conditioning: Conditioning) -> None:
    generator, _ = _players(conditioning)
    latents, labels = _latents(), random_labels(COUNT, SPEC.num_classes)
    if not _conditioned(conditioning)[0]:
        return
    moved = _moved(generator(latents, labels), generator(latents, _swapped(labels)))
    assert moved.all(), "swapping the labels leaves the generator's image as it was"


@rules.rule_where(_needs_labels)
def labels_change_the_logits(conditioning: Conditioning) -> None:
    """They change D's logit, or the terms that the conditioner adds, as AC-GAN's do."""
    players = _players(conditioning)
    images, labels = random_images(COUNT, SPEC), random_labels(COUNT, SPEC.num_classes)
    if not _conditioned(conditioning)[1]:
        return
    moved = _moved(players[1](images, labels).logits, players[1](images, _swapped(labels)).logits)
    terms, others = (_seeded_terms(players, images, given) for given in (labels, _swapped(labels)))
    in_terms = any(not torch.allclose(terms[name], others[name]) for name in terms)
    assert moved.all() or in_terms, (
        "swapping the labels changes neither the discriminator's logits nor any term it adds"
    )


@rules.rule_where(_needs_no_labels)
def labels_do_not_matter(conditioning: Conditioning) -> None:
    generator, discriminator = _players(conditioning)
    latents, images = _latents(), random_images(COUNT, SPEC)
    labels = random_labels(COUNT, SPEC.num_classes)
    for other in (_swapped(labels), None):
        assert torch.equal(generator(latents, labels), generator(latents, other)), (
            "the generator's image depends on the labels; declare `needs_labels = True`"
        )
        logits = [discriminator(images, y).logits for y in (labels, other)]
        assert torch.equal(*logits), (
            "the discriminator's logits depend on the labels; declare `needs_labels = True`"
        )


@rules.rule
def any_channel_and_class_count_works(conditioning: Conditioning) -> None:
    for image in SPECS:
        count = max(COUNT, image.num_classes)
        labels = random_labels(count, image.num_classes)
        generator, discriminator = _players(conditioning, image)
        try:
            fakes = generator(_latents(count), labels)
            logits = discriminator(fakes, labels).logits
        except (RuntimeError, IndexError) as error:
            raise AssertionError(
                f"images of {image} make it raise {type(error).__name__} ({error}); take the "
                "channels and the number of classes from what it is given"
            ) from error
        logits.sum().backward()
        assert fakes.shape == (count, image.channels, 8, 8), (
            f"images of {image} come out as {tuple(fakes.shape)}"
        )
        assert logits.shape[:1] == (count,), (
            f"the head gives {count} images logits {tuple(logits.shape)}; each has one, (N,), or "
            "some, (N, ...)"
        )
        assert finite_gradients(generator), f"a gradient for {image} is not finite"


@rules.rule
def every_parameter_gets_a_gradient(conditioning: Conditioning) -> None:
    """The step is a logistic loss's, with every class in the batch; the head's bias may lack it."""
    generator, discriminator = players = _players(conditioning)
    images, labels = random_images(COUNT, SPEC), random_labels(COUNT, SPEC.num_classes)
    game = _game(players)
    with game.turn("discriminator"):
        step = _step(game, "discriminator", images, labels)
        own = game.ask(discriminator.conditioner, "discriminator", step)
        adversarial = F.softplus(-step.real.logits).mean() + F.softplus(step.fake.logits).mean()
        torch.stack([adversarial, *own.values()]).sum().backward()
    F.softplus(-discriminator(generator(_latents(), labels), labels).logits).mean().backward()
    idle = [
        *without_gradient(generator),
        *(n for n in without_gradient(discriminator) if not _is_head_bias(n)),
    ]
    assert not idle, f"the parameters {idle} get no gradient; use them, or do not make them"


@rules.rule
def samples_do_not_depend_on_their_neighbours(conditioning: Conditioning) -> None:
    generator, discriminator = _players(conditioning)
    latents, images = _latents(), random_images(COUNT, SPEC)
    labels = random_labels(COUNT, SPEC.num_classes)
    other = torch.arange(COUNT) % SPEC.num_classes
    other[0] = SPEC.num_classes - 1
    disturbed_z, disturbed_x = latents.clone(), images.clone()
    disturbed_z[0], disturbed_x[0] = 3.0, 0.9
    for what, before, after in (
        ("image", generator(latents, labels), generator(disturbed_z, other)),
        ("logit", discriminator(images, labels)[0], discriminator(disturbed_x, other)[0]),
    ):
        assert torch.allclose(before[1:], after[1:], atol=1e-5), (
            f"a sample's {what} depends on the labels or values of its neighbours in the batch"
        )


@rules.rule
def gradient_penalty_passes_through(conditioning: Conditioning) -> None:
    _, discriminator = _players(conditioning)
    labels = random_labels(COUNT, SPEC.num_classes)
    scored = Scored(random_images(COUNT, SPEC), labels, discriminator, track_inputs=True)
    (norm_per_sample(scored.input_gradient) - 1).square().mean().backward()
    assert finite_gradients(discriminator), (
        "a gradient penalty gives the discriminator gradients that are not finite"
    )
    head = [p.grad for p in discriminator.head.parameters()]
    assert any(gradient is not None and bool(gradient.any()) for gradient in head), (
        "a gradient penalty does not reach the head; keep the logits differentiable twice"
    )


@rules.rule
def added_terms_are_finite_scalars(conditioning: Conditioning) -> None:
    players = _players(conditioning)
    images, labels = random_images(COUNT, SPEC), random_labels(COUNT, SPEC.num_classes)
    for player in get_args(Player):
        for name, term in _terms(players, player, images, labels).items():
            assert term.ndim == 0, f"term '{name}' has shape {tuple(term.shape)}; add .mean()"
            assert torch.isfinite(term), f"term '{name}' is {float(term.detach())}"


@rules.rule
def class_logits_are_given_as_declared(conditioning: Conditioning) -> None:
    _, discriminator = _players(conditioning)
    labels = random_labels(COUNT, SPEC.num_classes)
    given = discriminator(random_images(COUNT, SPEC), labels).class_logits
    if not conditioning.gives_class_logits:
        assert given is None, "the head gives class logits; declare `gives_class_logits = True`"
        return
    assert given is not None, "`gives_class_logits` is declared, but the head gives none"
    assert given.shape == (COUNT, SPEC.num_classes), f"class logits have shape {tuple(given.shape)}"


@rules.rule
def stays_on_the_device(conditioning: Conditioning) -> None:
    generator, discriminator = players = _players(conditioning)
    generator.to("meta")
    discriminator.to("meta")
    labels = torch.arange(COUNT, device="meta") % SPEC.num_classes
    with on_meta("it"):
        images = generator(_latents().to("meta"), labels)
        for tensor in (
            images,
            discriminator(images, labels).logits,
            *_terms(players, "discriminator", images, labels).values(),
            *_terms(players, "generator", images, labels).values(),
        ):
            assert tensor.device.type == "meta", (
                "its outputs are not on the device of its modules; register_buffer what it holds, "
                "and make tensors with device=labels.device"
            )


@rules.rule
def survives_deepcopy(conditioning: Conditioning) -> None:
    """The average of the generator's weights is a copy of it."""
    generator, _ = _players(copy.deepcopy(conditioning))
    latents, labels = _latents(), random_labels(COUNT, SPEC.num_classes)
    twin = copied(generator.eval())
    before = kept_state.images_of(generator, latents, labels)
    assert torch.equal(before, kept_state.images_of(twin, latents, labels)), (
        "a copy of the generator gives other images"
    )
    shaken(generator)
    assert torch.equal(before, kept_state.images_of(twin, latents, labels)), (
        "a copy of the generator shares its weights; keep modules in attributes, and in no function"
    )


@rules.rule
def what_the_generator_keeps_is_in_its_state(conditioning: Conditioning) -> None:
    kept_state.assert_is_in_the_state(_batch_normed(conditioning), TinyConv().latent_dim)


@rules.rule
def statistics_over_batches_are_renewed(conditioning: Conditioning) -> None:
    kept_state.assert_statistics_are_renewed(_batch_normed(conditioning), TinyConv().latent_dim)


def _batch_normed(conditioning: Conditioning) -> ConditionalGenerator:
    return build(TinyConv(), conditioning, conditioning, SPEC, g_norm="batch", d_norm="layer")[0]


def _players(conditioning: Conditioning, image: ImageSpec = SPEC) -> Players:
    """Networks whose norm, at every layer, looks at one sample alone."""
    built = build(TinyConv(), conditioning, conditioning, image, g_norm="layer", d_norm="layer")
    for module in built:
        holding_spectral_norms(shaken(module))
    return built


def _conditioned(conditioning: Conditioning) -> tuple[bool, bool]:
    """Whether each player's conditioner is more than the plain one that ignores labels."""
    return (
        type(conditioning.generator(4, SPEC.num_classes)) is not GeneratorConditioner,
        type(conditioning.discriminator(SPEC)) is not DiscriminatorConditioner,
    )


def _latents(count: int = COUNT) -> Tensor:
    return torch.randn(count, TinyConv().latent_dim)


def _swapped(labels: Tensor | None) -> Tensor | None:
    return None if labels is None else (labels + 1) % SPEC.num_classes


def _moved(before: Tensor, after: Tensor) -> Tensor:  # -> (N,) bool
    return (before - after).abs().flatten(1 if before.ndim > 1 else 0).reshape(COUNT, -1).amax(
        1
    ) > 1e-6


def _is_head_bias(name: str) -> bool:
    return name.startswith("head.") and name.endswith("bias")


def _game(players: Players) -> Game:
    generator, discriminator = players
    feature_dim: int = discriminator.backbone.feature_dim  # type: ignore[assignment]
    shapes = Shapes(SPEC, TinyConv().latent_dim, feature_dim)
    owned = OwnedNetworks.made([discriminator.conditioner], shapes)
    for networks in owned:
        networks.to(next(generator.parameters()).device)
    return Game(generator, discriminator, [Adversary()], owned)


def _step(game: Game, player: Player, images: Tensor, labels: Tensor | None) -> Step:
    latents = _latents().to(images.device)
    batch = MicroBatch(images, labels, latents, labels, 1.0)
    return game.step(player, batch, game.generator(latents, labels))


def _terms(players: Players, player: Player, images: Tensor, labels: Tensor | None) -> Terms:
    """What the conditioner adds to a player's loss."""
    game = _game(players)
    with game.turn(player):
        step = _step(game, player, images, labels)
        return game.ask(players[1].conditioner, player, step)


def _seeded_terms(players: Players, images: Tensor, labels: Tensor | None) -> Terms:
    torch.manual_seed(1)
    return _terms(players, "discriminator", images, labels)
