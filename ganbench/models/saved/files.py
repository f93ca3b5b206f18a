"""What a model's folder holds, and how it is read back. Any copy of the folder is as good.

model.safetensors  both players' weights: `generator.*`, the averaged ones, and `discriminator.*`;
                   networks of plugins' own as `own.PLAYER.PLUGIN/NAME.*`; and of a generator that
                   takes vectors `conditions` (M, C), those of training images
config.json        all that is needed to build the networks again, and to draw class ids for them
README.md          the model card
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import pydantic
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

import ganbench
from ganbench.contracts.images import ImageSpec, LabeledImages
from ganbench.errors import ContractError, DataError
from ganbench.models.parts import Parts
from ganbench.models.saved import card
from ganbench.records import stored
from ganbench.records.cells import Spec, as_written
from ganbench.records.results import DataSeen, MetricValue
from ganbench.records.run_folder import Trial
from ganbench.util import files, sealed

if TYPE_CHECKING:
    from ganbench.models.trained import TrainingResult

N = TypeVar("N", bound=nn.Module)

FORMAT, FORMAT_VERSION = "ganbench-model", 1
CONDITIONS = "conditions"  # a tensor of WEIGHTS
MOST_NUMBERS, MOST_VECTORS = 2**22, 4096  # of them are kept, whichever are more
WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"


@dataclass(frozen=True)
class NetworkSpecs:
    """What of a cell decides its networks, and the data that they were trained on."""

    dataset: Spec
    g_conditioning: Spec
    d_conditioning: Spec
    architecture: Spec
    transforms: tuple[Spec, ...]
    g_norm: str
    d_norm: str
    loss: Spec | None = None  # it and the regularizers may own networks
    regularizers: tuple[Spec, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """What config.json holds."""

    format: str = FORMAT
    format_version: int = FORMAT_VERSION
    ganbench: str  # versions
    torch: str
    benchmark: str
    trial: str  # id
    seed: int
    cell: dict[str, Any]  # resolved, as the run's plan.json has it
    image: ImageSpec
    labelled: bool  # whether the generator takes labels
    class_names: tuple[str, ...]  # (): the ids are the names
    label_counts: tuple[int, ...] | None  # of the training data, by class
    num_images: int  # of the training data
    values: Literal["uint8", "float32"]  # of the data: pixels, or numbers in [-1, 1]
    plugins: tuple[str, ...]  # files and modules that --plugin named
    training: dict[str, Any] = field(default_factory=dict)
    weights_sha256: str

    @property
    def networks(self) -> NetworkSpecs:
        """The part of the cell that the networks are built from."""
        return stored.typed(NetworkSpecs, self.cell)

    def in_its_layout(self, network: N) -> N:
        """Return a network with weights laid out as they were trained, which decides last bits."""
        last = self.cell.get("schedule", {}).get("channels_last")
        return network.to(memory_format=torch.channels_last) if last else network


def write(
    directory: Path, trial: Trial, parts: Parts, data: LabeledImages, trained: TrainingResult
) -> None:
    """Write the whole folder; config.json, which vouches for the weights, comes last.

    Raises ContractError where a network keeps something beside tensors.
    """
    weights = directory / WEIGHTS
    tensors = {**_tensors("generator", trained.generator)}
    tensors |= _tensors("discriminator", trained.discriminator)
    for player, networks in trained.own.items():
        tensors |= _tensors(f"own.{player}", networks)
    if parts.g_conditioning.needs_labels and parts.image.condition_dim:
        tensors[CONDITIONS] = _conditions(data.labels)
    files.write_atomically(weights, lambda temporary: save_file(tensors, temporary))
    config = _config(trial, parts, data, trained, _sha256(weights))
    files.write_text(directory / CARD, card.text(asdict(config)))
    sealed.write_json(directory / CONFIG, asdict(config))


def write_card(
    directory: Path, metrics: Sequence[MetricValue], data: DataSeen | None = None
) -> None:
    """Write the model card again, with a trial's numbers and what was remarked of its data."""
    skipped, remarks = (data.problems, data.remarks) if data else ((), ())
    config = read_config(directory)
    files.write_text(directory / CARD, card.text(asdict(config), metrics, skipped, remarks))


def read_config(directory: Path) -> ModelConfig:
    """Read config.json. Raises DataError where there is none that this ganbench can read."""
    path = directory / CONFIG
    if not path.is_file():
        raise DataError(
            f"{path}: missing; a model is a folder with {WEIGHTS} and {CONFIG}, as every trial "
            "leaves one unless its file has execution.keep: pictures or numbers"
        )
    found = files.read_json(path)
    if not isinstance(found, dict):
        raise DataError(f"{path}: not whole; copy the folder again")
    if found.get("format") != FORMAT:
        raise DataError(f"{path}: of another program: its format is {found.get('format')!r}")
    if found.get("format_version") != FORMAT_VERSION:
        raise DataError(
            f"{path}: of format version {found.get('format_version')}, and this ganbench reads "
            f"{FORMAT_VERSION}; use ganbench {found.get('ganbench')}, which wrote it"
        )
    if not sealed.is_as_written(found):
        raise DataError(
            f"{path}: not as it was written: its SHA-256 is another; copy the folder again, or "
            "where the change is meant, take sha256 out of it"
        )
    try:
        config = stored.typed(ModelConfig, found)
        stored.typed(NetworkSpecs, config.cell)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DataError(f"{path}: not as ganbench writes it: {place}: {first['msg']}") from error
    return config


