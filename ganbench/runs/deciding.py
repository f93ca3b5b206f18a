"""A run that buys seeds, a batch at a time, until its variants are told apart or it is enough.

How far it is stands in run.json, so that a run that was stopped is gone on with where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ganbench.archive import deciding
from ganbench.archive.deciding import Course
from ganbench.archive.ranks import ALPHA
from ganbench.archive.scores import Scores, scores
from ganbench.errors import ConfigError
from ganbench.records.cells import Plan
from ganbench.records.report import Report
from ganbench.records.run_folder import PLAN, RUN, Run, write_plan
from ganbench.records.run_info import Bought
from ganbench.util import files
from ganbench.util.messages import counted

LEAST = 2
"""Seeds that a file has to begin with: one tells of no spread."""


@dataclass(frozen=True)
class Deciding:
    """What a run that buys seeds goes by."""

    metric: str | None
    cap: int
    alpha: float = ALPHA

    def check(self, plan: Plan) -> None:
        """Raise ConfigError for a run that cannot be decided so, before anything is trained."""
        first = len(plan.seeds)
        if first < LEAST:
            raise ConfigError(
                f"--until-decided: one seed tells of no spread; begin with {LEAST} or more, as in "
                "--seeds 0,1,2"
            )
        if self.cap < first:
            raise ConfigError(f"--max-seeds {self.cap}: the run begins with {first} seeds already")
        cells = [cell for cell in plan.cells if not cell.incompatible]
        if len(cells) < 2:
            raise ConfigError("--until-decided: one cell has nothing to be told apart from")

    def goes_on(self, run: Run) -> str:
        """Return a sentence on where a run that bought seeds already goes on; "" of a new one.

        Raises ConfigError where it began with another cap or metric, for which its chance of a
        false decision does not hold.
        """
        bought = run.info.bought
        if bought is None:
            return ""
        for option, asked, was in (
            ("--max-seeds", self.cap, bought.sizes[-1]),
            ("--metric", self.metric or bought.metric, bought.metric),
        ):
            if asked != was:
                raise ConfigError(
                    f"{run.directory}: was begun with {option} {was}, and with {asked} its chance "
                    f"of a false decision would be another; go on with {option} {was}, or name "
                    "another folder with --out"
                )
        known = [f"{one.better} beats {one.worse}" for one in bought.decisions]
        return (
            f"goes on where it was: look {bought.look + 1} of at most {len(bought.sizes)}, at "
            f"{bought.sizes[bought.look]} seeds; decided so far: {', '.join(known) or 'nothing'}"
        )

    def decided(self, run: Run, execute: Callable[[Run], object]) -> Run:
        """Train a run, look at it and buy seeds, until it is enough; return it as it is then."""
        more: Run | None = run
        while more is not None:
            run = more
            execute(run)
            more = self.after(run)
        return Run.read(run.directory)

    def after(self, run: Run) -> Run | None:
        """Look at a run whose trials have ended, and return it with more seeds; None: it is done.

        What was decided at which look, and what was left open, is written into run.json.
        """
        run = Run.read(run.directory)
        report = Report.of(run)
        bought = run.info.bought
        found = scores(report, bought.metric if bought else self.metric)
        if bought is None:
            begun = Course.of(len(run.plan.seeds), self.cap, len(found.variants), self.alpha)
            bought = Bought(run.plan.id, found.column.name, **vars(begun))
        course = Course(bought.sizes, bought.pairs, bought.alpha)
        size = course.sizes[bought.look]
        bought = replace(bought, decisions=deciding.decided(found, size, course, bought.decisions))
        wanted, beyond = deciding.worth_more(found, course, bought.decisions)
        is_last = bought.look + 1 == len(course.sizes)
        told = _sentences(bought, found, course, self.cap, beyond, wanted if is_last else ())
        _write(run, decided=list(told), bought=asdict(bought))
        if is_last or not wanted:
            return None
        return _extended(run, _cells_of(report, found, wanted), bought)


def _sentences(
    bought: Bought,
    found: Scores,
    course: Course,
    cap: int,
    beyond: Sequence[tuple[str, str]],
    left: Sequence[str],
) -> Iterator[str]:
    size = course.sizes[bought.look]
    yield (
        f"Seeds were bought until pairs were decided by {found.column.name}, looking at "
        f"{', '.join(map(str, course.sizes[: bought.look + 1]))} seeds, with at most "
        f"{course.sizes[-1]}; the chance of any false decision is below {course.alpha:g}."
    )
    for one in bought.decisions:
        yield (
            f"{one.better} beats {one.worse}: decided at {counted(one.seeds, 'seed')} of each, "
            f"p {one.p:.2g} below {course.level:.2g}."
        )
    for a, b in beyond:
        yield f"{a} and {b} are tied after {size} seeds, and out of reach of {cap}."
    if left:
        yield f"Tied when the last seeds were spent: {', '.join(left)}."


def _cells_of(report: Report, found: Scores, variants: Sequence[str]) -> set[str]:
    """Return the ids of the plan's cells that make some variants."""
    cell_of = {trial.id: trial.subject.id for trial in report.run.trials}
    return {
        cell_of[place.name]
        for (variant, _), places in found.places.items()
        if variant in variants
        for place in places
    }


def _extended(run: Run, cells: set[str], bought: Bought) -> Run:
    """Return a run whose folder has as many seeds of some cells to train as the next look wants.

    However far it comes, the folder stays a run, and looking again buys the same.
    """
    plan = run.plan
    seeds_of = {cell.id: plan.seeds_of.get(cell.id, plan.seeds) for cell in plan.cells}
    target = bought.sizes[bought.look + 1]
    known = list(plan.seeds)
    known += range(max(known) + 1, max(known) + 1 + target - len(known))
    for id in cells:
        seeds_of[id] = tuple(known[:target])
    used = {seed for found in seeds_of.values() for seed in found}
    seeds = tuple(seed for seed in known if seed in used)
    plan = replace(plan, seeds=seeds, seeds_of=seeds_of)
    _write(run, plan="")  # which fits any plan
    write_plan(run.directory / PLAN, plan)
    _write(run, plan=plan.id, bought=asdict(replace(bought, look=bought.look + 1)))
    return Run.read(run.directory)


def _write(run: Run, **changes: Any) -> None:
    about: Mapping[str, object] | None = files.read_json(run.directory / RUN)
    files.write_json(run.directory / RUN, {**(about or {}), **changes})
