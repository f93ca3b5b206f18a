"""The rules of the record book: what a submission may say, and what its measurements must show.

Nothing is run here: numbers come in, and verdicts with their reasons go out.
"""

from __future__ import annotations

import ast
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganbench.config import benchmark_file
from ganbench.errors import ConfigError
from ganbench.gate.significance import MOST_FLIPPED, mean_below_p

HERE = Path(__file__).resolve().parent
LEVEL = 0.01
FEWEST_SEEDS = 10
MOST_SETUP = 5.0  # seconds before the clock runs, for networks, plugins and the first batch
LARGEST_PLUGIN = 32 * 1024  # bytes: what has no room for images or trained weights
FREE = (  # the keys of a submission that are its own; all else is the track's
    *("name", "description", "loss", "regularizers", "conditioning", "architecture", "transforms"),
    *("g_norm", "d_norm", "training", "plugins"),
)
FIXED_TRAINING = ("init_from",)  # keys below `training` that no submission has
FORBIDDEN = frozenset({  # modules by which a plugin could bring in what was computed before
    *("base64", "ctypes", "http", "importlib", "io", "multiprocessing", "os", "pathlib", "pickle"),
    *("requests", "shutil", "socket", "subprocess", "threading", "torchvision", "urllib", "zlib"),
})  # fmt: skip
NO_CALLS = frozenset({"__import__", "compile", "eval", "exec", "open"})


@dataclass(frozen=True)
class Criterion:
    """A bound that the mean over seeds must keep: from above, or with `least` from below."""

    column: str
    bound: float
    least: bool = False

    def __str__(self) -> str:
        return f"{self.column} {'≥' if self.least else '≤'} {self.bound:g}"

    def p(self, values: Sequence[float]) -> float:
        """Return the exact one-sided p-value of the mean keeping the bound."""
        sign = -1.0 if self.least else 1.0
        return mean_below_p([sign * value for value in values], sign * self.bound)


@dataclass(frozen=True)
class Track:
    """A target, and the class of machines that it is reached on."""

    name: str
    machine: str
    criteria: tuple[Criterion, ...]

    @property
    def file(self) -> Path:
        """The benchmark file that submissions extend."""
        return HERE / self.name.partition("/")[0] / "track.yaml"

    @property
    def folder(self) -> Path:
        """Where its records lie, each in a folder that begins with its number."""
        return HERE / self.name

    def records(self) -> list[Path]:
        """Return the submissions that are records, from the first to the one that stands."""
        return sorted(
            path.parent / "submission.yaml"
            for path in self.folder.glob("[0-9][0-9][0-9]-*/result.json")
        )


TRACKS = {
    track.name: track
    for track in (
        Track(
            "mnist-2core",
            "two cores of a CPU",
            (
                Criterion("fid@mnist-cnn-v1", 0.30),
                Criterion("cond-accuracy", 0.98, least=True),
                Criterion("recall@mnist-cnn-v1", 0.6, least=True),
                Criterion("copied@mnist-cnn-v1", 0.02),
            ),
        ),
        Track("cifar10-gpu/fid-20", "one GPU", (Criterion("fid@inception", 20.0),)),
        Track("cifar10-gpu/fid-10", "one GPU", (Criterion("fid@inception", 10.0),)),
    )
}


@dataclass(frozen=True)
class Trial:
    """What one seed gave."""

    seed: int
    seconds: float  # of training alone
    setup: float  # of what comes before it in the trial's process, but for its data
    values: Mapping[str, float | None]
    machine: str  # its class: CPU or GPU, cores and threads, precision, and the versions that count
    alone: bool = True  # nothing else took its cores
    status: str = "ok"
    reason: str = ""


@dataclass(frozen=True)
class Check:
    """One rule, whether it is kept, and the numbers that say so."""

    rule: str
    kept: bool
    seen: str


