"""The data set that a command is about: a plugin by its name, or what a path holds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ganbench.cli import completion, options
from ganbench.errors import ConfigError

if TYPE_CHECKING:
    from ganbench.contracts.datasets import Dataset
    from ganbench.registry.registry import Registry

TESTED = ("test", "testing", "val", "valid", "validation")  # folders, the best of them first
PLACES = {"path", "test_path", "labels", "test_labels"}  # options that may be files or folders

F = TypeVar("F", bound=Callable[..., Any])

_ARGUMENTS = [
    click.argument(
        "target",
        cls=options.Unless,
        unless="copied",
        metavar="NAME|FOLDER|FILE",
        shell_complete=completion.plugins("dataset", or_else="file"),
    ),
    options.key_values("An option of the data set, as in resolution=32; may be repeated."),
    options.plugin,
    options.allow_config_plugins,
    options.as_json,
    options.quiet,
]


def arguments(function: F) -> F:
    """Everything that says which data set is meant."""
    for argument in reversed(_ARGUMENTS):
        function = argument(function)
    return function


@dataclass(frozen=True)
class Chosen:
    """The data set that a command line means."""

    label: str  # for the user, and for file names
    dataset: Dataset
    title: str | None = None  # what a benchmark file has tables call it


def chosen(
    target: str,
    settings: Sequence[str],
    plugins: Sequence[str],
    *,
    trusts_file: bool = False,
    with_tables: bool = False,
) -> Chosen:
    """Return the data set of a name, or else of a folder or file in the working directory.

    A name wins over a folder, which ./ reaches. Of a benchmark file, of which those that come with
    ganbench have names too, it is the one that the file names, whose `plugins` are imported where
    it is trusted. Raises ConfigError where there is none.
    """
    from ganbench.config import shipped
    from ganbench.registry import registry

    if not target:
        raise ConfigError("an empty name; expected a data set's, or a folder, as . for this one")
    found = registry.load(plugins)
    if target in found.names("dataset"):
        return Chosen(target, _built(found, target, settings))
    path = Path(os.path.expanduser(target))
    if path.suffix.lower() in (".yaml", ".yml"):
        return _of_file(path, settings, plugins, trusts_file)
    if path.exists():
        if given := next((one for one in settings if one.startswith("path=")), None):
            raise ConfigError(f"{target} is the path already; leave -o {given} out")
        options = of_path(path, with_tables)
        name = options.pop("name")
        return Chosen(path.resolve().name, _built(found, name, settings, **options))
    if file := shipped.files().get(target):
        return _of_file(file, settings, plugins, trusts_file)
    if os.sep in target or target.startswith(("~", ".")) or path.suffix:
        raise ConfigError(f"{target}: there is no such folder")
    try:
        found.lookup("dataset", target)
    except ConfigError as error:
        raise ConfigError(
            f"{error}\n  or a folder of pictures; there is none called '{target}'"
        ) from error
    raise AssertionError(target)


def of_path(path: Path, with_tables: bool) -> dict[str, Any]:
    """Return the `dataset:` of what a path holds; of a folder, with a CSV file in it if asked.

    A .zip is a folder.
    """
    from ganbench.cli.commands.datasets.offered import of_table, offered
    from ganbench.default_plugins.datasets.image_files.zipped import unpacked

    if path.suffix.lower() == ".csv":
        return of_table(path.parent, path)
    folder = path if path.is_dir() else unpacked(path)
    if folder is None:
        return {"name": "tensor", "path": str(path)}
    if path.is_dir() and (arrays := _of_idx_files(path)):
        return arrays
    if parts := _of_splits(folder, path if path.is_dir() else path.absolute()):
        return parts
    table = offered(str(path)) if with_tables else None
    return table or {"name": "image-folder", "path": str(path)}


def _of_idx_files(folder: Path) -> dict[str, Any] | None:
    """Return what takes train-images-idx3-ubyte and its like, where a folder has them."""
    names = sorted(os.listdir(folder))

    def one(*words: str) -> str | None:
        fitting = (name for name in names if "-idx" in name and all(word in name for word in words))
        found = next(fitting, None)
        return None if found is None else str(folder / found)

    said = {
        "path": one("train", "images"),
        "labels": one("train", "labels"),
        "test_path": one("t10k", "images") or one("test", "images"),
        "test_labels": one("t10k", "labels") or one("test", "labels"),
    }
    if said["path"] is None:
        return None
    return {"name": "tensor", **{key: value for key, value in said.items() if value}}


def _of_splits(folder: Path, called: Path) -> dict[str, Any] | None:
    """Return what takes train/ and test/, where a folder of this name has nothing else."""
    from ganbench.default_plugins.datasets.image_folder import SPLIT_NAMES

    folders = (p.name for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")
    below = {name.lower(): called / name for name in folders}
    train = below.get("train") or below.get("training")
    if train is None or not below.keys() <= SPLIT_NAMES:
        return None
    test = next((below[name] for name in TESTED if name in below), None)
    found = {"name": "image-folder", "path": str(train)}
    return found | ({"test_path": str(test)} if test else {})


def as_mapping(dataset: Dataset, given: Container[str] = ()) -> dict[str, Any]:
    """Return the `dataset:` of a benchmark file: its name, what is not at its default or given."""
    import dataclasses

    own: dict[str, Any] = {"name": dataset.name}
    for field in dataclasses.fields(dataset):  # type: ignore[arg-type]
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        value = getattr(dataset, field.name)
        if value != default or field.name in given:
            own[field.name] = value
    for key in PLACES & own.keys():
        place = os.path.expanduser(own[key])
        own[key] = os.path.abspath(place) if os.path.exists(place) else own[key]
    return own


def _of_file(
    path: Path, settings: Sequence[str], plugins: Sequence[str], trusts_file: bool
) -> Chosen:
    """Return the data set that a benchmark file names, with options laid over the file's."""
    from ganbench.config import benchmark_file
    from ganbench.config.choices import DatasetChoice
    from ganbench.registry import registry
    from ganbench.runs.benchmark import BenchmarkArguments, config_plugins

    document = benchmark_file.read(path)
    data = document.data()
    named = data.get("dataset")
    if named is None and isinstance(matrix := data.get("matrix"), dict):
        listed = matrix.get("dataset")
        named = listed[0] if isinstance(listed, list) and len(listed) == 1 else None
        if listed and named is None:
            raise ConfigError(
                f"{document.where(('matrix', 'dataset'))}: several data sets; give one of them "
                "by its name, and its options with -o"
            )
    if named is None:
        raise ConfigError(f"{path}: names no data set; add dataset: NAME")
    try:
        choice = DatasetChoice.model_validate(named)
    except ValueError as error:
        raise ConfigError(
            f"{document.where(('dataset',))}: dataset: expected a name, or a mapping with a name "
            "and options"
        ) from error
    trust = BenchmarkArguments(path, plugins=tuple(plugins), trusts_file=trusts_file)
    found = registry.load([*plugins, *config_plugins(document, trust)])
    built = _built(found, choice.name, settings, **choice.options)
    return Chosen(path.stem, built, choice.title)


