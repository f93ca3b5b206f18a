"""The packages here are tested where they stand, without being installed."""

import sys
from pathlib import Path

import torch

torch.set_num_threads(1)
sys.path[:0] = [str(folder) for folder in Path(__file__).parent.glob("ganbench-*")]
