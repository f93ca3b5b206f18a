"""Where a training step's time goes, part by part and plugin by plugin."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.profiler import ProfilerActivity

from ganbench.evaluation import trial_evaluation
from ganbench.evaluation.evaluate import evaluate
from ganbench.models.mapped import Mapped
from ganbench.models.parts import Parts
from ganbench.models.sampling import make_sampler
from ganbench.records.cells import Cell
from ganbench.registry.registry import Registry
from ganbench.training.torch_settings import synchronized_seconds
from ganbench.training.trainer import Trainer
from ganbench.util import files

REST = "Python and all else"
STEPS = {"discriminator step": "D", "generator step": "G", "simultaneous step": "both"}
"""The trainer's phases that are steps, as a table of the others has them in its columns."""


@dataclass
class Stopwatch:
    """Seconds of named parts. What runs inside another part counts for the inner one alone."""

    now: Callable[[], float] = time.perf_counter  # waits for the device, where there is one
    seconds: dict[str, dict[str, float]] = field(default_factory=dict)  # step -> part
    _step: str = ""
    _open: list[tuple[str, float]] = field(default_factory=list)  # parts, and since when

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count all parts inside for this step, and what is in none of them for REST."""
        before, self._step = self._step, name
        try:
            with self.part(REST):
                yield
        finally:
            self._step = before

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what runs inside for this part, but for the parts inside it."""
        self.begin(name)
        try:
            yield
        finally:
            self.end()

    def begin(self, name: str) -> None:
        """Begin a part, inside the one that is open."""
        now = self.now()
        self._pause(now)
        self._open.append((name, now))

    def end(self) -> None:
        """End the part that was begun last."""
        now = self.now()
        self._pause(now)
        self._open.pop()
        if self._open:
            self._open[-1] = (self._open[-1][0], now)

    def reset(self) -> None:
        """Forget what was measured so far; no part may be open."""
        self.seconds.clear()

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does the same and counts for this part."""

        def measured(*args: Any, **kwargs: Any) -> Any:
            with self.part(name), _traced(name):
                return function(*args, **kwargs)

        return measured

    def _pause(self, now: float) -> None:
        """Give the innermost part that is open what has passed."""
        if self._open:
            name, since = self._open[-1]
            spent = self.seconds.setdefault(self._step, {})
            spent[name] = spent.get(name, 0.0) + now - since


def watch(trainer: Trainer, stopwatch: Stopwatch) -> None:
    """Time every phase of this trainer's iterations, and its networks' forwards, from now on."""

    @contextmanager
    def phase(name: str) -> Iterator[None]:
        if name in STEPS:
            with stopwatch.step(STEPS[name]):
                yield
        else:
            with stopwatch.part(name), _traced(name):
                yield

    trainer.phase = phase
    _watch_forward(trainer.generator, "G forward", stopwatch)
    _watch_forward(trainer.discriminator, "D forward", stopwatch)


def _traced(name: str) -> torch.profiler.record_function:
    return torch.profiler.record_function(f"ganbench: {name}")


@contextmanager
def input_gradients_timed(stopwatch: Stopwatch) -> Iterator[None]:
    """Count derivatives at images, as penalties take them, as a part of its own."""
    plain = torch.autograd.grad
    torch.autograd.grad = stopwatch.timed("input gradients", plain)
    try:
        yield
    finally:
        torch.autograd.grad = plain


def judge(
    trainer: Trainer, cell: Cell, parts: Parts, registry: Registry, device: str
) -> dict[str, float | str]:
    """Return the seconds of sampling and of each metric, or why there is nothing to time.

    A metric's include the extractors that it is the first to use. What depends on real images alone
    is remembered, as in a run.
    """
    sampler = make_sampler(parts, trainer.batches.data, 0, device)
    started = time.perf_counter()
    sampler.calibrate(trainer.judged_generator)
    fake, _ = sampler.draw(trainer.judged_generator, cell.num_samples)
    sampling_seconds = time.perf_counter() - started
    judged = trial_evaluation.TrialEvaluation(
        parts.dataset,
        trainer.batches.data,
        fake,
        registry,
        files.data(),
        generator=Mapped.of(trainer.judged_generator, sampler),
        device=device,
    )
    evaluated = evaluate(parts.metrics, judged)
    found = {value.column.name: value for value in evaluated.values}
    by_metric = {
        name: seconds if found[name].value is not None else f"not computed: {found[name].reason}"
        for name, seconds in evaluated.seconds.items()
    }
    return {f"{cell.num_samples:,} samples": sampling_seconds, **by_metric}


@dataclass(frozen=True)
class Measured:
    """Where one iteration's time goes, by step (D, G, both, or "" between them) and part."""

    iterations: int
    milliseconds: dict[str, dict[str, float]]

    @property
    def total(self) -> float:
        """All milliseconds of an iteration."""
        return sum(sum(parts.values()) for parts in self.milliseconds.values())

    def parts(self) -> list[tuple[str, dict[str, float]]]:
        """Return every part with its milliseconds by step, the dearest first."""
        names = dict.fromkeys(name for parts in self.milliseconds.values() for name in parts)
        found = [
            (
                name,
                {step: parts[name] for step, parts in self.milliseconds.items() if name in parts},
            )
            for name in names
        ]
        return sorted(found, key=lambda item: -sum(item[1].values()))


def measure(trainer: Trainer, *, warm_up: int, iterations: int) -> Measured:
    """Train `warm_up` iterations unseen, and then time each part of `iterations` more."""
    stopwatch = Stopwatch(partial(synchronized_seconds, trainer.device))
    watch(trainer, stopwatch)  # before: networks that compile do so anew with it
    with input_gradients_timed(stopwatch):
        for _ in range(warm_up):
            trainer.iterate()
        stopwatch.reset()
        for _ in range(iterations):
            with stopwatch.step(""):
                trainer.iterate()
    return Measured(
        iterations,
        {
            step: {name: 1000 * seconds / iterations for name, seconds in parts.items()}
            for step, parts in stopwatch.seconds.items()
        },
    )


def trace(trainer: Trainer, path: Path, iterations: int) -> None:
    """Write a trace of every operator and part for chrome://tracing or ui.perfetto.dev."""
    stopwatch = Stopwatch()
    watch(trainer, stopwatch)  # names its parts
    activities = [ProfilerActivity.CPU]
    if trainer.device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with (
        torch.profiler.profile(activities=activities) as profiler,
        input_gradients_timed(stopwatch),
    ):
        for _ in range(iterations):
            trainer.iterate()
    profiler.export_chrome_trace(str(path))


def _watch_forward(network: nn.Module, name: str, stopwatch: Stopwatch) -> None:
    marks: list[torch.profiler.record_function] = []

    def before(module: nn.Module, given: Any) -> None:
        marks.append(_traced(name).__enter__())
        stopwatch.begin(name)

    def after(module: nn.Module, given: Any, made: Any) -> None:
        stopwatch.end()
        marks.pop().__exit__(None, None, None)

    network.register_forward_pre_hook(before)
    network.register_forward_hook(after, always_call=True)
