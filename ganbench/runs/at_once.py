"""How many trials run at once, and with how many threads each, where nobody says so.

The rule goes by what is planned and by the machine alone, so that the plan can say it before
anything runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ganbench.config.plan import columns_of
from ganbench.config.schema import Execution
from ganbench.models.parts import num_parameters
from ganbench.records.cells import Cell, Plan, networks_key
from ganbench.registry.registry import Registry
from ganbench.runs import dealing
from ganbench.util import machine

Jobs = int | Literal["auto"]

DEALING = "local"  # the executor whose trials share this machine
GIB = 2**30
PROCESS_BYTES = GIB  # of a trial whose networks are tiny, with torch and what judges it
WEIGHT_COPIES = 6  # gradients, both averages of Adam, the average of weights, and one to draw with
MAPS = 2048  # floats by pixel of all maps of both networks: of wide ones, so that it is rather less
FLOAT_BYTES = 4


@dataclass(frozen=True)
class AtOnce:
    """How a machine is shared out."""

    jobs: int  # trials at once
    threads: int  # of each
    own_gpus: bool  # whether each has GPUs to itself, of several
    reason: str = ""  # why so many; empty where they were asked for


def chosen(
    planned: Plan, registry: Registry, execution: Execution, jobs: Jobs | None, *, named: bool
) -> AtOnce:
    """Return how trials share this machine: as is asked, or by the rule.

    `jobs`: those of the command line, which come before the file's. `named`: whether one GPU was
    asked for by its number. Where nothing is asked, and a column is time or speed, one runs alone.
    """
    asked = execution.jobs if jobs is None else jobs
    count, reason = asked, ""
    if not isinstance(count, int):
        count, reason = _by_rule(planned, registry, execution, asked == "auto", named)
    return AtOnce(
        count,
        execution.threads or max(1, machine.cores() // count),
        dealing.own_gpus(planned.device, count, planned.processes, named=named),
        reason,
    )


def _by_rule(
    planned: Plan, registry: Registry, execution: Execution, is_asked: bool, named: bool
) -> tuple[int, str]:
    """Return how many trials run at once, and why."""
    if execution.executor.name != DEALING:  # which knows of no machine but this
        return 1, ""
    if not is_asked and (column := _timed_column(planned, registry)):
        return 1, f"{column} is asked for, which other trials would change"
    cells = [cell for cell in planned.cells if not cell.incompatible]
    trials = len(cells) * len(planned.seeds) + len(planned.references)
    if trials < 2:
        return 1, "there is one trial"
    if planned.device == "cpu":
        most, reason = _of_cores(planned, registry, execution, trials)
    else:
        most, reason = _of_gpus(planned, named)
    return (trials, f"there are {trials} trials") if trials < most else (most, reason)


def _timed_column(planned: Plan, registry: Registry) -> str | None:
    """Return the first column that is time, speed or memory, if any is."""
    columns = columns_of(planned, registry)
    return next((column.name for column in columns if column.depends_on_machine), None)


def _of_gpus(planned: Plan, named: bool) -> tuple[int, str]:
    """Return how many trials have GPUs that no other program uses."""
    free, there = dealing.free(planned.device, planned.processes, named=named)
    if there < 2:
        return 1, f"all run on {planned.device}"
    each = planned.processes
    what = "GPUs" if each == 1 else f"groups of {each} GPUs"
    return max(1, free), f"{free} of {there} {what} are free"


def _of_cores(
    planned: Plan, registry: Registry, execution: Execution, trials: int
) -> tuple[int, str]:
    """Return how many trials have a core for each of their threads, as far as memory goes.

    Two of one thread were faster in sum than one of two, whose threads wait for each other.
    """
    threads = execution.threads or planned.processes
    by_cores = max(1, machine.cores() // threads)
    if by_cores == 1:
        return 1, "a trial takes all cores"
    need, memory = most_bytes(planned, registry), machine.memory_bytes()
    by_memory = max(1, memory // need) if memory else by_cores
    if by_memory < min(by_cores, trials):
        return by_memory, f"one may take {need / GIB:.1f} of {(memory or 0) / GIB:.1f} GiB"
    if threads == 1:
        return by_cores, "trials of one thread each are faster in sum"
    return by_cores, f"each has {threads} of {machine.cores()} cores"


def most_bytes(planned: Plan, registry: Registry) -> int:
    """Return the memory that the largest trial of a plan may take on a CPU, by its sizes alone."""
    return PROCESS_BYTES + max(_sizes(planned, registry), default=0)


def _sizes(planned: Plan, registry: Registry) -> Iterator[int]:
    largest: dict[str, Cell] = {}  # of cells with the same networks, that with the largest batch
    for cell in planned.cells:
        if not cell.incompatible:
            key = networks_key(cell)
            if key not in largest or _images_at_once(cell) > _images_at_once(largest[key]):
                largest[key] = cell
    for cell in largest.values():
        dataset = registry.build_spec(cell.dataset)
        image = dataset.image_spec()
        pixels = image.resolution**2
        weights = WEIGHT_COPIES * sum(num_parameters(cell, registry))
        maps = MAPS * pixels * _images_at_once(cell)
        data = (dataset.num_images() or 0) * image.channels * pixels
        yield FLOAT_BYTES * (weights + maps) + data


def _images_at_once(cell: Cell) -> int:
    return cell.schedule.at_once * cell.schedule.processes
