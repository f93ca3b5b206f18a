import re
from pathlib import Path

import pytest

from ganbench.config import benchmark_file
from ganbench.errors import ConfigError
from ganbench.registry.registry import Registry

PLAIN = """\
version: 1
name: bench
dataset: mnist
loss: bce
conditioning: concat
architecture: dcgan
"""
OPEN = """\
version: 1
name: bench
dataset: mnist
architecture: dcgan
"""


def test_plain_file_is_one_cell_with_defaults(parse) -> None:
    found = parse(PLAIN)
    (cell,) = found.cells
    assert cell.settings.loss.name == "bce"
    assert cell.settings.conditioning.label == "concat"
    assert cell.settings.training.batch_size == 64
    assert [metric.name for metric in cell.settings.evaluation.metrics][:1] == ["fid"]
    assert cell.axes == {}
    assert cell.where == "b.yaml:4:1"
    assert found.run.seeds == (0,)
    assert found.warnings == ()


def test_load_reads_a_file(tmp_path: Path, plugins: Registry) -> None:
    path = tmp_path / "bench.yaml"
    path.write_text(PLAIN)
    assert benchmark_file.load(path, plugins).run.name == "bench"
    with pytest.raises(ConfigError, match="there is no such file"):
        benchmark_file.load(tmp_path / "other.yaml", plugins)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "trainig: {}",
            r"7:1: unknown key 'trainig'; did you mean 'training'\?\n  known: extends, version",
        ),
        ("1: 2", "7:1: unknown key '1'\n  known: extends, version"),
        (
            "training: {batchsize: 3}",
            r"7:12: unknown key 'batchsize' in 'training'; did you mean 'batch_size'\?",
        ),
        ("training: {budget: {kmg: 2}}", "7:21: unknown key 'kmg' in 'training.budget'"),
        (
            "training: {budget: {kimg: -1}}",
            "7:21: training.budget.kimg: expected a number greater than 0, found -1",
        ),
        ("training: {budget: {kimg: true}}", "7:21: .*expected a number, found true"),
        ("training: {batch_size: many}", "7:12: .*expected a whole number, found 'many'"),
        ("training: {batch_size: 1.5}", "7:12: .*expected a whole number, found 1.5"),
        ("training: {betas: [0.5]}", r"7:12: training.betas: expected more values, found \[0.5\]"),
        ("training: {betas: [0.5, 0.9, 0.9]}", "7:12: training.betas: expected 2 values or fewer"),
        ("training: {betas: 0.5}", "7:12: training.betas: expected a list, found 0.5"),
        ("training: {betas: [0.5, 1.5]}", "7:25: .*expected a number less than 1, found 1.5"),
        ("training: {g_lr: '5e-4'}", "7:12: training.g_lr: expected a number, found '5e-4'"),
        ("training: {g_lr: .inf}", "7:12: training.g_lr: expected a finite number"),
        ("training: {optimizer: adm}", r"7:12: unknown optimizer 'adm'; did you mean 'adam'\?"),
        ("training: 5", "7:1: training: expected a mapping, found 5"),
        ("training:", "7:1: training: expected a mapping, found null"),
        ("seeds: []", r"7:1: seeds: expected 1 or more values, found \[\]"),
        ("seeds: [1, 1]", r"7:1: seeds: the same seed stands twice, found \[1, 1\]"),
        ("seeds: 3", "7:1: seeds: expected a list, found 3"),
        ("seeds: [0, -1]", "7:12: seeds.1: expected a number of at least 0, found -1"),
        ("description: true", "7:1: description: expected text, found true"),
        (
            "description: {id}",
            r"description: expected text, found .*; text that begins with { stands in quotes",
        ),
        ("on_incompatible: maybe", "expected 'error' or 'skip', found 'maybe'"),
        ("execution: {timeout: 30 days}", "a duration like 90s, 30m or 2h, found '30 days'"),
        ("execution: {timeout: 0}", "execution.timeout: expected a number greater than 0, found 0"),
        ("execution: {executor: locl}", r"7:13: unknown executor 'locl'; did you mean 'local'\?"),
        ("reporters: [csv, consol]", r"7:18: unknown reporter 'consol'; did you mean 'console'\?"),
        ("regularizers: bce", "7:1: regularizers: expected a list, found 'bce'"),
        ("evaluation: {metrics: fid}", "7:14: evaluation.metrics: expected a list, found 'fid'"),
        ("evaluation: {metrics: [fdi]}", r"7:24: unknown metric 'fdi'; did you mean 'fid'\?"),
        (
            "evaluation: {metrics: [fid@mnist-cn-v1]}",
            r"7:24: unknown feature extractor 'mnist-cn-v1'; did you mean 'mnist-cnn-v1'\?",
        ),
        (
            "evaluation: {metrics: [throughput@pixels]}",
            "7:24: metric 'throughput' has no option 'features'; it has none",
        ),
    ],
)
def test_a_wrong_setting_says_where_what_and_what_was_possible(parse, line, message) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse(PLAIN + line + "\n")
    assert str(caught.value).count("b.yaml:") == 1, "one mistake, one complaint"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "loss: wgan-pg",
            r"^b.yaml:4:1: unknown loss 'wgan-pg'; did you mean 'wgan-gp'\?\n  known",
        ),
        (
            "loss: {name: wgan-gp, lambda: 5}",
            r"^b.yaml:4:23: loss 'wgan-gp' has no option 'lambda'; "
            r"its options are gp_weight \(float\)$",
        ),
        (
            "loss: {name: wgan-gp, gpweight: 5}",
            r"no option 'gpweight'; did you mean 'gp_weight'\? Its options are gp_weight \(",
        ),
        (
            "loss: {name: wgan-gp, gp_weight: high}",
            "^b.yaml:4:23: loss 'wgan-gp': gp_weight: expected a number, found 'high'$",
        ),
        ("loss: {name: wgan-gp, gp_weight: true}", "expected a number, found true$"),
        ("loss: 3", "^b.yaml:4:1: loss: expected the name of a loss, or a mapping .*, found 3$"),
        ("loss: {nme: bce}", 'expected the name of a loss, or a mapping .*, found {"nme": "bce"}$'),
        ("# no loss", "^b.yaml:1:1: 'loss' is missing; set it at the top level, or list its"),
    ],
)
def test_a_wrong_loss_says_where_what_and_what_was_possible(parse, line, message) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse(PLAIN.replace("loss: bce", line))
    assert str(caught.value).count("b.yaml:") == 1


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("concta", r"^b.yaml:5:1: unknown conditioning 'concta'; did you mean 'concat'\?"),
        ("3", "^b.yaml:5:1: conditioning: expected .*generator: .*, found 3$"),
        ("{generator: concat}", "^b.yaml:5:1: 'conditioning.discriminator' is missing$"),
        (
            "{generator: concat, discriminator: projektion}",
            r"^b.yaml:5:35: unknown conditioning 'projektion'; did you mean 'projection'\?",
        ),
        (
            "{generator: concat, discriminator: cbn, both: x}",
            "unknown key 'both' in 'conditioning'",
        ),
    ],
)
def test_a_wrong_conditioning_is_one_complaint(parse, value: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        parse(PLAIN.replace("conditioning: concat", f"conditioning: {value}"))
    assert str(caught.value).count("b.yaml:") == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version: 1", "version: 2", "^b.yaml:1:1: version: expected 1, found 2$"),
        ("version: 1\n", "", "'version' is missing; add version: 1$"),
        ("name: bench\n", "", "'name' is missing; add a short name"),
        ("name: bench", "name: ../x", "2:1: name: expected letters, digits.*found '../x'$"),
        ("name: bench", "name: 5", "2:1: name: expected text, found 5$"),
    ],
)
def test_version_and_name_are_required(parse, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(PLAIN.replace(old, new))


def test_problems_are_reported_together(refused) -> None:
    text = PLAIN.replace("bce", "bec") + "los: x\nexecution: {jbs: 2}\ntraining: {ema: 2}\n"
    message = refused(text)
    for part in ("unknown key 'los'", "unknown key 'jbs'", "training.ema: expected"):
        assert part in message
    message = refused(PLAIN.replace("bce", "bec").replace("dcgan", "dgan") + "los: x\n")
    for part in ("unknown key 'los'", "unknown loss 'bec'", "unknown architecture 'dgan'"):
        assert part in message


def test_numbers_in_scientific_notation_are_numbers(parse) -> None:
    text = (
        "training: {g_lr: 5e-4, d_lr: 1e-4, budget: {kimg: 1e1}}\nevaluation: {num_samples: 1e4}\n"
    )
    settings = parse(PLAIN + text).cells[0].settings
    assert (settings.training.g_lr, settings.training.d_lr) == (5e-4, 1e-4)
    assert settings.training.budget.kimg == 10
    assert settings.evaluation.num_samples == 10_000


def test_no_is_text(parse) -> None:
    assert parse(PLAIN + "description: no\n").run.description == "no"


@pytest.mark.parametrize(
    ("text", "seconds"), [("30m", 1800), ("90s", 90), ("1.5h", 5400), ("7", 7)]
)
def test_timeout_is_seconds_or_a_duration(parse, text: str, seconds: float) -> None:
    assert parse(PLAIN + f"execution: {{timeout: {text}}}\n").run.execution.timeout == seconds


def test_metric_at_extractor_is_short_for_its_features(parse) -> None:
    metrics = (
        parse(PLAIN + "evaluation: {metrics: [fid@pixels, fid]}\n").cells[0].settings.evaluation
    )
    assert [(m.name, m.options) for m in metrics.metrics] == [
        ("fid", {"features": "pixels"}),
        ("fid", {}),
    ]


def test_conditioning_may_mix_two_methods(parse) -> None:
    mix = "{generator: concat, discriminator: projection}"
    (cell,) = parse(PLAIN.replace("conditioning: concat", f"conditioning: {mix}")).cells
    assert cell.settings.conditioning.generator.name == "concat"
    assert cell.settings.conditioning.discriminator.name == "projection"
    assert cell.settings.conditioning.label == "concat+projection"


def test_matrix_makes_a_cell_of_each_combination(parse) -> None:
    text = (
        OPEN
        + "matrix:\n  loss: [bce, {name: wgan-gp, gp_weight: 5}]\n  conditioning: [concat, cbn]\n"
    )
    cells = parse(text).cells
    assert [cell.axes for cell in cells] == [
        {"loss": "bce", "conditioning": "concat"},
        {"loss": "bce", "conditioning": "cbn"},
        {"loss": "wgan-gp(gp_weight=5)", "conditioning": "concat"},
        {"loss": "wgan-gp(gp_weight=5)", "conditioning": "cbn"},
    ]
    assert cells[2].settings.loss.options == {"gp_weight": 5}
    assert cells[2].where == "b.yaml:6:15"


def test_include_adds_training_settings_to_the_cells_it_matches(parse) -> None:
    text = (
        OPEN + "matrix:\n  loss: [bce, {name: wgan-gp, gp_weight: 5}]\n  conditioning: [concat]\n"
        "  include: [{loss: wgan-gp, training.n_critic: 2, training.budget.kimg: 7}]\n"
        "training: {batch_size: 8, budget: {kimg: 3}}\n"
    )
    plain, penalised = (cell.settings.training for cell in parse(text).cells)
    assert (plain.n_critic, plain.budget.kimg, plain.batch_size) == (None, 3, 8)
    assert (penalised.n_critic, penalised.budget.kimg, penalised.batch_size) == (2, 7, 8)


def test_include_may_add_a_combination(parse) -> None:
    text = (
        OPEN + "matrix: {loss: [bce], conditioning: [cbn], "
        "include: [{loss: lsgan, conditioning: concat}]}\n"
    )
    assert [c.settings.loss.name for c in parse(text).cells] == ["bce", "lsgan"]


def test_training_settings_may_be_axes(parse) -> None:
    text = PLAIN + "matrix: {training.batch_size: [8, 16]}\n"
    cells = parse(text).cells
    assert [cell.settings.training.batch_size for cell in cells] == [8, 16]
    assert cells[0].axes == {"training.batch_size": "8"}


def test_exclude_that_matches_nothing_is_only_a_warning(parse) -> None:
    text = OPEN + "conditioning: cbn\nmatrix:\n  loss: [bce]\n  exclude:\n    - {loss: lsgan}\n"
    (warning,) = parse(text).warnings
    told = "this exclude rule matches nothing: no combination has loss 'lsgan'"
    assert warning == f"b.yaml:9:7: {told}"


def test_include_for_what_set_took_away_is_a_warning_with_its_condition(parse) -> None:
    text = (
        OPEN + "matrix:\n  loss: [bce]\n  conditioning: [cbn]\n  training.batch_size: [8]\n"
        "  include:\n    - {conditioning: cbn, loss: lsgan, training.n_critic: 2}\n"
    )
    (warning,) = parse(text).warnings
    assert warning.endswith(
        "matches nothing: no combination has loss 'lsgan' and conditioning 'cbn'"
    )


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ("{}", "6:1: the matrix has no axes; give it one"),
        ("", "6:1: the matrix has no axes"),
        ("[bce]", "6:1: the matrix has no axes"),
        ("{loss: []}", "6:10: matrix.loss is empty, so that there is nothing to run"),
        ("{loss: bce}", "6:10: matrix.loss: expected a list of values, found 'bce'"),
        ("{loss: [bce, bce]}", "6:22: 'bce' stands twice in matrix.loss"),
        ("{los: [bce]}", r"6:10: 'los' is not an axis; did you mean 'loss'\?\n  known: dataset"),
        ("{training.ncritic: [1]}", r"did you mean 'training.n_critic'\?"),
        ("{seeds: [1, 2]}", "6:10: 'seeds' is not an axis; 'seeds' belongs at the top level"),
        ("{loss: [bce], exclude: [{los: a}]}", r"6:34: the matrix has no axis 'los'; did you mean"),
        ("{loss: [bce], exclude: {loss: a}}", "matrix.exclude: expected a list of rules"),
        ("{loss: [bce], exclude: [{loss: bce}]}", "6:1: the exclude rules leave nothing to run"),
        (
            "{loss: [bce], include: [bce]}",
            "6:33: expected a rule, such as {loss: bce}, found 'bce'",
        ),
        ("{loss: [bce], include: [{loss: bce, training.x: 1}]}", "'training.x' is not an axis"),
        ("{loss: [bce, lsagn]}", r"6:22: unknown loss 'lsagn'; did you mean 'lsgan'\?"),
        ("{loss: [{name: wgan-gp, lambda: 1}]}", "6:33: loss 'wgan-gp' has no option 'lambda'"),
        ("{loss: [bce], training.batch_size: [8, big]}", "6:48: .*expected a whole number"),
        ("{conditioning: [cbn]}", "'conditioning' is an axis of the matrix, which overrules this"),
        ("{architecture: [mlp], loss: [bce]}", "4:1: 'architecture' is an axis of the matrix"),
        ("{g_norm: [none]}", "6:1: 'loss' is missing"),
        ("{include: [{g_norm: none}]}", "6:20: 'loss' is missing"),
    ],
)
def test_a_wrong_matrix_says_where_what_and_what_was_possible(refused, matrix, message) -> None:
    text = OPEN + "conditioning: concat\nmatrix: " + matrix + "\n"
    assert re.search("^b.yaml:" + message if message[0].isdigit() else message, refused(text))


def test_a_huge_matrix_is_refused_before_it_is_built(refused) -> None:
    axes = ", ".join(
        f"training.{name}: [{', '.join(str(n) for n in range(1, 100))}]"
        for name in ("batch_size", "n_critic", "log_every", "g_lr", "d_lr")
    )
    assert "9,509,900,499 combinations; at most 100,000" in refused(PLAIN + f"matrix: {{{axes}}}\n")
