"""Cells have short labels, in which no two are alike."""

from __future__ import annotations

TEXT = """\
version: 1
name: bench
dataset: mnist
loss: bce
conditioning: concat
architecture: {name: dcgan, width: 8}
"""
OPEN = TEXT.replace("loss: bce\n", "")


def test_labels_are_short_but_tell_cells_apart(planned):
    short = planned(OPEN + "matrix: {loss: [{name: bce, flip: 0.1}, lsgan]}\n")
    assert [c.label for c in short.cells] == ["bce/concat/dcgan", "lsgan/concat/dcgan"]
    long = planned(OPEN + "matrix: {loss: [{name: bce, flip: 0.1}, bce]}\n")
    assert [c.label for c in long.cells] == ["bce(flip=0.1)/concat/dcgan", "bce/concat/dcgan"]
    swept = planned(TEXT + "matrix: {training.batch_size: [8, 16]}\n")
    assert [c.label.rpartition("/")[2] for c in swept.cells] == ["batch_size=8", "batch_size=16"]


def test_axes_of_blocks_name_their_player(planned):
    found = planned(
        TEXT + "matrix:\n  training.generator.lr: [1e-3]\n  training.discriminator.lr: [1e-3]\n"
        "  training.optimizer: [adam, {name: adam, amsgrad: true}]\n"
    )
    assert [cell.label for cell in found.cells] == [
        "bce/concat/dcgan/generator.lr=0.001/discriminator.lr=0.001/optimizer=adam",
        "bce/concat/dcgan/generator.lr=0.001/discriminator.lr=0.001/optimizer=adam(amsgrad=true)",
    ]
