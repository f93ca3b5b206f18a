"""`ganbench profile`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import options, streams
from ganbench.cli.output import print_json, tell
from ganbench.util import allocator

if TYPE_CHECKING:
    from ganbench.records.cells import Cell
    from ganbench.registry.registry import Registry
    from ganbench.runs.benchmark import BenchmarkArguments
    from ganbench.training.profiling import Measured

STEPS = {"D": "D's step", "G": "G's step", "both": "both", "": "between"}
WARM_UP = 5
TRACED = 3


@click.command("profile")
@options.benchmark
@click.option(
    "--iterations", type=click.IntRange(min=1), default=20, show_default=True, help="To time."
)
@click.option(
    "--trace",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write a trace of each cell there, for chrome://tracing or ui.perfetto.dev.",
)
@click.option("--no-evaluation", is_flag=True, help="Time training alone, and no metrics.")
@click.option("--threads", type=click.IntRange(min=1), help="Of the trainer; default: all cores.")
@options.as_json
def command(
    arguments: BenchmarkArguments,
    iterations: int,
    folder: Path | None,
    no_evaluation: bool,
    threads: int | None,
    as_json: bool,
) -> int:
    """Show where the time of FILE's trials goes: of training steps data, each network, backward,
    each plugin's terms, optimiser, averaging; then sampling and each metric.

    What runs inside a part counts for the inner part alone: a loss that asks D is charged for its
    own arithmetic, and D for its forward. Leave the machine alone meanwhile.
    """  # noqa: D205
    allocator.keep_memory()
    from ganbench.runs.benchmark import prepare

    loaded = prepare(arguments, tell)
    import torch

    if threads:
        torch.set_num_threads(threads)
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    found = []
    for cell in loaded.plan.cells:
        if cell.incompatible:
            continue
        profiled = _profiled(
            cell, loaded.registry, loaded.plan.device, iterations, folder, not no_evaluation
        )
        found.append(_described(cell, *profiled))
        if not as_json:
            _print(cell, *profiled)
    if as_json:
        threads = torch.get_num_threads()
        print_json({"device": loaded.plan.device, "threads": threads, "cells": found})
    return 0


def _profiled(
    cell: Cell,
    registry: Registry,
    device: str,
    iterations: int,
    folder: Path | None,
    evaluates: bool,
) -> tuple[Measured, dict[str, float | str], Path | None]:
    from ganbench.evaluation.loading import load
    from ganbench.models.parts import Parts
    from ganbench.records.cells import slug
    from ganbench.training import profiling
    from ganbench.training.build import make_trainer
    from ganbench.util import files

    cell = replace(cell, schedule=cell.schedule.of_one_process)
    parts = Parts.of(cell, registry)
    data = load(parts.dataset, "train", files.data())
    traced = None
    if folder:
        traced = folder / f"{slug(cell.label)}-{cell.id}.trace.json"
        profiling.trace(make_trainer(cell, parts, data, 0, device), traced, TRACED)
        parts = Parts.of(cell, registry)  # the trainer has its own losses
    trainer = make_trainer(cell, parts, data, 0, device)
    measured = profiling.measure(trainer, warm_up=WARM_UP, iterations=iterations)
    judged = profiling.judge(trainer, cell, parts, registry, device) if evaluates else {}
    return measured, judged, traced


def _described(
    cell: Cell, measured: Measured, judged: dict[str, float | str], traced: Path | None
) -> dict[str, Any]:
    return {
        "id": cell.id,
        "label": cell.label,
        "precision": cell.schedule.precision,
        "iterations": measured.iterations,
        "milliseconds": measured.milliseconds,
        "evaluation_seconds": judged,
        "trace": None if traced is None else str(traced),
    }


def _print(
    cell: Cell, measured: Measured, judged: dict[str, float | str], traced: Path | None
) -> None:
    from rich.table import Table

    schedule = cell.schedule
    images = 1000 * schedule.images_per_iteration / measured.total
    table = Table(
        title=f"{cell.label}: {measured.total:.1f} ms an iteration, {images:,.0f} images/s "
        f"({schedule.precision}, batch {schedule.batch_size}, {measured.iterations} iterations)",
        title_justify="left",
    )
    table.add_column("part")
    steps = [step for step in STEPS if step in measured.milliseconds]
    for step in steps:
        table.add_column(f"{STEPS[step]} (ms)", justify="right")
    table.add_column("share", justify="right")
    for row in _rows(measured, steps):
        table.add_row(*row)
    console = streams.console()
    console.print(table)
    if judged:
        after = Table(title="after training", title_justify="left")
        after.add_column("part")
        after.add_column("seconds", justify="right")
        for name, found in judged.items():
            after.add_row(name, found if isinstance(found, str) else f"{found:.2f}")
        console.print(after)
    if traced is not None:
        console.print(f"trace: {traced}")


def _rows(measured: Measured, steps: list[str]) -> Iterator[tuple[str, ...]]:
    for name, by_step in measured.parts():
        numbers = (f"{by_step[step]:.2f}" if step in by_step else "" for step in steps)
        yield name, *numbers, f"{sum(by_step.values()) / measured.total:.1%}"
    sums = (f"{sum(measured.milliseconds[step].values()):.2f}" for step in steps)
    yield "all", *sums, "100%"
