"""Fréchet distances to statistics from a file, as others publish them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ganbench import DataError, Features, Unavailable
from ganbench.default_plugins.metrics.published_statistics import FIDToStatistics


class Given:
    """An evaluation that has features alone."""

    def __init__(self, features: torch.Tensor) -> None:
        self.found = Features(features)

    def features(self, extractor: str) -> Features:
        assert extractor == "pixels"
        return self.found


def write(path: Path, mu: np.ndarray, sigma: np.ndarray, **beside: np.ndarray) -> str:
    np.savez(path, mu=mu, sigma=sigma, **beside)
    return str(path)


@pytest.fixture
def samples() -> torch.Tensor:
    return torch.randn(500, 6, generator=torch.Generator().manual_seed(0))


def test_the_distance_is_the_closed_form_of_diagonal_gaussians(tmp_path, samples):
    centred = (samples - samples.mean(0)).double()
    white = centred @ torch.linalg.inv(torch.linalg.cholesky(centred.T.cov())).T
    scale = torch.arange(1, 7, dtype=torch.float64)
    fake = white * scale + 1
    path = write(tmp_path / "cifar10.npz", np.full(6, 3.0), np.diag(np.full(6, 4.0)))
    metric = FIDToStatistics(path=path, features="pixels")
    (column,) = metric.columns
    assert column.name == "fid@pixels[cifar10]"
    expected = 6 * 2.0**2 + float((scale - 2).square().sum())
    found = metric.compute(Given(fake))[column.name]
    assert found == pytest.approx(expected, rel=1e-5)
    own = write(tmp_path / "own.npz", fake.mean(0).numpy(), fake.T.cov().numpy())
    (distance,) = FIDToStatistics(path=own, features="pixels").compute(Given(fake)).values()
    assert abs(distance) < 1e-5


def test_the_protocol_says_whose_they_are_and_not_where(tmp_path):
    mu, sigma = np.zeros(3), np.eye(3)
    plain = FIDToStatistics(path=write(tmp_path / "a.npz", mu, sigma))
    same = FIDToStatistics(path=write(tmp_path / "b.npz", mu, sigma))
    assert plain.protocol() == same.protocol()
    assert "pytorch-fid or TTUR" in plain.protocol()["statistics"]["whose"]
    adm = FIDToStatistics(path=write(tmp_path / "c.npz", mu, sigma, mu_s=mu, sigma_s=sigma))
    assert adm.protocol()["statistics"]["whose"] == "ADM (guided-diffusion)"
    named = FIDToStatistics(path=plain.path, whose="TTUR")
    assert named.protocol()["statistics"]["whose"] == "TTUR"
    other = FIDToStatistics(path=write(tmp_path / "d.npz", mu + 1, sigma))
    assert other.protocol() != plain.protocol()


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"mu": np.zeros(3)}, "expected arrays mu and sigma, found mu"),
        ({"mu": np.zeros(3), "sigma": np.eye(4)}, "expected mu"),
        ({"mu": np.zeros(2), "sigma": np.array([[1.0, 2], [0, 1]])}, "not symmetric"),
        ({"mu": np.full(2, np.nan), "sigma": np.eye(2)}, "NaN or infinite"),
        ({"mu": np.array([{}, {}]), "sigma": np.eye(2)}, "holds Python objects"),
    ],
)
def test_what_are_no_statistics_is_a_sentence(arrays, told, tmp_path, samples):
    np.savez(tmp_path / "a.npz", **arrays)
    metric = FIDToStatistics(path=str(tmp_path / "a.npz"), features="pixels")
    with pytest.raises(DataError, match=told):
        metric.compute(Given(samples))
    assert told in metric.protocol()["statistics"]


def test_files_that_are_not_there_or_of_other_features_are_sentences(tmp_path, samples):
    with pytest.raises(DataError, match="No such file"):
        FIDToStatistics(path=str(tmp_path / "gone.npz"), features="pixels").compute(Given(samples))
    with pytest.raises(ValueError, match=r"path must end in \.npz"):
        FIDToStatistics(path="a.txt")
    path = write(tmp_path / "a.npz", np.zeros(3), np.eye(3))
    with pytest.raises(Unavailable, match="statistics of 3 features, and pixels has 6"):
        FIDToStatistics(path=path, features="pixels").compute(Given(samples))
