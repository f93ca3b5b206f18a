"""Whether samples are training images over again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganbench import (
    Column,
    Evaluation,
    LabeledImages,
    Metric,
    Moments,
    Unavailable,
    hookimpl,
    save_neighbours,
)
from ganbench.default_plugins.metrics.neighbours import (
    cells_of,
    content,
    drawn,
    finite,
    k_means,
    nearest,
)
from ganbench.default_plugins.metrics.pixel_neighbours import Euclidean, Manhattan

Values = dict[str, float | Unavailable]

CELLS = 3
FEWEST = 20  # samples in a cell that counts
DIMENSIONS = 64  # at most, of the space of the cells
ROWS, NEIGHBOURS = 16, 5  # of the picture


@dataclass(frozen=True, eq=False)
class Space:
    """Where samples and test images have distances to the nearest training image, (N,)."""

    name: str  # of what is remembered
    samples: Callable[[], Tensor]
    test: Callable[[], Tensor]  # Unavailable where there are no such images


def authentic(distances: Tensor, indices: Tensor, train: Tensor) -> Tensor:
    """Return which samples are authentic (Alaa et al., 2022), as (M,) booleans.

    Those are farther from the training image x nearest to them than x is from all others of train
    (N, F); x = train[indices], at these distances (M,).
    """
    hit, which = indices.unique(return_inverse=True)
    own = nearest(train[hit], train, k=2)[0][:, 1]  # the first is the image itself, at 0
    return distances > own[which]


def rank_z(samples: Tensor, test: Tensor) -> float:
    """Return the standardised Mann-Whitney U of distances (M,) and (N,).

    It is below 0 where the samples' are the smaller ones, and corrected for continuity as Meehan et
    al. (2020) do.
    """
    m, n = len(samples), len(test)
    ordered = test.sort().values
    ranks = [torch.searchsorted(ordered, samples, right=right) for right in (False, True)]
    u = torch.cat(ranks).sum().item() / 2  # pairs of which the sample is farther; half of ties
    return (u - (m * n / 2 - 0.5)) / (m * n * (m + n + 1) / 12) ** 0.5


def principal(train: Tensor) -> Tensor:
    """Return directions (F, D) in which the training set varies most; all, where they are few."""
    width = train.shape[1]
    if width <= DIMENSIONS:
        return torch.eye(width)
    covariance = Moments.of(train.split(4096)).covariance
    return torch.linalg.eigh(covariance).eigenvectors[:, -DIMENSIONS:].float()


@dataclass(kw_only=True)
class Memorization(Metric):
    """How near samples are to training images, beside how near real test images are.

    By absolute (l1) and Euclidean (l2) differences of pixels, and by features: the median distance
    to the nearest training image over that of test images, and the share of samples no farther
    from one than the nearest 1 % of test images are. In features also the percentage of authentic
    samples (Alaa et al., 2022), and C_T, far below 0 where samples are copies (Meehan et al.,
    2020).

    No direction is better: copies lie at one end, and noise beyond the test set at the other. Read
    it against the row of real test images: ratio 1, share 0.01, C_T near 0, and a percentage that
    depends on the data. `nearest.png` shows samples, each before the training images nearest to it.
    """

    name = "memorization"
    features: str | None = None  # an extractor; null: the data set's own
    num_samples: int = 2000
    num_test: int = 2000  # test images, at most, that samples are compared with
    seed: int = 0  # of which samples, where there are more, and of the cells

    def __post_init__(self) -> None:
        for name, value in (("num_samples", self.num_samples), ("num_test", self.num_test)):
            if value < 1:
                raise ValueError(f"{name} must be positive, found {value}")

    @property
    def columns(self) -> tuple[Column, ...]:
        spaces = ("-l1", "-l2", f"@{self.features}")
        return (
            *(Column(f"nn-ratio{space}", "", "none", digits=3) for space in spaces),
            *(Column(f"copied{space}", "", "none", digits=3) for space in spaces),
            Column(f"auth-pct@{self.features}", "%", "none", digits=1),
            Column(f"c-t@{self.features}", "", "none", digits=2),
        )

    def compute(self, evaluation: Evaluation) -> Values:
        if self.features is None:
            raise Unavailable("no feature extractor is named")
        chosen = drawn(evaluation.fake, self.num_samples, self.seed)
        images = finite(evaluation.fake.images[chosen], "the samples")
        of_features = self._of_features(evaluation, self.features, chosen)
        return {**self._of_pixels(evaluation, chosen, images), **of_features}

    def protocol(self) -> dict[str, Any]:
        return {
            **super().protocol(),
            "nn_ratio": "median distance to the nearest of all training images, over that of test "
            "images",
            "copied": "distance <= 1st percentile of those of test images, interpolated",
            "auth_pct": "d(sample, x) > d(x, the nearest other training image), where x is the "
            "training image nearest to the sample",
            "c_t": f"at most {DIMENSIONS} principal components of the training set; {CELLS} cells "
            "by k-means++ and Lloyd, one start; neighbours within the cell; cells of fewer than "
            f"{FEWEST} samples left out; weighted by the share of test images",
        }

    def _of_pixels(self, evaluation: Evaluation, chosen: Tensor, images: Tensor) -> Values:
        train = evaluation.reals("train").images
        manhattan, by_directions = Manhattan(train), Euclidean(train)
        if evaluation.directory is not None and images.dtype == torch.uint8:
            fake = evaluation.fake.take(chosen[:ROWS])
            _picture(evaluation, fake, manhattan, evaluation.directory / "nearest.png")

        def test() -> Tensor:
            return evaluation.reals("test", self.num_test).images

        def absolute(queries: Tensor) -> Tensor:
            return manhattan.nearest(queries)[0][:, 0]

        def euclidean(queries: Tensor) -> Tensor:
            if evaluation.device.type == "cpu":
                return by_directions.nearest(queries)
            return nearest(queries, train, device=evaluation.device)[0][:, 0]

        l1 = Space("l1", lambda: absolute(images), lambda: absolute(test()))
        l2 = Space("l2", lambda: euclidean(images), lambda: euclidean(test()))
        return {
            **self._beside_test(evaluation, ("nn-ratio-l1", "copied-l1"), l1),
            **self._beside_test(evaluation, ("nn-ratio-l2", "copied-l2"), l2),
        }

    def _of_features(self, evaluation: Evaluation, extractor: str, chosen: Tensor) -> Values:
        ratio, copied, auth, c_t = (
            f"{what}@{extractor}" for what in ("nn-ratio", "copied", "auth-pct", "c-t")
        )
        try:
            fake = evaluation.features(extractor).embedding[chosen]
            train = evaluation.real_features(extractor).embedding
            finite(fake, "the features of the samples")
            finite(train, "the features of the training set")
        except Unavailable as why:
            return dict.fromkeys((ratio, copied, auth, c_t), why)
        near = partial(nearest, device=evaluation.device)
        distances, indices = (found[:, 0] for found in near(fake, train))

        def test() -> Tensor:
            return evaluation.real_features(extractor, "test", self.num_test).embedding

        space = Space(content(train), lambda: distances, lambda: near(test(), train)[0][:, 0])
        return {
            **self._beside_test(evaluation, (ratio, copied), space),
            **_attempted((auth,), lambda: (_auth_pct(distances, indices, train),)),
            **_attempted((c_t,), lambda: (self._c_t(evaluation, fake, train, test),)),
        }

    def _beside_test(self, evaluation: Evaluation, names: tuple[str, str], space: Space) -> Values:
        """Return the ratio of medians, and the share of samples within the first percentile."""

        def numbers() -> tuple[float, float]:
            _require_test(evaluation)
            real = evaluation.remember(
                f"memorization-to-train|{self.version}|{space.name}|{self.num_test}",
                lambda: {"distances": space.test()},
                ("train", "test"),
            )["distances"]
            median, near = real.median().item(), real.quantile(0.01)
            if not median:
                raise Unavailable(
                    "half of the test images are training images, so that nothing can be told"
                )
            distances = space.samples()
            return distances.median().item() / median, _mean(distances <= near)

        return _attempted(names, numbers)

    def _c_t(
        self, evaluation: Evaluation, fake: Tensor, train: Tensor, test: Callable[[], Tensor]
    ) -> float:
        _require_test(evaluation)
        real = evaluation.remember(
            f"memorization-cells|{self.version}|{content(train)}|{self.num_test}|{self.seed}",
            lambda: self._cells(test(), train),
            ("train", "test"),
        )
        points, train = fake @ real["basis"], train @ real["basis"]
        cells = cells_of(points, real["centers"])
        scores, weights = [], []
        for cell in range(len(real["centers"])):
            of_cell = points[cells == cell]
            to_test = real["distances"][real["test"] == cell]
            if len(of_cell) >= FEWEST and len(to_test):
                distances, _ = nearest(of_cell, train[real["train"] == cell])
                scores.append(rank_z(distances[:, 0], to_test))
                weights.append(len(to_test))
        if not scores:
            raise Unavailable(f"C_T needs {FEWEST} samples in one of {CELLS} cells; take more")
        return sum(s * w for s, w in zip(scores, weights, strict=True)) / sum(weights)

    def _cells(self, test: Tensor, train: Tensor) -> dict[str, Tensor]:
        """Return all of C_T that samples have no part in."""
        basis = principal(train)
        test, train = test @ basis, train @ basis
        centers = k_means(train, CELLS, self.seed)
        centers = centers[cells_of(train, centers).unique()]  # those with a training image
        of_test, of_train = cells_of(test, centers), cells_of(train, centers)
        distances = torch.zeros(len(test))
        for cell in of_test.unique():
            inside = of_test == cell
            distances[inside] = nearest(test[inside], train[of_train == cell])[0][:, 0]
        return {
            "basis": basis,
            "centers": centers,
            "test": of_test,
            "train": of_train,
            "distances": distances,
        }


def _attempted(names: tuple[str, ...], numbers: Callable[[], tuple[float, ...]]) -> Values:
    """Return the numbers by name, or why there are none in each one's place."""
    try:
        return dict(zip(names, numbers(), strict=True))
    except Unavailable as why:
        return dict.fromkeys(names, why)


