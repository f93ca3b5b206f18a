"""Every kind of plugin, declared once.

From a kind's line here follow its hook, the contract's public name, how a benchmark file's choice
of it is read, its rules in the conformance kit, its templates for `ganbench plugins new`, and its
part of the documents. What is left to write is the kind itself: its contract, rules and templates
below the names that the properties give, and the key that takes it in `config/schema.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module


@dataclass(frozen=True)
class Kind:
    """What is particular to one kind of plugin."""

    word: str  # as errors, plans and `--kind` call it
    plural: str  # of its hook and its modules
    contract: str  # the class to implement, a public name of ganbench
    what: str  # its hook registers, in words
    beside: str | None = None  # the subclass that only makes sense beside another plugin
    declares: tuple[str, ...] = ()  # class attributes that `ganbench plugins show` shows

    @property
    def hook(self) -> str:
        """The function that a plugin's module defines."""
        return f"register_{self.plural}"

    @property
    def module(self) -> str:
        """The module that defines the contract."""
        return f"ganbench.contracts.{self.plural}"

    @property
    def rules(self) -> str:
        """The module of the conformance kit's rules, whose `rules(cls)` gives them by name."""
        return f"ganbench.testing.rules.{self.plural}"

    @property
    def slug(self) -> str:
        """The word as command lines and the folder of its templates have it."""
        return self.word.replace(" ", "-")

    @property
    def classes(self) -> tuple[str, ...]:
        """The public classes whose subclasses its hook takes."""
        return (self.contract, self.beside) if self.beside else (self.contract,)

    def contract_class(self) -> type:
        """Return the class to implement; for most kinds this imports torch."""
        cls: type = getattr(import_module(self.module), self.contract)
        return cls

    def stands_alone(self, cls: type) -> bool:
        """Whether plugins of this class make sense without another of their kind."""
        if self.beside is None:
            return True
        is_beside = issubclass(cls, getattr(import_module(self.module), self.beside))
        return not is_beside and not getattr(cls, "needs_constraint", False)


_ALL = (
    Kind(
        "loss",
        "losses",
        "Loss",
        "losses and regularizers",
        beside="Regularizer",
        declares=(
            "recipe",
            "input_gradients",
            "needs_labels",
            "label_kinds",
            "needs_class_logits",
            "needs_constraint",
            "constrains",
            "refused_norms",
            "unasked_norms",
        ),
    ),
    Kind(
        "conditioning",
        "conditionings",
        "Conditioning",
        "conditioning methods",
        declares=("needs_labels", "label_kinds", "gives_class_logits"),
    ),
    Kind(
        "architecture",
        "architectures",
        "Architecture",
        "architectures",
        declares=("g_norms", "d_norms", "per_sample"),
    ),
    Kind(
        "transform",
        "transforms",
        "Transform",
        "transforms of what D sees",
        declares=("per_sample",),
    ),
    Kind(
        "optimizer",
        "optimizers",
        "Optimizer",
        "optimisers",
        declares=("defaults", "uses_betas", "extrapolates"),
    ),
    Kind(
        "sampler",
        "samplers",
        "SamplingMethod",
        "ways to draw images of trained models",
        declares=("needs_discriminator", "needs_own"),
    ),
    Kind("dataset", "datasets", "Dataset", "data sets", declares=("splits", "features", "judge")),
    Kind("feature extractor", "feature_extractors", "FeatureExtractor", "feature extractors"),
    Kind("metric", "metrics", "Metric", "metrics", declares=("version", "cheap", "claims")),
    Kind("reporter", "reporters", "Reporter", "reporters"),
    Kind("executor", "executors", "Executor", "executors"),
    Kind("callback", "callbacks", "Callback", "callbacks that follow trials"),
)

KINDS = {kind.word: kind for kind in _ALL}


def by_hook() -> dict[str, Kind]:
    """Return every kind by the name of its hook."""
    return {kind.hook: kind for kind in KINDS.values()}
