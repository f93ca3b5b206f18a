"""results.csv, which has every number of every trial."""

from __future__ import annotations

from ganbench.contracts.reporters import spreadsheet_cell
from ganbench.records.run_folder import Run
from ganbench.util import files


def write_records(run: Run) -> None:
    """Write results.csv, and into run.json the hashes of the data that trials have seen."""
    frame = run.frame()
    for name in frame.select_dtypes(exclude="number"):
        frame[name] = frame[name].map(spreadsheet_cell)
    files.write_atomically(
        run.directory / "results.csv",
        lambda path: frame.to_csv(path, index=False, lineterminator="\n"),
    )
    seen = {o.trial.subject.axes["dataset"]: o.result.data for o in run.outcomes()}
    run.remember_data({name: found for name, found in seen.items() if found})
