"""A trained model, ready to draw images from."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from numbers import Integral
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganbench.contracts.architectures import Architecture
from ganbench.contracts.conditionings import Conditioning
from ganbench.contracts.datasets import Dataset
from ganbench.contracts.feature_extractors import Unavailable
from ganbench.contracts.images import ImageSpec
from ganbench.contracts.losses import Shapes
from ganbench.contracts.samplers import SamplingMethod
from ganbench.contracts.steps import Player
from ganbench.errors import ConfigError, PluginError
from ganbench.models import drawing, latents, networks, sampling
from ganbench.models.label_mixing import mixed_labels
from ganbench.models.label_source import LabelSource
from ganbench.models.owned import OwnedNetworks
from ganbench.models.saved import classes, files, find, mixtures, vectors, walks
from ganbench.models.saved.files import ModelConfig
from ganbench.models.trained import Progress, TrainingResult
from ganbench.pictures.labels import label_name
from ganbench.records.cells import PLAIN, Spec
from ganbench.registry import extractor_labels, registry
from ganbench.registry.hookspecs import PROJECT
from ganbench.registry.registry import Registry
from ganbench.util.process_settings import as_in_a_new_process
from ganbench.util.random_streams import stream

Label = int | str | Mapping[Any, float | Fraction] | Sequence[float] | Tensor | None
Labels = int | float | str | Sequence[int | str] | Sequence[float] | Tensor | None


@dataclass(frozen=True, eq=False)
class Samples:
    """Images with what they were made from."""

    images: Tensor  #: (N, C, H, W) as the data set's: uint8, or float32 in [-1, 1]
    labels: Tensor | None  #: (N,) class ids or (N, C) vectors; None where the generator takes none
    latents: Tensor | None  #: (N, Z); None where a sampler drew them


@dataclass(frozen=True, eq=False)
class SavedModel:
    """A trained generator to draw images from, as `load_model` gives it."""

    directory: Path
    config: ModelConfig
    architecture: Architecture
    generator: networks.ConditionalGenerator
    device: torch.device
    notes: tuple[str, ...]  #: what is not as it was at training
    _plugins: _Plugins = field(repr=False)

    @property
    def image(self) -> ImageSpec:
        """The shape of its images, and the number of classes, or of the numbers of a vector."""
        return self.config.image

    @property
    def labelled(self) -> bool:
        """Whether the generator takes labels."""
        return self.config.labelled

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """One per class; where the data set has no names, the ids."""
        return self.config.class_names or tuple(map(str, range(self.image.num_classes)))

    @cached_property
    def label_source(self) -> LabelSource:
        """The labels of the training data, as the trial's samples were judged for them.

        Of a model whose generator takes labels.
        """
        if self.image.condition_dim:
            return LabelSource(vectors=files.read_conditions(self.directory))
        counts = self.config.label_counts or [1] * self.image.num_classes
        uniform = self.config.cell.get("judged_labels") == "uniform"
        return LabelSource.of_counts(torch.tensor(counts), uniform=uniform)

    def label_name(self, label: Tensor) -> str:
        """Return how a label is called in pictures: its class's name, or a vector's numbers."""
        return label_name(label, self.class_names)

    def sample(
        self,
        n: int,
        labels: Labels = None,
        seed: int = 0,
        truncation: float | None = None,
        sampler: str | Mapping[str, Any] | None = None,
    ) -> Samples:
        """Return `n` new images. The same seed gives the same ones.

        `labels` is a class for all of them, or a list, array or tensor with one for each: text is a
        class's name, a number its place from 0. Of a model that takes vectors, `labels` is one of C
        numbers for all, or (n, C). By default they are drawn as those of the trial's samples were:
        as often as in the training data, or uniform over its classes. With a `truncation`,
        coordinates of the latents beyond it are drawn again (Brock et al., 2019). A `sampler` is
        named as in a benchmark file, or in a word such as `rejection(percentile=95)`: with the
        trial's seed and as many images it draws those that the trial was judged by, but where there
        are more vectors than a model keeps. Raises ConfigError for a label or sampler that there is
        not, and a truncation that next to nothing of the prior is within.
        """
        if n < 1:
            raise ConfigError(f"expected at least one image, found {n}")
        if sampler not in (None, PLAIN) and truncation is not None:
            raise ConfigError("a truncation is a sampler of its own; leave one of the two out")
        with as_in_a_new_process():
            asked = self._labels(labels, n, seed)
            if sampler not in (None, PLAIN):
                return self._drawn_by(self._sampler(sampler), asked, n, seed)
            drawn = latents.draw(self.architecture, n, seed, truncation=truncation)
            return Samples(self._made(drawn, asked, seed), asked, drawn)

    def sheet(self, n: int = 64, seed: int = 0) -> Samples:
        """Return the numbered samples of `ganbench arithmetic --sheet`, with the same seed."""
        if n < 1:
            raise ConfigError(f"expected at least one image, found {n}")
        with as_in_a_new_process():
            drawn = latents.draw_each(self.architecture, range(n), seed, "sheet")
            asked = self.label_source.spread(n) if self.labelled else None
            return Samples(self.images(drawn, asked), asked, drawn)

    def interpolate(
        self,
        start: Tensor,
        end: Tensor,
        steps: int = 8,
        label: Label = None,
        to_label: Label = None,
        path: latents.Path | None = None,
    ) -> Tensor:
        """Return the images of a walk from latents to others, both ends included.

        These are (steps, N, C, H, W) of latents (N, Z), and (steps, C, H, W) of (Z,). `label` is
        one for all images, and with `to_label` the walk goes evenly from the one label to the
        other: each is a class, by name or id, shares of classes that add up to 1, as in
        `{"cat": 0.5, "dog": 0.5}`, or a vector. The `path` is `slerp`, along the sphere, or `lerp`,
        straight; by default `slerp` for a normal prior. Raises ConfigError for latents or a label
        that the generator does not take.
        """
        with as_in_a_new_process():
            first, last = self._label(label), self._label(label if to_label is None else to_label)
            ends, labels = (start, end), (first, last)
            return walks.images(self.images, self.architecture, ends, steps, labels, path)

    def images(self, drawn: Tensor, labels: Labels | Mapping[Any, float | Fraction]) -> Tensor:
        """Return the images of latents (N, Z) and their labels, in the data set's own type.

        A tensor of labels is taken as it is, of class ids or vectors. Shares of classes that add up
        to 1, as in `{"cat": 0.5, "dog": 0.5}`, are a mixture of all that the generator looks up for
        them; all else is as `sample` takes it.
        """
        with as_in_a_new_process():
            if isinstance(labels, Mapping):
                with mixed_labels(self._shares(labels), len(drawn)) as mixed:
                    return self.images(drawn, mixed)
            if labels is not None and not isinstance(labels, Tensor):
                labels = self._labels(labels, len(drawn), 0)
            return self._made(drawn, labels)

    def _made(self, drawn: Tensor, labels: Tensor | None, seed: int = 0) -> Tensor:
        """Return the images of latents, with what noise the generator draws for this seed."""
        with sampling.seeded(self.device, seed, sampling.NOISE):
            return sampling.generate(self.generator, drawn, labels, self.device, dtype=self._dtype)

    def _sampler(self, asked: str | Mapping[str, Any]) -> SamplingMethod:
        if isinstance(asked, str):
            try:
                name, options = extractor_labels.parse(asked)
            except ValueError as error:
                raise ConfigError(
                    f"expected a sampler like truncation(psi=0.7), found '{asked}'"
                ) from error
        else:
            name, options = asked.get("name", ""), {k: v for k, v in asked.items() if k != "name"}
        sampler: SamplingMethod = self.registry.build("sampler", name, options)
        if why := sampler.unsupported(self.architecture.latents):
            raise ConfigError(f"{self.directory}: sampler '{name}': {why}")
        return sampler

    def _drawn_by(
        self, sampler: SamplingMethod, labels: Tensor | None, count: int, seed: int
    ) -> Samples:
        """Return what a sampler draws; nothing is loaded beside G but for one that asks for it."""
        asks_d = sampler.needs_discriminator or sampler.needs_own
        discriminator = self.discriminator() if asks_d else None
        model = drawing.Trained(
            self.architecture,
            self.generator,
            self.device,
            self._dtype,
            discriminator,
            self._own(discriminator) if sampler.needs_own and discriminator else {},
        )
        try:
            images = model.draw(sampler, labels, count, stream(seed, "samples"))
        except Unavailable as error:
            raise ConfigError(f"{self.directory}: sampler '{sampler.name}': {error}") from error
        return Samples(images, labels, None)

    def trained(self) -> TrainingResult:
        """Return all networks as the training left them, without its log."""
        discriminator = self.discriminator()
        own = self._owned(discriminator)
        return TrainingResult(self.generator, discriminator, Progress(), (), 0.0, own)

    def _own(self, discriminator: networks.ConditionalDiscriminator) -> dict[str, nn.Module]:
        """Return the networks that plugins had of their own, by `PLUGIN/NAME`."""
        owned = self._owned(discriminator).values()
        return {name: net for networks in owned for name, net in networks.named_children()}

    def _owned(self, discriminator: networks.ConditionalDiscriminator) -> dict[Player, nn.Module]:
        """Return the networks that plugins had of their own, by the player that trained them."""
        specs = self.config.networks
        losses = [self._plugins.built(spec) for spec in (specs.loss, *specs.regularizers) if spec]
        feature_dim: int = discriminator.backbone.feature_dim  # type: ignore[assignment]
        shapes = Shapes(self.image, self.architecture.latent_dim, feature_dim)
        owned = OwnedNetworks.made((*losses, discriminator.conditioner), shapes)
        found: dict[Player, nn.Module] = {
            "generator": owned.generator,
            "discriminator": owned.discriminator,
        }
        for player, of_player in found.items():
            files.read_weights(self.directory, self.config, f"own.{player}", of_player)
            of_player.eval().to(self.device)
        return found

    def _label(self, asked: Label) -> mixtures.Label:
        if asked is None:
            if self.labelled:
                raise ConfigError(f"{self.directory}: this model takes labels; give one")
            return None
        if isinstance(asked, Mapping):
            return self._shares(asked)
        found = self._labels(asked, 1, 0)
        return None if found is None else mixtures.of(found[0])

    def _shares(self, asked: Mapping[Any, float | Fraction]) -> dict[int, float]:
        self.require_labels()
        self.require_classes()
        found: dict[int, float] = {}
        for one, share in mixtures.told(asked, self.class_names, str(self.directory)):
            found[_told(one)] = found.get(one.index, 0) + share
        return found

    @property
    def _dtype(self) -> torch.dtype:
        return torch.uint8 if self.config.values == "uint8" else torch.float32

    def label(self, text: str | int) -> int:
        """Return the id of a class that the generator can be asked for. Raises ConfigError."""
        self.require_labels()
        self.require_classes()
        return self.class_id(text)

    def class_id(self, text: str | int) -> int:
        """Return the id of a class of the training data: text is its name, a number the id itself.

        Raises ConfigError where there is none.
        """
        return _told(classes.meant(text, self.class_names, str(self.directory)))

    def require_labels(self) -> None:
        """Raise ConfigError where the generator takes no labels."""
        if not self.labelled:
            raise ConfigError(
                f"{self.directory}: this model's generator takes no labels: its conditioning is "
                f"'{self.config.networks.g_conditioning.name}'"
            )

    def require_classes(self) -> None:
        """Raise ConfigError where the labels of the training data are vectors."""
        if self.image.condition_dim:
            raise ConfigError(
                f"{self.directory}: the labels of this model are {self.image.labels}, and "
                "there are no classes"
            )

    @as_in_a_new_process()
    def discriminator(self) -> networks.ConditionalDiscriminator:
        """Return the discriminator, whose plugins are checked too. Raises GanbenchError."""
        specs = self.config.networks
        network = networks.build(
            self.architecture,
            self._plugins.built(specs.g_conditioning),
            self._plugins.built(specs.d_conditioning),
            self.image,
            g_norm=specs.g_norm,
            d_norm=specs.d_norm,
            transforms=[self._plugins.built(spec) for spec in specs.transforms],
        )[1]
        files.read_weights(self.directory, self.config, "discriminator", network)
        return self.config.in_its_layout(network.eval().to(self.device))

    def dataset(self) -> Dataset:
        """Return the data set that it was trained on. Raises GanbenchError."""
        return self._plugins.built(self.config.networks.dataset)

    @property
    def registry(self) -> Registry:
        """The plugins that were loaded with it."""
        return self._plugins.registry

    def _labels(self, labels: Labels, count: int, seed: int) -> Tensor | None:
        if labels is None:
            return self.label_source.draw(count, seed) if self.labelled else None
        self.require_labels()
        if self.image.condition_dim:
            return vectors.all_meant(labels, count, self.image.condition_dim, str(self.directory))
        asked: Any = labels.tolist() if hasattr(labels, "tolist") else labels
        names, where = self.class_names, str(self.directory)
        if isinstance(asked, str | Integral) and not isinstance(asked, bool):
            return torch.full((count,), _told(classes.meant(asked, names, where)))
        found = classes.all_meant(asked, count, names, where)
        return torch.tensor([_told(one) for one in found], dtype=torch.int64)


def _told(found: classes.Meant) -> int:
    if found.outdated:
        warnings.warn(found.outdated, FutureWarning, stacklevel=4)
    return found.index


@dataclass(frozen=True)
class _Plugins:
    """Those of a model, which must be the ones that it was trained with."""

    directory: Path
    config: ModelConfig
    registry: Registry
    allow_others: bool

    def built(self, spec: Spec) -> Any:
        if not any(entry.name == spec.name for entry in self.registry.entries(spec.kind)):
            raise PluginError(f"{self.directory}: {self._absent(spec)}")
        if (other := self._other(spec)) and not self._tolerable(spec):
            raise PluginError(
                f"{self.directory}: {other}; install the former again, or go on with "
                "--allow-other-versions (from Python, allow_other_versions=True)"
            )
        try:
            return self.registry.build_spec(spec)
        except ConfigError as error:
            raise ConfigError(f"{self.directory}: {error}") from error

    def notes(self, specs: Sequence[Spec]) -> Iterator[str]:
        """Tell what another version of a plugin than at training builds."""
        for spec in specs:
            if other := self._other(spec):
                yield other

    def _other(self, spec: Spec) -> str | None:
        now = self.registry.lookup(spec.kind, spec.name).identity
        if now == spec.source:
            return None
        return f"{spec.kind} '{spec.name}' was trained with {spec.source}, and {now} is installed"

    def _tolerable(self, spec: Spec) -> bool:
        """Our own may be of another ganbench: where one has changed, the weights do not fit."""
        now = self.registry.lookup(spec.kind, spec.name).source.distribution
        return self.allow_others or spec.source.split(" ")[0] == now == PROJECT

    def _absent(self, spec: Spec) -> str:
        distribution = spec.source.split(" ")[0]
        file = next((p for p in self.config.plugins if Path(p).name == distribution), None)
        todo = f"add --plugin {file}" if file else f"install {distribution}, or name it by --plugin"
        failures = "".join(
            f"\n  {failure.source} failed to load: {failure.reason}"
            for failure in self.registry.failures
        )
        return (
            f"{spec.kind} '{spec.name}' is of {spec.source}, which is not loaded; {todo}{failures}"
        )


@as_in_a_new_process()
def load_model(
    path: str | Path,
    *,
    device: str = "cpu",
    plugins: Sequence[str] = (),
    allow_other_versions: bool = False,
) -> SavedModel:
    """Load the model in a folder, or of a run's trial. Raises GanbenchError.

    `plugins` are files or modules that `--plugin` named at training; nothing that the folder names
    is imported by itself. A plugin of a third party must be of the version at training, unless
    `allow_other_versions`; what differs is in the model's `notes`.
    """
    directory = find.find(Path(path))
    config = files.read_config(directory)
    specs = config.networks
    own = _Plugins(directory, config, registry.load(plugins), allow_other_versions)
    architecture: Architecture = own.built(specs.architecture)
    conditioning: Conditioning = own.built(specs.g_conditioning)
    generator = networks.build(  # beside a discriminator that needs no plugin, and is not used
        architecture, conditioning, Conditioning(), config.image, g_norm=specs.g_norm, d_norm="none"
    )[0]
    files.read_weights(directory, config, "generator", generator)
    return SavedModel(
        directory,
        config,
        architecture,
        config.in_its_layout(generator.eval().to(device)),
        torch.device(device),
        tuple(own.notes([specs.architecture, specs.g_conditioning])),
        own,
    )
