"""A sealed file is read as it was written, or not at all."""

from __future__ import annotations

import random

import pytest

from ganbench.util import sealed

CONTENT = bytes(range(256)) * 4


def test_content_comes_back(tmp_path):
    sealed.write(tmp_path / "a", CONTENT)
    assert sealed.read(tmp_path / "a") == CONTENT
    sealed.write(tmp_path / "a", b"")
    assert sealed.read(tmp_path / "a") == b""


def test_no_flipped_bit_gives_other_content(tmp_path):
    sealed.write(tmp_path / "a", CONTENT)
    whole = (tmp_path / "a").read_bytes()
    choice = random.Random(0)
    for at in choice.sample(range(8 * len(whole)), 200):
        (tmp_path / "a").write_bytes(flipped(whole, at))
        try:
            found = sealed.read(tmp_path / "a")
        except sealed.Damaged:
            continue
        assert at < 8 * 23, "only a file whose first words are others is taken for one of before"
        assert found == flipped(whole, at)


def test_file_of_before_has_no_seal(tmp_path):
    (tmp_path / "a").write_bytes(CONTENT)
    assert sealed.read(tmp_path / "a") == CONTENT


@pytest.mark.parametrize("length", [24, 80, 100, -1])
def test_file_that_is_cut_short_is_damaged(tmp_path, length):
    sealed.write(tmp_path / "a", CONTENT)
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:length])
    with pytest.raises(sealed.Damaged):
        sealed.read(tmp_path / "a")


def flipped(content: bytes, at: int) -> bytes:
    changed = bytearray(content)
    changed[at // 8] ^= 1 << at % 8
    return bytes(changed)
