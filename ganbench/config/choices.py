"""A choice of a plugin in a benchmark file: a name, or a mapping with a name and options."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar, get_args

import pydantic
from pydantic import AfterValidator, ConfigDict, Field

from ganbench.config.settings import Settings
from ganbench.registry import extractor_labels
from ganbench.registry.kinds import KINDS
from ganbench.util.messages import an

LONGEST = 60  # characters of a value in a label, and of a title
FILES = {".npz", ".npy", ".pt", ".gz", ".zip", ".parquet"}  # endings that are no part of a name
PARTS = {"train", "training", "raw"}  # folders that are called by what they are a part of

Word = TypeVar("Word", bound=str)
KIND = "x-kind"
"""Where a choice's JSON Schema says of which kind it is."""


class Choice(Settings, Generic[Word]):
    """A plugin by name, with options: `wgan-gp`, or `{name: wgan-gp, gp_weight: 5}`.

    The parameter is the kind's word: `Choice[Literal["loss"]]`.
    """

    model_config = ConfigDict(json_schema_extra=lambda schema, cls: schema.update({KIND: cls.kind}))

    kind: ClassVar[str]
    beside: ClassVar[tuple[str, ...]] = ()  # keys of the mapping that are no options of the plugin
    name: str
    options: dict[str, Any] = {}

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Name the choice of a kind after its contract. Raises KeyError for what is no kind."""
        return f"{KINDS[get_args(params[0])[0]].contract}Choice"

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        if words := cls.__pydantic_generic_metadata__["args"]:
            cls.kind = get_args(words[0])[0]

    @pydantic.model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, Mapping) and isinstance(value.get("name"), str):
            own = ("name", *cls.beside)
            return {
                **{k: value[k] for k in own if k in value},
                "options": {k: v for k, v in value.items() if k not in own},
            }
        raise ValueError(
            f"expected the name of {an(cls.kind)}, or a mapping with a name and options"
        )

    @property
    def called(self) -> str:
        """What tables call it, without options."""
        return self.name

    @property
    def label(self) -> str:
        """The choice in one word, as tables have it: `wgan-gp(gp_weight=5)`."""
        given = ",".join(f"{key}={in_label(value)}" for key, value in self.options.items())
        return f"{self.called}({given})" if given else self.called


def in_label(value: Any) -> str:
    """Return an option's value; of a long one, such as a path, both ends and a hash of it."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    if len(text) <= LONGEST:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:4]
    return f"{text[:16]}...{text[-32:]}#{digest}"


LossChoice = Choice[Literal["loss"]]
ArchitectureChoice = Choice[Literal["architecture"]]
TransformChoice = Choice[Literal["transform"]]
FeatureExtractorChoice = Choice[Literal["feature extractor"]]
SamplerChoice = Choice[Literal["sampler"]]
ReporterChoice = Choice[Literal["reporter"]]
ExecutorChoice = Choice[Literal["executor"]]
CallbackChoice = Choice[Literal["callback"]]
OptimizerChoice = Choice[Literal["optimizer"]]


def _of_one_line(title: str | None) -> str | None:
    if title is not None and (not title.isprintable() or not title.strip()):
        raise ValueError("expected some words in one line, as tables have them")
    return title


Title = Annotated[str | None, Field(max_length=LONGEST), AfterValidator(_of_one_line)]


class DatasetChoice(Choice[Literal["dataset"]]):
    """A data set; `title` is what tables call it, and changes nothing else."""

    beside = ("title",)
    title: Title = None

    @property
    def called(self) -> str:
        """Its title, else of somebody's own images what their folder or file is called."""
        return self.title or own_name(self.options.get("path")) or self.name


def own_name(path: Any) -> str:
    """Return what a folder or file is called, or what it lies in where that says nothing."""
    if not isinstance(path, str):
        return ""
    place = Path(os.path.abspath(os.path.expanduser(path)))
    for one in (place, *place.parents):
        while one.suffix.lower() in FILES:
            one = one.with_suffix("")
        if one.name.lower() not in PARTS and not re.search(r"-idx\d-ubyte$", one.name):
            return in_label("".join(c if c.isprintable() else "?" for c in one.name))
    return ""


class MetricChoice(Choice[Literal["metric"]]):
    """`fid@mnist-cnn-v1` is short for `{name: fid, features: mnist-cnn-v1}`.

    An extractor with options is a mapping of its own, `features: {name: random-conv, seed: 3}`, or
    in a word `random-conv(seed=3)`.
    """

    @pydantic.model_validator(mode="before")
    @classmethod
    def _with_features(cls, value: Any) -> Any:
        if isinstance(value, str) and "@" in value:
            name, _, features = value.partition("@")
            return {"name": name, "features": features}
        if isinstance(value, Mapping) and isinstance(value.get("features"), Mapping):
            chosen = FeatureExtractorChoice.model_validate(value["features"])
            return {**value, "features": extractor_labels.compose(chosen.name, chosen.options)}
        return value


class ConditioningSide(Choice[Literal["conditioning"]]):
    """A method for one of the players."""


class ConditioningChoice(Settings):
    """A method for both players, or `{generator: …, discriminator: …}`."""

    generator: ConditioningSide
    discriminator: ConditioningSide

    @pydantic.model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        if isinstance(value, str) or (isinstance(value, Mapping) and "name" in value):
            return {"generator": value, "discriminator": value}
        if isinstance(value, Mapping) and not {"generator", "discriminator"}.isdisjoint(value):
            return value
        raise ValueError(
            "expected the name of a conditioning, a mapping with a name and options, or "
            "{generator: ..., discriminator: ...}"
        )

    @property
    def label(self) -> str:
        """One word where both sides are the same, else `GENERATOR+DISCRIMINATOR`."""
        if self.generator == self.discriminator:
            return self.generator.label
        return f"{self.generator.label}+{self.discriminator.label}"
