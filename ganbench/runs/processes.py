"""One trial on several processes: they are started here, and what those after the first do.

The first runs the trial as one process would; the others train with it, and end with the training.
"""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import distributed, multiprocessing

from ganbench.errors import Diverged, ProcessLost, RunError
from ganbench.evaluation.loading import load
from ganbench.evaluation.real_data import digest
from ganbench.models.parts import Parts
from ganbench.records.run_folder import TRIAL, Trial
from ganbench.registry.registry import Registry
from ganbench.runs import continuing
from ganbench.runs.held_data import Held
from ganbench.training import readahead, torch_settings
from ganbench.training.build import make_trainer
from ganbench.util import ending, files

GRACE_SECONDS = 5.0  # for the others to end by themselves, once one has died
PATIENCE = timedelta(days=7)  # while the first looks and keeps: who died is seen at once otherwise


def asked_for(directory: Path) -> tuple[int, str]:
    """Return how many processes a trial is to be trained by, and the device of the first."""
    try:
        trial = Trial.read(directory / TRIAL)
    except RunError:  # which whoever runs it will say
        return 1, "cpu"
    return 1 if trial.cell is None else trial.cell.schedule.processes, trial.device


def together(count: int, device: str, work: Callable[..., None], *args: Any, forks: bool) -> str:
    """Have processes, numbered from 0, do `work(number, *args)`, each knowing the others.

    `device`: the first's. `forks`: whether this process may be forked. Returns why one of them
    ended before its work was done, when all others have ended too; "" where none did.
    """
    with tempfile.TemporaryDirectory(prefix="ganbench-") as folder:
        running = multiprocessing.start_processes(
            _one,
            (count, device, f"file://{Path(folder).absolute()}/meeting", work, args),
            nprocs=count,
            join=False,
            start_method="fork" if forks else "spawn",
        )
        try:
            while not running.join(grace_period=GRACE_SECONDS):
                pass
        except multiprocessing.ProcessExitedException as error:
            ended = error.signal_name or f"exit code {error.exit_code}"
            return f"process {error.error_index} of {count} was ended by {ended}"
        except multiprocessing.ProcessRaisedException as error:
            last = str(error).strip().splitlines()[-1]
            return f"process {error.error_index} of {count}: {last}"
        finally:
            for process in running.processes:
                if process.is_alive():  # an interruption passes through
                    process.kill()
    return ""


def device_of(device: str, number: int) -> str:
    """Return the device of one process, where that of the first is known."""
    kind, _, index = device.partition(":")
    return f"{kind}:{int(index or 0) + number}" if kind == "cuda" else device


def follow(trial: Trial, plugins: Registry, directory: Path, number: int) -> None:
    """Train with the first process, from wherever that goes on, and leave all else to it."""
    cell = trial.cell
    assert cell is not None
    if cell.schedule.deterministic:
        torch_settings.be_deterministic()
    parts = Parts.of(cell, plugins)
    data = load(parts.dataset, "train", files.data())
    trainer = make_trainer(cell, parts, data, trial.seed, device_of(trial.device, number))
    held = Held.of(cell.dataset, "train", digest(data), len(data))
    kept = continuing.kept(trial, directory, held)
    trainer.on_window = lambda window: kept.save_in_time(trainer, {})
    if kept.resume(trainer) is None:
        if (continued := cell.schedule.continues) is not None:
            trainer.restore(continuing.state_of(continued, trial.seed, held)[0])
        else:
            trainer.begin()
    trainer.snapshots_at = []
    with suppress(Diverged), readahead.at_random(data.images):  # which the first says
        trainer.run()
        trainer.state()  # of which the first keeps the whole


def _one(
    number: int, count: int, device: str, meeting: str, work: Callable[..., None], args: Any
) -> None:
    for name in ("SIGINT", *ending.PATIENCE_SECONDS):  # all end at once, and none tells of another
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    backend = "gloo"
    if device.startswith("cuda"):
        torch.cuda.set_device(device_of(device, number))
        backend = "cpu:gloo,cuda:nccl"
    distributed.init_process_group(
        backend, init_method=meeting, rank=number, world_size=count, timeout=PATIENCE
    )
    with suppress(ProcessLost):  # whoever died is the one to be told of
        work(number, *args)
    distributed.destroy_process_group()
