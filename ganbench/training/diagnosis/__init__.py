"""What went wrong in a training, judged by what was logged of it."""

from ganbench.records.results import Finding
from ganbench.training.diagnosis.checkerboards import checkerboard
from ganbench.training.diagnosis.diversity import diversity
from ganbench.training.diagnosis.evidence import Evidence
from ganbench.training.diagnosis.findings import lines
from ganbench.training.diagnosis.rules import diagnose
from ganbench.training.diagnosis.setup import Setup

__all__ = ["Evidence", "Finding", "Setup", "checkerboard", "diagnose", "diversity", "lines"]
