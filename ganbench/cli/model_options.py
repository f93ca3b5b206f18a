"""What the commands that look at a trained model share."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ganbench.cli import completion, options
from ganbench.cli.places import check_writable
from ganbench.errors import ConfigError, RunError

if TYPE_CHECKING:
    from torch import Tensor

    from ganbench.models.saved.model import SavedModel

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = [
    click.argument(
        "model",
        metavar="RUN/TRIAL",
        type=click.Path(path_type=Path),
        shell_complete=completion.models,
    ),
    click.option(
        "--seed",
        default=0,
        show_default=True,
        metavar="N",
        help="The same one gives the same images.",
    ),
    options.device("Where to make them."),
    options.force,
    options.plugin,
    options.allow_other_versions(),
]


def model(function: F) -> F:
    """Give a command the trial, and what decides how its model is loaded."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def load(path: Path, device: str, plugins: Sequence[str], allow_other_versions: bool) -> SavedModel:
    """Load a trial's model, and print on stderr what a user must know of it."""
    from ganbench.models.saved.model import load_model
    from ganbench.util import machine

    found = load_model(
        path,
        device=machine.resolve_device(device),
        plugins=plugins,
        allow_other_versions=allow_other_versions,
    )
    for note in found.notes:
        print(f"note: {note}", file=sys.stderr)
    return found


def class_of(model: SavedModel, option: str, text: str) -> int:
    """Return the class that an option names, and say on stderr which, where that is in doubt."""
    model.require_classes()
    from ganbench.models.saved.classes import meant

    found = meant(text, model.class_names, f"{model.directory}: {option} {text}")
    if found.outdated:
        print(f"warning: {option} {text}: {found.outdated}", file=sys.stderr)
    elif found.doubt:
        print(f"note: {option} {text}: {found.doubt}", file=sys.stderr)
    return found.index


def label_of(model: SavedModel, option: str, text: str) -> Tensor:
    """Return the label that the generator is asked for: a class (), or a vector (C,)."""
    import torch

    from ganbench.models.saved.vectors import by_text

    model.require_labels()
    if model.image.condition_dim:
        return by_text(text, model.image.condition_dim, f"{model.directory}: {option} {text}")
    return torch.tensor(class_of(model, option, text))


def require_pictures(model: SavedModel, command: str) -> None:
    """Raise ConfigError where the images of a model are points."""
    if model.image.resolution == 1:
        raise ConfigError(
            f"{model.directory}: its images are points, not pictures, so that {command} has "
            "nothing to show; `ganbench sample` draws them as a scatter"
        )


MOST = 10_000_000  # images, steps or rows; more would take days


def check_out(out: Path, endings: Sequence[str], force: bool, option: str = "--out") -> None:
    """Refuse a path before any work is done for it; without an ending, it means a folder."""
    if out.suffix.lower() not in endings:
        named = ", ".join(ending or "a folder" for ending in endings)
        raise ConfigError(f"{option} {out}: expected {named}")
    if not out.parent.is_dir():
        raise ConfigError(f"{option} {out}: there is no folder {out.parent}")
    if out.suffix and out.is_dir():
        raise ConfigError(f"{option} {out}: this is a folder")
    if out.suffix and out.exists() and not force:
        raise ConfigError(f"{option} {out}: there is such a file; --force replaces it")
    check_writable(out.parent, out, option)


def counts(least: int, **values: int | None) -> None:
    """Raise ConfigError where a number of the command line is too small, or beyond reason."""
    for name, value in values.items():
        if value is None or least <= value <= MOST:
            continue
        dashes = "-" if name == "n" else "--"
        bound = f"at least {least}" if value < least else f"at most {MOST:,}"
        raise ConfigError(f"{dashes}{name.replace('_', '-')} {value}: expected {bound}")


@contextmanager
def writing(out: Path, option: str = "--out") -> Iterator[None]:
    """Say in a sentence what keeps a file from being written."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RunError(f"{option} {out}: cannot be written: {reason}") from error


@contextmanager
def whole_folder(out: Path, ours: Callable[[str], bool], force: bool) -> Iterator[Path]:
    """Give a folder to fill, which takes the place of `out` once it is full.

    Of a folder that is there, only files with names that are `ours` are given up for it.
    """
    check_folder(out, ours, force)
    new = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        yield new
        new.chmod(0o755)
        check_folder(out, ours, force)
        if out.exists():
            old = new.with_name(f"{new.name}.old")
            out.rename(old)
            new.rename(out)
            shutil.rmtree(old)
        else:
            new.rename(out)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def check_folder(out: Path, ours: Callable[[str], bool], force: bool) -> None:
    """Refuse a folder that holds anything, or with `force` anything but what is `ours`."""
    if not out.exists():
        return
    if not out.is_dir():
        raise ConfigError(f"--out {out}: this is a file; name a folder, or end it in .png or .npz")
    names = sorted(path.name for path in out.iterdir())
    if names and not force:
        raise ConfigError(f"--out {out}: the folder is not empty; --force replaces its images")
    foreign = [name for name in names if not ours(name)]
    if foreign:
        raise ConfigError(
            f"--out {out}: '{foreign[0]}' in it is no image of `ganbench sample`, and nothing else "
            "is replaced; name another folder"
        )
