"""The judge that a benchmark asks for: one in a folder, or one that is trained once and kept."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import filelock

from ganbench.contracts.datasets import Dataset
from ganbench.contracts.images import LabeledImages
from ganbench.errors import ConfigError, DataError
from ganbench.evaluation.judges import judge as folders
from ganbench.evaluation.judges import training
from ganbench.evaluation.judges.judge import Judge
from ganbench.evaluation.loading import load
from ganbench.evaluation.real_data import digest
from ganbench.records.cells import JudgeChoice
from ganbench.util import files

AUTO = "auto"
FOLDER = "judges"  # in the cache

_log = logging.getLogger(__name__)


def planned(asked: str | None, dataset: Dataset) -> JudgeChoice | None:
    """Return what a benchmark's `judge` means for a data set; None: the data set's own, if any.

    Raises ConfigError where it is a judge of other images or classes, and DataError for none.
    """
    if asked is None:
        return None
    if asked == AUTO:
        image = dataset.image_spec()
        if image.num_classes < 2:
            raise ConfigError(
                f"auto: data set '{dataset.name}' has {image.labels or 'no labels'}, and a "
                "judge tells two classes or more apart"
            )
        return None if dataset.judge else JudgeChoice(recipe=training.RECIPE)
    path = Path(asked).expanduser()
    found = folders.misfit_of(path, dataset)
    return JudgeChoice(sha256=found.card.weights_sha256, path=str(path))


def found(
    choice: JudgeChoice | None, dataset: Dataset, root: Path, train: LabeledImages | None = None
) -> Judge | None:
    """Return the judge of a plan, which is trained now where it is not there yet.

    `train` is the data set's training set, where it is at hand. Raises DataError where the judge is
    another one by now, or cannot be trained.
    """
    if choice is None:
        return None
    if not choice.path:
        return _kept(choice, dataset, train or load(dataset, "train", root), root)
    judge = folders.read(Path(choice.path))
    if judge.card.weights_sha256 != choice.sha256:
        raise DataError(f"{choice.path}: the judge is not the one that the run was planned with")
    return judge


def place(choice: JudgeChoice, train: LabeledImages) -> Path:
    """Return the folder of the cache in which a judge of these images is kept."""
    key = f"{digest(train)}|{choice.recipe}"
    return files.cache() / FOLDER / hashlib.sha256(key.encode()).hexdigest()[:24]


def _kept(choice: JudgeChoice, dataset: Dataset, train: LabeledImages, root: Path) -> Judge:
    """Return the judge that the cache has, else train it and keep it, one process at a time."""
    if choice.recipe != training.RECIPE:
        raise DataError(
            f"judge auto: planned with recipe {choice.recipe}, and this ganbench has "
            f"{training.RECIPE}; begin a new run"
        )
    directory = place(choice, train)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(f"{directory}.lock").acquire()
    except OSError as error:
        _log.warning("the judge is not kept: %s: %s", directory, error.strerror)
        return training.train(dataset, train, root)
    with lock:
        try:
            return folders.read(directory)
        except DataError as error:
            if (directory / folders.CARD).exists():
                _log.warning("%s; training it again", error)
        judge = training.train(dataset, train, root)
        _log.info("judge trained in %.0f s: %s", judge.card.seconds, directory)
        try:
            folders.write(directory, judge)
        except DataError as error:
            _log.warning("the judge is not kept: %s", error)
        return judge
