"""CLIP's vision transformers, of weights that lie in a folder."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ganbench import DataError, FeatureExtractor, Features, ImageSpec, Unavailable, hookimpl
from ganbench.default_plugins.features.weights import (
    as_pil_resizes,
    frozen,
    in_colour,
    no_picture,
    standardised,
)

CONFIG, WEIGHTS = "config.json", "model.safetensors"
MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
TOWER, PROJECTION = "vision_model.", "visual_projection.weight"
POSITIONS = "embeddings.position_embedding.weight"
HEAD = 64  # values of a head, where the configuration tells no number of heads
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "gelu": F.gelu,
}


@dataclass(kw_only=True)
class CLIP(FeatureExtractor):
    """CLIP's image embedding, of a folder as Hugging Face has them (Radford et al., 2021).

    `path` holds `config.json` and `model.safetensors`. `cmmd` with ViT-L/14 of 336 pixels is the
    number of Jayasumana et al. (2024), but for the resizing, which here is CLIP's own.
    """

    name = "clip"
    slow = True
    path: str = ""  # a folder

    def unsupported(self, image: ImageSpec) -> str | None:
        return no_picture(image)

    def missing(self, root: Path) -> str | None:
        if not self.path:
            return (
                f"its weights are not named; clip(path=FOLDER) names a folder with {CONFIG} and "
                f"{WEIGHTS}, as Hugging Face has it"
            )
        absent = [name for name in (CONFIG, WEIGHTS) if not (self._folder / name).is_file()]
        return f"there is no {' and no '.join(absent)} in '{self.path}'" if absent else None

    def load(
        self, image: ImageSpec, root: Path, device: torch.device | str = "cpu"
    ) -> Callable[[Tensor], Features]:
        if why := self.missing(root):
            raise Unavailable(why)
        net = vision_tower(self._folder)
        size = net.resolution

        def features(images: Tensor) -> Features:
            pixels = as_pil_resizes(in_colour(images), size)
            return Features(net(standardised(pixels, MEAN, DEVIATION)))

        return frozen(net, features, device)

    def fingerprint(self) -> str:
        return f"clip:embedding:bicubic:{self._sha256()}"

    def protocol(self) -> dict[str, Any]:
        found = {
            "weights": {"file": WEIGHTS, "sha256": self._sha256()},
            "layer": "projected class token",
            "resize": "bicubic as PIL: antialias, rounded to uint8, to the network's size",
            "values": "x / 255 of uint8, then CLIP's mean and deviation",
            "channels": "grey three times",
        }
        if self.missing(Path()):
            return {**found, "dim": "as the weights say"}
        net = described(self._folder)
        return {**found, "dim": net.dim, "network": f"ViT, {net.resolution} pixels, {net.told}"}

    @property
    def _folder(self) -> Path:
        return Path(self.path).expanduser()

    def _sha256(self) -> str:
        if self.missing(Path()):
            return "none"
        path = self._folder / WEIGHTS
        found = path.stat()
        return _sha256(path, found.st_mtime_ns, found.st_size)


@lru_cache
def _sha256(path: Path, changed: int, size: int) -> str:
    """Return that of a file, which is read once as long as it is neither changed nor resized."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()


@dataclass(frozen=True)
class Sizes:
    """What a network looks like, by the shapes of its weights and its configuration."""

    width: int
    depth: int
    heads: int
    patch: int
    grid: int
    inner: int  # width of the perceptrons
    dim: int  # of the embedding
    activation: str = "quick_gelu"
    eps: float = 1e-5

    @property
    def resolution(self) -> int:
        """The side of the images it sees."""
        return self.patch * self.grid

    @property
    def told(self) -> str:
        """Its sizes in words."""
        return f"width {self.width}, {self.depth} layers, patches of {self.patch}"


def described(folder: Path) -> Sizes:
    """Return the sizes of the network in a folder. Raises DataError where it is no CLIP's."""
    config = _config(folder / CONFIG)
    with _opened(folder / WEIGHTS) as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    return sizes(shapes, config, folder / WEIGHTS)


