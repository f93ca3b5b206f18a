"""Whether the parts of a cell go together, and the reason where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from ganbench.contracts.architectures import Architecture
from ganbench.contracts.conditionings import Conditioning
from ganbench.contracts.images import ImageSpec, LabelKind
from ganbench.contracts.losses import Loss, Regularizer
from ganbench.contracts.transforms import Transform
from ganbench.errors import INTERRUPTIONS, Incompatible, told
from ganbench.models import initial_weights, networks
from ganbench.models.parts import Parts
from ganbench.records.cells import Cell
from ganbench.records.training_settings import TrainingSettings
from ganbench.util.messages import quoted


def resolve_norms(parts: Parts, g_asked: str | None, d_asked: str | None) -> tuple[str, str]:
    """Return the norms of G and D: as asked, else the first that architecture and losses allow.

    Raises Incompatible where a norm that is asked for is not offered, or none is allowed.
    """
    offered = parts.architecture.g_norms or ("none", "spectral")
    if g_asked is not None and g_asked not in networks.with_spectral(offered):
        raise Incompatible(
            f"architecture '{parts.architecture.name}' offers g_norm {quoted(offered)}, "
            f"not '{g_asked}'"
        )
    g_norm = g_asked or offered[0]
    return g_norm, resolve_d_norm(d_asked, parts.architecture, parts.losses)


def resolve_d_norm(asked: str | None, architecture: Architecture, losses: Sequence[Loss]) -> str:
    """Return D's norm: as asked, else the architecture's first that the losses allow.

    Norms that a loss does not take unasked come last. Raises Incompatible where there is none.
    """
    offered = architecture.d_norms or ("none",)
    if asked is not None and asked not in networks.with_spectral(offered):
        raise Incompatible(
            f"architecture '{architecture.name}' offers d_norm {quoted(offered)}, not '{asked}'"
        )
    refusals = {norm: why for norm in offered if (why := _refusal(norm, losses))}
    unasked = {norm for loss in losses for norm in loss.unasked_norms}
    allowed = sorted((n for n in offered if n not in refusals), key=lambda norm: norm in unasked)
    if not allowed:
        raise Incompatible(
            f"{refusals[offered[0]]}, and architecture '{architecture.name}' only offers d_norm "
            f"{quoted(offered)}"
        )
    if asked is None:
        return allowed[0]
    if why := _refusal(asked, losses):
        raise Incompatible(
            f"{why}; use {quoted(allowed)}, or leave d_norm out to get the first of these"
        )
    return asked


def _refusal(norm: str, losses: Sequence[Loss]) -> str | None:
    """Say why a loss cannot have this norm of D; None where all can."""
    for loss in losses:
        layers, spectral = networks.kinds_of_norm(norm)
        if loss.input_gradients and layers not in networks.PER_SAMPLE:
            return (
                f"loss '{loss.name}' takes per-image gradients, which d_norm '{norm}' mixes across "
                "the batch"
            )
        if norm in loss.refused_norms or (spectral and "spectral" in loss.refused_norms):
            return f"loss '{loss.name}' does not work under d_norm '{norm}'"
    return None


def check_constraint(losses: Sequence[Loss], d_norm: str) -> None:
    """Raise Incompatible where a loss needs a constraint on D, and nothing gives one."""
    if networks.kinds_of_norm(d_norm)[1] or any(loss.constrains for loss in losses):
        return
    for loss in losses:
        if loss.needs_constraint:
            raise Incompatible(
                f"loss '{loss.name}' needs a bound on D's slope; add regularizers: "
                "[gradient-penalty] or [weight-clipping], or d_norm: spectral"
            )


def check_parts(parts: Parts, settings: TrainingSettings) -> None:
    """Raise Incompatible with the first reason why these parts don't fit together."""
    image = parts.image
    if why := parts.architecture.unsupported(image):
        raise Incompatible(f"architecture '{parts.architecture.name}': {why}")
    adversarial, *others = parts.losses
    if isinstance(adversarial, Regularizer):
        raise Incompatible(
            f"'{adversarial.name}' is a regularizer; it goes beside a loss, not alone"
        )
    for other in others:
        if not isinstance(other, Regularizer):
            raise Incompatible(f"'{other.name}' is a loss of its own, and a cell has exactly one")
    _check_labels(parts)
    _check_fake_labels(parts, settings)
    _check_spectral_norm(parts, settings)
    _check_pieces(parts, settings)
    _check_pairs(parts)
    _check_transforms(parts, settings)
    _check_samplers(parts)
    shown = image if image.label_kind else replace(image, num_classes=1)
    with torch.device("meta"):
        side = networks.generator_conditioner(
            parts.g_conditioning, parts.architecture.latent_dim, shown
        )
    if side.needs_norm_layers and not set(parts.architecture.g_norms) - {"spectral"}:
        raise Incompatible(
            f"conditioning '{parts.g_conditioning.name}' enters the generator through norm layers, "
            f"and architecture '{parts.architecture.name}' has none; use {{generator: concat, "
            f"discriminator: {parts.d_conditioning.name}}}"
        )


