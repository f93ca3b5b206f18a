from pathlib import Path

import pytest

from ganbench.config.yaml_document import Document
from ganbench.errors import ConfigError


def parse(text: str) -> Document:
    return Document.parse(text, "bench.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("5e-4", 5e-4),
        ("2.5e-4", 2.5e-4),
        (".5", 0.5),
        ("-3", -3),
        ("0x10", 16),
        ("0o17", 15),
        ("017", 17),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("off", "off"),
        ("12:30", "12:30"),
        ("2026-11-21", "2026-11-21"),
        ("=", "="),
        ("'1e-4'", "1e-4"),
    ],
)
def test_scalars_follow_yaml_1_2(text: str, value: object) -> None:
    found = parse(f"key: {text}").data()["key"]
    assert found == value
    assert type(found) is type(value)


def test_scalar_1e4_is_a_whole_number() -> None:
    found = parse("key: 1e4").data()["key"]
    assert found == 10_000
    assert isinstance(found, int)


def test_keys_are_always_text() -> None:
    assert parse("1: a\ntrue: b\nno: c").data() == {"1": "a", "true": "b", "no": "c"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"^bench\.yaml:1:1: the file is empty"),
        ("# only a comment\n", r"^bench\.yaml:1:1: the file is empty"),
        ("- a\n", r"^bench\.yaml:1:1: expected a mapping of settings, found a list"),
        ("hello", r"^bench\.yaml:1:1: expected a mapping of settings, found 'hello'"),
        ("a: [1\n", r"^bench\.yaml:2:1: not readable as YAML: while parsing a flow sequence"),
        ("a:\n\tb: 1\n", r"^bench\.yaml:2:1: not readable as YAML.*with spaces, not tabs"),
        ("a: b: c\n", r"^bench\.yaml:1:5: not readable as YAML: mapping values"),
        ("a: *nowhere\n", r"^bench\.yaml:1:4: not readable as YAML: found undefined alias"),
        ("a: 1\n---\nb: 2\n", r"^bench\.yaml:2:1: .*expected a single document"),
        ("a: 1\nb: x\x00\n", r"^bench\.yaml:2:5: not a text file: it has a control character"),
        ("a: 1\na: 2\n", r"^bench\.yaml:2:1: 'a' appears twice, first on line 1"),
        ("a: {b: 1, b: 2}\n", r"^bench\.yaml:1:11: 'b' appears twice, first on line 1"),
        ("? [a]\n: 1\n", r"^bench\.yaml:1:3: a key must be plain text, found a list"),
        ("a: !!int x\n", r"^bench\.yaml:1:4: 'x' cannot be read as !!int"),
        ("a: {<<: 3}\n", r"^bench\.yaml:1:9: '<<' takes an alias of a mapping"),
    ],
)
def test_unreadable_text_says_where_and_what(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(text)


@pytest.mark.parametrize("tag", ["!!python/object:os.system", "!!python/name:os.system", "!x"])
def test_tags_are_refused(tag: str) -> None:
    with pytest.raises(ConfigError, match=r"^bench\.yaml:1:4: tag '.*' is not allowed"):
        parse(f"a: {tag} x")


def test_alias_bomb_is_refused_quickly() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    with pytest.raises(ConfigError, match=r"bench\.yaml:\d+:\d+: more than 100,000 values"):
        parse("\n".join(lines))


@pytest.mark.parametrize(
    "text", ["a: &a\n  - *a\n", "a: &a {<<: *a}\n", "a: " + "[" * 60 + "]" * 60]
)
def test_endless_and_deep_documents_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="more than 100,000 values, or 50 levels"):
        parse(text)


def test_nesting_beyond_the_parser_is_an_error_too() -> None:
    with pytest.raises(ConfigError, match=r"^bench\.yaml:1:\d+: nested too deeply"):
        parse("[" * 1500)


def test_aliases_and_merge_keys_give_plain_values() -> None:
    text = "base: &base {x: 1, y: 2}\nmore: {<<: *base, y: 3}\nsame: *base\n"
    data = parse(text).data()
    assert data["more"] == {"x": 1, "y": 3}
    assert data["same"] == {"x": 1, "y": 2}
    assert parse(text).where(("more", "x")) == "bench.yaml:1:14"


def test_missing_file_folder_and_binary_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.yaml: there is no such file"):
        Document.read(tmp_path / "gone.yaml")
    with pytest.raises(ConfigError, match="is a folder"):
        Document.read(tmp_path)
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff")
    with pytest.raises(ConfigError, match=r"picture\.png: not a text file in UTF-8"):
        Document.read(picture)
    huge = tmp_path / "huge.yaml"
    huge.write_bytes(b"#" * 1_000_001)
    with pytest.raises(ConfigError, match="larger than 1,000,000 bytes"):
        Document.read(huge)


def test_unreadable_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "secret.yaml"
    path.write_text("a: 1")
    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(ConfigError, match=r"secret\.yaml: cannot be read: permission denied"):
        Document.read(path)


def test_where_names_the_place_or_the_nearest_parent() -> None:
    document = parse("a: 1\nb:\n  - x\n  - {c: 2}\n")
    assert document.where(("a",)) == "bench.yaml:1:1"
    assert document.where(("b", 1, "c")) == "bench.yaml:4:6"
    assert document.where(("b", 1, "missing")) == "bench.yaml:4:5"
    assert document.where(("b", 9)) == "bench.yaml:2:1"


def test_override_is_yaml_and_keeps_its_siblings() -> None:
    document = parse("a: {b: 1, c: 2}\n").with_override("a.b=1e-4").with_override("d=[1, no]")
    assert document.data() == {"a": {"b": 1e-4, "c": 2}, "d": [1, "no"]}
    assert document.where(("a", "b")) == "--set a.b=1e-4"
    assert document.where(("a", "c")) == "bench.yaml:1:11"


def test_override_below_a_flat_key_keeps_its_dots() -> None:
    document = parse("a: {}\n").with_override("a.b.c=[1]", flat=("a",))
    assert document.data() == {"a": {"b.c": [1]}}


@pytest.mark.parametrize("text", ["seeds", "=3", "a..b=1", ".a=1"])
def test_override_without_key_or_value_says_how_to_write_it(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--set .*write it as --set some\.setting=value"):
        parse("a: 1").with_override(text)


def test_override_that_is_not_yaml_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^--set a=\[1,: not readable as YAML"):
        parse("a: 1").with_override("a=[1,")


def test_merge_replaces_lists_and_the_options_of_another_plugin() -> None:
    base = parse("x: [1, 2]\nplugin: {name: mnist, size: 32}\nsame: {name: a, k: 1}\n")
    over = parse("x: [3]\nplugin: {name: ring}\nsame: {name: a, j: 2}\n")
    assert base.merged(over.root).data() == {
        "x": [3],
        "plugin": {"name": "ring"},
        "same": {"name": "a", "k": 1, "j": 2},
    }