def sizes(shapes: Mapping[str, tuple[int, ...]], config: Mapping[str, Any], path: Path) -> Sizes:
    """Return a network's sizes by the shapes of its weights; the rest is in its configuration."""
    needed = [f"{TOWER}embeddings.patch_embedding.weight", TOWER + POSITIONS, PROJECTION]
    needed.append(f"{TOWER}encoder.layers.0.mlp.fc1.weight")
    if lacks := [name for name in needed if name not in shapes]:
        raise DataError(
            f"{path}: no CLIP with a vision transformer; it lacks {', '.join(lacks)}, and has "
            f"{len(shapes):,} other tensors"
        )
    width, _, patch, _ = shapes[needed[0]]
    layers = {name.split(".")[3] for name in shapes if name.startswith(f"{TOWER}encoder.layers.")}
    activation = config.get("hidden_act", "quick_gelu")
    if activation not in ACTIVATIONS:
        raise DataError(
            f"{path.with_name(CONFIG)}: hidden_act is '{activation}'; it may be "
            f"{' or '.join(ACTIVATIONS)}"
        )
    return Sizes(
        width=width,
        depth=len(layers),
        heads=config.get("num_attention_heads", max(1, width // HEAD)),
        patch=patch,
        grid=math.isqrt(shapes[TOWER + POSITIONS][0] - 1),
        inner=shapes[needed[3]][0],
        dim=shapes[PROJECTION][0],
        activation=activation,
        eps=config.get("layer_norm_eps", 1e-5),
    )


def vision_tower(folder: Path) -> VisionTower:
    """Return the network with its weights; texts' stay on the disk. Raises DataError."""
    with torch.device("meta"):  # the file's own tensors become the parameters
        net = VisionTower(described(folder))
    with _opened(folder / WEIGHTS) as file:
        names = {*file.keys()}
        wanted = [*net.state_dict()]
        if lacks := [name for name in wanted if _stored(name) not in names]:
            raise DataError(f"{folder / WEIGHTS}: it lacks {', '.join(map(_stored, lacks[:3]))}")
        state = {name: file.get_tensor(_stored(name)).float() for name in wanted}
    try:
        net.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise DataError(f"{folder / WEIGHTS}: {error}") from error
    return net


def _stored(name: str) -> str:
    return name if name == PROJECTION else TOWER + name


def _config(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: it cannot be read as JSON ({error})") from error
    if not isinstance(found, dict):
        raise DataError(f"{path}: a {type(found).__name__}, not a model's configuration")
    inner = found.get("vision_config", found)
    return inner if isinstance(inner, dict) else {}


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, "pt")
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: no file of safetensors ({error})") from error


class VisionTower(nn.Module):
    """CLIP's transformer of images; parameters are named as in the file, less `vision_model.`."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.resolution = sizes.resolution
        self.embeddings = Embeddings(sizes)
        self.pre_layrnorm = nn.LayerNorm(sizes.width, eps=sizes.eps)  # spelt so in the file
        layers = nn.ModuleList(Layer(sizes) for _ in range(sizes.depth))
        self.encoder = nn.ModuleDict({"layers": layers})
        self.post_layernorm = nn.LayerNorm(sizes.width, eps=sizes.eps)
        self.visual_projection = nn.Linear(sizes.width, sizes.dim, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        x = self.pre_layrnorm(self.embeddings(images))
        for layer in self.encoder["layers"].children():
            x = layer(x)
        return self.visual_projection(self.post_layernorm(x[:, 0]))


class Embeddings(nn.Module):
    """Patches in a row after the class token, each with its position."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        patch = sizes.patch
        self.class_embedding = nn.Parameter(torch.empty(sizes.width))
        self.patch_embedding = nn.Conv2d(3, sizes.width, patch, patch, bias=False)
        positions = torch.empty(1 + sizes.grid**2, sizes.width)
        self.position_embedding = nn.ParameterDict({"weight": positions})

    def forward(self, images: Tensor) -> Tensor:
        patches = self.patch_embedding(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_embedding.expand(len(patches), 1, -1), patches], 1)
        return tokens + self.position_embedding["weight"]


class Layer(nn.Module):
    """Attention and a perceptron, each normed before."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width = sizes.width
        self.heads = sizes.heads
        self.activation = ACTIVATIONS[sizes.activation]
        self.layer_norm1 = nn.LayerNorm(width, eps=sizes.eps)
        self.self_attn = nn.ModuleDict(
            {f"{name}_proj": nn.Linear(width, width) for name in ("q", "k", "v", "out")}
        )
        self.layer_norm2 = nn.LayerNorm(width, eps=sizes.eps)
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(width, sizes.inner), "fc2": nn.Linear(sizes.inner, width)}
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self._attended(self.layer_norm1(x))
        return x + self.mlp["fc2"](self.activation(self.mlp["fc1"](self.layer_norm2(x))))

    def _attended(self, x: Tensor) -> Tensor:
        query, key, value = (
            self.self_attn[f"{name}_proj"](x).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for name in "qkv"
        )  # (N, heads, T, width / heads)
        found = F.scaled_dot_product_attention(query, key, value)
        return self.self_attn["out_proj"](found.transpose(1, 2).flatten(2))


@hookimpl
def register_feature_extractors(register: Callable[[type[FeatureExtractor]], None]) -> None:
    register(CLIP)
