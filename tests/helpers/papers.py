"""A file of published numbers, as tests have it."""

from __future__ import annotations

from pathlib import Path

from ganbench.reports.published import published_numbers
from ganbench.reports.published.published_numbers import Published

FILE = """\
source: {title: A Paper, authors: [One, Two, Three], year: 2018, url: https://example.org}
tables:
  - where: Table 1
    dataset: ring
    spread: {kind: standard error over training runs, n: 10}
    percent: [high-quality]
    protocol:
      setting: ring8/pacgan
      num_fake: 2500
      selection: the last of one setting
      data: {std: 0.01}
      conditioning: none
      architecture: mlp
      kimg: 1
      schedule: {batch_size: 64, g_lr: 2e-4}
    rows:
      - model: GAN
        matches: {loss: bce}
        values: {modes: [6.3, 0.5], high-quality: [98.2, 0.2]}
"""


def of(path: Path, text: str = FILE) -> list[Published]:
    path.mkdir(exist_ok=True)
    file = path / "paper.yaml"
    file.write_text(text, "utf-8")
    return published_numbers.read(file)
