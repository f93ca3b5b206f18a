"""One trial: `python -m ganbench.worker DIR` reads DIR/trial.json and leaves DIR/result.json."""

from __future__ import annotations

import argparse
import gc
import os
import platform
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import ganbench
from ganbench.contracts.callbacks import Callback
from ganbench.errors import told
from ganbench.models.parts import check_sources
from ganbench.records.run_folder import RESULT, SCHEMA_VERSION, TRIAL, Trial
from ganbench.registry import registry
from ganbench.runs.cell_trial import CellTrial
from ganbench.runs.clock import clocked
from ganbench.runs.control_trial import judge_control
from ganbench.training import checkpoints
from ganbench.util import files


def main(argv: Sequence[str] | None = None) -> int:
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
    code = run(arguments.directory)
    gc.freeze()  # else Python looks for cycles among all objects as it ends, for half a second
    return code


def run(directory: Path) -> int:
    """Run the trial and write its result. Returns 0 when the trial is `ok`, else 3."""
    started = time.perf_counter()
    result: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "status": "ok", "reason": ""}
    callbacks: list[Callback] = []
    try:
        trial = Trial.read(directory / TRIAL)
        result.update(_work(trial, directory, callbacks))
    except Exception as error:
        result.update(_failed(error))
    result["seconds"] = {**result.get("seconds", {}), "total": time.perf_counter() - started}
    for callback in callbacks:
        try:
            callback.ended(result)
        except Exception as error:
            result.update(_failed(error, f"callback '{callback.name}': "))
    files.write_json(directory / RESULT, result)
    (directory / checkpoints.NAME).unlink(missing_ok=True)  # what failed begins anew
    return 0 if result["status"] == "ok" else 3


def _failed(error: Exception, whose: str = "") -> dict[str, Any]:
    """The status and the reason, with the traceback in the log."""
    traceback.print_exc()
    return {"status": "failed", "reason": f"{whose}{told(error)}"}


def _work(trial: Trial, directory: Path, callbacks: list[Callback]) -> dict[str, Any]:
    """What the trial found; `callbacks` is filled with those that were told of its beginning."""
    torch.set_num_threads(trial.threads)
    seconds: dict[str, float] = {}
    with clocked(seconds, "plugins"):
        plugins = registry.load(trial.plugins)
    if trial.reference is not None:
        found = judge_control(trial.reference, plugins, seconds)
    else:
        assert trial.cell is not None
        check_sources(trial.cell.specs(), plugins)
        found = CellTrial(trial, trial.cell, plugins, directory, callbacks, seconds).run()
    return {**found, "seconds": seconds, "environment": _environment(trial)}


def _environment(trial: Trial) -> dict[str, Any]:
    return {
        "ganbench": ganbench.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": trial.device,
        "threads": torch.get_num_threads(),
        "allocator": os.environ.get("GLIBC_TUNABLES", ""),
    }


def _stop_at_end_of_input() -> None:
    while os.read(0, 1):  # not sys.stdin, whose lock this thread would hold at the end
        pass
    os._exit(4)


if __name__ == "__main__":
    sys.exit(main())