def _require_test(evaluation: Evaluation) -> None:
    """Raise Unavailable without a test set, before a look at it makes it part of the protocol."""
    dataset = evaluation.dataset
    if "test" not in dataset.splits:
        raise Unavailable(f"data set '{dataset.name}' has no test split")


def _auth_pct(distances: Tensor, indices: Tensor, train: Tensor) -> float:
    if len(train) < 2:
        raise Unavailable(f"two training images are needed, found {len(train)}")
    return 100 * _mean(authentic(distances, indices, train))


def _mean(values: Tensor) -> float:
    return values.double().mean().item()


def _picture(
    evaluation: Evaluation, samples: LabeledImages, manhattan: Manhattan, path: Path
) -> None:
    """Save samples before the training images nearest to them, as `ganbench nearest --by l1`."""
    train = evaluation.reals("train")
    distances, indices = manhattan.nearest(samples.images, min(NEIGHBOURS, len(train)))
    save_neighbours(
        samples,
        train,
        distances / samples.images[0].numel(),
        indices,
        path,
        meaning="l1: mean absolute difference of pixels, from 0 to 255",
        class_names=evaluation.dataset.class_names(),
    )


@hookimpl
def register_metrics(register: Callable[[type[Metric]], None]) -> None:
    register(Memorization)
