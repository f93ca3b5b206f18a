"""What every callback must do."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ganbench.contracts.callbacks import Callback, Probed, TrialInfo
from ganbench.records.windows import Window
from ganbench.testing.fixtures import probes, trials
from ganbench.testing.fixtures.copies import copies
from ganbench.testing.fixtures.process import kept_process
from ganbench.testing.fixtures.sandbox import contents, sandbox
from ganbench.testing.rulebook import Rulebook

EARLY = "make what it needs in began(), and do without the rest in ended()"
MARKS = ("kit-mark-of-one", "kit-mark-of-two")
RESULTS = {
    "ok": trials.finished(),
    "diverged": trials.lost("diverged", "the generator's term 'adversarial' became nan"),
    "failed": trials.lost("failed", f"RuntimeError: {trials.NASTY}"),
}
rules = Rulebook()


@rules.rule_for_each(lambda cls: RESULTS)
def follows_a_trial(status: str, callback: Callback) -> None:
    remedy = "a result may hold no more than status, reason and seconds"
    with sandbox() as box, _blamed(f"a trial that ends as '{status}'", remedy):
        _follow(callback, trials.info(box.folder("trial")), RESULTS[status])


@rules.rule
def follows_a_trial_without_windows(callback: Callback) -> None:
    """A trial that fails in its first step is such a one."""
    with sandbox() as box, _blamed("a trial that ends before its first window", EARLY):
        callback.began(trials.info(box.folder("trial")))
        callback.ended(copy.deepcopy(RESULTS["failed"]))


@rules.rule_for_each(lambda cls: probes.KINDS)
def takes_any_probe(kind: str, callback: Callback) -> None:
    """Whether numbers, a picture and labels are there depends on the benchmark."""
    remedy = "`picture` and `labels` may be None, `values` empty, and a value in it None"
    with sandbox() as box, _blamed(f"a probe ({kind})", remedy):
        _follow(callback, trials.info(box.folder("trial")), kind=kind)


@rules.rule
def leaves_all_it_is_told_as_it_was(callback: Callback) -> None:
    with sandbox() as box:
        told: dict[str, Any] = {
            "trial's settings": trials.info(box.folder("trial")),
            "window": trials.window(1),
            "result": copy.deepcopy(RESULTS["ok"]),
        }
        before = copy.deepcopy(told)
        callback.began(told["trial's settings"])
        callback.window(told["window"])
        callback.ended(told["result"])
        for what, value in told.items():
            assert value == before[what], f"it changes the {what}; a callback observes: copy it"
        probe = probes.probed(1)
        seen = probes.contents(probe)
        callback.probed(probe)
        for what, value, then in zip(
            ("values", "picture"), probes.contents(probe), seen, strict=True
        ):
            assert value == then, f"it changes the probe's {what}; a callback observes: copy it"


@rules.rule
def leaves_the_process_as_it_was(callback: Callback) -> None:
    with sandbox() as box:
        for method, value in _story(trials.info(box.folder("trial")), {}):
            with kept_process():
                getattr(callback, method)(value)


@rules.rule
def writes_only_into_the_trials_directory(callback: Callback) -> None:
    with sandbox() as box:
        _follow(callback, trials.info(box.folder("trial")))
        strays = box.strays()
        assert not strays, f"it writes {strays}; write into `trial.directory` alone"
        left = box.temporary()
        assert not left, f"it leaves the temporary files {left}; remove them when the trial ends"


@rules.rule
def trials_share_nothing(callback: Callback) -> None:
    """Two instances are told, each of its own trial, in turns."""
    classes = [cls for cls in type(callback).__mro__ if cls not in (Callback, object)]
    before = [_containers(cls) for cls in classes]
    twins = (callback, next(twin for _, twin in copies(callback)))
    with sandbox() as box:
        told = [_story(trials.info(box.folder(mark), mark), {mark: 1.5}) for mark in MARKS]
        for scenes in zip(*told, strict=True):
            for twin, (method, value) in zip(twins, scenes, strict=True):
                getattr(twin, method)(value)
        for mark, other in (MARKS, MARKS[::-1]):
            for name, content in contents(box.folder(mark)).items():
                assert other.encode() not in content, (
                    f"'{name}' of one trial tells of another; keep state in the instance, not in "
                    "the class or the module"
                )
    changed = [
        name
        for cls, then in zip(classes, before, strict=True)
        for name, value in _containers(cls).items()
        if then.get(name) != value
    ]
    assert not changed, f"it keeps state in the class, in {changed}; make it in __post_init__"


@rules.rule
def survives_deepcopy_and_pickle(callback: Callback) -> None:
    for _, twin in copies(callback):
        with sandbox() as box:
            _follow(twin, trials.info(box.folder("trial")))


def _story(
    trial: TrialInfo,
    terms: dict[str, float],
    result: dict[str, Any] | None = None,
    kind: str = "whole",
) -> Iterator[tuple[str, TrialInfo | Window | Probed | dict[str, Any]]]:
    """Each method of the contract with its argument, in the order of a trial."""
    yield "began", trial
    for number in (1, 2, 3):
        yield "window", trials.window(number, **terms)
        yield "probed", probes.probed(number, kind, **terms)
    yield "ended", copy.deepcopy(result or RESULTS["ok"])


def _follow(
    callback: Callback,
    trial: TrialInfo,
    result: dict[str, Any] | None = None,
    kind: str = "whole",
) -> None:
    for method, value in _story(trial, {}, result, kind):
        getattr(callback, method)(value)


def _containers(cls: type) -> dict[str, Any]:
    """Copies of what a class holds that can be added to."""
    return {
        name: copy.copy(value)
        for name, value in vars(cls).items()
        if isinstance(value, list | dict | set) and not name.startswith("__")
    }


@contextmanager
def _blamed(what: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise AssertionError(
            f"{what} makes it raise {type(error).__name__} ({error}); {remedy}"
        ) from error
