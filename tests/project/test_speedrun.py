"""The rules of the record book, on made-up results and on submissions of every wrong kind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import scripts

from ganbench.config import benchmark_file
from ganbench.errors import ConfigError

GOOD = """\
extends: ../track.yaml
loss: bce
conditioning: projection
architecture: {name: dcgan, width: 8}
training: {budget: {kimg: 1}}
"""


@pytest.fixture(scope="module")
def rules():
    return scripts.script("speedrun", "rules")


@pytest.fixture
def book(rules, tmp_path, monkeypatch):
    """A record book without records."""
    track = rules.TRACKS["mnist-2core"]
    text = track.file.read_text("utf-8")
    monkeypatch.setattr(rules, "HERE", tmp_path / "benchmarks" / "speedrun")
    track.file.parent.mkdir(parents=True)
    track.file.write_text(text, "utf-8")
    return track


def submission(track, text: str = GOOD, name: str = "001-made-up") -> Path:
    path = track.folder / name / "submission.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def broken(checks) -> list[str]:
    return [check.rule for check in checks if not check.kept]


def trials(rules, seconds: float = 10.0, count: int = 10, **values: float) -> list:
    told = {
        "fid@mnist-cnn-v1": 0.25,
        "cond-accuracy": 0.99,
        "recall@mnist-cnn-v1": 0.7,
        "copied@mnist-cnn-v1": 0.001,
        **{name.replace("_", "-"): value for name, value in values.items()},
    }
    return [
        rules.Trial(
            seed=seed,
            seconds=seconds + 0.1 * seed,
            setup=0.2,
            values={name: value * (1 + 0.001 * seed) for name, value in told.items()},
            machine="one",
        )
        for seed in range(count)
    ]


def judged(rules, found, old=()):
    return rules.judged(rules.TRACKS["mnist-2core"], found, old)


def test_ten_good_seeds_are_a_first_record(rules):
    verdict = judged(rules, trials(rules))
    assert verdict.accepted
    assert verdict.seconds == pytest.approx(10.45)
    assert verdict.lines()[-1] == "accepted, 10.45 s of training"
    assert any("p = 0.0010" in line for line in verdict.lines())  # 1 / 2^10


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("fid@mnist-cnn-v1", 0.31),
        ("cond-accuracy", 0.97),
        ("recall@mnist-cnn-v1", 0.59),
        ("copied@mnist-cnn-v1", 0.03),
    ],
)
def test_each_criterion_alone_refuses(rules, column, value):
    verdict = judged(rules, trials(rules, **{column: value}))
    assert not verdict.accepted
    (rule,) = broken(verdict.checks)
    assert column in rule


def test_a_mean_within_the_bound_is_not_enough_where_seeds_differ(rules):
    found = trials(rules)
    values = [0.25, 0.26, 0.24, 0.38, 0.25, 0.37, 0.23, 0.36, 0.24, 0.35]  # mean 0.293
    found = [
        replace(t, values={**t.values, "fid@mnist-cnn-v1": v})
        for t, v in zip(found, values, strict=True)
    ]
    (rule,) = broken(judged(rules, found).checks)
    assert rule == "mean fid@mnist-cnn-v1 ≤ 0.3 at p < 0.01"


@pytest.mark.parametrize("count", [0, 9, 21])
def test_too_few_and_too_many_seeds_are_refused(rules, count):
    assert "at least 10 seeds, at most 20, each once" in broken(
        judged(rules, trials(rules, count=count)).checks
    )


def test_a_seed_that_counts_twice_is_refused(rules):
    found = trials(rules)
    assert broken(judged(rules, [*found[:9], found[0]]).checks) == [
        "at least 10 seeds, at most 20, each once"
    ]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"status": "diverged", "reason": "NaN"}, "every seed ends well"),
        ({"setup": 9.0}, "at most 5 s before the clock runs, data apart"),
        ({"machine": "another"}, "all on one machine"),
        ({"alone": False}, "nothing else took the cores"),
        ({"values": {}}, "mean fid@mnist-cnn-v1 ≤ 0.3 at p < 0.01"),
    ],
)
def test_one_bad_trial_refuses(rules, change, rule):
    first, *others = trials(rules)
    verdict = judged(rules, [replace(first, **change), *others])
    assert not verdict.accepted
    assert rule in broken(verdict.checks)


def test_a_record_must_be_beaten_round_by_round(rules):
    found, faster = trials(rules), "faster than the record, in turns with it, at p < 0.01"
    assert judged(rules, found, trials(rules, seconds=10.5)).accepted
    assert broken(judged(rules, found, trials(rules, seconds=9.5)).checks) == [faster]
    assert broken(judged(rules, found, found).checks) == [faster]
    assert broken(judged(rules, found, trials(rules, seconds=20, count=9)).checks) == [faster]
    slow_machine = [replace(t, machine="another") for t in trials(rules, seconds=20)]
    assert broken(judged(rules, found, slow_machine).checks) == ["all on one machine"]


def test_a_good_submission_keeps_all_rules(rules, book):
    path = submission(book)
    assert broken(rules.check_submission(path, book)) == []
    assert rules.track_of(path) is book


@pytest.mark.parametrize(
    ("more", "seen"),
    [
        ("seeds: [1]", "seeds"),
        ("dataset: {name: mnist, classes: [1]}", "dataset"),
        ("evaluation: {num_samples: 100}", "evaluation"),
        ("execution: {threads: 4}", "execution"),
        ("matrix: {g_norm: [batch, none]}", "matrix"),
        ("callbacks: [tensorboard]", "callbacks"),
    ],
)
def test_what_is_the_track_s_cannot_be_changed(rules, book, more, seen):
    found = rules.check_submission(submission(book, f"{GOOD}{more}\n"), book)
    (check,) = [check for check in found if not check.kept]
    assert check.rule == "data, judging, seeds and execution are the track's"
    assert check.seen == f"it changes {seen}; leave that out"


def test_a_submission_that_extends_nothing_or_another_file_is_refused(rules, book):
    alone = book.file.read_text("utf-8") + GOOD.partition("\n")[2]
    assert broken(rules.check_submission(submission(book, alone), book)) == [
        "it extends track.yaml of its track"
    ]
    other = book.folder / "other.yaml"
    other.write_text(book.file.read_text("utf-8"), "utf-8")
    text = GOOD.replace("track.yaml", "other.yaml")
    assert broken(rules.check_submission(submission(book, text), book)) == [
        "it extends track.yaml of its track"
    ]


def test_trained_weights_are_refused(rules, book):
    text = GOOD.replace("training: {", "training: {init_from: {model: there}, ")
    assert broken(rules.check_submission(submission(book, text), book)) == [
        "networks begin untrained"
    ]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import pickle", "uses pickle"),
        ("from urllib import request", "uses urllib"),
        ("open('/tmp/weights')", "uses open()"),
        ("import torch\ntorch.load('weights.pt')", "uses .load"),
        ("import torch\ntorch.hub", "uses .hub"),
        ("x = (", "cannot be read as Python"),
        (f"x = '{'a' * 40_000}'", "40,006 bytes"),
    ],
)
def test_plugins_that_could_bring_weights_along_are_refused(rules, book, code, why):
    path = submission(book, f"{GOOD}plugins: [own.py]\n")
    path.with_name("own.py").write_text(code, "utf-8")
    (check,) = [check for check in rules.check_submission(path, book) if not check.kept]
    assert check.rule.startswith("at most one plugin")
    assert why in check.seen


def test_a_plugin_beside_the_submission_is_fine_and_one_from_elsewhere_is_not(
    rules, book, tmp_path
):
    path = submission(book, f"{GOOD}plugins: [own.py]\n")
    path.with_name("own.py").write_text("import torch\n", "utf-8")
    assert broken(rules.check_submission(path, book)) == []
    (tmp_path / "far.py").write_text("import torch\n", "utf-8")
    path = submission(book, f"{GOOD}plugins: [{tmp_path / 'far.py'}]\n")
    (check,) = [check for check in rules.check_submission(path, book) if not check.kept]
    assert "neither beside the submission nor in plugins/" in check.seen


def test_two_plugins_and_a_place_in_no_track_are_errors(rules, book, tmp_path):
    with pytest.raises(ConfigError, match="plugins: at most one"):
        rules.check_submission(submission(book, f"{GOOD}plugins: [a.py, b.py]\n"), book)
    with pytest.raises(ConfigError, match="lies in no track"):
        rules.track_of(tmp_path / "submission.yaml")


def test_records_are_in_the_order_of_their_numbers(rules, book):
    for name in ("002-b", "001-a", "notes"):
        submission(book, name=name).with_name("result.json").write_text("{}", "utf-8")
    submission(book, name="003-not-accepted-yet")
    assert [path.parent.name for path in book.records()] == ["001-a", "002-b"]


@pytest.mark.parametrize(
    "folder",
    sorted(p.parent for p in (scripts.BENCHMARKS / "speedrun").glob("*/*/submission.yaml")),
)
def test_the_book_s_own_submissions_keep_the_rules_of_writing(rules, plugins, folder):
    path = folder / "submission.yaml"
    track = rules.track_of(path)
    assert broken(rules.check_submission(path, track)) == []
    if rules.plugin_of(path) is None:
        assert len(benchmark_file.load(path, plugins).cells) == 1
    result = folder / "result.json"
    if result.exists():
        found = json.loads(result.read_text("utf-8"))
        assert found["accepted"]
        assert found["submission"] == folder.name


def test_check_refuses_before_anything_is_run(rules, book, monkeypatch, capsys):
    check = scripts.script("speedrun", "check")
    monkeypatch.setattr(check.rules, "HERE", rules.HERE)
    path = submission(book, f"{GOOD}seeds: [1]\n")
    assert check.main([str(path)]) == 1
    assert "BROKEN  data, judging, seeds and execution are the track's" in capsys.readouterr().out


def test_check_measures_in_turns_goes_on_and_writes(rules, book, monkeypatch, tmp_path, capsys):
    check = scripts.script("speedrun", "check")
    monkeypatch.setattr(check.rules, "HERE", rules.HERE)
    submission(book, name="001-old").with_name("result.json").write_text("{}", "utf-8")
    path, ran, there = submission(book, name="002-new"), [], {}

    def train(submission, seed, out, *, timed_alone):
        ran.append((submission.parent.name, seed))
        (made,) = [t for t in trials(check.rules, 9 if timed_alone else 8) if t.seed == seed]
        there[out] = replace(made, alone=len(ran) != 3)  # of seed 1

    monkeypatch.setattr(check, "train", train)
    monkeypatch.setattr(check, "trial", lambda out, seed: there.get(out))
    asked = [str(path), "--out", str(tmp_path), "--write"]
    assert check.main(asked) == 1
    assert ran[:4] == [("001-old", 0), ("002-new", 0), ("002-new", 1), ("001-old", 1)]
    assert len(ran) == 20
    assert "BROKEN  nothing else took the cores: seeds 1" in capsys.readouterr().out
    assert not path.with_name("result.json").exists()
    assert check.main(asked) == 0
    assert ran[20:] == [("002-new", 1), ("001-old", 1)]
    found = json.loads(path.with_name("result.json").read_text("utf-8"))
    assert found["accepted"]
    assert found["against"] == "001-old"
    assert len(found["seconds"]) == len(found["record_seconds"]) == 10