def _built(registry: Registry, name: str, settings: Sequence[str], **given: Any) -> Dataset:
    fields = registry.options_model("dataset", name).model_fields
    texts = {key for key, info in fields.items() if info.annotation in (str, str | None)}
    given |= options_of(settings, texts)
    lacking = [key for key, info in fields.items() if info.is_required() and key not in given]
    if lacking and given.keys() <= fields.keys():  # else `build` says what is unknown, too
        raise ConfigError(
            f"dataset '{name}' needs {', '.join(lacking)}; give it with -o {lacking[0]}=VALUE"
        )
    return registry.build("dataset", name, given)


def reading_options(settings: Sequence[str]) -> dict[str, Any]:
    """Return how samples from elsewhere are read, as `-o` says it."""
    return options_of(settings, ("images", "labels", "layout", "crop", "filter", "condition"))


def options_of(settings: Sequence[str], texts: Container[str]) -> dict[str, Any]:
    """Return the options' values; of those that are texts, a pattern such as {id} is no mapping."""
    from ganbench.config.yaml_document import Document

    document = Document.parse("{}", "-o")
    for setting in settings:
        key, equals, value = setting.partition("=")
        as_text = f"{key}={json.dumps(value)}"
        try:
            changed = document.with_override(setting)
            if key in texts and not isinstance(changed.data()[key], str | None):
                changed = document.with_override(as_text)
        except ConfigError as error:
            if not (equals and key in texts):
                raise ConfigError(str(error).replace("--set", "-o")) from error
            changed = document.with_override(as_text)
        document = changed
    return document.data()
