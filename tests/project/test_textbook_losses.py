"""The script of benchmarks/textbook that puts losses beside the notebook's."""

from __future__ import annotations

from types import ModuleType

import pytest
from helpers import scripts

from ganbench import Window


@pytest.fixture(scope="module")
def table() -> ModuleType:
    return scripts.script("textbook", "losses")


def window(epoch: float, g: float, d: tuple[float, float]) -> Window:
    terms = {"d_terms": dict(zip(("real", "fake"), d, strict=True)), "g_terms": {"adversarial": g}}
    return Window(kimg=0, iteration=0, seconds=1, images_per_second=1, g_steps_per_second=1,
                  epoch=epoch, **terms)  # fmt: skip


def test_losses_are_means_of_whole_epochs(table: ModuleType) -> None:
    windows = [
        window(0.5, 4.0, (0.25, 0.25)), window(1.0, 2.0, (0.5, 0.5)),
        window(2.0 + 1e-12, 1.0, (1.0, 0.5)), window(2.5, 9.0, (9.0, 9.0)),
    ]  # fmt: skip
    assert table.by_epoch(windows) == {1: (3.0, 0.75), 2: (1.0, 1.5)}


def test_table_of_losses_has_the_whole_published_column(table: ModuleType) -> None:
    published = table.published()
    assert list(published) == list(range(1, 51))
    lines = list(table.table({"published": published, "ours, seed 0": {1: (3.65, 0.376)}}))
    assert lines[0] == "| epoch | published | ours, seed 0 |"
    assert lines[2] == "| 1 | 4.4991 / 0.2348 | 3.6500 / 0.3760 |"
    assert lines[-1] == "| 50 | 0.9036 / 1.2754 |  |"
    assert len(lines) == 52


def test_table_of_losses_is_written_between_its_marks(table: ModuleType) -> None:
    document = f"above\n{table.START}\n| old |\n{table.END}\nbelow\n"
    assert table.rewritten(document, "| new |") == document.replace("old", "new")
    with pytest.raises(SystemExit, match="put them around its table"):
        table.rewritten(f"above\n{table.START}\n| old |\n", "| new |")


def test_document_has_the_published_column(table: ModuleType) -> None:
    document = (scripts.BENCHMARKS.parent / "docs/textbook.md").read_text("utf-8")
    for epoch, (g, d) in table.published().items():
        assert f"\n| {epoch} | {g:.4f} / {d:.4f} |" in document
