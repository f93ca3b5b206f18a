"""Rounds of two versions made one: equal work under equal ids, and one seed counted once."""

from __future__ import annotations

from dataclasses import replace

from ganbench.gate import ab
from ganbench.gate.ab import reconciled
from ganbench.gate.compare import compare
from ganbench.gate.comparison import Policy
from ganbench.gate.measurements import Measured, Measurements, Series
from ganbench.records.columns import Column

SPEED = Column("train-images-per-s", "1/s", "max", kind="timing", gated=True, rel_tol=0.05)
FID = Column("fid@x", "", "min", gated=True)


def one_round(speed: float, fid: float, settings: dict, id: str = "a") -> Measurements:
    series = {
        SPEED.name: Series(SPEED, {7: speed}, "p0"),
        FID.name: Series(FID, {7: fid}, "p1"),
    }
    cell = Measured(id, "bce/none/mlp", "ring", settings, {"ok": 1}, series)
    return Measurements("bench", {id: cell})


def loss(source: str = "ganbench 0.1", **options: float) -> dict:
    spec = {"kind": "loss", "name": "bce", "options": options, "source": source}
    return {"loss": spec, "regularizers": [spec]}


def sides(base: dict, head: dict, fid: float = 1.0) -> ab.Sides:
    return {
        "base": [one_round(100.0 + i, 1.0, base, "a") for i in range(5)],
        "head": [one_round(80.0 + i, fid, head, "b") for i in range(5)],
    }


def verdicts_of(found: ab.Sides) -> tuple[dict[str, str], tuple[str, ...]]:
    both = reconciled(found)
    verdicts = compare(both.base, both.head, Policy(interleaved=True)).verdicts
    return {v.metric: f"{v.word}: {v.evidence}" for v in verdicts}, both.notes


def test_other_versions_of_plugins_are_the_same_cell() -> None:
    found, notes = verdicts_of(sides(loss(), loss("ganbench 0.2")))
    assert found["train-images-per-s"].startswith("regressed: n 5 against 5: median 82, was 102")
    assert found["fid@x"] == "unchanged: identical in 1 seed"
    assert notes == ()


def test_same_seed_in_every_round_is_evidence_of_one_seed_only() -> None:
    found, _ = verdicts_of(sides(loss(), loss(), fid=2.0))
    assert found["fid@x"].startswith("inconclusive: n 1 against 1")


def test_option_that_one_version_lacks_is_the_same_work_and_noted() -> None:
    found, notes = verdicts_of(sides(loss(), loss("ganbench 0.2", smoothing=0.1)))
    assert found["train-images-per-s"].startswith("regressed")
    assert notes == (
        "the head alone has loss.options.smoothing, here 0.1",
        "the head alone has regularizers[0].options.smoothing, here 0.1",
    )


def test_changed_default_is_incomparable_and_named() -> None:
    found, _ = verdicts_of(sides(loss(weight=1.0), loss("ganbench 0.2", weight=2.0)))
    assert found["status"].startswith("incomparable: loss.options.weight 2.0, was 1.0")


def test_cells_of_one_version_alone_are_missing_or_new() -> None:
    found = sides(loss(), {"loss": "another"})
    found["head"] = [
        replace(m, cells={"b": replace(m.cells["b"], label="another/none/mlp")})
        for m in found["head"]
    ]
    both = reconciled(found)
    verdicts = compare(both.base, both.head, Policy()).verdicts
    assert [(v.label, v.word) for v in verdicts] == [
        ("bce/none/mlp", "missing"),
        ("another/none/mlp", "new"),
    ]


def test_failed_trials_of_any_round_count() -> None:
    found = sides(loss(), loss())
    last = found["head"][1].cells["b"]
    found["head"][1] = replace(
        found["head"][1], cells={"b": replace(last, statuses={"diverged": 1})}
    )
    assert reconciled(found).head.cells["b"].statuses == {"ok": 4, "diverged": 1}