Buildable = dict[tuple[int, str, str], str | None]
"""Why networks cannot be built, by the id() of their parts and their norms."""


def check_networks(parts: Parts, cell: Cell, buildable: Buildable) -> None:
    """Raise Incompatible where networks cannot be made: a third party's may refuse options.

    What is found is kept in `buildable`, for as long as whoever owns it keeps the parts. The
    networks are made on the device `meta`, so that nothing is allocated.
    """
    key = (id(parts), cell.g_norm, cell.d_norm)
    if key not in buildable:
        try:
            with torch.device("meta"):
                parts.networks(cell)
            buildable[key] = None
        except INTERRUPTIONS:
            raise
        except BaseException as error:
            buildable[key] = f"its networks cannot be built: {told(error)}"
    if why := buildable[key]:
        raise Incompatible(why)


def check_initial_weights(parts: Parts, cell: Cell) -> None:
    """Raise Incompatible where the model that a training is to begin with does not fit."""
    if cell.schedule.init_from is not None:
        with torch.device("meta"):
            made = parts.networks(cell)
        initial_weights.check(cell.schedule.init_from, made)


def check_classes(parts: Parts, cell: Cell) -> None:
    """Raise Incompatible where something is asked of classes that the data has not."""
    asked = [
        key
        for key, is_asked in (
            ("training.batches: balanced", cell.schedule.batches == "balanced"),
            ("evaluation.labels: uniform", cell.judged_labels == "uniform"),
        )
        if is_asked
    ]
    if asked and not parts.image.num_classes:
        raise Incompatible(
            f"{asked[0]} is of classes, and the images of data set '{parts.dataset.name}' have "
            f"{'vectors' if parts.image.condition_dim else 'none'}; leave it out"
        )


def _check_fake_labels(parts: Parts, settings: TrainingSettings) -> None:
    labelled = parts.g_conditioning.needs_labels or parts.d_conditioning.needs_labels
    if settings.fake_labels == "real" or not labelled:
        return
    for loss in parts.losses:
        if loss.pairs_labels:
            raise Incompatible(
                f"loss '{loss.name}' looks at pairs of a real and a fake image, which need the "
                "same label, and training.fake_labels is random; use fake_labels: real"
            )


def _check_pairs(parts: Parts) -> None:
    breaking = [loss.name for loss in parts.losses if loss.breaks_pairs]
    pairing = [loss.name for loss in parts.losses if loss.pairs_labels]
    if breaking and pairing:
        raise Incompatible(
            f"loss '{pairing[0]}' looks at pairs of a real and a fake image, and '{breaking[0]}' "
            "leaves fakes that are in no such pairs; leave one of them out"
        )


