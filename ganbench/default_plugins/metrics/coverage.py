"""How many of the data's modes the samples reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor

from ganbench import Column, Dataset, Evaluation, Metric, Mixture, Unavailable, hookimpl

HELD = 0.2  # of a mode's share in the data; the name of a column says so
CHUNK = 4096


@dataclass(frozen=True, kw_only=True)
class Definition:
    """How one paper counts modes: of which data, of how many samples, and what counts."""

    paper: str
    dataset: str
    options: Mapping[str, Any] = field(default_factory=dict)  # that the data set must have
    modes: int
    num_samples: int  # the first of the fakes
    max_deviations: float | None = None  # from a centre to a sample of high quality; None: classes

    def mismatch(self, dataset: Dataset) -> str | None:
        """Return why this data cannot be judged by it, or None."""
        if dataset.name != self.dataset:
            return f"it is for data set '{self.dataset}', and this is '{dataset.name}'"
        found = dataset.image_spec().num_classes
        if found != self.modes:
            return f"it is for {self.modes} modes, and '{self.dataset}' has {found} here"
        for name, wanted in self.options.items():
            value = getattr(dataset, name, None)
            if value != wanted:
                return f"it is for '{self.dataset}' with {name} {wanted}, found {value}"
        return None


DEFINITIONS: Mapping[str, Definition] = MappingProxyType(
    {
        "ring8/pacgan": Definition(
            paper="Lin et al., 2018, table 1",
            dataset="ring",
            options={"std": 0.01},
            modes=8,
            num_samples=2500,
            max_deviations=3.0,
        ),
        "grid25/pacgan": Definition(
            paper="Lin et al., 2018, table 1",
            dataset="grid",
            options={"std": 0.05},
            modes=25,
            num_samples=2500,
            max_deviations=3.0,
        ),
        # Ten deviations of a coordinate, over all 1200: points of the data lie 26.5 from their
        # centre, and none of them counts. High are the scores of generators that leave out noise.
        "mixture1200/veegan": Definition(
            paper="Srivastava et al., 2017",
            dataset="mixture1200",
            options={"std": 1.0},
            modes=10,
            num_samples=2500,
            max_deviations=10.0,
        ),
        "stacked-mnist/veegan-26k": Definition(
            paper="Srivastava et al., 2017; training set of Lin et al., 2018, table 2",
            dataset="stacked-mnist",
            options={"source": "train+test"},
            modes=1000,
            num_samples=26_000,
        ),
        "stacked-mnist/unrolled-25.6k": Definition(
            paper="Metz et al., 2017; Lin et al., 2018, table 3",
            dataset="stacked-mnist",
            options={"source": "train"},
            modes=1000,
            num_samples=25_600,
        ),
    }
)


def reverse_kl(shares: Tensor, reference: Tensor) -> float:
    """Return KL(shares || reference) in nats, 0 log 0 = 0; both are (K,) and sum to one."""
    reached = shares > 0
    shares, reference = shares[reached].double(), reference[reached].double()
    return (shares * (shares / reference).log()).sum().item()


def reverse_kl_floor(num_modes: int, num_samples: float) -> float:
    """Return the mean reverse KL of samples drawn from the reference itself, to first order."""
    return (num_modes - 1) / (2 * num_samples)


def high_quality(points: Tensor, centers: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    """Return which points (N, D) lie within a radius of a centre (K, D), and each one's nearest."""
    good, nearest = [], []
    for chunk in points.split(CHUNK):
        distances = torch.cdist(
            chunk.double(), centers.double(), compute_mode="donot_use_mm_for_euclid_dist"
        )
        found = distances.min(1)
        good.append(found.values < radius)  # false of NaN
        nearest.append(found.indices)
    return torch.cat(good), torch.cat(nearest)


