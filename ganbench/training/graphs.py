"""A whole iteration as one CUDA graph: `training.compile: graph`.

The first iterations are made as ever, and watched: what changes on the host from one to the next
would be frozen in a graph. Then one is captured, and all that follow are replayed, with their
images copied to where the captured one has its. Whatever stands against it is kept as a sentence,
and the training goes on without.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch

from ganbench.models.owned import label_of
from ganbench.training import host_state
from ganbench.training.changes import Changes
from ganbench.training.meters import Meter
from ganbench.training.phases import unobserved
from ganbench.training.steps import Batch, Steps

WARM_UP = 3  # iterations, as torch's manual has it
NOT_CAPTURED = "This instance was constructed with capturable=True"  # a warning begins


class Graph(Protocol):
    """What is computed once while it is noted, and then again and again without Python."""

    def capture(self, compute: Callable[[], None]) -> None:
        """Note all that a function computes, and compute it only once it is replayed.

        Raises RuntimeError where that cannot be.
        """

    def replay(self) -> None:
        """Compute it by what its tensors hold now."""


class CudaGraph:
    """A CUDA graph."""

    def __init__(self, generators: Sequence[torch.Generator]) -> None:
        """Take the generators that will be drawn from, beside the device's own."""
        self._graph = torch.cuda.CUDAGraph()
        for generator in generators:
            self._graph.register_generator_state(generator)

    def capture(self, compute: Callable[[], None]) -> None:
        """Note what is computed."""
        # Other threads may go on meanwhile, as the one that gathers batches does.
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            compute()

    def replay(self) -> None:
        """Compute it."""
        self._graph.replay()


@contextmanager
def _on_another_stream(device: torch.device) -> Iterator[None]:
    """Compute on another stream, as torch asks of iterations before the one that is captured."""
    current, stream = torch.cuda.current_stream(device), torch.cuda.Stream(device)
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        yield
    current.wait_stream(stream)


@dataclass(frozen=True)
class Kind:
    """How a kind of device captures."""

    graph: Callable[[Sequence[torch.Generator]], Graph]
    warming_up: Callable[[torch.device], AbstractContextManager[None]]


KINDS = {"cuda": Kind(CudaGraph, _on_another_stream)}


@dataclass
class _Captured:
    """An iteration that was captured, with what it measures and how many updates it makes."""

    graph: Graph
    measured: tuple[Meter, Meter, Meter]
    g_updates: int
    d_updates: int


