"""One trial: `python -m ganbench.worker DIR` reads DIR/trial.json and leaves DIR/result.json."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import platform
import sys
import threading
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

import ganbench
from ganbench.contracts.callbacks import Callback
from ganbench.contracts.executors import ASKED_TO_END, TrialRef
from ganbench.errors import (
    INTERRUPTIONS,
    OUT_OF_MEMORY,
    WHAT_TO_TRY,
    DataChanged,
    Terminated,
    cause,
    told,
)
from ganbench.models.parts import check_sources
from ganbench.records import results, stored
from ganbench.records.results import Environment, Gpu, TrialResult
from ganbench.records.run_folder import FORESEEN, RESULT, TRIAL, Trial
from ganbench.records.status import Status
from ganbench.registry import registry
from ganbench.registry.registry import Registry
from ganbench.runs import processes
from ganbench.runs.cell_trial import CellTrial
from ganbench.runs.clock import Clock
from ganbench.runs.control_trial import judge_control
from ganbench.runs.neighbours import yielding
from ganbench.training import checkpoints, torch_settings
from ganbench.training.ranks import LOST
from ganbench.util import allocator, ending, gpus, lingering
from ganbench.util.process_settings import as_if_not_called, as_in_a_new_process

IMPORTED_LATE = (  # by most trials, beside the built-in plugins
    "torch._dynamo",  # by every optimiser
    "pydantic.dataclasses",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "PIL.GifImagePlugin",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the trial that the command line names, and return the exit code: 0, 3, or 143."""
    parser = argparse.ArgumentParser(prog="python -m ganbench.worker", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument(
        "--stop-with-parent",
        action="store_true",
        help="end when standard input closes, as it does when the parent dies",
    )
    arguments = parser.parse_args(argv)
    if arguments.stop_with_parent:
        threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
    ending.listen()
    try:
        code = run(arguments.directory, forks=sys.platform == "linux")
    except Terminated:
        code = ASKED_TO_END  # once a checkpoint was kept
    lingering.end_soon(code)
    gc.freeze()  # else Python looks for cycles among all objects as it ends, for half a second
    return code


def preload() -> None:
    """Import what trials import as they come to it, for workers that are forked from here.

    No plugin of others is loaded, and nothing is computed.
    """
    Registry().add_built_ins()
    for module in IMPORTED_LATE:
        importlib.import_module(module)
    stored.prepare(Trial)


def run(directory: Path, *, forks: bool = False) -> int:
    """Run the trial and write its result. Return 0 when the trial is `ok`, else 3.

    `forks`: whether this process, which has computed nothing, is there for the trial alone.
    """
    directory = directory.absolute()  # whatever folder a plugin goes to
    count, device = processes.asked_for(directory)
    if count > 1:
        return _ended(
            directory, processes.together(count, device, _one_of_them, directory, forks=forks)
        )
    with as_in_a_new_process():  # and as it was before, for the next trial of this one
        return _run(directory)


def _ended(directory: Path, why: str) -> int:
    """Write down why one of a trial's processes ended early, if any did; return the exit code."""
    found = results.read(directory / RESULT)
    if why and (not found.status.is_final or LOST in found.reason):
        (directory / RESULT).unlink(missing_ok=True)
        TrialRef(directory, directory.name).leave_end("failed", why)
        print(why, file=sys.stderr, flush=True)  # as the log's last word
    return 0 if found.status is Status.OK else 3


def _one_of_them(number: int, directory: Path) -> None:
    with as_in_a_new_process():
        if number == 0:
            _run(directory)
        else:
            trial = Trial.read(directory / TRIAL)
            torch.set_num_threads(_threads(trial))
            plugins = registry.load(trial.plugins, rehearse=False)
            with yielding(trial.threads):
                processes.follow(trial, plugins, directory, number)
    lingering.end_soon(0)


def _threads(trial: Trial) -> int:
    """Return the threads of one of the trial's processes."""
    return max(1, trial.threads // (trial.cell.schedule.processes if trial.cell else 1))


def _run(directory: Path) -> int:
    clock = Clock()
    callbacks: list[Callback] = []
    goes_on = False  # what failed begins anew
    try:
        trial = Trial.read(directory / TRIAL)
        with clock.part("total"), yielding(trial.threads):
            result = _work(trial, directory, callbacks, clock)
    except INTERRUPTIONS:
        raise
    except BaseException as error:
        result = _failed(TrialResult(), error)
        goes_on = isinstance(error, DataChanged)  # once the data are back
    result = replace(result, seconds=clock.seconds())
    for callback in callbacks:
        try:
            with as_if_not_called():
                callback.ended(result.plain())
        except INTERRUPTIONS:
            raise
        except BaseException as error:
            result = _failed(result, error, f"callback '{callback.name}': ")
    directory.mkdir(parents=True, exist_ok=True)  # a plugin may have removed it
    results.write(directory / RESULT, result)
    (directory / FORESEEN).unlink(missing_ok=True)
    if not goes_on and not result.errors:  # whose metrics `resume` asks again
        (directory / checkpoints.NAME).unlink(missing_ok=True)
    return 0 if result.status is Status.OK else 3


def _failed(result: TrialResult, error: BaseException, whose: str = "") -> TrialResult:
    """Return a result with the error as its end, unless it has one; the log gets the traceback."""
    traceback.print_exc()
    if result.status is Status.FAILED:  # and what came up at the end may be a consequence
        return result
    why = told(error) + (WHAT_TO_TRY if cause(error) == OUT_OF_MEMORY else "")
    reason = "; ".join(filter(None, [result.reason, f"{whose}{why}"]))
    return replace(result, status=Status.FAILED, reason=reason, cause=cause(error))


def _work(trial: Trial, directory: Path, callbacks: list[Callback], clock: Clock) -> TrialResult:
    """Return what the trial found; fill `callbacks` with those that were told of its beginning."""
    torch.set_num_threads(_threads(trial))
    gpus.forget_peaks(trial.device)  # of the trial before, where it was in this process
    with clock.part("plugins"):
        plugins = registry.load(trial.plugins, rehearse=False)  # the runner has done that
    if trial.reference is not None:
        found = judge_control(trial, trial.reference, plugins, directory, clock)
    else:
        assert trial.cell is not None
        check_sources(trial.cell.specs(), plugins)
        if trial.cell.schedule.deterministic:
            torch_settings.be_deterministic()  # until as_in_a_new_process ends
        found = CellTrial.prepare(trial, trial.cell, plugins, directory, callbacks, clock).run()
    return replace(found, environment=_environment(trial))


def _environment(trial: Trial) -> Environment:
    return Environment(
        ganbench=ganbench.__version__,
        torch=str(torch.__version__),
        python=platform.python_version(),
        device=trial.device,
        gpu=Gpu(**found) if (found := gpus.described(trial.device)) else None,
        threads=torch.get_num_threads(),
        allocator=os.environ.get(allocator.VARIABLE, ""),
    )


def _stop_at_end_of_input() -> None:
    while os.read(0, 1):  # not sys.stdin, whose lock this thread would hold at the end
        pass
    os._exit(4)


if __name__ == "__main__":
    sys.exit(main())