@dataclass(kw_only=True)
class ModeCoverage(Metric):
    """Modes reached, and reverse KL between the shares of the modes and the data's own.

    On a mixture of Gaussians (as Srivastava et al., 2017, and Lin et al., 2018): a sample is of
    high quality within 3 standard deviations of its nearest centre; a mode is covered by one of
    these. On classes: the data set's judge names each sample's class, and a class is covered when
    its share is at least a tenth of what it is in the data. One stray sample can cover a mode;
    `modes-20pct` are those to which at least a fifth of their share of all samples belongs.

    A `definition` is a published way to count, down to the number of samples; the columns then
    carry its name. There a class is covered by one sample, and the reference is uniform.

    The reverse KL of n counted samples drawn from the data's own shares is about (K - 1) / 2n: the
    floor.
    """

    name = "mode-coverage"
    cheap = True
    definition: str | None = None  # such as ring8/pacgan; null: by the two options below
    min_share: float = 0.1  # of a class's share in the data
    max_deviations: float = 3.0  # from a centre

    def __post_init__(self) -> None:
        if self.min_share < 0:
            raise ValueError(f"min_share must not be negative, found {self.min_share}")
        if self.max_deviations <= 0:
            raise ValueError(f"max_deviations must be positive, found {self.max_deviations}")
        if self.definition is None:
            return
        if self.definition not in DEFINITIONS:
            known = ", ".join(DEFINITIONS)
            raise ValueError(f"no definition '{self.definition}'; known: {known}")
        for option in fields(self):
            if option.name != "definition" and getattr(self, option.name) != option.default:
                raise ValueError(f"definition '{self.definition}' leaves {option.name} no choice")

    @property
    def columns(self) -> tuple[Column, ...]:
        columns = [
            self._column("modes", "max", 1),
            self._column("modes-20pct", "max", 1, "modes ≥ 20 %"),
            self._column("reverse-kl", "min", 4, "reverse KL", "nats"),
            self._column("reverse-kl-floor", "none", 4, "KL floor", "nats"),
        ]
        if self._defined is None or self._defined.max_deviations is not None:
            columns.append(self._column("high-quality", "max", 3, "high quality"))
        return tuple(columns)

    def compute(self, evaluation: Evaluation) -> dict[str, float | Unavailable]:
        if self._defined is None:
            values = self._by_options(evaluation)
        else:
            values = self._by_definition(evaluation, self._defined)
        return {self._named(name): value for name, value in values.items()}

    def protocol(self) -> dict[str, Any]:
        held = {"held_share": HELD}
        if self._defined is None:
            return {**super().protocol(), **held}
        spelled_out = {"name": self.definition, **asdict(self._defined)}
        about = {"metric": self.name, "version": self.version, "definition": spelled_out}
        return {**about, **held}

    @property
    def _defined(self) -> Definition | None:
        return None if self.definition is None else DEFINITIONS[self.definition]

    def _by_options(self, evaluation: Evaluation) -> dict[str, float | Unavailable]:
        mixture = evaluation.dataset.mixture()
        if mixture is not None:
            radius = self.max_deviations * mixture.std
            return _of_mixture(evaluation.fake.images.flatten(1), mixture, radius)
        reference = evaluation.class_shares()
        counts = evaluation.classes().bincount(minlength=len(reference)).double()
        covered = (counts > 0) & (counts / counts.sum() >= self.min_share * reference)
        return _values(covered, counts, reference, counts.sum().item())

    def _by_definition(
        self, evaluation: Evaluation, definition: Definition
    ) -> dict[str, float | Unavailable]:
        if why := definition.mismatch(evaluation.dataset):
            raise Unavailable(f"{self.definition}: {why}")
        needed, found = definition.num_samples, len(evaluation.fake)
        if found < needed:
            raise Unavailable(
                f"{self.definition} takes {needed:,} samples, and there are {found:,}; set "
                f"evaluation.num_samples to at least {needed}"
            )
        mixture = evaluation.dataset.mixture()
        if definition.max_deviations is not None and mixture is not None:
            std = mixture.std if mixture.coordinate_std is None else mixture.coordinate_std
            points = evaluation.fake.images[:needed].flatten(1)
            return _of_mixture(points, mixture, definition.max_deviations * std)
        counts = evaluation.classes()[:needed].bincount(minlength=definition.modes).double()
        return _values(counts > 0, counts, _uniform(definition.modes), needed)

    def _column(
        self,
        name: str,
        direction: Literal["min", "max", "none"],
        digits: int,
        title: str = "",
        unit: str = "",
    ) -> Column:
        if self.definition is not None:
            title = f"{title or name} [{self.definition}]"
        gate: dict[str, Any] = {"gated": True, "rel_tol": 0.0, "abs_tol": 0.5}
        extra = gate if name == "modes" else {}
        return Column(self._named(name), unit, direction, digits, title, **extra)

    def _named(self, name: str) -> str:
        return name if self.definition is None else f"{name}[{self.definition}]"


def _of_mixture(points: Tensor, mixture: Mixture, radius: float) -> dict[str, float | Unavailable]:
    modes = len(mixture.centers)
    good, nearest = high_quality(points, mixture.centers, radius)
    counts = nearest[good].bincount(minlength=modes).double()
    values = _values(counts > 0, counts, _uniform(modes), len(points))
    return {**values, "high-quality": good.double().mean().item()}


def _values(
    covered: Tensor, counts: Tensor, reference: Tensor, num_samples: float
) -> dict[str, float | Unavailable]:
    """Return the numbers of a set; `counts` (K,) are of those of its `num_samples` that count."""
    held = (counts > 0) & (counts >= HELD * reference * num_samples)
    values: dict[str, float | Unavailable] = {
        "modes": float(covered.sum().item()),
        "modes-20pct": float(held.sum().item()),
    }
    total = counts.sum().item()
    if not total:
        none = Unavailable("no sample is of high quality")
        return {**values, "reverse-kl": none, "reverse-kl-floor": none}
    return {
        **values,
        "reverse-kl": reverse_kl(counts / total, reference),
        "reverse-kl-floor": reverse_kl_floor(len(reference), total),
    }


def _uniform(count: int) -> Tensor:
    return torch.full((count,), 1 / count, dtype=torch.float64)


@hookimpl
def register_metrics(register: Callable[[type[Metric]], None]) -> None:
    register(ModeCoverage)