class WholeIteration:
    """Makes the steps of a training's iterations, captured where nothing stands against it."""

    def __init__(self, steps: Steps, why_not: str = "") -> None:
        """`why_not`: what is known already to stand against it."""
        self.why_not = why_not
        self._steps = steps
        self._made = 0  # iterations
        self._held: host_state.Held = {}  # on the host, after the first of them
        self._read: list[Batch] = []  # by what is captured
        self._captured: dict[bool, _Captured] = {}  # by whether signals are measured, too
        if why_not:
            return
        self._kind = KINDS[steps.device.type]
        for group in (*steps.g_optimizer.torch.param_groups, *steps.d_optimizer.torch.param_groups):
            if "capturable" in group:
                group["capturable"] = True

    def iterate(self) -> bool:
        """Make both players' steps, and return whether that was done here; else nothing is done.

        Who observes the phases of Python's steps sees them: nothing is captured or replayed then.
        """
        if self.why_not or self._steps.phase is not unobserved:
            return False
        count = self._steps.settings.batches_per_iteration
        batches = [self._steps.next_batch() for _ in range(count)]
        if self._made < WARM_UP:
            self._warm_up(batches)
        elif not self._replay(batches):
            self._play(batches)
        self._made += 1
        return True

    def _play(self, batches: Sequence[Batch]) -> None:
        self._steps.play(iter(batches).__next__)

    def _warm_up(self, batches: Sequence[Batch]) -> None:
        """Make an iteration as ever, and give up where the next could not be a repetition of it."""
        looked_at: list[float] = []
        game, device = self._steps.game, self._steps.device
        game.watch_numbers = partial(host_state.watched, told=looked_at.append)
        drawn = host_state.drawn(device)
        try:
            with self._kind.warming_up(device), warnings.catch_warnings():
                warnings.filterwarnings("ignore", NOT_CAPTURED)
                self._play(batches)
        finally:
            game.watch_numbers = None
        held = self._on_host()
        if looked_at:
            self._give_up("what is computed goes by the number of the iteration")
        elif name := host_state.changed(drawn, host_state.drawn(device)):
            self._give_up(f"something is drawn from {name}, which is the host's")
        elif self._made and (name := host_state.changed(self._held, held)):
            self._give_up(f"{name} is another after each iteration")
        self._held = held if self._made + 1 < WARM_UP else {}

    def _on_host(self) -> host_state.Held:
        """Return all that plugins, networks and optimisers keep."""
        steps = self._steps
        plugins = {f"'{label_of(one)}'": vars(one) for one in steps.losses}
        transforms = {f"'{one.name}'": vars(one) for one in steps.discriminator.transforms}
        rest = {
            "the generator": steps.generator,
            "the discriminator": steps.discriminator,
            "networks": list(steps.game.owned),
            "G's optimiser": vars(steps.g_optimizer.torch)["state"],
            "D's optimiser": vars(steps.d_optimizer.torch)["state"],
        }
        return host_state.held({**plugins, **transforms, **rest}, steps.device)

    def _replay(self, batches: Sequence[Batch]) -> bool:
        """Make an iteration by replaying one, and return whether that could be."""
        if not self._read:
            self._read = [(x.clone(), None if y is None else y.clone()) for x, y in batches]
        for read, batch in zip(self._read, batches, strict=True):
            for mine, new in zip(read, batch, strict=True):
                if mine is None or new is None:
                    continue
                if mine.shape != new.shape:
                    self._give_up(f"batches are of {tuple(mine.shape)} and {tuple(new.shape)}")
                    return False
                mine.copy_(new, non_blocking=True)
        signals = self._steps.samples_signals
        if signals not in self._captured and not self._capture(signals):
            return False
        captured, progress = self._captured[signals], self._steps.progress
        captured.graph.replay()
        self._steps.log.include(captured.measured)
        progress.g_updates += captured.g_updates
        progress.d_updates += captured.d_updates
        return True

    def _capture(self, signals: bool) -> bool:
        """Capture an iteration, with signals or without, and return whether that could be."""
        steps, progress = self._steps, self._steps.progress
        before = progress.g_updates, progress.d_updates
        try:
            graph = self._kind.graph([steps.latents, steps.fake_labels])
            with steps.log.apart() as measured:
                graph.capture(partial(self._play, self._read))
            updates = progress.g_updates - before[0], progress.d_updates - before[1]
        except RuntimeError as error:
            first = error.__context__ if isinstance(error.__context__, RuntimeError) else error
            self._give_up(f"it cannot be captured: {(str(first).splitlines() or [''])[0]}")
            return False
        finally:
            progress.g_updates, progress.d_updates = before
        self._captured[signals] = _Captured(graph, measured, *updates)
        return True

    def _give_up(self, why: str) -> None:
        self.why_not = why
        self._captured.clear()


def of(steps: Steps, changes: Changes) -> WholeIteration | None:
    """Return what captures the iterations of a training whose settings ask for it."""
    if steps.settings.compile != "graph":
        return None
    return WholeIteration(steps, _known_against(steps, changes))


def _known_against(steps: Steps, changes: Changes) -> str:
    """Return what stands against a graph before anything is trained."""
    if steps.device.type not in KINDS:
        return f"CUDA graphs are NVIDIA's, and this trains on {steps.device.type}"
    if steps.ranks.count > 1:
        return f"{steps.ranks.count} processes train together"
    if changes:
        return "numbers are set before each iteration, by a schedule or as the progress"
    ahead = [label_of(loss) for loss in steps.losses if loss.looks_ahead]
    return f"'{ahead[0]}' looks ahead" if ahead else ""
