import csv
from pathlib import Path

from ganbench_csv_log import CSVLog

from ganbench import TrialInfo, Window
from ganbench.testing import parametrize_with_checks


@parametrize_with_checks(CSVLog)
def test_conformance(check):
    check()


def window(kimg: float, d_terms: dict[str, float]) -> Window:
    return Window(kimg, 5, 0.5, 800.0, 10.0, d_terms, {"adversarial": 0.25})


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_log_has_a_line_per_window_and_a_column_per_term(tmp_path):
    log = CSVLog()
    log.began(TrialInfo("ring", "bce", {}, 0, tmp_path, {}))
    log.window(window(0.5, {"real": 1.5}))
    (only,) = lines(tmp_path / "log.csv")
    assert {name: float(value) for name, value in only.items()} == {
        "kimg": 0.5,
        "images_per_second": 800.0,
        "d_real": 1.5,
        "g_adversarial": 0.25,
    }


def test_term_that_comes_later_has_a_column_of_its_own(tmp_path):
    log = CSVLog()
    log.began(TrialInfo("ring", "bce", {}, 0, tmp_path, {}))
    log.window(window(0.5, {"real": 1.5}))
    log.window(window(1.0, {"real": 1.0, "lecam": 0.1}))
    first, second = lines(tmp_path / "log.csv")
    assert (first["d_lecam"], second["d_lecam"]) == ("", "0.1")


def test_trial_that_is_run_again_begins_its_log_anew(tmp_path):
    for _ in range(2):
        log = CSVLog()
        log.began(TrialInfo("ring", "bce", {}, 0, tmp_path, {}))
        log.window(window(0.5, {"real": 1.5}))
    assert len(lines(tmp_path / "log.csv")) == 1
