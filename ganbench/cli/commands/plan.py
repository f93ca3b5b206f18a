"""`ganbench plan`."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import options, plan_view
from ganbench.cli.garbage import look_seldom_for_garbage
from ganbench.cli.output import print_json, tell
from ganbench.util import allocator

if TYPE_CHECKING:
    from ganbench.config.yaml_document import Document
    from ganbench.models.layers import Layers
    from ganbench.models.parts import ParameterCounts
    from ganbench.records.cells import Cell, Plan
    from ganbench.records.run_info import Execution
    from ganbench.registry.registry import Registry
    from ganbench.runs.benchmark import BenchmarkArguments, Prepared
    from ganbench.runs.expected import Expected


PATIENCE = 20.0  # seconds
STILL = (
    "still measuring how long training and judging take, as nothing like it was timed here yet; "
    "--no-estimate leaves it out"
)


@click.command("plan")
@options.benchmark
@options.continues
@click.option("--no-estimate", is_flag=True, help="Do not measure how long trials would take.")
@click.option("--networks", is_flag=True, help="Show both networks of each cell, layer by layer.")
@click.option(
    "--origins",
    is_flag=True,
    help="Show where each setting was written, as of a file that extends another always.",
)
@options.as_json
def command(
    arguments: BenchmarkArguments,
    no_estimate: bool,
    networks: bool,
    origins: bool,
    as_json: bool,
) -> int:
    """Show every cell of FILE with resolved settings, parameter counts and a time estimate.

    Nothing is trained. Times are those of like trials on this machine before; without any,
    stand-ins are judged and a few steps of each cell are timed; where whole batches would take
    long, of small ones, which gives a bound (≤), and where even a step of two images would, of a
    part of it (≥).
    """
    look_seldom_for_garbage()
    allocator.keep_memory()
    began = time.monotonic()
    from ganbench.runs import beginning
    from ganbench.runs.benchmark import ordered, prepare
    from ganbench.runs.expected import expected
    from ganbench.util import machine

    loaded = prepare(arguments, tell)
    execution = beginning.execution(ordered(loaded, arguments), loaded.plan, loaded.registry)
    seeds, jobs = len(loaded.plan.seeds), execution.jobs
    total: float | None = None
    guessed = 0.0  # of judging
    if no_estimate:
        cells = _described(loaded, [None] * len(loaded.plan.cells))
    else:
        starting = time.monotonic() - began  # as the run's own process will
        waiting = threading.Timer(PATIENCE, tell, [logging.INFO, STILL])
        waiting.daemon = True
        waiting.start()
        try:
            found = expected(loaded.plan, loaded.registry, execution)
        finally:
            waiting.cancel()
        cells = _described(loaded, found.cells)
        total, guessed = starting + found.seconds(seeds, jobs), found.guessed(seeds, jobs)
    shown = _networks(loaded.plan, loaded.registry) if networks else {}
    for described in cells:
        if described["label"] in shown:
            described["layers"] = asdict(shown[described["label"]])
    if as_json:
        document = _document(loaded.plan, execution, cells, total)
        print_json(document | _written(loaded.config.document))
        return 0
    plan_view.show(loaded.plan, cells)
    if origins or loaded.config.document.parent:
        plan_view.show_origins(loaded.config.document)
    for label, layers in shown.items():
        plan_view.show_layers(label, layers)
    at_once = plan_view.at_once(jobs, execution.jobs_reason)
    told = at_once if total is None else plan_view.durations(cells, total, at_once, guessed)
    print(f"{plan_view.counts(loaded.plan)}; {told}")
    if any(request.settings.training.precision == "auto" for request in loaded.config.cells):
        said = machine.auto_precision(loaded.plan.device)
        print(f"training.precision auto is {said}; for points always float32")
    return 0


def _described(loaded: Prepared, expected: Sequence[Expected | None]) -> list[dict[str, Any]]:
    """Return all that is told of each cell."""
    from ganbench.models.parts import num_parameters
    from ganbench.records.cells import networks_key

    known: dict[str, ParameterCounts] = {}  # parameters of networks that several cells have
    cells = []
    for cell, took in zip(loaded.plan.cells, expected, strict=True):
        sizes: ParameterCounts | None = None
        if cell.incompatible:
            took = None
        else:
            key = networks_key(cell)
            sizes = known.get(key) or num_parameters(cell, loaded.registry)
            known[key] = sizes
        cells.append(_of_cell(cell, sizes, took))
    return cells


def _of_cell(cell: Cell, sizes: ParameterCounts | None, took: Expected | None) -> dict[str, Any]:
    from ganbench.records.cells import fields_of

    schedule = cell.schedule
    return {
        "id": cell.id,
        "label": cell.label,
        **{k: v for k, v in fields_of(cell).items() if k != "label"},
        "g_updates": schedule.iterations * schedule.n_gen,
        "d_updates": schedule.iterations * schedule.n_critic,
        "g_parameters": sizes and sizes.generator,
        "d_parameters": sizes and sizes.discriminator,
        "own_g_parameters": sizes and sizes.own_generator,
        "own_d_parameters": sizes and sizes.own_discriminator,
        "estimated_seconds": took and took.cost.total,
        "estimated_parts": took and asdict(took.cost),
        "estimate_is_bound": took is not None and took.bound is not None,
        "estimate_bound": took and took.bound,
        "training_id": cell.training_id,
    }


def _networks(plan: Plan, registry: Registry) -> dict[str, Layers]:
    """Return the layers of all networks that differ, by the first cell that has them."""
    from ganbench.models.layers import layers
    from ganbench.records.cells import networks_key

    cells = [cell for cell in plan.cells if not cell.incompatible]
    first = {networks_key(cell): cell for cell in reversed(cells)}
    return {cell.label: layers(cell, registry) for cell in cells if cell in first.values()}


def _document(
    plan: Plan, execution: Execution, cells: list[dict[str, Any]], total: float | None
) -> dict[str, Any]:
    return {
        "name": plan.name,
        "plan": plan.id,
        "device": plan.device,
        "jobs": execution.jobs,
        "jobs_reason": execution.jobs_reason,
        "threads": execution.threads,
        "seeds": list(plan.seeds),
        "references": list(plan.references),
        "cells": cells,
        "estimated_seconds": total,
    }


def _written(document: Document) -> dict[str, Any]:
    """Return where each setting was written."""
    from ganbench.config.origins import origins

    return {
        "extends": document.parent.name if document.parent else None,
        "origins": [asdict(origin) for origin in origins(document)],
    }
