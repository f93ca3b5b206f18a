"""What is in a data set, for `prepare` and `verify`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganbench.cli.commands.datasets import state_of
from ganbench.cli.commands.datasets.chosen import Chosen
from ganbench.util.messages import counted
from ganbench.util.terminal import one_line

if TYPE_CHECKING:
    from ganbench.contracts.datasets import Dataset
    from ganbench.contracts.images import LabeledImages

LISTED = 20  # classes that a table shows one by one
TOLD = 10  # problems that are shown


@dataclass(frozen=True)
class Part:
    """One split."""

    images: int
    per_class: tuple[int, ...]  # () where there are no classes
    numbers: tuple[tuple[float, float], ...]  # the least and largest of each of a vector
    bytes: int  # of the values, wherever they are kept
    problems: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Findings:
    """What a look at a data set shows: what is there, whole or not, and of which classes."""

    label: str
    plugin: str
    image: str  # such as 3×64×64
    classes: tuple[str, ...]  # names
    state: str
    location: str
    bytes: int | None  # at the location
    note: str
    splits: dict[str, Part]
    protocol: dict[str, Any]

    def plain(self) -> dict[str, Any]:
        """Return the findings as JSON has them."""
        found = asdict(self)
        for name, part in self.splits.items():
            counts = dict(zip(self.classes, part.per_class, strict=False))
            found["splits"][name]["per_class"] = counts
        return found

    @property
    def problems(self) -> list[str]:
        """Return every problem, files that were left out first."""
        remarks = (remark for part in self.splits.values() for remark in part.remarks)
        return [*self.skipped, *self._empty(), *dict.fromkeys(remarks)]

    @property
    def skipped(self) -> list[str]:
        """Return which files were left out, and why."""
        return list(dict.fromkeys(p for part in self.splits.values() for p in part.problems))

    @property
    def shown_classes(self) -> list[str]:
        """Return the classes' names as lines and tables have them."""
        return [one_line(name) for name in self.classes]

    def _empty(self) -> Iterator[str]:
        for split, part in self.splits.items():
            named = zip(self.shown_classes, part.per_class, strict=False)
            if empty := [name for name, count in named if not count]:
                total = len(self.classes)
                yield f"no {split} image is of {len(empty):,} of {total:,} classes: {_few(empty)}"


def examined(chosen: Chosen, root: Path) -> Findings:
    """Load every split, and look at what came. Raises DataError."""
    from ganbench.evaluation.loading import load

    dataset = chosen.dataset
    splits: dict[str, Part] = {
        split: _part(dataset, load(dataset, split, root)) for split in dataset.splits
    }
    status, spec = dataset.status(root), dataset.image_spec()
    return Findings(
        chosen.label,
        dataset.name,
        f"{spec.channels}×{spec.resolution}×{spec.resolution}",
        class_names(dataset),
        state_of(status),
        status.location,
        _size(Path(status.location)),
        status.note,
        splits,
        dataset.protocol(),
    )


def class_names(dataset: Dataset) -> tuple[str, ...]:
    """Their ids, where they have no names."""
    return dataset.class_names() or tuple(map(str, range(dataset.image_spec().num_classes)))


def _part(dataset: Dataset, found: LabeledImages) -> Part:
    classes, labels = dataset.image_spec().num_classes, found.labels
    counts: tuple[int, ...] = ()
    numbers: tuple[tuple[float, float], ...] = ()
    if labels is not None and labels.ndim > 1:
        numbers = tuple(zip(labels.amin(0).tolist(), labels.amax(0).tolist(), strict=True))
    elif labels is not None:
        counts = tuple(labels.bincount(minlength=classes).tolist())
    size = found.images.numel() * found.images.element_size()
    return Part(len(found), counts, numbers, size, found.problems, found.remarks)


def _size(location: Path) -> int | None:
    """Of a file, or of all files of a folder; None where the location is none of these."""
    if location.is_file():
        return location.stat().st_size
    if not location.is_dir():
        return None
    return sum(
        os.path.getsize(os.path.join(folder, name))
        for folder, _, names in os.walk(location)
        for name in names
        if os.path.isfile(os.path.join(folder, name))
    )


def lines(found: Findings) -> Iterator[str]:
    """Without the table of classes."""
    size = f", {megabytes(found.bytes)}" if found.bytes is not None else ""
    called = "" if found.plugin == found.label else f" ({found.plugin})"
    yield f"{found.label}{called}: {_counts(found)} of {found.image}"
    yield f"kept:     {found.location}{size}; {found.state}" + (
        f" ({found.note})" if found.note else ""
    )
    yield f"values:   {megabytes(sum(part.bytes for part in found.splits.values()))} of images"
    if found.protocol:
        yield "prepared: " + ", ".join(
            f"{k} {v}" for k, v in found.protocol.items() if v is not None
        )
    if numbers := found.splits["train"].numbers:
        ranges = ", ".join(f"{low:.3g} to {high:.3g}" for low, high in numbers[:TOLD])
        more = f" and {len(numbers) - TOLD:,} more" if len(numbers) > TOLD else ""
        yield f"vectors:  of {len(numbers):,} numbers: {ranges}{more}"
    else:
        yield f"classes:  {_balance(found)}"


def problem_lines(found: Findings) -> Iterator[str]:
    """Yield the problems for people, as many as are read."""
    problems = found.problems
    yield "problems: " + (f"{len(problems):,}" if problems else "none")
    yield from (f"  - {problem}" for problem in problems[:TOLD])
    if len(problems) > TOLD:
        yield f"  and {len(problems) - TOLD:,} more; --json lists all"


def table(found: Findings) -> Iterator[str]:
    """Yield how many images of each class each split has, where the classes are few."""
    if not found.classes or len(found.classes) > LISTED:
        return
    from rich.cells import cell_len, set_cell_size

    names = found.shown_classes
    width = max(map(cell_len, ["class", *names]))
    yield f"  {'class':{width}}" + "".join(f"{name:>10}" for name in found.splits)
    for i, name in enumerate(names):
        counts = (part.per_class[i] if part.per_class else 0 for part in found.splits.values())
        yield f"  {set_cell_size(name, width)}" + "".join(f"{count:>10,}" for count in counts)


def megabytes(size: float) -> str:
    """Return a size in bytes as megabytes, or gigabytes from one on."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"


def _few(names: list[str]) -> str:
    return ", ".join(names[:4]) + (", …" if names[4:] else "")


def _counts(found: Findings) -> str:
    counts = [f"{part.images:,} {name}" for name, part in found.splits.items()]
    return " + ".join(counts) + " images"


def _balance(found: Findings) -> str:
    counts = found.splits["train"].per_class
    if not counts:
        return "none; the images have no labels"
    named = sorted(zip(counts, found.shown_classes, strict=True))
    few, many = named[0], named[-1]
    if few[0] == many[0]:
        return f"{len(counts):,}, of {counted(few[0], 'training image')} each"
    return f"{len(counts):,}, of {few[0]:,} ({few[1]}) to {many[0]:,} ({many[1]}) training images"