@dataclass(frozen=True)
class Verdict:
    """Whether a submission is a record."""

    checks: tuple[Check, ...]
    seconds: float | None = None  # the mean over seeds
    numbers: dict[str, Any] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        """Whether all rules are kept."""
        return all(check.kept for check in self.checks)

    def lines(self) -> list[str]:
        """Return the verdict for a reader, rule by rule."""
        found = [f"{'kept  ' if c.kept else 'BROKEN'}  {c.rule}: {c.seen}" for c in self.checks]
        mean = "" if self.seconds is None else f", {self.seconds:.2f} s of training"
        return [*found, f"{'accepted' if self.accepted else 'refused'}{mean}"]


def track_of(submission: Path) -> Track:
    """Return the track in whose folder a submission lies. Raises ConfigError."""
    for track in TRACKS.values():
        if submission.resolve().parent.parent == track.folder:
            return track
    raise ConfigError(
        f"{submission}: lies in no track; make a folder for it in one of "
        f"{', '.join(str(track.folder) for track in TRACKS.values())}"
    )


def plugin_of(submission: Path) -> Path | None:
    """Return the one plugin that a submission names, if any. Raises ConfigError for more."""
    named = benchmark_file.plugins_of(benchmark_file.read(submission))
    if len(named) > 1:
        raise ConfigError(f"{submission}: plugins: at most one, found {', '.join(named)}")
    return Path(named[0]) if named else None


def check_submission(submission: Path, track: Track) -> list[Check]:
    """Return what the rules say of a submission as it is written. Raises ConfigError.

    All that is judged, the data and the execution are the track's; the submission's own is how the
    networks are made and trained.
    """
    document = benchmark_file.read(submission)
    own, common = document.data(), benchmark_file.read(track.file).data()
    parent = document.parent
    extends = parent is not None and Path(parent.name).resolve() == track.file
    others = sorted(key for key in {*own, *common} - {*FREE} if own.get(key) != common.get(key))
    training = own.get("training") or {}
    fixed = [key for key in FIXED_TRAINING if training.get(key) is not None]
    return [
        Check(
            f"it extends {track.file.name} of its track",
            extends,
            "yes" if extends else f"no; begin it with `extends: ../{track.file.name}`",
        ),
        Check(
            "data, judging, seeds and execution are the track's",
            not others,
            f"it changes {', '.join(others)}; leave that out" if others else "yes",
        ),
        Check(
            "networks begin untrained",
            not fixed,
            f"training has {', '.join(fixed)}; leave that out" if fixed else "yes",
        ),
        _check_plugin(plugin_of(submission), submission.resolve().parent),
    ]


def _check_plugin(plugin: Path | None, folder: Path) -> Check:
    rule = f"at most one plugin, of up to {LARGEST_PLUGIN // 1024} KiB, which brings nothing along"
    if plugin is None:
        return Check(rule, True, "none")
    near = (folder, HERE.parents[1] / "plugins")
    if not any(plugin.resolve().is_relative_to(place) for place in near):
        return Check(rule, False, f"{plugin} lies neither beside the submission nor in plugins/")
    try:
        text = plugin.read_text("utf-8")
        tree = ast.parse(text)
    except (OSError, UnicodeDecodeError, SyntaxError, ValueError) as error:
        return Check(rule, False, f"{plugin} cannot be read as Python: {error}")
    if len(text.encode()) > LARGEST_PLUGIN:
        return Check(rule, False, f"{plugin.name} has {len(text.encode()):,} bytes")
    used = sorted(_brought(tree))
    if used:
        return Check(rule, False, f"{plugin.name} uses {', '.join(used)}; a training needs none")
    return Check(rule, True, f"{plugin.name}, {len(text.encode()):,} bytes")


