"""A run that buys seeds, a batch at a time, until its variants are told apart or it is enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from ganbench.archive import deciding
from ganbench.archive.deciding import Course, Decision
from ganbench.archive.ranks import ALPHA
from ganbench.archive.scores import Scores, scores
from ganbench.errors import ConfigError
from ganbench.records.cells import Plan
from ganbench.records.report import Report
from ganbench.records.run_folder import PLAN, RUN, Run, write_plan
from ganbench.util import files
from ganbench.util.messages import counted

LEAST = 2
"""Seeds that a file has to begin with: one tells of no spread."""


@dataclass
class Deciding:
    """How far a run has come."""

    metric: str | None
    cap: int
    alpha: float = ALPHA
    course: Course | None = None
    look: int = 0
    decisions: tuple[Decision, ...] = ()

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
        report = Report.of(run)
        found = scores(report, self.metric)
        if self.course is None:
            self.course = Course.of(len(run.plan.seeds), self.cap, len(found.variants), self.alpha)
        size = self.course.sizes[self.look]
        self.decisions = deciding.decided(found, size, self.course, self.decisions)
        wanted, beyond = deciding.worth_more(found, self.course, self.decisions)
        is_last = self.look + 1 == len(self.course.sizes)
        told = tuple(self._sentences(found, size, beyond, wanted if is_last else ()))
        run = _written(run, told)
        if is_last or not wanted:
            return None
        self.look += 1
        more = self.course.sizes[self.look] - size
        return _extended(run, _cells_of(report, found, wanted), more)

    def _sentences(
        self,
        found: Scores,
        size: int,
        beyond: Sequence[tuple[str, str]],
        left: Sequence[str],
    ) -> Iterator[str]:
        assert self.course is not None
        yield (
            f"Seeds were bought until pairs were decided by {found.column.name}, looking at "
            f"{', '.join(map(str, self.course.sizes[: self.look + 1]))} seeds, with at most "
            f"{self.course.sizes[-1]}; the chance of any false decision is below {self.alpha:g}."
        )
        for one in self.decisions:
            yield (
                f"{one.better} beats {one.worse}: decided at {counted(one.seeds, 'seed')} of each, "
                f"p {one.p:.2g} below {self.course.level:.2g}."
            )
        for a, b in beyond:
            yield f"{a} and {b} are tied after {size} seeds, and out of reach of {self.cap}."
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


def _extended(run: Run, cells: set[str], more: int) -> Run:
    """Return a run whose folder has so many more seeds of some cells to train."""
    plan = run.plan
    seeds_of = {cell.id: plan.seeds_of.get(cell.id, plan.seeds) for cell in plan.cells}
    longest = max(map(len, seeds_of.values()))
    last = max(plan.seeds)
    known = [*plan.seeds, *range(last + 1, last + 1 + more)]
    for id in cells:
        seeds_of[id] = tuple(known[: max(longest, len(seeds_of[id])) + more])
    used = {seed for found in seeds_of.values() for seed in found}
    seeds = tuple(seed for seed in known if seed in used)
    plan = replace(plan, seeds=seeds, seeds_of=seeds_of)
    write_plan(run.directory / PLAN, plan)
    files.write_json(run.directory / RUN, asdict(replace(run.info, plan=plan.id)))
    return Run.read(run.directory)


def _written(run: Run, told: Sequence[str]) -> Run:
    about: Mapping[str, object] | None = files.read_json(run.directory / RUN)
    files.write_json(run.directory / RUN, {**(about or {}), "decided": list(told)})
    return Run.read(run.directory)
