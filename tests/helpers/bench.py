"""A small benchmark file of one cell, for tests of what is planned of it."""

from __future__ import annotations

TEXT = """\
version: 1
name: bench
dataset: mnist
loss: bce
conditioning: concat
architecture: {name: dcgan, width: 8}
"""
OPEN = TEXT.replace("loss: bce\n", "")  # for a matrix to name the loss