def read_weights(directory: Path, config: ModelConfig, player: str, network: nn.Module) -> None:
    """Load weights into the network of a player, or with `own.` before it, into all that it trains.

    Raises DataError where they do not belong there.
    """
    path = directory / WEIGHTS
    if not path.is_file():
        raise DataError(f"{path}: missing; {CONFIG} is there, so copy the folder again")
    if _sha256(path) != config.weights_sha256:
        raise DataError(
            f"{path}: not the file that {CONFIG} was written with, or not whole: its SHA-256 is "
            f"another; copy the folder again, or run the trial again"
        )
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(f"{player}.")]  # noqa: SIM118
            tensors = {name.removeprefix(f"{player}."): file.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise DataError(f"{path}: not a safetensors file: {error}") from error
    if why := misfit(tensors, network):
        raise DataError(f"{path}: not the weights of the {player} in {CONFIG}: {why}")
    network.load_state_dict(tensors)


def read_conditions(directory: Path) -> Tensor:
    """Return the vectors (M, C) of training images that a model's generator may be asked for."""
    path = directory / WEIGHTS
    try:
        with safe_open(path, framework="pt") as file:
            found: Tensor = file.get_tensor(CONDITIONS)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: no '{CONDITIONS}' to be read in it: {error}") from error
    return found


def read_shapes(directory: Path, player: str) -> dict[str, Tensor]:
    """Return a player's weights by name, without their values. Raises DataError."""
    path = directory / WEIGHTS
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(f"{player}.")]  # noqa: SIM118
            return {
                name.removeprefix(f"{player}."): torch.empty(
                    file.get_slice(name).get_shape(), device="meta"
                )
                for name in names
            }
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: not to be read: {error}") from error


def misfit(found: Mapping[str, Tensor], network: nn.Module) -> str:
    """Say what of a network's weights is missing, too much or of another shape; "" if none is."""
    expected = network.state_dict()
    for name, tensor in expected.items():
        if name not in found:
            return f"'{name}' is missing"
        if found[name].shape != tensor.shape:
            return f"'{name}' is {_shape(found[name])}, expected {_shape(tensor)}"
    extra = [name for name in found if name not in expected]
    return f"there is no '{extra[0]}' in it" if extra else ""


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a single value"


def _config(
    trial: Trial, parts: Parts, data: LabeledImages, trained: TrainingResult, sha256: str
) -> ModelConfig:
    progress, classes = trained.progress, parts.image.num_classes
    names = parts.dataset.class_names()
    counts = None
    if classes and data.labels is not None:
        counts = data.labels.bincount(minlength=classes).tolist()
    return ModelConfig(
        ganbench=ganbench.__version__,
        torch=torch.__version__,
        benchmark=trial.run,
        trial=trial.id,
        seed=trial.seed,
        cell=as_written(trial.subject),
        image=parts.image,
        labelled=parts.g_conditioning.needs_labels,
        class_names=names if len(names) == classes else (),
        label_counts=None if counts is None else tuple(counts),
        num_images=len(data),
        values="uint8" if data.images.dtype == torch.uint8 else "float32",
        plugins=trial.plugins,
        training={
            "status": "trained",
            "kimg": progress.images / 1000,
            "iterations": progress.iteration,
            "g_updates": progress.g_updates,
            "d_updates": progress.d_updates,
            "seconds": round(trained.seconds, 3),
        },
        weights_sha256=sha256,
    )


def _conditions(labels: Tensor | None) -> Tensor:
    """Return vectors of training images, all or, of many, as many from all over the data."""
    assert labels is not None
    most = max(MOST_VECTORS, MOST_NUMBERS // labels.shape[1])
    if len(labels) > most:
        labels = labels[torch.linspace(0, len(labels) - 1, most, dtype=torch.float64).long()]
    return labels.contiguous().clone()


def _tensors(prefix: str, network: nn.Module) -> dict[str, Tensor]:
    found = {}
    for name, value in network.state_dict().items():
        if not isinstance(value, Tensor):
            raise ContractError(
                f"the {prefix} keeps '{name}' beside its tensors; only tensors can be saved, as "
                "parameters or buffers"
            )
        found[f"{prefix}.{name}"] = value.detach().cpu().contiguous().clone()
    return found


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            found.update(block)
    return found.hexdigest()
