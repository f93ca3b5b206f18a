"""Which folder a path means: a model's own, a run's, or a trial's by the beginning of its name."""

from __future__ import annotations

from pathlib import Path

from ganbench.errors import RunError
from ganbench.models.saved.files import CONFIG, WEIGHTS
from ganbench.records.run_folder import TRIAL, TRIALS, result_in
from ganbench.util import files

LISTED = 30


def find(path: Path) -> Path:
    """Return the folder of a model. Raises RunError with what there is instead.

    RUN/TRIAL means RUN/trials/TRIAL, and the beginning of a trial's name is enough where no other
    begins so. A run with a single model means that one.
    """
    if (path / CONFIG).is_file() or (path / WEIGHTS).is_file():
        return path
    if path.is_dir():
        run = path if path.name != TRIALS else path.parent
        if (run / TRIALS).is_dir():
            return _chosen(run, "")
        raise RunError(f"{path}: {_why_none(path)}")
    run = path.parent.parent if path.parent.name == TRIALS else path.parent
    if (run / TRIALS).is_dir():
        return _chosen(run, path.name)
    raise RunError(
        f"{path}: there is no such folder; name a run, RUN/TRIAL, or a folder with {WEIGHTS} and "
        f"{CONFIG}"
    )


def _chosen(run: Path, beginning: str) -> Path:
    trials = sorted(trial for trial in (run / TRIALS).iterdir() if trial.is_dir())
    whole = [trial for trial in trials if trial.name == beginning]
    begun = whole or [trial for trial in trials if trial.name.startswith(beginning)]
    models = [trial for trial in begun if (trial / CONFIG).is_file()]
    if len(models) == 1:
        return models[0]
    if models:
        those = f"trials that begin with '{beginning}'" if beginning else "trials"
        raise RunError(
            f"{run}: {len(models)} {those} have a model; name one, such as {run / models[0].name}"
            + _listed(models)
        )
    if beginning and len(begun) == 1:
        raise RunError(f"{begun[0]}: {_why_none(begun[0])}")
    others = [trial for trial in trials if (trial / CONFIG).is_file()]
    if not others:
        raise RunError(
            f"{run}: none of its {len(trials)} trials has left a model; `ganbench show {run}` says "
            "how they ended"
        )
    raise RunError(f"{run}: no trial with a model begins with '{beginning}'" + _listed(others))


def _listed(trials: list[Path]) -> str:
    names = "".join(f"\n  {trial.name}" for trial in trials[:LISTED])
    return names + (f"\n  … and {len(trials) - LISTED} more" if len(trials) > LISTED else "")


def _why_none(directory: Path) -> str:
    """Of a folder that holds no model."""
    told = files.read_json(directory / TRIAL)
    if not isinstance(told, dict):
        return f"no model in it: a model is a folder with {WEIGHTS} and {CONFIG}"
    if told.get("reference"):
        return "no model in it: the trial judged real images, and trained nothing"
    result = result_in(directory)
    why = f": {result.reason}" if result.reason else ""
    return f"no model in it: the trial is {result.status}{why}"
