"""A trained generator as one file that runs without ganbench, checked by running it."""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from ganbench.errors import ConfigError, RunError, told
from ganbench.models.networks import ConditionalGenerator
from ganbench.models.saved.model import SavedModel
from ganbench.util.files import write_atomically

Format = Literal["torchscript", "onnx"]
NEEDED = {"onnx": ("onnx", "onnxscript", "onnxruntime")}
COUNTS = (2, 5)  # of the images that are compared, none of which is that of the example
CLOSE = 1e-3  # of [-1, 1]; half a step of a byte is four times as much
Run = Callable[[Tensor, Tensor | None], Tensor]


@dataclass(frozen=True)
class Exported:
    """What was written, and how far its images are from the model's."""

    path: Path
    inputs: dict[str, str]  # by name, what it is
    difference: float  # the largest, on a scale from -1 to 1


class _Generator(nn.Module):
    """As the file is called: latents, and labels where there are any."""

    def __init__(self, generator: ConditionalGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.generator(latents, labels)


def check_can(to: Format) -> None:
    """Raise ConfigError where packages for this format are not installed."""
    if missing := [name for name in NEEDED.get(to, ()) if find_spec(name) is None]:
        raise ConfigError(
            f"--to {to} needs {', '.join(missing)}, which checks what is written too: "
            f"pip install {' '.join(missing)}"
        )


def write(model: SavedModel, to: Format, path: Path) -> Exported:
    """Write the generator, called as file(latents, labels) -> images in [-1, 1], and run it.

    `model` is on the CPU. Raises ConfigError where packages are missing, and RunError where it
    cannot be written or gives other images; then no file is left.
    """
    check_can(to)
    plain = _Generator(copy.deepcopy(model.generator)).eval().requires_grad_(False)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's own, of exporters that are on their way
            content = (_scripted if to == "torchscript" else _as_onnx)(plain, _example(model, 3))
            difference = _difference(model, _loaded(to, content))
    except Exception as error:
        raise RunError(f"{model.directory}: cannot be exported to {to}: {told(error)}") from error
    if not difference <= CLOSE:
        raise RunError(
            f"{model.directory}: exported to {to} it gives other images, by up to {difference:.3g} "
            "on a scale from -1 to 1; nothing was written"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda temporary: temporary.write_bytes(content))
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror}") from error
    return Exported(path, _inputs(model), difference)


def _inputs(model: SavedModel) -> dict[str, str]:
    prior = "as the architecture draws them"
    found = {"latents": f"float32 (N, {model.architecture.latent_dim}), {prior}"}
    if model.image.condition_dim and model.labelled:
        found["labels"] = f"float32 (N, {model.image.condition_dim})"
    elif model.labelled:
        names = ", ".join(f"{i} {name}" for i, name in enumerate(model.class_names[:20]))
        found["labels"] = f"int64 (N,): {names}"
    return found


def _example(model: SavedModel, count: int) -> tuple[Tensor, ...]:
    asked = model.sample(count, seed=count)
    assert asked.latents is not None
    return (asked.latents,) if asked.labels is None else (asked.latents, asked.labels)


def _scripted(plain: nn.Module, example: tuple[Tensor, ...]) -> bytes:
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(plain, example), buffer)
    return buffer.getvalue()


def _as_onnx(plain: nn.Module, example: tuple[Tensor, ...]) -> bytes:
    names = ["latents", "labels"][: len(example)]
    many = torch.export.Dim("N")
    program = torch.onnx.export(
        plain,
        example,
        input_names=names,
        output_names=["images"],
        dynamic_shapes={name: {0: many} for name in names},
        dynamo=True,
        verbose=False,
    )
    assert program is not None  # as no file is named
    return bytes(program.model_proto.SerializeToString())


def _loaded(to: Format, content: bytes) -> Run:
    if to == "torchscript":
        script = torch.jit.load(io.BytesIO(content), map_location="cpu")
        return lambda z, y: script(z) if y is None else script(z, y)
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])

    def run(z: Tensor, y: Tensor | None) -> Tensor:
        given = {"latents": z.numpy()} | ({} if y is None else {"labels": y.numpy()})
        (images,) = session.run(["images"], given)
        return torch.from_numpy(np.asarray(images))

    return run


def _difference(model: SavedModel, run: Run) -> float:
    """Return the largest difference of images, of other latents and another number of them."""
    largest = 0.0
    for count in COUNTS:
        latents, *labels = _example(model, count)
        wanted = model.generator(latents, labels[0] if labels else None)
        found = run(latents, labels[0] if labels else None)
        if found.shape != wanted.shape:
            return float("inf")
        largest = max(largest, (found - wanted).abs().max().item())
    return largest
