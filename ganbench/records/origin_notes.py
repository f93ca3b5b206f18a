"""What tables say of where their trials were trained, and on what."""

from __future__ import annotations

from collections.abc import Iterator

from ganbench.records.run_folder import Run
from ganbench.records.run_info import RunInfo
from ganbench.util.messages import counted


def device(run: Run) -> str:
    """Return what the trials ran on, and in which precision."""
    machine, execution = run.info.machine, run.info.execution
    told = [
        f"Device {machine.device} ({machine.device_name})",
        f"{execution.threads} thread(s) per trial",
        f"{execution.jobs} trial(s) at a time",
    ]
    if run.info.parts:
        found = dict.fromkeys(part.platform for part in run.info.parts)
        told = [f"{'Platforms' if len(found) > 1 else 'Platform'}: {'; '.join(found)}"]
    precisions = dict.fromkeys(cell.schedule.precision for cell in run.plan.cells)
    return f"{', '.join([*told, *precisions])}."


def reused(run: Run) -> Iterator[str]:
    """Say of which trials another run's results stand here, by run."""
    found: dict[str, list[str]] = {}
    for trial in run.trials:
        if (source := run.info.reused.get(trial.id)) is not None:
            seed = f" seed {trial.seed}" if trial.cell else ""
            found.setdefault(source, []).append(f"{trial.subject.label}{seed}")
    for source, names in found.items():
        yield f"Not trained here, but taken from run {source}: {', '.join(names)}."


def merged(info: RunInfo) -> Iterator[str]:
    """Of which runs a merged one is, and what it could not take."""
    if info.parts:
        told = (f"{part.id} ({counted(len(part.trials), 'trial')})" for part in info.parts)
        yield f"Merged of {counted(len(info.parts), 'run')}: {', '.join(told)}."
    yield from (f"Left out: {text}." for text in info.left_out)
