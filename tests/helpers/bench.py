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

# An epoch is of 1000 images, a step of G of 150; what TRAINING stands for says how long it trains.
IN_EPOCHS = """\
version: 1
name: bench
dataset: {name: ring, train_size: 1030}
loss: wgan-gp
conditioning: none
architecture: {name: mlp, width: 8}
training: {batch_size: 50, n_critic: 3, TRAINING}
"""
