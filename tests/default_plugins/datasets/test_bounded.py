"""What a data file claims is checked against what is there before memory is asked for."""

from __future__ import annotations

import gzip
import io
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import folders_of_pictures

from ganbench import DataError
from ganbench.default_plugins.datasets.arrays import limits
from ganbench.default_plugins.datasets.image_folder import ImageFolder
from ganbench.default_plugins.datasets.mixtures import Grid, Mixture1200, Ring
from ganbench.default_plugins.datasets.stacked_mnist import StackedMNIST
from ganbench.default_plugins.datasets.tensor import Tensors


def npy(shape: str, descr: str = "|u1") -> bytes:
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header.encode() + bytes(64)


def npz(*arrays: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for i, array in enumerate(arrays):
            archive.writestr(f"{i or 'images'}.npy", array)
    return stream.getvalue()


def saved(value: object) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


def idx(*sizes: int, values: bytes = bytes(64)) -> bytes:
    return bytes([0, 0, 8, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes) + values


def tangled(depth: int) -> list:
    found: list = [torch.zeros(1)]
    for _ in range(depth):
        found = [found, found]
    return found


HUGE = "(730, 1073741824, 1, 1)"
CASES = {
    "huge.npy": (npy(HUGE), "64 bytes of values, and its header says 783,831,531,520"),
    "huge.npz": (npz(npy(HUGE)), "64 bytes of values, and its header says 783,831,531,520"),
    "overflow.npy": (npy("(4294967296, 4294967296, 1, 1)"), "its header says 18,446,744,073,709,"),
    "negative.npy": (npy("(-2, 8, 8)"), r"shape \(-2, 8, 8\), and no side is below zero"),
    "negative.npz": (npz(npy("(-2, -8, 8)")), "and no side is below zero"),
    "long.npy": (npy("(9223372036854775808, 0, 8)"), "and no array is that long"),
    "long.npz": (
        npz(npy("(1099511627776, 0, 8)")),
        "the array is empty|networks here make squares",
    ),
    "sizeless.npy": (npy("(1000000000, 8, 8)", "|S0"), r"values of type \|S0, which have no size"),
    "many.npz": (npz(*[b""] * 10_001), "10,001 arrays, and 10,000 are possible"),
    "stride.pt": (
        saved(torch.zeros(1, dtype=torch.uint8).expand(10**9, 3, 64, 64)),
        "whose values are fewer, and repeated; save it with .clone",
    ),
    "sparse.pt": (saved(torch.eye(8)[None].to_sparse()), "holds a tensor that is torch.sparse_coo"),
    "meta.pt": (
        saved(torch.empty(10**9, 64, 64, device="meta")),
        "strided on meta; save plain ones",
    ),
    "tangled.pt": (saved(tangled(60)), "more than 10,000 values; save what is needed as tensors"),
    "a-idx3-ubyte": (
        idx(2**32 - 1, 2**32 - 1, 2**32 - 1),
        "64 bytes of values, and its header says",
    ),
    "b-idx3-ubyte.gz": (
        gzip.compress(idx(2**32 - 1, 2**32 - 1, 2**32 - 1)),
        "bytes of memory, and [0-9,]+ are free",
    ),
    "c-idx3-ubyte.gz": (
        gzip.compress(idx(1, 8, 8, values=bytes(2**26))) * 20,
        "65 bytes of values, and its header says 64",
    ),
}


@pytest.mark.filterwarnings("ignore:Validating sparse tensor")
@pytest.mark.parametrize("name", CASES)
def test_claims_are_refused_in_a_sentence(tmp_path, name):
    content, why = CASES[name]
    path = tmp_path / name
    path.write_bytes(content)
    dataset = Tensors(path=str(path))
    with pytest.raises(DataError, match=rf"{name}: .*{why}"):
        dataset.load("train", Path())


def test_a_packed_array_that_the_memory_cannot_hold_is_refused(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "a.npz", images=np.full((100, 32, 32), 200, np.uint8))
    dataset = Tensors(path=str(tmp_path / "a.npz"))
    assert len(dataset.load("train", Path())) == 100
    monkeypatch.setattr(limits, "free_memory_bytes", lambda: 100_000)
    with pytest.raises(DataError, match="takes 102,400 bytes of memory, and 100,000 are f"):
        dataset.load("train", Path())


@pytest.mark.parametrize("cls", [Ring, Grid, Mixture1200, StackedMNIST])
def test_as_many_images_as_memory_takes_are_made(cls, tmp_path, monkeypatch):
    for split, many in (("train", 10**38), ("test", 10**12)):
        with pytest.raises(
            DataError, match=f"'{cls.name}': a split '{split}' of .*; lower {split}"
        ):
            cls(**{f"{split}_size": many}).load(split, tmp_path)
    few = cls(train_size=20, test_size=20)
    images = few.load("train", tmp_path).images
    monkeypatch.setattr(limits, "free_memory_bytes", lambda: images.nbytes)  # and no byte more
    with pytest.raises(DataError, match="a split 'train' of 20 images takes"):
        few.load("train", tmp_path)


def test_repeated_labels_are_taken(tmp_path):
    images = torch.full((6, 1, 8, 8), 200, dtype=torch.uint8)
    (tmp_path / "a.pt").write_bytes(saved({"x": images, "y": torch.zeros(1).long().expand(6)}))
    assert Tensors(path=str(tmp_path / "a.pt")).load("train", Path()).labels.tolist() == [0] * 6


def test_files_of_any_size_are_no_pictures(tmp_path):
    folders_of_pictures.picture(tmp_path / "a.png", "white")
    (tmp_path / "b.png").touch()
    os.truncate(tmp_path / "b.png", 2**40)
    found = ImageFolder(path=str(tmp_path), resolution=8).load("train", Path())
    assert found.problems == ("b.png: larger than 1 gib, and so no picture",)
