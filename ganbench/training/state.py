"""What a checkpoint keeps of a training: taken from its parts, and given back to them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ganbench.models.trained import Progress
from ganbench.records.windows import Window
from ganbench.training.ranks import ALONE, Ranks
from ganbench.util.random_streams import (
    accelerators,
    device_state,
    others_state,
    restore_device,
    restore_others,
)

PlainState = dict[str, Any]
"""Tensors, numbers and words in dicts and lists: what `torch.load` takes with weights_only."""

FORMER_KEYS = {
    "fake labels": "fake_labels",
    "device random": "device_random",
    "probes": "snapshots_at",
}  # of checkpoints that ganbench wrote before these were fields


class HasState(Protocol):
    """What a training draws from in an order of its own."""

    def state(self) -> PlainState:
        """Return what `restore` needs to go on in the same order."""

    def restore(self, state: PlainState) -> None:
        """Go back to where `state` was taken."""


def on_device(kept: Any, device: torch.device, but: Collection[str] = (), place: str = "") -> Any:
    """Return plain values with every tensor in them on a device, but for those at some places."""
    if isinstance(kept, Tensor):
        return kept.to("cpu" if place in but else device)
    if isinstance(kept, dict):
        return {key: on_device(it, device, but, f"{place}/{key}") for key, it in kept.items()}
    if isinstance(kept, list | tuple):
        found = (on_device(it, device, but, f"{place}/{i}") for i, it in enumerate(kept))
        return type(kept)(found)
    return kept


def places_on_cpu(kept: Any, place: str = "") -> Iterator[str]:
    """Yield where among plain values tensors of the CPU are, such as `/seen/0`."""
    if isinstance(kept, Tensor) and kept.device.type == "cpu":
        yield place
    elif isinstance(kept, dict):
        for key, it in kept.items():
            yield from places_on_cpu(it, f"{place}/{key}")
    elif isinstance(kept, list | tuple):
        for i, it in enumerate(kept):
            yield from places_on_cpu(it, f"{place}/{i}")


@dataclass(frozen=True)
class TrainerState:
    """All that decides how a training goes on, between two windows."""

    networks: Sequence[PlainState]
    """G, D and the average of G, where there is one; then, where plugins own networks, all that G
    and that D train of them, and the average of the former."""
    optimizers: Sequence[PlainState]  # of G and of D
    plugins: Sequence[PlainState]  # what losses and transforms keep from one step to the next
    batches: PlainState
    latents: Tensor  # states of random streams, as all up to `device_random`
    fake_labels: Tensor
    random: Tensor
    other_random: PlainState  # of NumPy's and Python's own generators
    device_random: Sequence[Tensor]
    progress: Progress
    windows: Sequence[Window]
    seconds: float
    snapshots_at: Sequence[int]
    plugins_on_cpu: Sequence[Sequence[str]] = ()  # places, as files do not tell devices
    others: Sequence[PlainState] = ()
    """The random streams of each of several processes; the first's are those above too."""

    def plain(self) -> PlainState:
        """Return the state as plain values, which `from_plain` takes."""
        return {
            **vars(self),
            "progress": asdict(self.progress),
            "windows": [asdict(window) for window in self.windows],
        }

    @classmethod
    def from_plain(cls, found: PlainState) -> TrainerState:
        """Return the state that `plain` gave, also that of a ganbench of before.

        Raises KeyError where something is missing.
        """
        by_name = {FORMER_KEYS.get(key, key): value for key, value in found.items()}
        by_name.setdefault("other_random", {})
        by_name.setdefault("plugins_on_cpu", ())
        by_name.setdefault("others", ())
        values = {field.name: by_name[field.name] for field in fields(cls)}
        progress = Progress(**values.pop("progress"))
        windows = [Window(**window) for window in values.pop("windows")]
        return cls(**values, progress=progress, windows=windows)


@dataclass(frozen=True)
class Stateful:
    """The parts of a training that change while it goes on. In what order, TrainerState says."""

    networks: Sequence[nn.Module]
    optimizers: Sequence[torch.optim.Optimizer]
    plugins: Sequence[object]
    batches: HasState
    latents: torch.Generator
    fake_labels: torch.Generator
    device: torch.device
    ranks: Ranks = ALONE

    def state(
        self,
        *,
        progress: Progress,
        windows: Sequence[Window],
        seconds: float,
        snapshots_at: Sequence[int],
    ) -> TrainerState:
        """Return the state of all these, with how far the training is beside it.

        Of several processes all have to ask.
        """
        drawn_from: PlainState = {
            "random": torch.get_rng_state(),
            "other_random": others_state(),
            "device_random": [device_state(device) for device in accelerators(self.device)],
        }
        return TrainerState(
            networks=[net.state_dict() for net in self.networks],
            optimizers=[optimizer.state_dict() for optimizer in self.optimizers],
            plugins=[dict(vars(plugin)) for plugin in self.plugins],
            batches=self.batches.state(),
            latents=self.latents.get_state(),
            fake_labels=self.fake_labels.get_state(),
            **drawn_from,
            progress=progress,
            windows=windows,
            seconds=seconds,
            snapshots_at=snapshots_at,
            plugins_on_cpu=[list(places_on_cpu(vars(plugin))) for plugin in self.plugins],
            others=self.ranks.gathered(drawn_from) if self.ranks.count > 1 else (),
        )

    def restore(self, state: TrainerState) -> None:
        """Take all of them, and everybody's random streams, back to where `state` was taken."""
        if state.others:
            state = replace(state, **state.others[self.ranks.rank])
        for net, found in zip(self.networks, state.networks, strict=True):
            net.load_state_dict(found)
        for optimizer, found in zip(self.optimizers, state.optimizers, strict=True):
            optimizer.load_state_dict(found)
        on_cpu = state.plugins_on_cpu or [()] * len(self.plugins)
        for plugin, found, places in zip(self.plugins, state.plugins, on_cpu, strict=True):
            vars(plugin).update(on_device(found, self.device, places))
        self.batches.restore(state.batches)
        self.latents.set_state(state.latents)
        self.fake_labels.set_state(state.fake_labels)
        torch.set_rng_state(state.random)
        if state.other_random:  # which ganbench did not keep at first
            restore_others(state.other_random)
        for device, random in zip(accelerators(self.device), state.device_random, strict=False):
            restore_device(device, random)  # which ganbench did not keep of MPS at first
