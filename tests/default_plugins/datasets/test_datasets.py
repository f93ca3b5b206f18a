"""The built-in data sets: what is in them, and what they say when something is wrong."""

from __future__ import annotations

import gzip
import math
import os
import shutil
from pathlib import Path

import pytest
import torch

from ganbench import DataError
from ganbench.default_plugins.datasets import mnist
from ganbench.default_plugins.datasets.mixtures import Grid, Mixture1200, Ring
from ganbench.default_plugins.datasets.mnist import MNIST
from ganbench.errors import ConfigError
from ganbench.evaluation.real_data import digest

TRAIN_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
LABELS = Path("MNIST/raw/t10k-labels-idx1-ubyte")
MIXTURES = pytest.mark.parametrize("mixture", [Ring(), Grid()], ids=["ring", "grid"])


def test_mnist_has_the_counts_it_is_known_for(mnist_train, mnist_test):
    for data, counts in ((mnist_train, TRAIN_COUNTS), (mnist_test, TEST_COUNTS)):
        assert data.labels.bincount().tolist() == counts
        assert data.images.shape == (sum(counts), 1, 28, 28)
        assert (data.images.dtype, data.labels.dtype) == (torch.uint8, torch.int64)
    assert mnist_train.images.float().mean().item() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert mnist_train.labels[:5].tolist() == [5, 0, 4, 1, 9]


def test_torchvision_reads_the_same_folder(mnist_root, mnist_test):
    theirs = pytest.importorskip("torchvision.datasets").MNIST(mnist_root, False, download=False)
    assert torch.equal(theirs.data, mnist_test.images.squeeze(1))
    assert torch.equal(theirs.targets, mnist_test.labels)


def test_mnist_is_there_before_it_is_unpacked(tmp_path):
    status = MNIST().status(tmp_path / "nowhere")
    assert (status.present, status.verified) == (True, True)
    assert "carried in the package" in status.note
    assert not (tmp_path / "nowhere").exists()


@pytest.fixture
def own_root(mnist_root, tmp_path) -> Path:
    """A copy of the test set's labels alone."""
    (tmp_path / LABELS).parent.mkdir(parents=True)
    shutil.copy(mnist_root / LABELS, tmp_path / LABELS)
    return tmp_path


def test_truncated_file_is_refused_with_a_way_out(own_root):
    path = own_root / LABELS
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(
        DataError, match=r"labels-idx1-ubyte: 5,000 bytes .*; remove the file to ha"
    ):
        MNIST()._array(LABELS.name, own_root)
    assert len(path.read_bytes()) == 5000


def test_file_of_the_right_size_but_not_mnist_is_refused(own_root):
    path = own_root / LABELS
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(DataError, match="not MNIST's t10k-labels-idx1-ubyte: 10,008 bytes"):
        MNIST(root=str(own_root))._array(LABELS.name, own_root)


def test_own_root_is_read_and_never_written(mnist_root, mnist_test, tmp_path):
    found = MNIST(root=str(mnist_root)).load("test", tmp_path)
    assert torch.equal(found.images, mnist_test.images)
    assert not any(tmp_path.iterdir())


def test_missing_own_root_is_a_sentence(tmp_path):
    own = MNIST(root=str(tmp_path / "nothing"))
    with pytest.raises(DataError, match=r"nothing/MNIST/raw/train-images.*leave `root` out to use"):
        own.load("train", tmp_path)
    assert not (tmp_path / "nothing").exists()
    status = own.status(tmp_path)
    assert (status.present, status.verified) == (False, None)
    assert status.note.startswith("missing: train-images-idx3-ubyte")


def test_status_verifies_what_is_unpacked_and_names_damage(mnist_root, tmp_path):
    status = MNIST().status(mnist_root)
    assert (status.present, status.verified, status.note) == (True, True, "")
    shutil.copytree(mnist_root, tmp_path / "own")
    (tmp_path / "own" / LABELS).write_bytes(b"no labels")
    status = MNIST(root=str(tmp_path / "own")).status(tmp_path)
    assert (status.present, status.verified) == (True, False)
    assert status.note == f"damaged: {LABELS.name}"


