"""Weights of a trained model as those that another training begins with, and frozen parts."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from torch import nn

from ganbench.errors import DataError, Incompatible
from ganbench.models.networks import ConditionalDiscriminator, ConditionalGenerator
from ganbench.models.saved import files
from ganbench.models.saved.find import find
from ganbench.records.training_settings import InitialWeights, PlayerName

Networks = tuple[ConditionalGenerator, ConditionalDiscriminator]
SHOWN = 5  # names of weights, where none fits


def planned(model: str, players: tuple[PlayerName, ...], freeze: tuple[str, ...]) -> InitialWeights:
    """Return what a cell's settings say of a model. Raises GanbenchError where there is none."""
    folder = find(Path(model).expanduser())
    sha256 = files.read_config(folder).weights_sha256
    return InitialWeights(
        weights_sha256=sha256, players=players, freeze=freeze, model=str(folder.resolve())
    )


def check(initial: InitialWeights, networks: Networks) -> None:
    """Raise Incompatible with the first misfit, in names, shapes or patterns; nothing is read."""
    for player, network in _players(initial, networks):
        if misfit := files.misfit(files.read_shapes(Path(initial.model), player), network):
            raise Incompatible(
                f"training.init_from: the {player} of {initial.model} does not fit: {misfit}"
            )
        weights = [name for name, _ in network.named_parameters()]
        if all(map(initial.freezes, weights)):
            raise Incompatible(
                f"training.init_from: freeze leaves the {player} nothing to train; name fewer"
            )
    names = [name for _, net in _players(initial, networks) for name, _ in net.named_parameters()]
    for pattern in initial.freeze:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise Incompatible(
                f"training.init_from: freeze: no weight is called '{pattern}'; there are "
                f"{', '.join(names[:SHOWN])} and so on"
            )


def freeze(initial: InitialWeights, networks: Networks) -> None:
    """Have no optimiser change the weights that the patterns name."""
    for _, network in _players(initial, networks):
        for name, weight in network.named_parameters():
            if initial.freezes(name):
                weight.requires_grad_(False)


def load(initial: InitialWeights, networks: Networks) -> None:
    """Give networks the model's weights. Raises DataError where it is another one by now."""
    folder = Path(initial.model)
    config = files.read_config(folder)
    if config.weights_sha256 != initial.weights_sha256:
        raise DataError(
            f"{folder}: not the model that the run was planned with: the SHA-256 of its weights is "
            "another; put the former back, or start a new run"
        )
    for player, network in _players(initial, networks):
        files.read_weights(folder, config, player, network)


def _players(initial: InitialWeights, networks: Networks) -> Iterator[tuple[PlayerName, nn.Module]]:
    both: tuple[PlayerName, ...] = ("generator", "discriminator")
    for player, network in zip(both, networks, strict=True):
        if player in initial.players:
            yield player, network
