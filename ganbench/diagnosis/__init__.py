"""What went wrong in a training, judged by what was logged of it."""

from ganbench.diagnosis.diversity import diversity
from ganbench.diagnosis.evidence import Evidence
from ganbench.diagnosis.findings import Finding, lines
from ganbench.diagnosis.rules import diagnose

__all__ = ["Evidence", "Finding", "diagnose", "diversity", "lines"]
