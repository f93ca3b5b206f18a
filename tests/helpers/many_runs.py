"""Runs of several people, from made-up numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ganbench.records import run_folder
from ganbench.records.cells import Cell, Plan, Spec, as_written
from ganbench.records.results import protocol_id
from ganbench.records.run_folder import Run
from ganbench.testing.fixtures import trials
from ganbench.util import files, sealed

FID = "fid@kit-features"
PROTOCOL = {"metric": "frechet", "version": 1, "num_samples": 1000}

Ends = Mapping[int, "float | dict[str, Any] | None"]
"""By seed: the FID of a trial that is ok, a whole result, or None of one that has not ended."""


def write(
    folder: Path,
    losses: Mapping[str, Ends],
    *,
    name: str = "kit",
    dataset: str = "ring",
    options: Mapping[str, Any] | None = None,
    device: str = "A Processor",
    torch: str = "2.10.0",
    protocol: Mapping[str, Any] = PROTOCOL,
    data: str = "00",
    created: str = "2026-01-01T00:00:00+00:00",
    axes: Mapping[str, str] | None = None,
    loss_source: str = "",
    **schedule: Any,
) -> Run:
    """Write a run of cells that differ in their losses, each with its own seeds."""
    cells = tuple(_cell(loss, dataset, options or {}, axes or {}, schedule) for loss in losses)
    if loss_source:
        cells = tuple(replace(c, loss=replace(c.loss, source=loss_source)) for c in cells)
    seeds = tuple(sorted({seed for ends in losses.values() for seed in ends}))
    seeds_of = {cell.id: tuple(losses[cell.axes["loss"]]) for cell in cells}
    plan = Plan(name, cells, (), seeds, "cpu", seeds_of)
    about = {
        "schema_version": run_folder.SCHEMA_VERSION,
        "id": f"{name}-{folder.name}",
        "name": name,
        "created": created,
        "config_sha256": "ab" * 32,
        "execution": {"threads": 1, "jobs": 1},
        "machine": {"device": "cpu", "device_name": device},
        "provenance": {"ganbench": "0.2", "python": "3.11", "packages": {"torch": torch}},
    }
    folder.mkdir(parents=True)
    files.write_json(folder / run_folder.RUN, about)
    files.write_text(folder / run_folder.SOURCE, f"name: {name}\n")
    files.write_json(folder / run_folder.PLAN, as_written(plan))
    run = Run.read(folder)
    for trial in run.trials:
        directory = folder / run_folder.TRIALS / trial.id
        directory.mkdir(parents=True)
        (directory / run_folder.TRIAL).write_text(json.dumps(asdict(trial)), "utf-8")
        end = losses[trial.subject.axes["loss"]][trial.seed]
        if end is not None:
            found = end if isinstance(end, dict) else finished(end, protocol, data)
            sealed.write_json(directory / run_folder.RESULT, found)
    return run


def finished(
    fid: float | str, protocol: Mapping[str, Any] = PROTOCOL, data: str = "00"
) -> dict[str, Any]:
    """What result.json holds of a trial with this FID; a text is why there is none."""
    found = trials.finished((fid, *trials.GOOD[1:]))
    key = protocol_id(dict(protocol))
    found["metrics"] = [{**one, "protocol": key} for one in found["metrics"]]
    return {**found, "protocols": {key: dict(protocol)}, "data": {"sha256": data * 32}}


def _cell(
    loss: str,
    dataset: str,
    options: Mapping[str, Any],
    axes: Mapping[str, str],
    schedule: Mapping[str, Any],
) -> Cell:
    named = {"dataset": dataset, "loss": loss, "conditioning": "none", "architecture": "mlp"}
    cell = trials._cell(f"{loss}/none/mlp", {**named, **axes})
    return replace(
        cell,
        dataset=Spec("dataset", dataset, dict(options), "kit 1.0"),
        schedule=replace(cell.schedule, **schedule),
    )
