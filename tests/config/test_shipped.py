"""The benchmarks that come with ganbench are found by name, from a checkout and when installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganbench.config import shipped

ROOT = Path(__file__).parents[2]
HERE = sorted([*ROOT.glob("benchmarks/*.yaml"), *ROOT.glob("benchmarks/textbook/*.yaml")])


def test_a_checkout_finds_the_repositorys_own_files() -> None:
    assert sorted(shipped.files().values()) == HERE
    assert shipped.named("cdcgan_mnist") == ROOT / "benchmarks" / "textbook" / "cdcgan_mnist.yaml"


def test_names_are_those_that_runs_have_and_each_file_describes_itself() -> None:
    found = list(shipped.described())
    assert len(found) == len(HERE)  # no two of one name
    for one in found:
        assert f"\nname: {one.name}\n" in one.file.read_text("utf-8")
        assert len(one.description) > 20
        assert "\n" not in one.description


def test_an_installed_package_finds_those_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ganbench" / "shipped" / "textbook").mkdir(parents=True)
    (tmp_path / "benchmarks").mkdir()  # somebody else's, beside it in site-packages
    (tmp_path / "benchmarks" / "other.yaml").touch()
    (tmp_path / "ganbench" / "shipped" / "textbook" / "one.yaml").touch()
    monkeypatch.setattr(shipped, "PACKAGE", tmp_path / "ganbench")
    shipped.files.cache_clear()
    try:
        assert list(shipped.files()) == ["one"]
    finally:
        shipped.files.cache_clear()


@pytest.mark.parametrize(
    "path", ["cgan_mnist.yaml", "./cgan_mnist", "textbook/cdcgan_mnist", "mine.yml", "mine", ""]
)
def test_a_path_is_a_path(path: str) -> None:
    assert shipped.named(path) == Path(path)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("cgan_mnits", "; did you mean 'cgan_mnist' or 'cdcgan_mnist', which come with ganbench?"),
        ("benchmarks/ring_modes.yaml", "; did you mean 'ring_modes', which comes with ganbench?"),
        ("Ring_Modes", "; did you mean 'ring_modes', which comes with ganbench?"),
        ("zoo.yaml", ""),
        ("mine.yaml", ""),
        ("mine", "; `ganbench run --list` shows what comes with ganbench"),
    ],
)
def test_a_file_that_is_not_there_has_the_near_names(asked: str, said: str) -> None:
    assert shipped.near(Path(asked)) == said
