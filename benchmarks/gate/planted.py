"""Bugs of the code that no setting shows: cells keep their ids, and only numbers can tell.

A folder made by `folder(bug, parent)`, put first on PYTHONPATH, plants the bug in every Python
process that looks there; workers inherit it.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
import time
from pathlib import Path

SITE = """\
import sys
sys.path.append({here!r})
import planted
planted.plant({bug!r})
"""


def slower(part: float):
    """Every iteration takes longer, so that throughput falls by this part."""

    def patch(trainer) -> None:
        iterate = trainer.Trainer.iterate

        def slow(self) -> None:
            began = time.perf_counter()
            iterate(self)
            time.sleep((time.perf_counter() - began) * part / (1 - part))

        trainer.Trainer.iterate = slow

    return patch


def no_penalty(losses) -> None:
    """The gradient penalty is computed, and its weight forgotten."""
    original = losses.WGANGP.discriminator_loss

    def without(self, step):
        terms = original(self, step)
        return {**terms, "gradient_penalty": 0 * terms["gradient_penalty"]}

    losses.WGANGP.discriminator_loss = without


def shuffled_labels(trainer) -> None:
    """A tenth of each batch of real images has its neighbours' labels."""
    original = trainer.Batches.next

    def wrong(self):
        images, labels = original(self)
        if labels is not None:
            few = len(labels) // 10
            labels = labels.clone()
            labels[:few] = labels[:few].roll(1)
        return images, labels

    trainer.Batches.next = wrong


BUGS = {
    "none": None,
    "slower": ("ganbench.training.trainer", slower(0.1)),
    "no-penalty": ("ganbench.default_plugins.losses", no_penalty),
    "shuffled-labels": ("ganbench.training.trainer", shuffled_labels),
}


class AfterImport(importlib.abc.MetaPathFinder):
    """Patches a module once it is imported."""

    def __init__(self, name: str, patch) -> None:
        self.name, self.patch = name, patch

    def find_spec(self, name, path, target=None):
        if name != self.name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def execute_and_patch(module) -> None:
            execute(module)
            self.patch(module)
            print(f"planted a bug in {name}", file=sys.stderr)

        spec.loader.exec_module = execute_and_patch
        return spec


def plant(bug: str) -> None:
    """`slower=0.2` is slower by another part than a tenth."""
    name, _, part = bug.partition("=")
    if BUGS[name]:
        module, patch = BUGS[name]
        sys.meta_path.insert(0, AfterImport(module, slower(float(part)) if part else patch))


def folder(bug: str, parent: Path) -> Path:
    """Of a `sitecustomize` that plants the bug."""
    made = parent / bug
    made.mkdir(parents=True, exist_ok=True)
    write(bug, made)
    return made


def write(bug: str, into: Path) -> None:
    here = str(Path(__file__).resolve().parent)
    (into / "sitecustomize.py").write_text(SITE.format(here=here, bug=bug))