def _check_pieces(parts: Parts, settings: TrainingSettings) -> None:
    if settings.at_once == settings.batch_size:
        return
    key = "training.micro_batch" if settings.processes == 1 else "execution.processes"
    why = f"{key} gives it pieces; leave {key.partition('.')[2]} out, or use a smaller batch_size"
    made_of: list[Loss | Conditioning] = [*parts.losses, parts.d_conditioning]
    for part in made_of:
        if part.whole_batch:
            raise Incompatible(f"'{part.name}' needs the whole batch at once, and {why}")
    if not parts.architecture.per_sample:
        raise Incompatible(
            f"D of architecture '{parts.architecture.name}' looks at the whole batch, and {why}"
        )
    if settings.processes == 1:
        return
    for transform in parts.transforms:
        if type(transform).observe is not Transform.observe:
            raise Incompatible(
                f"transform '{transform.name}' goes by the whole batches that it is shown, and "
                f"{why}"
            )


def _check_spectral_norm(parts: Parts, settings: TrainingSettings) -> None:
    if settings.spectral_norm == "each-pass":
        return
    asked = "training.spectral_norm: each-step keeps weights for all passes of a step"
    for loss in parts.losses:
        if loss.looks_ahead:
            raise Incompatible(
                f"{asked}, and loss '{loss.name}' looks at a step with others; leave it out"
            )
    if settings.compile not in ("none", "graph"):
        raise Incompatible(
            f"{asked}, which training.compile: {settings.compile} does not see; leave one of them "
            "out, or use compile: graph"
        )


def _check_transforms(parts: Parts, settings: TrainingSettings) -> None:
    image = parts.image
    at_once = settings.at_once
    for transform in parts.transforms:
        if why := transform.unsupported(image, at_once):
            raise Incompatible(f"transform '{transform.name}': {why}")
        image = networks.transformed(image, transform)
        if transform.per_sample:
            continue
        for loss in parts.losses:
            if loss.input_gradients:
                raise Incompatible(
                    f"loss '{loss.name}' takes per-image gradients, and transform "
                    f"'{transform.name}' makes one input of several images"
                )
        if parts.d_conditioning.needs_labels:
            raise Incompatible(
                f"conditioning '{parts.d_conditioning.name}' tells D the label of each image, and "
                f"transform '{transform.name}' makes one input of several images; use "
                "{generator: ..., discriminator: none}"
            )
    if why := parts.architecture.unsupported(image):
        raise Incompatible(f"architecture '{parts.architecture.name}', after transforms: {why}")


def _check_samplers(parts: Parts) -> None:
    mixing = [transform.name for transform in parts.transforms if not transform.per_sample]
    for sampler in parts.samplers:
        if why := sampler.unsupported(parts.architecture.latents):
            raise Incompatible(f"sampler '{sampler.name}': {why}")
        if sampler.needs_discriminator and mixing:
            raise Incompatible(
                f"sampler '{sampler.name}' asks D about single images, and transform "
                f"'{mixing[0]}' makes one input of several; leave one of them out"
            )


def _check_labels(parts: Parts) -> None:
    sides = (parts.g_conditioning, parts.d_conditioning)
    of_kinds: list[tuple[str, Conditioning | Loss]] = [("conditioning", side) for side in sides]
    of_kinds += [("loss", loss) for loss in parts.losses]
    for kind, part in of_kinds:
        if part.needs_labels and (why := _misfit(part.label_kinds, parts.image)):
            needed, found, remedy = why
            todo = f"; {remedy}" if kind == "conditioning" or parts.image.label_kind is None else ""
            raise Incompatible(
                f"{kind} '{part.name}' needs {needed}, and data set '{parts.dataset.name}' has "
                f"{found}{todo}"
            )
    for loss in parts.losses:
        if loss.needs_class_logits and not parts.d_conditioning.gives_class_logits:
            raise Incompatible(
                f"loss '{loss.name}' needs class logits, and conditioning "
                f"'{parts.d_conditioning.name}' gives none"
            )


def _misfit(kinds: Sequence[LabelKind], image: ImageSpec) -> tuple[str, str, str] | None:
    """Return what labels are needed, what the data has, and what to do; None where they fit."""
    if image.label_kind in kinds:
        return None
    if image.label_kind is None:
        return "labels", "none", "use conditioning none"
    if image.label_kind == "vectors":
        return "class ids", image.labels, "use one that takes vectors, such as concat"
    return "vectors", image.labels, "use one that takes class ids, such as concat"
