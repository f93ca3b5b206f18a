"""What every conditioning must do."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial
from typing import get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from ganbench.contracts.conditionings import (
    Conditioning,
    DiscriminatorConditioner,
    GeneratorConditioner,
)
from ganbench.contracts.images import ImageSpec, LabelKind
from ganbench.contracts.losses import Terms, norm_per_sample
from ganbench.contracts.steps import Player, Scored
from ganbench.models.calibration import copied
from ganbench.models.networks import (
    ConditionalGenerator,
    build,
    generator_conditioner,
)
from ganbench.testing.fixtures import drawn_terms, kept_state
from ganbench.testing.fixtures.conditioned import (
    COUNT,
    game_of,
    networks_of,
    owned_by,
    random_latents,
    seeded_terms,
    step_of,
    terms_of,
)
from ganbench.testing.fixtures.loss_steps import Adversary, close, reaches
from ganbench.testing.fixtures.meta_device import on_meta
from ganbench.testing.fixtures.networks import (
    TinyConv,
    finite_gradients,
    random_images,
    random_labels,
    shaken,
    without_gradient,
)
from ganbench.testing.rulebook import Rulebook
from ganbench.training.game import Game
from ganbench.training.micro_batches import MicroBatch

SPECS = {  # by kind of labels, as rules are named: nothing is said of class ids
    "": ImageSpec(1, 8, num_classes=3),
    "vectors": ImageSpec(1, 8, condition_dim=3),
}
OTHER_SPECS = {
    "": tuple(ImageSpec(channels, 8, number) for channels in (1, 3) for number in (2, 10)),
    "vectors": tuple(
        ImageSpec(channels, 8, condition_dim=number) for channels in (1, 3) for number in (1, 10)
    ),
}
rules = Rulebook()


def _kinds(cls: type) -> Iterator[str]:
    """The kinds of labels that a conditioning takes, as rules are named."""
    kinds = getattr(cls, "label_kinds", ("ids",))
    if "ids" in kinds:
        yield ""
    if "vectors" in kinds:
        yield "vectors"


def _needed_kinds(cls: type) -> Iterator[str]:
    if getattr(cls, "needs_labels", True):
        yield from _kinds(cls)


def _unneeded_kinds(cls: type) -> Iterator[str]:
    if not getattr(cls, "needs_labels", True):
        yield from SPECS


def _class_ids(cls: type) -> Iterator[str]:
    yield from (kind for kind in _kinds(cls) if not kind)


@rules.rule
def label_kinds_are_known(conditioning: Conditioning) -> None:
    kinds = conditioning.label_kinds
    possible = get_args(LabelKind)
    known = isinstance(kinds, tuple) and kinds and set(kinds) <= set(possible)
    assert known, f"label_kinds is {kinds!r}; give a tuple of {' and '.join(map(repr, possible))}"
    own = "generator_of_vectors" in vars(type(conditioning))
    assert "vectors" in kinds or not own or not conditioning.needs_labels, (
        "it has a generator_of_vectors, which nobody calls; declare label_kinds with 'vectors'"
    )


@rules.rule_for_each(_kinds)
def sizes_are_true(kind: str, conditioning: Conditioning) -> None:
    for image in OTHER_SPECS[kind]:
        latents, labels = torch.randn(COUNT, 5), random_labels(COUNT, image)
        g_side = generator_conditioner(conditioning, 5, image)
        d_side = conditioning.discriminator(image)
        said, given = g_side.latent_dim, tuple(g_side.latent(latents, labels).shape)
        assert given == (COUNT, said), f"latent() gives {given}, but `latent_dim` says {said}"
        shape = tuple(d_side.image(random_images(COUNT, image), labels).shape)
        expected = (COUNT, d_side.channels, image.resolution, image.resolution)
        assert shape == expected, f"image() gives {shape}, but `channels` promises {expected}"


@rules.rule_for_each(_needed_kinds)
def labels_reach_a_player(kind: str, conditioning: Conditioning) -> None:
    assert any(_conditioned(conditioning, SPECS[kind])), (
        "neither player's conditioner differs from the plain one; declare `needs_labels = False`"
    )


@rules.rule_for_each(_needed_kinds)
def labels_reach_the_generator(kind: str, conditioning: Conditioning) -> None:
    of_g, of_d = _conditioned(conditioning, SPECS[kind])
    assert of_g or not of_d, (
        "D is told the labels, and G's conditioner is the plain one that ignores them, so that G "
        "cannot make what is asked for; return one of its own from generator(), or where it is "
        "meant for D's side alone, say so in `breaks`"
    )


@rules.rule_for_each(_needed_kinds)
def labels_change_the_image(kind: str, conditioning: Conditioning) -> None:
    generator, _ = networks_of(conditioning, SPECS[kind])
    latents, labels = random_latents(), random_labels(COUNT, SPECS[kind])
    if not _conditioned(conditioning, SPECS[kind])[0]:
        return
    moved = _moved(generator(latents, labels), generator(latents, _swapped(labels, kind)))
    assert moved.all(), "swapping the labels leaves the generator's image as it was"


@rules.rule_for_each(_needed_kinds)
def labels_change_the_logits(kind: str, conditioning: Conditioning) -> None:
    """They change D's logit, or the terms that the conditioner adds, as AC-GAN's do."""
    players = networks_of(conditioning, SPECS[kind])
    images, labels = random_images(COUNT, SPECS[kind]), random_labels(COUNT, SPECS[kind])
    if not _conditioned(conditioning, SPECS[kind])[1]:
        return
    moved = _moved(
        players[1](images, labels).logits, players[1](images, _swapped(labels, kind)).logits
    )
    terms, others = (
        seeded_terms(players, images, given) for given in (labels, _swapped(labels, kind))
    )
    in_terms = any(not torch.allclose(terms[name], others[name]) for name in terms)
    assert moved.all() or in_terms, (
        "swapping the labels changes neither the discriminator's logits nor any term it adds"
    )


@rules.rule_for_each(_unneeded_kinds)
def labels_do_not_matter(kind: str, conditioning: Conditioning) -> None:
    generator, discriminator = networks_of(conditioning, SPECS[kind])
    latents, images = random_latents(), random_images(COUNT, SPECS[kind])
    labels = random_labels(COUNT, SPECS[kind])
    for other in (_swapped(labels, kind), None):
        assert torch.equal(generator(latents, labels), generator(latents, other)), (
            "the generator's image depends on the labels; declare `needs_labels = True`"
        )
        logits = [discriminator(images, y).logits for y in (labels, other)]
        assert torch.equal(*logits), (
            "the discriminator's logits depend on the labels; declare `needs_labels = True`"
        )


@rules.rule_for_each(_kinds)
def any_channel_and_class_count_works(kind: str, conditioning: Conditioning) -> None:
    for image in OTHER_SPECS[kind]:
        count = max(COUNT, image.num_classes)
        labels = random_labels(count, image)
        generator, discriminator = networks_of(conditioning, image)
        try:
            fakes = generator(random_latents(count), labels)
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


@rules.rule_for_each(_kinds)
def every_parameter_gets_a_gradient(kind: str, conditioning: Conditioning) -> None:
    """The step is a logistic loss's, with every class in the batch; the head's bias may lack it."""
    generator, discriminator = players = networks_of(conditioning, SPECS[kind])
    images, labels = random_images(COUNT, SPECS[kind]), random_labels(COUNT, SPECS[kind])
    game = game_of(players)
    with game.turn("discriminator"):
        step = step_of(game, "discriminator", images, labels)
        own = game.ask(discriminator.conditioner, "discriminator", step)
        adversarial = F.softplus(-step.real.logits).mean() + F.softplus(step.fake.logits).mean()
        torch.stack([adversarial, *own.values()]).sum().backward()
    F.softplus(-discriminator(generator(random_latents(), labels), labels).logits).mean().backward()
    idle = [
        *without_gradient(generator),
        *(n for n in without_gradient(discriminator) if not _is_head_bias(n)),
    ]
    assert not idle, f"the parameters {idle} get no gradient; use them, or do not make them"


@rules.rule_for_each(_kinds)
def samples_do_not_depend_on_their_neighbours(kind: str, conditioning: Conditioning) -> None:
    generator, discriminator = networks_of(conditioning, SPECS[kind])
    latents, images = random_latents(), random_images(COUNT, SPECS[kind])
    labels = random_labels(COUNT, SPECS[kind])
    other = labels.clone()
    other[0] = 0.9 if SPECS[kind].condition_dim else SPECS[kind].num_classes - 1
    disturbed_z, disturbed_x = latents.clone(), images.clone()
    disturbed_z[0], disturbed_x[0] = 3.0, 0.9
    for what, before, after in (
        ("image", generator(latents, labels), generator(disturbed_z, other)),
        ("logit", discriminator(images, labels)[0], discriminator(disturbed_x, other)[0]),
    ):
        assert torch.allclose(before[1:], after[1:], atol=1e-5), (
            f"a sample's {what} depends on the labels or values of its neighbours in the batch"
        )


@rules.rule_for_each(_kinds)
def gradient_penalty_passes_through(kind: str, conditioning: Conditioning) -> None:
    _, discriminator = networks_of(conditioning, SPECS[kind])
    labels = random_labels(COUNT, SPECS[kind])
    scored = Scored(random_images(COUNT, SPECS[kind]), labels, discriminator, track_inputs=True)
    (norm_per_sample(scored.input_gradient) - 1).square().mean().backward()
    assert finite_gradients(discriminator), (
        "a gradient penalty gives the discriminator gradients that are not finite"
    )
    head = [p.grad for p in discriminator.head.parameters()]
    assert any(gradient is not None and bool(gradient.any()) for gradient in head), (
        "a gradient penalty does not reach the head; keep the logits differentiable twice"
    )


@rules.rule_for_each(_kinds)
def added_terms_are_finite_scalars(kind: str, conditioning: Conditioning) -> None:
    players = networks_of(conditioning, SPECS[kind])
    images, labels = random_images(COUNT, SPECS[kind]), random_labels(COUNT, SPECS[kind])
    for player in get_args(Player):
        for name, term in terms_of(players, player, images, labels).items():
            assert term.ndim == 0, f"term '{name}' has shape {tuple(term.shape)}; add .mean()"
            assert torch.isfinite(term), f"term '{name}' is {float(term.detach())}"


@rules.rule_for_each(_kinds)
def added_terms_reach_only_their_player(kind: str, conditioning: Conditioning) -> None:
    """A term that is exactly zero has no gradient to judge it by."""
    players = networks_of(conditioning, SPECS[kind])
    images, labels = random_images(COUNT, SPECS[kind]), random_labels(COUNT, SPECS[kind])
    for player in get_args(Player):
        game = game_of(players)
        with game.turn(player):
            step = step_of(game, player, images, labels)
            terms = game.ask(players[1].conditioner, player, step)
        weights = game.g_parameters, game.d_parameters
        own, other = weights if player == "generator" else weights[::-1]
        for name, term in terms.items():
            assert reaches(term.sum(), own) or not term.any(), (
                f"the term '{name}' that it adds in the {player}'s step has no gradient at the "
                f"{player}'s weights; make it from what D says of this step's images, undetached, "
                "and in G's step from `fake`"
            )
            assert not reaches(term.sum(), other), (
                f"the term '{name}' that it adds in the {player}'s step has a gradient at the "
                "other player's weights; use only this step's scores"
            )


@rules.rule_for_each(_kinds)
def whole_batches_are_declared(kind: str, conditioning: Conditioning) -> None:
    """The mean of the terms of two halves, one after the other, is the whole batch's."""
    if conditioning.whole_batch:
        return
    players = networks_of(conditioning, SPECS[kind])
    owned = owned_by(players)
    images, labels = random_images(COUNT, SPECS[kind]), random_labels(COUNT, SPECS[kind])
    batch = MicroBatch(images, labels, random_latents(), labels, 1.0)

    def asked(player: Player, size: int) -> Terms:
        """The mean of the terms of pieces of a size, of players without a memory of others."""
        (generator, discriminator), theirs = copy.deepcopy((players, owned))
        game = Game(generator, discriminator, [Adversary()], theirs)
        found = []
        with game.turn(player):
            for piece in batch.split(size):
                fakes = game.generator(piece.latents, piece.fake_labels)
                step = game.step(player, piece, fakes)
                found.append(game.ask(discriminator.conditioner, player, step))
        return drawn_terms.mean_of(found)

    for player in get_args(Player):
        ways = partial(asked, player, COUNT), partial(asked, player, COUNT // 2)
        for name, (at_once, apart, error) in drawn_terms.compared(*ways).items():
            assert close(at_once, apart, error), (
                f"the term '{name}' that it adds in the {player}'s step is {at_once:.4g} of a "
                f"whole batch, and {apart:.4g} of its halves; declare `whole_batch = True`, so "
                "that no batch comes in pieces"
            )


@rules.rule_for_each(_class_ids)
def class_logits_are_given_as_declared(kind: str, conditioning: Conditioning) -> None:
    _, discriminator = networks_of(conditioning, SPECS[kind])
    labels = random_labels(COUNT, SPECS[kind])
    given = discriminator(random_images(COUNT, SPECS[kind]), labels).class_logits
    if not conditioning.gives_class_logits:
        assert given is None, "the head gives class logits; declare `gives_class_logits = True`"
        return
    assert given is not None, "`gives_class_logits` is declared, but the head gives none"
    assert given.shape == (COUNT, SPECS[kind].num_classes), (
        f"class logits have shape {tuple(given.shape)}"
    )


@rules.rule_for_each(_kinds)
def stays_on_the_device(kind: str, conditioning: Conditioning) -> None:
    generator, discriminator = players = networks_of(conditioning, SPECS[kind])
    generator.to("meta")
    discriminator.to("meta")
    labels = random_labels(COUNT, SPECS[kind]).to("meta")
    with on_meta("it"):
        images = generator(random_latents().to("meta"), labels)
        for tensor in (
            images,
            discriminator(images, labels).logits,
            *terms_of(players, "discriminator", images, labels).values(),
            *terms_of(players, "generator", images, labels).values(),
        ):
            assert tensor.device.type == "meta", (
                "its outputs are not on the device of its modules; register_buffer what it holds, "
                "and make tensors with device=labels.device"
            )


@rules.rule_for_each(_kinds)
def survives_deepcopy(kind: str, conditioning: Conditioning) -> None:
    """The average of the generator's weights is a copy of it."""
    generator, _ = networks_of(copy.deepcopy(conditioning), SPECS[kind])
    latents, labels = random_latents(), random_labels(COUNT, SPECS[kind])
    twin = copied(generator.eval())
    before = kept_state.images_of(generator, latents, labels)
    assert torch.equal(before, kept_state.images_of(twin, latents, labels)), (
        "a copy of the generator gives other images"
    )
    shaken(generator)
    assert torch.equal(before, kept_state.images_of(twin, latents, labels)), (
        "a copy of the generator shares its weights; keep modules in attributes, and in no function"
    )


@rules.rule_for_each(_kinds)
def what_the_generator_keeps_is_in_its_state(kind: str, conditioning: Conditioning) -> None:
    kept_state.assert_is_in_the_state(
        _batch_normed(conditioning, SPECS[kind]), TinyConv().latent_dim
    )


@rules.rule_for_each(_kinds)
def statistics_over_batches_are_renewed(kind: str, conditioning: Conditioning) -> None:
    kept_state.assert_statistics_are_renewed(
        _batch_normed(conditioning, SPECS[kind]), TinyConv().latent_dim
    )


def _batch_normed(conditioning: Conditioning, image: ImageSpec) -> ConditionalGenerator:
    return build(TinyConv(), conditioning, conditioning, image, g_norm="batch", d_norm="layer")[0]


def _conditioned(conditioning: Conditioning, image: ImageSpec) -> tuple[bool, bool]:
    """Whether each player's conditioner is more than the plain one that ignores labels."""
    return (
        type(generator_conditioner(conditioning, 4, image)) is not GeneratorConditioner,
        type(conditioning.discriminator(image)) is not DiscriminatorConditioner,
    )


def _swapped(labels: Tensor, kind: str) -> Tensor:
    """Another label for each image: the next class, or another image's vector."""
    image = SPECS[kind]
    return labels.flip(0) if image.condition_dim else (labels + 1) % image.num_classes


def _moved(before: Tensor, after: Tensor) -> Tensor:  # -> (N,) bool
    return (before - after).abs().flatten(1 if before.ndim > 1 else 0).reshape(COUNT, -1).amax(
        1
    ) > 1e-6


def _is_head_bias(name: str) -> bool:
    return name.startswith("head.") and name.endswith("bias")
