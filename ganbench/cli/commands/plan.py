"""`ganbench plan`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import options, streams
from ganbench.cli.garbage import look_seldom_for_garbage
from ganbench.cli.output import print_json, tell
from ganbench.util.messages import brief, counted

if TYPE_CHECKING:
    from ganbench.models.layers import Layers
    from ganbench.models.parts import ParameterCounts
    from ganbench.records.cells import Cell, Plan, Spec
    from ganbench.records.training_settings import PlayerName, TrainingSettings
    from ganbench.registry.registry import Registry
    from ganbench.runs.benchmark import BenchmarkArguments
    from ganbench.training.time_estimate import Estimate

MOST_ROWS = 200  # of the table, for readers have limits
SIGNS = {None: "", "at most": "≤ ", "at least": "≥ "}


@click.command("plan")
@options.benchmark
@click.option("--no-estimate", is_flag=True, help="Do not measure how long training would take.")
@click.option("--networks", is_flag=True, help="Show both networks of each cell, layer by layer.")
@options.as_json
def command(
    arguments: BenchmarkArguments,
    no_estimate: bool,
    networks: bool,
    as_json: bool,
) -> int:
    """Show every cell of FILE with resolved settings, parameter counts and a time estimate.

    Nothing is trained and nothing is written. The estimate times a few steps of each cell here;
    where whole batches would take long, of small ones, which gives a bound (≤), and where even a
    step of two images would, of a part of it (≥).
    """
    look_seldom_for_garbage()
    from ganbench.runs.benchmark import prepare

    loaded = prepare(arguments, tell)
    from ganbench.models.parts import networks_key, num_parameters
    from ganbench.training import time_estimate
    from ganbench.util import machine

    cells = []
    estimator = time_estimate.Estimator(loaded.registry, loaded.plan.device)
    known: dict[str, ParameterCounts] = {}  # parameters of networks that several cells have
    for cell in loaded.plan.cells:
        sizes: ParameterCounts | None = None
        estimate: Estimate | None = None
        if not cell.incompatible:
            key = networks_key(cell)
            sizes = known.get(key) or num_parameters(cell, loaded.registry)
            known[key] = sizes
            if not no_estimate:
                estimate = estimator.estimate(cell)
        cells.append(_described(cell, sizes, estimate))
    shown = _networks(loaded.plan, loaded.registry) if networks else {}
    for described in cells:
        if described["label"] in shown:
            described["layers"] = asdict(shown[described["label"]])
    total = sum(c["estimated_seconds"] or 0 for c in cells) * len(loaded.plan.seeds)
    if as_json:
        print_json(_document(loaded.plan, cells, None if no_estimate else total))
        return 0
    _print(loaded.plan, cells)
    for label, found in shown.items():
        _print_layers(label, found)
    count = len(loaded.plan.seeds)
    line = (
        f"{counted(len(cells), 'cell')} × {counted(count, 'seed')} = "
        f"{counted(len(cells) * count, 'trial')} on {loaded.plan.device}"
    )
    if not no_estimate:
        bounds = {cell["estimate_bound"] for cell in cells} - {None}
        bound = f"{bounds.pop()} " if len(bounds) == 1 else ""
        took = time_estimate.readable(total)
        line += f"; training and sampling take {bound}about {took} one by one"
        if left := sum(c["estimated_seconds"] is None and not c["incompatible"] for c in cells):
            line += f", without {counted(left, 'cell')} of networks too large to try out"
    print(line)
    if any(request.settings.training.precision == "auto" for request in loaded.config.cells):
        said = machine.auto_precision(loaded.plan.device)
        print(f"training.precision auto is {said}; for points always float32")
    return 0


def _networks(plan: Plan, registry: Registry) -> dict[str, Layers]:
    """Return the layers of all networks that differ, by the first cell that has them."""
    from ganbench.models.layers import layers
    from ganbench.models.parts import networks_key

    cells = [cell for cell in plan.cells if not cell.incompatible]
    first = {networks_key(cell): cell for cell in reversed(cells)}
    return {cell.label: layers(cell, registry) for cell in cells if cell in first.values()}


def _print_layers(label: str, found: Layers) -> None:
    from rich.table import Table

    console = streams.console(pipe_width=160)
    for player, layers in (("G", found.generator), ("D", found.discriminator)):
        table = Table(title=f"{player} of {label}", title_justify="left", show_footer=True)
        total = f"{sum(layer.parameters for layer in layers):,}"
        table.add_column("layer", "in all")
        table.add_column("kind")
        table.add_column("makes of an image")
        table.add_column("params", total, justify="right")
        for layer in layers:
            shape = "" if layer.shape is None else "×".join(map(str, layer.shape)) or "1"
            count = f"{layer.parameters:,}" if layer.parameters else ""
            table.add_row(layer.name, layer.kind, shape, count)
        console.print(table)
    if found.reason:
        print(f"{label}: shapes are not known to the end: {found.reason}")


def _described(
    cell: Cell, sizes: ParameterCounts | None, estimate: Estimate | None
) -> dict[str, Any]:
    from ganbench.records.cells import fields_of

    return {
        "id": cell.id,
        "label": cell.label,
        **{k: v for k, v in fields_of(cell).items() if k != "label"},
        "g_parameters": sizes and sizes.generator,
        "d_parameters": sizes and sizes.discriminator,
        "own_g_parameters": sizes and sizes.own_generator,
        "own_d_parameters": sizes and sizes.own_discriminator,
        "estimated_seconds": estimate and estimate.seconds,
        "estimate_is_bound": estimate is not None and estimate.is_bound,
        "estimate_bound": estimate and estimate.bound,
        "training_id": cell.training_id,
    }


def _document(plan: Plan, cells: list[dict[str, Any]], total: float | None) -> dict[str, Any]:
    return {
        "name": plan.name,
        "plan": plan.id,
        "device": plan.device,
        "seeds": list(plan.seeds),
        "references": list(plan.references),
        "cells": cells,
        "estimated_seconds": total,
    }


def _print(plan: Plan, cells: list[dict[str, Any]]) -> None:
    from rich.table import Table

    from ganbench.training.time_estimate import readable

    console = streams.console(pipe_width=160)
    table = Table(title=f"{plan.name} (plan {plan.id})", title_justify="left")
    for head in (
        "cell",
        "id",
        "norms G/D",
        "batch",
        "n_critic",
        "optimizer",
        "kimg",
        "precision",
        "G params",
        "D params",
        "time a seed",
    ):
        table.add_column(head, justify="right" if "params" in head or head == "kimg" else "left")
    for cell in cells[:MOST_ROWS]:
        schedule = cell["schedule"]
        if cell["incompatible"]:
            table.add_row(cell["label"], cell["id"], "n/a", *[""] * 8)
            continue
        seconds = cell["estimated_seconds"]
        table.add_row(
            cell["label"],
            cell["id"],
            f"{cell['g_norm']}/{cell['d_norm']}",
            str(schedule.batch_size),
            _turns(schedule),
            _optimizers(cell),
            f"{schedule.kimg:g}",
            schedule.precision,
            _counted(cell, "g_parameters"),
            _counted(cell, "d_parameters"),
            "" if seconds is None else f"{SIGNS[cell['estimate_bound']]}{readable(seconds)}",
        )
    console.print(table)
    if len(cells) > MOST_ROWS:
        print(f"… and {len(cells) - MOST_ROWS:,} cells more; --json shows every one")
    for cell in cells[:MOST_ROWS]:
        if cell["incompatible"]:
            console.print(f"{cell['label']}: n/a: {cell['incompatible']}")


def _turns(schedule: TrainingSettings) -> str:
    """Return how many steps of D an iteration has, and of G where those are not one."""
    return f"{schedule.n_critic}" + (f", n_gen {schedule.n_gen}" if schedule.n_gen != 1 else "")


def _optimizers(cell: dict[str, Any]) -> str:
    """Return what both players' weights go by; player by player where more than rates differs."""
    from ganbench.records.schedules import text_of
    from ganbench.records.training_settings import OwnSettings

    schedule = cell["schedule"]
    is_plain = cell["g_optimizer"] == cell["d_optimizer"]
    if is_plain and schedule.generator == schedule.discriminator == OwnSettings():
        name = _named(cell["g_optimizer"], schedule.optimizer)
        betas = "/".join(map(text_of, schedule.betas))
        return f"{name} {text_of(schedule.g_lr)}/{text_of(schedule.d_lr)} β {betas}"
    of_g = _of_player(schedule, "generator", cell["g_optimizer"])
    of_d = _of_player(schedule, "discriminator", cell["d_optimizer"])
    return f"G {of_g}\nD {of_d}"


def _of_player(schedule: TrainingSettings, player: PlayerName, spec: Spec | None) -> str:
    from ganbench.records.schedules import text_of

    name = _named(spec, schedule.of(player, "optimizer"))
    betas = "/".join(map(text_of, schedule.of(player, "betas")))
    said = [
        f"{key} {text_of(value)}"
        for key in ("weight_decay", "momentum", "eps", "clip_grad_norm")
        if (value := schedule.of(player, key)) is not None
    ]
    return " ".join([name, text_of(schedule.of(player, "lr")), "β", betas, *said])


def _named(spec: Spec | None, name: str) -> str:
    options = (
        ",".join(f"{key}={brief(value)}" for key, value in spec.options.items()) if spec else ""
    )
    return f"{name}({options})" if options else name


def _counted(cell: dict[str, Any], name: str) -> str:
    """Return a network's parameters, and those of plugins' own networks that learn with it."""
    own = cell[f"own_{name}"]
    return f"{cell[name]:,}" + (f" + {own:,} own" if own else "")
