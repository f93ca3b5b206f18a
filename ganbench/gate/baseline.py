"""Banked measurements: a committed JSON file per benchmark, refused unless it can be trusted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic

from ganbench.errors import BaselineError
from ganbench.gate.measurements import Measurements
from ganbench.records import stored
from ganbench.records.run_folder import Run
from ganbench.util import files, sealed
from ganbench.util.messages import counted, dotted, shown

SCHEMA_VERSION = 1
FOLDER = Path("results/baselines")
MIN_SEEDS = 10  # fewer cannot tell a change from luck: see `ganbench noise`


@dataclass(frozen=True)
class Baseline:
    """Measurements, where they came from, and why they were banked."""

    schema_version: int
    created: str
    reason: str
    source: dict[str, Any]  # commits, plan, profile, versions
    gate: dict[str, Any]  # the benchmark file's own
    measurements: Measurements

    def write(self, path: Path) -> None:
        """Write the baseline as JSON, whole or not at all."""
        sealed.write_json(path, dataclasses.asdict(self))


def of(run: Run, reason: str, *, min_seeds: int = MIN_SEEDS) -> Baseline:
    """Return a run as a baseline.

    Raises BaselineError where the run is not fit to be compared with.
    """
    if not reason.strip():
        raise BaselineError("a baseline needs a reason, for whoever reads its history: --reason")
    measurements = Measurements.of(run)
    _refuse_unclean(run)
    _refuse_failures(run, measurements)
    _refuse_few(run, measurements, min_seeds)
    info = run.info
    return Baseline(
        SCHEMA_VERSION,
        info.created,
        reason.strip(),
        {
            "plan": info.plan,
            "profile": info.profile,
            "overrides": list(info.overrides),
            "ganbench": info.provenance.ganbench,
            "git": {k: v and dataclasses.asdict(v) for k, v in info.provenance.git.items()},
            "packages": info.provenance.packages,
        },
        info.gate,
        measurements,
    )


def read(path: Path) -> Baseline:
    """Read a baseline. Raises BaselineError with where, what and what to do."""
    try:
        content = files.read_bytes(path)
    except OSError as error:
        raise BaselineError(
            f"{path}: {error.strerror}; `ganbench baseline update RUN` writes baselines"
        ) from error
    return parsed(content, str(path))


def parsed(content: bytes, path: str) -> Baseline:
    """Return the baseline that a file holds, which was at `path`. Raises BaselineError."""
    try:
        found = files.parse_json(content, _unique)
    except ValueError as error:
        raise BaselineError(
            f"{path}: not a whole baseline ({error}); take it from git again, or bank a new one"
        ) from error
    version = found.get("schema_version") if isinstance(found, dict) else None
    if version != SCHEMA_VERSION:
        raise BaselineError(
            f"{path}: of schema version {shown(version)}, and this ganbench reads "
            f"{SCHEMA_VERSION}; bank it anew, or use the ganbench that wrote it"
        )
    try:
        baseline = stored.typed(Baseline, found)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BaselineError(
            f"{path}: {dotted(tuple(first['loc']))}: {first['msg']}; it was edited by hand or cut "
            "short: take it from git again, or bank a new one"
        ) from error
    if not baseline.measurements.cells:
        raise BaselineError(f"{path}: it holds no cell; bank a run that measured something")
    if not sealed.is_as_written(found):
        raise BaselineError(
            f"{path}: not as it was banked: its SHA-256 is another; take it from git again, or "
            "bank a new one"
        )
    return baseline


def _refuse_unclean(run: Run) -> None:
    dirty = [name for name, state in run.info.provenance.git.items() if state and state.dirty]
    if dirty:
        raise BaselineError(
            f"{run.directory}: measured with uncommitted changes ({', '.join(dirty)}), so nobody "
            "could measure it again; commit, and run it anew"
        )


def _refuse_failures(run: Run, measurements: Measurements) -> None:
    bad = [cell for cell in measurements.cells.values() if cell.bad]
    if bad or not measurements.cells:
        which = ", ".join(f"{cell.label} ({cell.ends})" for cell in bad[:3])
        raise BaselineError(
            f"{run.directory}: "
            + (f"not every trial is ok: {which}" if bad else "nothing was measured")
            + f"; `ganbench resume {run.directory}` runs what failed or is left"
        )


def _refuse_few(run: Run, measurements: Measurements, min_seeds: int) -> None:
    named = run.info.gate.get("metrics")
    for cell in measurements.cells.values():
        judged = [
            series
            for series in cell.series.values()
            if series.column.kind == "quality"
            and (series.column.name in named if named else series.column.gated)
            and series.values  # without any, it does not exist for such data
        ]
        few = min((len(s.values) for s in judged), default=min_seeds)
        if few < min_seeds:
            raise BaselineError(
                f"{run.directory}: cell {cell.label} has {counted(few, 'seed')}, and a baseline "
                f"needs {min_seeds} to tell a change from luck; run more with --seeds, or lower "
                "--min-seeds and live with verdicts of 'inconclusive'"
            )


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"'{key}' stands twice")
        found[key] = value
    return found
