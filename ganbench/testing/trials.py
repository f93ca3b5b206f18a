"""Trials as workers and runners know them, from made-up numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ganbench import records
from ganbench.cells import Cell, Plan, Reference, Spec
from ganbench.contracts.callbacks import TrialInfo
from ganbench.records import Run
from ganbench.settings import Schedule
from ganbench.specs import Column, Window
from ganbench.table import Report

NASTY = "a | b | c <script>alert('x')</script>\nsecond line, with \"quotes\", ; and * _ ` \\ & €"
COLUMNS = (
    Column("fid@kit-features", "", "min", 3),
    Column("modes", "", "max", 1),
    Column("cond-accuracy", "", "max", 3, "cond. accuracy"),
    Column("train-images-per-s", "1/s", "max", 0, "train img/s"),
    Column("peak-memory-mb", "MB", "min", 0, "peak MB"),
)
Values = Sequence[float | str]  # of the columns; a text is the reason of a missing value
GOOD: Values = (1.25, 8.0, 0.75, 1234.5, 321.0)


def finished(values: Values = GOOD) -> dict[str, Any]:
    """What result.json holds of a trial that went well."""
    metrics = [
        {
            **asdict(column),
            "value": None if isinstance(value, str) else value,
            "protocol": "0123abcd",
            "reason": value if isinstance(value, str) else "",
        }
        for column, value in zip(COLUMNS, values, strict=True)
    ]
    return {
        "schema_version": records.SCHEMA_VERSION,
        "status": "ok",
        "reason": "",
        "metrics": metrics,
        "protocols": {"0123abcd": {"metric": "kit", "version": 1}},
        "data": {"sha256": "00" * 32, "num_images": 1000},
        "training": {"images": 4000, "iterations": 40, "g_updates": 40, "d_updates": 40},
        "timings": {
            "train_seconds": 3.0,
            "images_per_second": [1000.0, 1300.0],
            "g_steps_per_second": [10.0, 13.0],
            "samples_per_second": 5000.0,
            "peak_memory_bytes": None,
            "alone": True,
        },
        "parameters": {"generator": 1234, "discriminator": 987},
        "seconds": {"data": 0.5, "train": 3.0, "sample": 0.2, "evaluate": 0.3, "total": 4.5},
        "environment": {"ganbench": "0", "torch": "0", "python": "0", "device": "cpu"},
    }


def judged(values: Values) -> dict[str, Any]:
    """What result.json holds of the real test set, for which nothing was trained."""
    trained = ("training", "timings", "parameters")
    return {key: value for key, value in finished(values).items() if key not in trained}


def lost(status: str, reason: str) -> dict[str, Any]:
    """What result.json holds of a trial that came to nothing."""
    return {
        "schema_version": records.SCHEMA_VERSION,
        "status": status,
        "reason": reason,
        "seconds": {"total": 1.5},
    }


def window(number: int, **terms: float) -> Window:
    return Window(
        kimg=0.5 * number,
        iteration=5 * number,
        seconds=0.4,
        images_per_second=1250.0,
        g_steps_per_second=12.5,
        d_terms={"real": 0.6 / number, "fake": 0.7, **terms},
        g_terms={"adversarial": 0.8, **terms},
    )


def info(directory: Path, name: str = "trial") -> TrialInfo:
    axes = {"dataset": "ring", "loss": name, "conditioning": "none", "architecture": "mlp"}
    settings = {
        **asdict(_cell(f"{name}/none/mlp", axes)),
        "callbacks": [],
    }
    return TrialInfo("kit", f"{name}/none/mlp", axes, 0, directory, settings)


def report(folder: Path, results: Mapping[str, Sequence[dict[str, Any] | None]]) -> Report:
    """Of a run in `folder`, with the results of each loss's seeds; None is an unfinished trial.

    The loss `reference` is the real test set, and `incompatible` a cell that cannot be built.
    """
    cells = [
        _cell(
            f"{loss}/none/mlp",
            {"dataset": "ring", "loss": loss, "conditioning": "none", "architecture": "mlp"},
            incompatible=NASTY if loss == "incompatible" else None,
        )
        for loss in results
        if loss != "reference"
    ]
    reference = Reference(
        "real test set (ring)", {"dataset": "ring"}, "test", _spec("dataset"), 1000, ()
    )
    seeds = max(len(found) for found in results.values())
    references = (reference,) if "reference" in results else ()
    plan = Plan("kit", tuple(cells), references, tuple(range(seeds)), "cpu")
    about = {
        "schema_version": records.SCHEMA_VERSION,
        "id": "kit-0123456789",
        "name": "kit",
        "created": "2026-01-01T00:00:00+00:00",
        "execution": {"threads": 1, "jobs": 1, "plugins": [], "callbacks": []},
        "machine": {"device": "cpu", "device_name": "A Processor"},
    }
    _write(folder / records.RUN, about)
    _write(folder / records.PLAN, asdict(plan))
    run = Run(folder, about, plan)
    for trial in run.trials:
        of_loss = results["reference" if trial.cell is None else trial.cell.loss.name]
        found = of_loss[trial.seed] if trial.seed < len(of_loss) else None
        directory = folder / records.TRIALS / trial.id
        directory.mkdir(parents=True)
        _write(directory / records.TRIAL, asdict(trial))
        if found is not None:
            _write(directory / records.RESULT, found)
    return Report.of(run)


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value), "utf-8")


def _cell(label: str, axes: dict[str, str], incompatible: str | None = None) -> Cell:
    return Cell(
        label=label,
        axes=axes,
        dataset=_spec("dataset"),
        loss=_spec("loss", axes["loss"]),
        regularizers=(),
        g_conditioning=_spec("conditioning"),
        d_conditioning=_spec("conditioning"),
        architecture=_spec("architecture"),
        transforms=(),
        g_norm="none",
        d_norm="none",
        schedule=Schedule(
            updates="alternating",
            batch_size=100,
            kimg=4.0,
            n_critic=1,
            optimizer="adam",
            g_lr=1e-3,
            d_lr=1e-3,
            betas=(0.5, 0.999),
            ema=0.0,
            precision="float32",
            channels_last=False,
            log_every=5,
        ),
        num_samples=1000,
        metrics=(),
        extractors=(),
        incompatible=incompatible,
    )


def _spec(kind: str, name: str = "kit") -> Spec:
    return Spec(kind, name, {"option": 1.5}, "kit 1.0")
