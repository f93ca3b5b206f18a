"""The search finds the commit that made a number worse, and says where it cannot."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from ganbench.errors import BaselineError, MeasurementError
from ganbench.gate.bisection import Found, Rules, depth, search, telling_looks
from ganbench.gate.comparison import Policy
from ganbench.gate.measurements import Measured, Measurements, Series
from ganbench.gate.significance import looks, smallest_p
from ganbench.gate.trained import Number, Trained
from ganbench.records.columns import Column

FID = Column("fid@x", "", "min", gated=True)
ACCURACY = Column("accuracy", "", "max", gated=True)
STEPS = Column("updates", "", "none", kind="count", gated=True)
LOSS = Column("loss", "", "none", kind="numerics", rel_tol=1e-5)


@dataclass
class Line:
    """Commits whose numbers are drawn: `worse` in spreads from `culprit` on."""

    count: int = 17
    culprit: int = 6
    worse: float = 20.0
    broken: frozenset[int] = frozenset()  # which cannot run
    copies: bool = False  # whether commits that change nothing train the very same
    columns: tuple[Column, ...] = (FID,)
    labels: tuple[str, ...] = ("bce",)
    draw: random.Random = field(default_factory=lambda: random.Random(1))
    worth: Callable[[int], float] | None = None  # how much worse each is
    diverges: bool = False
    bought: dict[tuple[str, int], float] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)

    @property
    def commits(self) -> list[str]:
        return [f"c{i}" for i in range(self.count)]

    def measure(self, commit: str, size: int, number: Number | None, /) -> Trained:
        i = int(commit[1:])
        if i in self.broken:
            raise MeasurementError("no longer")
        self.most[commit] = max(size, self.most.get(commit, 0))
        cells = {
            label: Measured(
                f"id{i}", label, "ring", {"seen": i}, {"ok": size},
                {c.name: self._series(c, label, i, size) for c in self.columns},
            )
            for label in self.labels
        }  # fmt: skip
        lost = [*range(size)] if self.diverges and i >= self.culprit else []
        return Trained(Measurements("b", cells), dict.fromkeys(self.labels, lost))

    def _series(self, column: Column, label: str, i: int, size: int) -> Series:
        if self.diverges and i >= self.culprit and column.kind == "quality":
            return Series(column, {}, "")
        is_bad = i >= self.culprit
        if column.kind == "count":
            return Series(column, dict.fromkeys(range(size), 100.0 + is_bad))
        sign = -1 if column.direction == "max" else 1
        worse = self.worth(i) if self.worth else self.worse * is_bad
        same_as = (0 if i < self.culprit else self.culprit) if self.copies else i
        if column.kind == "numerics":
            return Series(column, {s: 1.0 + s + 1e-3 * is_bad for s in range(size)}, "p")
        values = {
            s: 10 + sign * worse + self._noise(column, label, same_as, s) for s in range(size)
        }
        return Series(column, values, "p")

    def _noise(self, column: Column, label: str, i: int, seed: int) -> float:
        key = (f"{column.name}/{label}/{i}", seed)
        if key not in self.bought:
            self.bought[key] = self.draw.gauss(0, 1)
        return self.bought[key]


def found(line: Line, first: int = 5, cap: int = 20, **others: object) -> Found:
    policy = Policy(tolerances={}, metrics=None)
    rules = Rules(policy, tuple(range(cap)), first, others.pop("metric", None))  # type: ignore
    return search(line.commits, rules, line.measure, **others)  # type: ignore[arg-type]


@pytest.mark.parametrize("culprit", [1, 2, 7, 15, 16])
def test_the_first_bad_commit_is_found_wherever_it_is(culprit: int) -> None:
    line = Line(culprit=culprit)
    what = found(line)
    assert what.suspects == (f"c{culprit}",)
    assert what.undecided is None
    assert len(what.steps) <= depth(15) == 4


def test_a_number_that_is_better_high_is_found_too() -> None:
    assert found(Line(columns=(ACCURACY,))).suspects == ("c6",)


def test_two_commits_need_no_step() -> None:
    what = found(Line(count=2, culprit=1))
    assert (what.suspects, what.steps) == (("c1",), ())


def test_seeds_are_bought_until_it_is_decided() -> None:
    line = Line(worse=2.0)
    what = found(line, cap=40)
    assert what.suspects == ("c6",)
    assert {len(s.values) for s in what.steps} <= {10, 15, 20, 25, 30, 35, 40}
    assert max(line.most.values()) > 5
    for step in what.steps:
        assert step.level is not None
        assert min(step.p_worse, step.p_better) < step.level


def test_what_trains_the_very_same_is_decided_at_the_first_look() -> None:
    line = Line(worse=4.0, copies=True)
    what = found(line, first=3)
    assert what.suspects == ("c6",)
    assert {len(step.values) for step in what.steps} == {3}
    assert {step.level for step in what.steps} == {None}
    words = {step.why.split(",")[0] for step in what.steps}
    assert words == {"the same numbers as the good end", "the same numbers as the bad end"}


def test_equal_whole_numbers_are_no_proof_of_the_same_training() -> None:
    """Eight modes of eight, with three seeds, may be luck."""
    line = Line(columns=(Column("modes", "", "max", gated=True),))
    line._noise = lambda *_: 0.0  # type: ignore[method-assign]
    what = found(line, first=3)
    assert what.suspects == ("c6",)
    assert min(len(step.values) for step in what.steps) > 3


def test_commits_that_cannot_run_are_skipped_and_gone_around() -> None:
    what = found(Line(broken=frozenset({7, 8, 9, 10})))
    assert what.suspects == ("c6",)
    skipped = [step for step in what.steps if step.word == "skipped"]
    assert skipped
    assert {step.why for step in skipped} == {"no longer"}
    assert {step.commit for step in skipped} <= {"c7", "c8", "c9", "c10"}


def test_skipped_commits_before_the_first_bad_one_are_suspects() -> None:
    what = found(Line(broken=frozenset({5, 6})))
    assert what.suspects == ("c5", "c6", "c7")
    assert what.undecided is None


def test_asked_for_skips_are_not_trained() -> None:
    line = Line()
    what = found(line, skip=["c6"])
    assert what.suspects == ("c6", "c7")
    assert "c6" not in line.most


def test_a_training_that_diverges_is_worse_than_any() -> None:
    line = Line(diverges=True)
    what = found(line)
    assert what.suspects == ("c6",)
    assert set(what.ends.candidate) == {math.inf}


def test_counts_and_numerics_are_decided_by_one_seed() -> None:
    for column in (STEPS, LOSS):
        line = Line(columns=(column,))
        what = found(line, first=1)
        assert what.suspects == ("c6",), column
        assert set(line.most.values()) == {1}


def test_quality_is_followed_before_a_count_that_changed_unless_that_is_asked_for() -> None:
    line = Line(columns=(STEPS, FID))
    assert found(line).number.column == FID
    assert found(line, metric="updates").number.column == STEPS
    alike = Line(columns=(STEPS, FID), worse=0.0)
    alike._noise = lambda column, label, i, seed: float(seed)  # type: ignore[method-assign]
    assert found(alike).number.column == STEPS
    assert max(alike.most.values()) == 5


def test_clearest_cell_is_followed() -> None:
    line = Line(labels=("bce", "wgan"))
    line._series = lambda c, label, i, size: Series(  # type: ignore[method-assign]
        c,
        {s: 10 + (i >= 6) * (30 if label == "wgan" else 9) + line._noise(c, label, i, s)
         for s in range(size)},
        "p",
    )  # fmt: skip
    what = found(line)
    assert (what.number.label, what.number.family) == ("wgan", 2)
    assert what.suspects == ("c6",)


def test_ends_that_are_alike_are_refused_with_what_was_seen() -> None:
    with pytest.raises(BaselineError, match=r"not told apart by 10 seeds.*fid@x: n 10 against 10"):
        found(Line(worse=0.0), cap=10)


def test_ends_that_train_the_very_same_are_refused_at_once() -> None:
    line = Line(worse=0.0, copies=True, culprit=99)
    with pytest.raises(BaselineError, match="train the very same: every number of 5 seeds"):
        found(line)
    assert set(line.most.values()) == {5}


def test_a_bad_end_that_is_better_is_refused() -> None:
    with pytest.raises(BaselineError, match=r"the bad one is better: bce fid@x: .*for the better"):
        found(Line(worse=-20.0), cap=10)


def test_too_few_seeds_to_ever_decide_are_refused() -> None:
    with pytest.raises(BaselineError, match=r"3 seeds can never tell them apart.*--max-seeds"):
        found(Line(), first=3, cap=3)


def test_a_number_of_one_end_alone_is_nothing_to_follow() -> None:
    line = Line()
    line._series = lambda c, label, i, size: Series(  # type: ignore[method-assign]
        c, dict.fromkeys(range(size), 1.0 + i), f"p{i}"
    )
    with pytest.raises(
        BaselineError, match=r"no number that can be compared: protocol p16, was p0"
    ):
        found(line)


def test_a_commit_of_another_protocol_is_skipped() -> None:
    line = Line()
    right = line._series
    line._series = lambda c, label, i, size: (  # type: ignore[method-assign]
        Series(c, dict.fromkeys(range(size), 0.0), "other") if i == 8 else right(c, label, i, size)
    )
    what = found(line)
    assert what.suspects == ("c6",)
    assert [s.why for s in what.steps if s.word == "skipped"] == [
        "fid@x of bce: protocol other, was p"
    ]


def test_a_commit_that_is_told_from_neither_end_stops_the_search() -> None:
    """One seed is far below both ends and the next one far above: no test says anything."""
    line = Line(worse=8.0)
    right = line._series
    line._series = lambda c, label, i, size: (  # type: ignore[method-assign]
        Series(c, {s: 100.0 * (-1) ** s for s in range(size)}, "p")
        if i == 8
        else right(c, label, i, size)
    )
    what = found(line, cap=10)
    assert what.undecided == "c8"
    assert what.suspects == tuple(f"c{i}" for i in range(1, 17))
    assert what.steps[-1].why == "told from neither end, 10 seeds"


def test_a_commit_between_both_goes_with_the_nearer_and_says_so() -> None:
    line = Line(worth=lambda i: 0 if i < 4 else 30 if i < 10 else 100)
    what = found(line)
    assert what.suspects == ("c10",)
    assert any("it lies between both, nearer to the good one" in s.why for s in what.steps)


def test_levels_leave_out_looks_that_can_decide_nothing_and_add_up_to_alpha() -> None:
    sizes = looks(3, 12)
    assert sizes == (3, 6, 9, 12)
    used, level = telling_looks(sizes, 0.01, 1)
    assert used == (6, 9, 12)
    assert level == pytest.approx(0.01 / 3)
    assert smallest_p(3, 3) > 0.01 / 4 > smallest_p(6, 6)
    assert telling_looks((2, 4), 0.01, 1) == ((), 0.0)


def test_levels_of_all_decisions_add_up_to_alpha_at_most() -> None:
    for broken in (frozenset(), frozenset({8, 9, 12}), frozenset({1, 2, 3, 4, 5})):
        what = found(Line(broken=broken))
        decided = [step.level * _looks(step.level) for step in what.steps if step.level]
        first = 0.05 / (1 + depth(15))
        assert first + sum(decided) <= 0.05 + 1e-12


def _looks(level: float) -> int:
    """How many looks had this level, of 5, 10, 15 and 20 seeds."""
    return sum(smallest_p(n, n) < level for n in (5, 10, 15, 20))


def wrong(runs: int, culprit: Callable[[random.Random], int], spread: Sequence[float]) -> int:
    """In how many simulated searches another commit than the planted one was called the first."""
    errors = 0
    for i in range(runs):
        draw = random.Random(i)
        at = culprit(draw)
        line = Line(count=9, culprit=at, worse=draw.choice(spread), draw=draw)
        try:
            what = found(line, first=4, cap=12)
        except BaselineError:
            continue
        errors += f"c{at}" not in what.suspects
    return errors


def test_false_steps_are_rarer_than_alpha() -> None:
    """With changes so small that tests are often made in vain: 5 % of 120 are 6."""
    assert wrong(120, lambda draw: draw.randint(1, 8), (1.0, 1.5, 2.0)) <= 6


def test_noise_alone_is_rarely_taken_for_a_change() -> None:
    alarms = 0
    for i in range(120):
        try:
            found(Line(count=9, worse=0.0, draw=random.Random(i)), first=4, cap=12)
        except BaselineError:
            continue
        alarms += 1
    assert alarms <= 6
