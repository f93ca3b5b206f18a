"""IDX files of every type are read as they are, and others are refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from ganbench import DataError
from ganbench.default_plugins.datasets.arrays import idx

TYPES = {8: "u1", 9: "i1", 11: "i2", 12: "i4", 13: "f4", 14: "f8"}


def content(code: int) -> tuple[bytes, np.ndarray]:
    values = np.arange(24).reshape(2, 3, 4).astype(f">{TYPES[code]}")
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, code, 3]) + sizes + values.tobytes(), values


@pytest.mark.parametrize("code", TYPES)
@pytest.mark.parametrize("packed", [False, True])
def test_every_type_is_read_in_the_machines_order(tmp_path, code, packed):
    written, values = content(code)
    path = tmp_path / ("x-idx3.gz" if packed else "x-idx3")
    path.write_bytes(gzip.compress(written) if packed else written)
    found = idx.read(path)
    assert found.dtype == np.dtype(TYPES[code]).newbyteorder("=")
    assert np.array_equal(found, values)
    assert idx.header(path).shape == (2, 3, 4)


def test_what_is_changed_stays_in_memory(tmp_path):
    written, _ = content(8)
    path = tmp_path / "x-idx3"
    path.write_bytes(written)
    idx.read(path)[:] = 7
    assert path.read_bytes() == written


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (b"", "no IDX file: it begins with nothing"),
        (b"\x89PNG", "no IDX file: it begins with 89 50 4e 47"),
        (bytes([0, 0, 8, 3]) + bytes(5), "ends within its header; get the file again"),
        (content(8)[0][:-1], "23 bytes of values, and its header says 24; get the file again"),
        (content(8)[0] + b"!", "25 bytes of values, and its header says 24"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_file_that_is_another_or_not_whole_is_refused(tmp_path: Path, written, why, packed):
    path = tmp_path / ("x-idx3.gz" if packed else "x-idx3")
    path.write_bytes(gzip.compress(written) if packed else written)
    with pytest.raises(DataError, match=why):
        idx.read(path)