def _brought(tree: ast.Module) -> set[str]:
    """Return what of a plugin's code could bring in images or weights from elsewhere."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names} & FORBIDDEN
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module.partition(".")[0]} & FORBIDDEN
        elif isinstance(node, ast.Name) and node.id in NO_CALLS:
            found.add(f"{node.id}()")
        elif isinstance(node, ast.Attribute) and node.attr in ("load", "hub", "from_file"):
            found.add(f".{node.attr}")
    return found


def judged(
    track: Track,
    trials: Sequence[Trial],
    old: Sequence[Trial] = (),
    *,
    written: Sequence[Check] = (),
) -> Verdict:
    """Return the verdict on a submission's trials, and on those of the record in turns with them.

    `old`: the record's, each of the same seed and round as the submission's. None: there is no
    record yet. `written`: what was found of the submission as it is written.
    """
    seeds = [trial.seed for trial in trials]
    failed = [trial for trial in trials if trial.status != "ok"]
    checks = [
        *written,
        Check(
            f"at least {FEWEST_SEEDS} seeds, at most {MOST_FLIPPED}, each once",
            FEWEST_SEEDS <= len(set(seeds)) == len(seeds) <= MOST_FLIPPED,
            f"{len(seeds)} trials of {len(set(seeds))} seeds",
        ),
        Check(
            "every seed ends well",
            not failed,
            "; ".join(f"seed {t.seed}: {t.status}, {t.reason}" for t in failed[:3]) or "yes",
        ),
        *(_check_mean(criterion, trials) for criterion in track.criteria),
        _check_setup(trials),
        _check_machine([*trials, *old]),
        _check_alone([*trials, *old]),
    ]
    if old:
        checks.append(_check_faster(trials, old))
    seconds = statistics.fmean(t.seconds for t in trials) if trials else None
    return Verdict(tuple(checks), seconds, _numbers(track, trials, old))


def _check_mean(criterion: Criterion, trials: Sequence[Trial]) -> Check:
    rule = f"mean {criterion} at p < {LEVEL:g}"
    values = [trial.values.get(criterion.column) for trial in trials]
    lacking = [t.seed for t, v in zip(trials, values, strict=True) if v is None or v != v]
    known = [v for v in values if v is not None and not math.isnan(v)]
    if lacking or not known:
        which = ", ".join(map(str, lacking)) or "none there"
        return Check(rule, False, f"no value of seeds {which}")
    if len(known) > MOST_FLIPPED:
        return Check(rule, False, f"{len(known)} values are too many to test")
    p, mean = criterion.p(known), statistics.fmean(known)
    seen = f"{mean:.4f} ({min(known):.4f} to {max(known):.4f}), n = {len(known)}, p = {p:.4f}"
    return Check(rule, p < LEVEL, seen)


def _check_setup(trials: Sequence[Trial]) -> Check:
    most = max((trial.setup for trial in trials), default=0.0)
    rule = f"at most {MOST_SETUP:g} s before the clock runs, data apart"
    return Check(rule, most <= MOST_SETUP, f"at most {most:.1f} s")


def _check_machine(trials: Sequence[Trial]) -> Check:
    machines = sorted({trial.machine for trial in trials})
    return Check("all on one machine", len(machines) == 1, "; ".join(machines) or "none")


def _check_alone(trials: Sequence[Trial]) -> Check:
    beside = [str(trial.seed) for trial in trials if not trial.alone]
    seen = f"seeds {', '.join(beside)} shared their cores; measure these again" if beside else "yes"
    return Check("nothing else took the cores", not beside, seen)


def _check_faster(trials: Sequence[Trial], old: Sequence[Trial]) -> Check:
    """Compare round by round, as both have the machine of the same minutes."""
    rule = f"faster than the record, in turns with it, at p < {LEVEL:g}"
    before = {trial.seed: trial.seconds for trial in old}
    if sorted(before) != sorted(trial.seed for trial in trials) or len(before) > MOST_FLIPPED:
        return Check(rule, False, f"{len(trials)} trials, and {len(old)} of the record")
    p = mean_below_p([trial.seconds - before[trial.seed] for trial in trials], 0.0)
    mean, record = (statistics.fmean(t.seconds for t in of) for of in (trials, old))
    return Check(rule, p < LEVEL, f"{mean:.2f} s for {record:.2f} s, p = {p:.4f}")


def _numbers(track: Track, trials: Sequence[Trial], old: Sequence[Trial]) -> dict[str, Any]:
    """Return what result.json keeps of the trials."""
    columns = [criterion.column for criterion in track.criteria]
    return {
        "machine": sorted({trial.machine for trial in trials}),
        "seeds": [trial.seed for trial in trials],
        "seconds": [trial.seconds for trial in trials],
        "record_seconds": [trial.seconds for trial in old],
        "values": {column: [t.values.get(column) for t in trials] for column in columns},
    }
