from typing import Any

from ganbench.config import matrix


def plain(combinations: list[matrix.Combination]) -> list[dict[str, Any]]:
    return [{key: value.value for key, value in c.items()} for c in combinations]


def expand(
    axes: dict[str, list[Any]],
    include: list[dict[str, Any]] | None = None,
    exclude: list[dict[str, Any]] | None = None,
) -> list[dict[str, Any]]:
    return plain(matrix.expand(axes, include or [], exclude or [])[0])


def test_include_gives_what_github_documents() -> None:
    found = expand(
        {"fruit": ["apple", "pear"], "animal": ["cat", "dog"]},
        include=[
            {"color": "green"},
            {"color": "pink", "animal": "cat"},
            {"fruit": "apple", "shape": "circle"},
            {"fruit": "banana"},
            {"fruit": "banana", "animal": "cat"},
        ],
    )
    assert found == [
        {"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"},
        {"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"},
        {"fruit": "pear", "animal": "cat", "color": "pink"},
        {"fruit": "pear", "animal": "dog", "color": "green"},
        {"fruit": "banana"},
        {"fruit": "banana", "animal": "cat"},
    ]


def test_product_is_in_the_order_of_declaration() -> None:
    assert expand({"b": [1, 2], "a": ["x", "y"]}) == [
        {"b": 1, "a": "x"},
        {"b": 1, "a": "y"},
        {"b": 2, "a": "x"},
        {"b": 2, "a": "y"},
    ]


def test_exclude_matches_in_part_and_before_include() -> None:
    axes = {"loss": ["bce", "lsgan"], "arch": ["mlp", "dcgan"]}
    found = expand(axes, include=[{"loss": "lsgan"}], exclude=[{"loss": "lsgan"}])
    assert found == [
        {"loss": "bce", "arch": "mlp"},
        {"loss": "bce", "arch": "dcgan"},
        {"loss": "lsgan"},
    ]


def test_exclude_that_matches_nothing_is_reported() -> None:
    rules = [{"loss": "bce"}, {"loss": "gone"}, {"loss": "bce", "other": 1}]
    combinations, idle = matrix.expand({"loss": ["bce", "lsgan"]}, [], rules)
    assert plain(combinations) == [{"loss": "lsgan"}]
    assert idle == [1, 2]


def test_rule_may_mean_a_value_with_options_by_its_name() -> None:
    penalised = {"name": "wgan-gp", "gp_weight": 5}
    axes = {"loss": ["bce", penalised]}
    assert expand(axes, exclude=[{"loss": "wgan-gp"}]) == [{"loss": "bce"}]
    assert expand(axes, exclude=[{"loss": penalised}]) == [{"loss": "bce"}]
    assert expand(axes, include=[{"loss": "wgan-gp", "training.n_critic": 2}]) == [
        {"loss": "bce"},
        {"loss": penalised, "training.n_critic": 2},
    ]


def test_null_in_a_rule_does_not_mean_a_value_without_a_name() -> None:
    mix = {"generator": "concat", "discriminator": "projection"}
    assert expand({"conditioning": [mix]}, exclude=[{"conditioning": None}]) != []


def test_include_alone_makes_the_combinations() -> None:
    assert expand({}, include=[{"loss": "bce"}, {"loss": "lsgan"}]) == [
        {"loss": "bce"},
        {"loss": "lsgan"},
    ]


def test_values_remember_where_they_were_written() -> None:
    combinations, _ = matrix.expand({"loss": ["bce", "lsgan"]}, [{"loss": "lsgan", "x": 1}], [])
    assert combinations[1]["loss"].loc == ("matrix", "loss", 1)
    assert combinations[1]["x"].loc == ("matrix", "include", 0, "x")
