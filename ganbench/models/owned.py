"""The networks that losses, regularizers and conditioners have of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import get_args

from torch import nn

from ganbench.contracts.losses import Owned, Shapes
from ganbench.contracts.steps import Player
from ganbench.errors import ContractError
from ganbench.util.messages import quoted

NOTHING: Mapping[str, nn.Module] = MappingProxyType({})


def label_of(plugin: object) -> str:
    """Return the name that a plugin has in benchmark files, or else its class's."""
    return str(getattr(plugin, "name", type(plugin).__name__))


class OwnedNetworks:
    """Networks of plugins' own, each trained with one of the players."""

    def __init__(self) -> None:
        self.generator, self.discriminator = nn.ModuleDict(), nn.ModuleDict()  # by their player
        self._of: dict[str, dict[str, nn.Module]] = {}

    @classmethod
    def made(cls, plugins: Iterable[object], shapes: Shapes) -> OwnedNetworks:
        """Ask every plugin that has a method `networks`, in order.

        Raises ContractError where what one returns is not as `Loss.networks` says.
        """
        owned = cls()
        for plugin in plugins:
            ask = getattr(plugin, "networks", None)
            if ask is not None and (found := ask(shapes)):
                owned._add(label_of(plugin), found)
        return owned

    def of(self, plugin: object) -> Mapping[str, nn.Module]:
        """Return the networks of a plugin, or of a copy of it, by the names that it gave them."""
        return self._of.get(label_of(plugin), NOTHING)

    def __bool__(self) -> bool:
        return bool(self._of)

    def __iter__(self) -> Iterator[nn.ModuleDict]:
        """Yield what is trained with G, and what is trained with D; either may be empty."""
        yield self.generator
        yield self.discriminator

    def _add(self, label: str, found: object) -> None:
        if label in self._of:
            raise ContractError(f"two parts of one cell are called '{label}' and own networks")
        if not isinstance(found, dict):
            raise ContractError(
                f"networks() of '{label}' returned {type(found).__name__}, not a dict of names and "
                "Owned(module, player)"
            )
        for name, owned in found.items():
            if not isinstance(owned, Owned) or owned.player not in get_args(Player):
                raise ContractError(
                    f"networks() of '{label}' returned {owned!r:.80} as '{name}'; give "
                    f"Owned(module, player), where player is one of {quoted(get_args(Player))}"
                )
            key = f"{label}/{name}".replace(".", "-")  # torch takes no dots
            of_player = self.generator if owned.player == "generator" else self.discriminator
            of_player[key] = owned.module
        self._of[label] = {name: owned.module for name, owned in found.items()}
