"""Which GPUs a run's trials are dealt, where there are several."""

from __future__ import annotations

import os

from ganbench.errors import RunError
from ganbench.records.run_folder import Run
from ganbench.util import gpus as util_gpus
from ganbench.util import machine


def require_device(run: Run) -> None:
    """Raise RunError where the run's device is not here, before the first trial fails for it."""
    device, here = run.plan.device, machine.devices()
    if device not in here:
        name = run.info.machine.device_name
        raise RunError(
            f"{run.directory}: it was begun on {device} ({name}), and this machine has "
            f"{', '.join(here)}; go on with it where there is such a device, or begin a new run "
            "with another --out"
        )


def gpus(
    device: str, jobs: int, each: int = 1, *, named: bool = False, chosen: bool = False
) -> tuple[str, ...]:
    """Return the GPUs to deal out, where trials run side by side and there are several.

    `each`: how many a trial takes, which are dealt out as one; those that other programs use come
    last. `named`: whether the device was asked for by its number, which then has all trials.
    `chosen`: whether nobody said how many run, so that one alone is dealt a free one as well.
    Raises RunError where there are not as many.
    """
    names = _shared_out(device, each, named=named)
    if len(names) // each < 2 or (jobs == 1 and not chosen):
        return ()
    free = _free(len(names))
    order = [*free, *(i for i in range(len(names)) if i not in free)]
    if jobs == 1 and order[:each] == list(range(each)):
        return ()  # those that a trial takes anyway
    named_so = [names[i] for i in order]
    return tuple(",".join(named_so[i : i + each]) for i in range(0, len(names) - each + 1, each))


def own_gpus(device: str, jobs: int, each: int = 1, *, named: bool = False) -> bool:
    """Return whether each of the trials at a time has GPUs to itself, of several."""
    return 1 < jobs <= len(_shared_out(device, each, named=named)) // each


def free(device: str, each: int = 1, *, named: bool = False) -> tuple[int, int]:
    """Return for how many trials there are GPUs that no other program uses, and how many in all."""
    names = _shared_out(device, each, named=named)
    there = len(names) // each
    return (len(_free(len(names))) // each if there > 1 else there), there


def _shared_out(device: str, each: int, *, named: bool) -> list[str]:
    """Return the GPUs among which trials are shared out, as CUDA_VISIBLE_DEVICES names them."""
    if not device.startswith("cuda"):
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    here = [d.removeprefix("cuda:") for d in machine.devices() if d.startswith("cuda:")]
    names = visible.split(",") if visible else here
    if len(names) > len(here):
        raise RunError(
            f"CUDA_VISIBLE_DEVICES={visible}: names {len(names)} GPUs, and torch finds "
            f"{len(here)} of them; leave out those that are not there"
        )
    first = int(device.partition(":")[2] or 0)
    if each > 1 and first + each > len(names):
        raise RunError(
            f"execution.processes: {each} asks for GPUs {first} to {first + each - 1}, and there "
            f"are {len(names)}; lower it, or add --device cpu"
        )
    return [] if named or first else names


def _free(count: int) -> list[int]:
    """Return which of the first so many GPUs no other program uses."""
    return [i for i in range(count) if not util_gpus.is_busy(f"cuda:{i}")]
