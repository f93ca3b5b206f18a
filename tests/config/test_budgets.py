"""Budgets and schedules in epochs and steps are those in kimg that they come to."""

from __future__ import annotations

import json

import pytest
from helpers import bench

from ganbench.cli import plan_view
from ganbench.cli.commands.plan import _document, _of_cell
from ganbench.cli.output import print_json
from ganbench.default_plugins.datasets.mixtures import Ring
from ganbench.errors import ConfigError
from ganbench.models.parts import ParameterCounts
from ganbench.records import stored
from ganbench.records.cells import Plan, as_written
from ganbench.records.run_info import Execution
from ganbench.records.schedules import Schedule


def of(training: str) -> str:
    return bench.IN_EPOCHS.replace("TRAINING", training)


def kimg(found: Plan) -> float:
    (cell,) = found.cells
    return cell.schedule.kimg


@pytest.mark.parametrize(
    ("budget", "same"),
    [
        ("{epochs: 7}", 7.0),  # of 20 whole batches
        ("{epochs: 0.5}", 0.5),
        ("{steps: 200}", 30.0),  # of G, each with three batches for D
        ("{kimg: 7}", 7.0),
        ("{epochs: null, kimg: 7}", 7.0),
        ("{}", 100.0),
    ],
)
def test_cell_in_epochs_or_steps_is_that_in_kimg(planned, budget, same):
    found, other = planned(of(f"budget: {budget}")), planned(of(f"budget: {{kimg: {same}}}"))
    assert kimg(found) == same
    assert found.cells[0].id == other.cells[0].id


@pytest.mark.parametrize(("budget", "same"), [("{epochs: 7}", 7.0), ("{steps: 200}", 10.0)])
def test_of_a_batch_that_all_steps_of_d_share_images_count_once(planned, budget, same):
    shared = of(f"critic_batches: shared, budget: {budget}")
    assert kimg(planned(shared)) == same
    assert planned(shared).cells[0].schedule.iterations == same * 1000 / 50


def test_sharing_is_in_the_id_where_there_is_something_to_share(planned):
    def id_of(training: str) -> str:
        return planned(of(f"budget: {{kimg: 7}}, {training}")).cells[0].id

    assert id_of("critic_batches: own") == id_of("g_lr: 1e-4")  # the recipe's
    assert id_of("critic_batches: shared") != id_of("critic_batches: own")
    alone = of("critic_batches: shared").replace("n_critic: 3", "n_critic: 1")
    assert planned(alone).cells[0].id == planned(alone.replace("shared", "own")).cells[0].id


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ("{epochs: 7, kimg: 7}", "a budget is of one unit, and this has kimg and epochs; leave"),
        ("{steps: 1.5}", "training.budget.steps: expected a whole number, found 1.5"),
        ("{epochs: 0}", "training.budget.epochs: expected a number greater than 0, found"),
        ("{epoch: 7}", "unknown key 'epoch' in 'training.budget'; did you mean 'epochs'?"),
    ],
)
def test_budget_of_no_unit_or_of_two_is_refused(refused, budget, message):
    assert message in refused(of(f"budget: {budget}"))


def test_budget_in_epochs_needs_a_data_set_that_knows_its_size(planned, monkeypatch):
    monkeypatch.setattr(Ring, "num_images", lambda self: None)
    assert kimg(planned(of("budget: {steps: 200}"))) == 30.0
    for training in ("budget: {epochs: 3}", "g_lr: {from: 1, to: 0, until: {epochs: 3}}"):
        with pytest.raises(ConfigError) as caught:
            planned(of(training))
        assert str(caught.value).startswith("b.yaml:")
        assert "does not say how many images it has" in str(caught.value)
        assert "use kimg" in str(caught.value)


def test_profile_and_override_may_take_another_unit(planned, refused):
    text = of("budget: {epochs: 7}") + "profiles: {quick: {training: {budget: {kimg: 5}}}}\n"
    assert "this has kimg and epochs" in refused(text, profile="quick")
    whole = text.replace("{kimg: 5}", "{kimg: 5, epochs: null}")
    assert kimg(planned(whole, profile="quick")) == 5
    both = ["training.budget.kimg=5", "training.budget.epochs=null"]
    assert kimg(planned(text, overrides=both)) == 5


def test_moments_of_schedules_become_kimg_too(planned):
    rates = "g_lr: {from: 2e-4, to: 1e-4, after: {epochs: 2}, until: {steps: 100}}"
    (cell,) = planned(of(rates)).cells
    assert cell.schedule.g_lr == Schedule.of(
        {"from": 2e-4, "to": 1e-4, "after": {"kimg": 2}, "until": {"kimg": 15}}
    )


def test_windows_of_epochs_are_counted_as_the_word(planned):
    epoch, fixed = (planned(of(f"log_every: {every}")).cells[0] for every in ("epoch", 50))
    assert epoch.schedule.log_every == "epoch"
    assert epoch.id != fixed.id == planned(of("g_lr: 1e-4")).cells[0].id


SCHEDULED = "{from: 2e-4, to: 5e-5, curve: cosine}"


def test_schedules_are_counted_by_what_they_say(planned):
    def identity(rate: str) -> str:
        return planned(of(f"g_lr: {rate}")).cells[0].id

    assert identity(SCHEDULED) == identity("{to: 5.0e-5, from: 0.0002, curve: cosine, after: 0}")
    assert identity("{from: 1e-3, to: 1e-3, after: 0.5}") == identity("0.001")
    assert len({*map(identity, (SCHEDULED, "2e-4", "{from: 2e-4, to: 5e-5}"))}) == 3


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ("g_lr: {from: 2e-4, to: -1}", "b.yaml:7:60: training.g_lr.to: expected a number greater"),
        ("g_lr: {from: 0, to: 0}", "training.g_lr: expected a number greater than 0"),
        ("g_lr: {from: 2e-4}", "training.g_lr: a schedule needs a finite number as 'to'"),
        ("g_lr: [1]", "training.g_lr: expected a number, found [1]"),
        ("betas: [0, {from: 0.9, to: 1}]", "training.betas.1.to: expected a number less than 1"),
        ("n_critic: {from: 1, to: 2}", "training.n_critic: expected a whole number"),
    ],
)
def test_schedules_that_are_none_are_refused(refused, training, message):
    text = of(training).replace("n_critic: 3, n_critic", "n_critic")
    assert message in refused(text)


def test_plan_with_schedules_is_read_back_as_it_was(planned):
    found = planned(of(f"g_lr: {SCHEDULED}, ema: {{half_life: {{from: 1, to: 2}}}}"))
    again = stored.typed(Plan, json.loads(json.dumps(as_written(found))))
    assert again == found
    assert again.id == found.id


def test_plan_shows_and_tells_schedules(planned, capsys):
    found = planned(of(f"g_lr: {SCHEDULED}, d_lr: {{from: 2e-4, to: 0, after: 0.5}}"))
    described = [_of_cell(found.cells[0], ParameterCounts(1, 1), None)]
    print_json(_document(found, Execution(), described, None))
    (cell,) = json.loads(capsys.readouterr().out)["cells"]
    assert cell["schedule"]["g_lr"] == {"from": 2e-4, "to": 5e-5, "curve": "cosine"}
    assert cell["schedule"]["d_lr"] == {"from": 2e-4, "to": 0.0, "after": 0.5}
    plan_view.show(found, described)
    printed = capsys.readouterr().out
    assert "2e-4→5e-5" in printed
    assert "cosine" in printed