def test_folder_that_cannot_be_written_is_a_sentence(monkeypatch, tmp_path):
    def denied(path: Path, write) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(mnist, "write_atomically", denied)  # root may write anywhere
    with pytest.raises(DataError, match=r"Permission denied; .* GANBENCH_DATA names anoth"):
        MNIST()._array(LABELS.name, tmp_path)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_read_only_folder_is_a_sentence(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(DataError, match="GANBENCH_DATA names another folder"):
        MNIST()._array(LABELS.name, tmp_path)


@MIXTURES
def test_mixture_repeats_itself_and_shares_no_point_between_splits(mixture, tmp_path):
    train, again, test = (mixture.load(split, tmp_path) for split in ("train", "train", "test"))
    assert torch.equal(train.images, again.images)
    assert torch.equal(train.labels, again.labels)
    assert (train.labels[: len(test)] == test.labels).double().mean() < 0.15  # chance: 1/8, 1/25
    points = {tuple(point) for point in train.images.flatten(1).tolist()}
    assert not any(tuple(point) in points for point in test.images.flatten(1).tolist())


@MIXTURES
def test_mixture_is_equal_isotropic_gaussians(mixture, tmp_path):
    data, truth = mixture.load("train", tmp_path), mixture.mixture()
    modes = len(truth.centers)
    assert data.images.shape == (100_000, 2, 1, 1)
    assert data.images.dtype == torch.float32
    assert data.images.abs().max() <= 1
    assert mixture.image_spec().num_classes == modes
    shares = data.labels.bincount().double() / len(data)
    torch.testing.assert_close(shares, torch.full_like(shares, 1 / modes), atol=0.004, rtol=0)
    offsets = (data.images.flatten(1) - truth.centers[data.labels]) / truth.std
    torch.testing.assert_close(offsets.mean(0), torch.zeros(2), atol=0.015, rtol=0)
    torch.testing.assert_close(offsets.T.cov(), torch.eye(2), atol=0.02, rtol=0)


def test_ring_and_grid_stand_where_the_papers_put_them():
    radii = Ring().centers().norm(dim=1)
    torch.testing.assert_close(radii, torch.ones(8))
    assert Ring().mixture().std == pytest.approx(0.01 / 1.5)
    assert sorted({x for x, _ in Grid().centers().tolist()}) == [-4, -2, 0, 2, 4]
    assert Grid().mixture().std == pytest.approx(0.01)
    assert Ring().status(Path("nowhere")).present


@pytest.mark.parametrize(
    ("mixture", "start"), [(Ring(), "053f46ea7e84f592"), (Grid(), "3d7a723b906979ec")], ids=str
)
def test_points_are_as_ever(mixture, start, tmp_path):
    """Cached statistics and published numbers are of these."""
    assert digest(mixture.load("train", tmp_path)).startswith(start)


def test_mixture1200_varies_in_700_coordinates(tmp_path):
    mixture = Mixture1200(train_size=4000, test_size=1000)
    train, test = (mixture.load(split, tmp_path) for split in ("train", "test"))
    assert train.images.shape == (4000, 3, 20, 20)
    assert mixture.image_spec().num_classes == 10
    assert not torch.equal(train.images[:1000], test.images)
    points = 20 * train.images.flatten(1)
    offsets = points - mixture.centers()[train.labels]
    assert offsets[:, 700:].abs().max() < 1e-5  # as exact as float32 at 13
    assert offsets[:, :700].mean().item() == pytest.approx(0, abs=0.003)
    assert offsets[:, :700].std().item() == pytest.approx(1, abs=0.003)
    correlation = offsets[:, :700].T.corrcoef()
    correlation.fill_diagonal_(0)
    assert correlation.square().mean().item() == pytest.approx(1 / 4000, rel=0.02)


def test_mixture1200_stands_where_the_authors_of_pacgan_put_it():
    centers = Mixture1200().centers()
    assert centers.shape == (10, 1200)
    assert centers[:, 0].tolist() == [-1, -0.5, 0, 0.5, -2, -2.5, 10, 0.25, -13, -5.5]
    assert (centers == centers[:, :1]).all()
    truth = Mixture1200().mixture()
    assert truth.coordinate_std == pytest.approx(1 / 20)
    half = torch.tensor((3 * truth.std * 20) ** 2 / 2, dtype=torch.float64)
    inside = torch.special.gammainc(torch.tensor(350.0, dtype=torch.float64), half).item()
    assert inside == pytest.approx(1 - math.exp(-4.5), abs=5e-6)  # of a chi-square of 700


def test_mixture1200_lies_within_its_extent(tmp_path):
    data = Mixture1200().load("train", tmp_path)
    assert data.images.abs().max() < 1


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("grid", {"side": 7}, "its points reach to 6.15, .*; use an extent of at least 6.15"),
        ("ring", {"std": 0.5}, "its points reach to 2.5, and images end at extent 1.5; use"),
        ("ring", {"modes": 0}, "modes must be positive, found 0"),
        ("ring", {"modes": 10**9}, "modes must be at most 10,000, found 1,000,000,000"),
        ("grid", {"side": 101}, "side must be at most 100, found 101"),
        (
            "mixture1200",
            {"extent": 15.0},
            "its points reach to 19, .*; use an extent of at least 19",
        ),
        ("mixture1200", {"std": 0.0}, "std must be positive, found 0"),
    ],
)
def test_mixture_that_images_cannot_show_is_refused(plugins, name, options, why):
    with pytest.raises(ConfigError, match=f"dataset '{name}': {why}"):
        plugins.build("dataset", name, options)


def test_mnist_of_ones_own_may_be_packed(mnist_root, mnist_test, tmp_path):
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for pair in mnist.FILES.values():
        for name in pair:
            content = (mnist_root / "MNIST" / "raw" / name).read_bytes()
            (folder / f"{name}.gz").write_bytes(gzip.compress(content, 1))
    own = MNIST(root=str(tmp_path))
    assert own.status(tmp_path / "unused").verified is True
    assert torch.equal(own.load("test", tmp_path / "unused").images, mnist_test.images)
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(b"no gzip")
    assert own.status(tmp_path / "unused").verified is False
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\.gz: "):
        own.load("test", tmp_path / "unused")
