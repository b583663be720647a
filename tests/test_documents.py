"""Strict YAML: every mistake has its place and, where one is near, its correction."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict

from posetrack.documents import Override, load_document, parse_document, read_yaml
from posetrack.errors import ConfigError, ModelError


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    height: int = 1
    ratio: float = 1.0
    on: str = ""


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: str
    switch: bool = False
    inner: Inner = Inner()
    rows: tuple[Inner, ...] = ()


def _error(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_document(text, Outer, name="file.yaml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_document_becomes_its_model() -> None:
    outer = parse_document(
        "name: a\nswitch: true\ninner: {height: 3, ratio: 2}\nrows: [{height: 5}]", Outer, name="f"
    )
    assert (outer.switch, outer.inner.height, outer.inner.ratio) == (True, 3, 2.0)
    assert outer.rows[0].height == 5


def test_a_misspelt_key_is_named_with_its_line_and_the_nearest_key() -> None:
    text = "name: a\ninner:\n  heigth: 3\n"
    assert _error(text) == ("file.yaml:3: unknown key 'inner.heigth': did you mean 'height'?")


def test_a_misspelt_key_in_a_list_is_found() -> None:
    assert _error("name: a\nrows:\n  - height: 1\n  - ratoi: 2\n") == (
        "file.yaml:4: unknown key 'rows.1.ratoi': did you mean 'ratio'?"
    )


def test_a_key_like_none_lists_the_known_ones() -> None:
    assert "known are name, switch, inner, rows" in _error("name: a\nzzz: 1\n")


def test_a_wrong_type_has_its_line_and_value() -> None:
    message = _error("name: a\ninner:\n  ratio: 1\n  height: tall\n")
    assert message.startswith("file.yaml:4: inner.height: ")
    assert message.endswith("got 'tall'")


def test_a_list_and_settings_in_each_others_place_are_told_as_yaml_has_them() -> None:
    named = "name: a\nrows:\n  first: {height: 1}\n"
    assert _error(named).startswith(
        'file.yaml:2: rows: give a list, each entry on a line that begins with "- "'
    )
    listed = "name: a\ninner: [1]\n"
    assert _error(listed).startswith("file.yaml:2: inner: give settings, each on a line as in name")


@pytest.mark.parametrize("word", ["yes", "on", "False", '"true"', "1"])
def test_only_true_and_false_are_booleans(word: str) -> None:
    assert "file.yaml:2: switch: " in _error(f"name: a\nswitch: {word}\n")


def test_the_key_on_is_a_word() -> None:
    assert parse_document("name: a\ninner: {on: COCO}", Outer, name="f").inner.on == "COCO"


def test_a_missing_key_is_named() -> None:
    assert _error("switch: true\n") == "file.yaml:1: 'name' is missing"


def test_a_key_given_twice_is_refused() -> None:
    assert _error("name: a\nswitch: true\nname: b\n") == "file.yaml:3: 'name' is given twice"


@pytest.mark.parametrize("text", ["name: [1, 2", "name: 'a\n", "\tname: a", "a: b: c"])
def test_broken_yaml_is_one_line_with_its_place(text: str) -> None:
    assert _error(text).startswith("file.yaml:")


@pytest.mark.parametrize("text", ["", "- 1\n", "just words"])
def test_another_shape_than_a_mapping_is_refused(text: str) -> None:
    assert "a mapping of names to values was expected" in _error(text)


def test_tags_that_would_run_code_are_refused() -> None:
    assert "not valid YAML" in _error("name: !!python/object/apply:os.getcwd []\n")


def test_a_file_that_cannot_be_read_raises_the_error_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        load_document(tmp_path / "none.yaml", Outer, error=ModelError)
    (tmp_path / "latin.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(ModelError, match="cannot be read"):
        load_document(tmp_path / "latin.yaml", Outer, error=ModelError)


def test_lines_are_known_for_every_value() -> None:
    _, lines = read_yaml("a:\n  - 1\n  - b: 2\n", name="f")
    assert lines["a",] == 1
    assert lines["a", 1, "b"] == 3


def bomb(first: str, alias: str) -> str:
    """Nine lines that stand for nine to the ninth of `first`."""
    lines = [f"a0: &a0 {first}"]
    for i in range(9):
        of = ", ".join(9 * [f"*a{i}"])
        lines.append(f"a{i + 1}: &a{i + 1} {alias.format(of)}")
    return "\n".join(lines)


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "text",
    [
        bomb("[x, x]", "[{}]"),
        bomb("{x: 1}", "{{<<: [{}]}}"),
        "a: &a [*a]",
    ],
)
def test_a_few_lines_that_stand_for_endless_values_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"a\.yaml:\d+: more than 100000 values, or 64 inside"):
        read_yaml(text, name="a.yaml")


@pytest.mark.timeout(5)
@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50_000, "a: " + "[" * 70 + "]" * 70])
def test_brackets_in_brackets_are_refused_at_once(text: str) -> None:
    with pytest.raises(ConfigError, match=r"a\.yaml:1: not valid YAML \(nested too deeply\)"):
        read_yaml(text, name="a.yaml")


@pytest.mark.parametrize("text", ["\x1f", "a: 2001-99-99", "[" * 5000])
def test_what_yaml_cannot_hold_is_a_usual_error(text: str) -> None:
    with pytest.raises(ConfigError, match="YAML"):
        read_yaml(text, name="a.yaml")


def test_an_override_beats_the_file_and_is_named_where_it_is_wrong() -> None:
    given = Override(("inner", "height"), 7, "HEIGHT")
    assert parse_document("name: a\n", Outer, name="file.yaml", overrides=[given]).inner.height == 7
    wrong = Override(("inner", "height"), "tall", "HEIGHT")
    with pytest.raises(ConfigError, match=r"^HEIGHT: inner\.height: "):
        parse_document("name: a\n", Outer, name="file.yaml", overrides=[wrong])
    with pytest.raises(ConfigError, match=r"^file\.yaml:2: inner is no section"):
        parse_document("name: a\ninner: 3\n", Outer, name="file.yaml", overrides=[given])
