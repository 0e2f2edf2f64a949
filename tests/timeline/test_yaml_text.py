"""YAML by the core schema of YAML 1.2: which plain text is text, errors with their line, and the way back."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from keyseg.timeline import ConfigError, DataError
from keyseg.timeline.yaml_text import from_yaml, read_yaml, to_yaml

CORE = {
    "no": "no", "yes": "yes", "on": "on", "Off": "Off", "y": "y", "true": True, "False": False,
    "1:30": "1:30", "012": "012", "0x1f": "0x1f", "1_000": "1_000", "-7": -7, "0": 0, "+3": 3,
    "1e-4": 1e-4, "5E3": 5e3, "2.": 2.0, ".5": 0.5, "-.inf": -math.inf, "2020-13-45": "2020-13-45",
    "=": "=", "null": None, "~": None, "": None, "nul": "nul", "<<": "<<",
}  # fmt: skip


@pytest.mark.parametrize("text", CORE)
def test_plain_text_is_what_the_core_schema_says(text: str) -> None:
    value = from_yaml(text, "x")
    assert (type(value), value) == (type(CORE[text]), CORE[text])


CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0")
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(CHARACTERS)
    | st.sampled_from(list(CORE)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc1e.-_"), inner),
    max_leaves=8,
)  # fmt: skip


@given(values, st.booleans())
@example([["\n"]], True)
def test_what_is_written_is_read_also_by_yaml_1_1(value: Any, one_line: bool) -> None:
    text = to_yaml(value, one_line=one_line)
    assert from_yaml(text, "x") == value
    assert yaml.safe_load(text) == value
    assert not (one_line and "\n" in text)


@pytest.mark.parametrize("text", ["a: [", "a:\n\t- b", "? ]", "a: \x07", '"\\UFFFFFFFF"'])
def test_what_is_not_yaml_is_refused_with_its_place(text: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^here(:\d)?: not YAML \(.+\)$"):
        from_yaml(text, "here", DataError)
    (tmp_path / "my.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"my\.yaml(:\d)?: not YAML"):
        read_yaml(tmp_path / "my.yaml", "a recipe")


HOSTILE = {
    "alias": ("a: &b 1\nc: *b", "x:1: anchors and aliases are not read"),
    "alias alone": ("c: *b", "x:1: anchors and aliases are not read"),
    "bomb": ("".join(f"a{i}: &a{i} [{f'*a{i - 1}, ' * 9}]\n" for i in range(1, 30)), "anchors and aliases"),
    "tag": ("a: 1\nb: !!timestamp 2001", "x:2: tags are not read"),
    "set": ("!!set {a}", "tags are not read"),
    "code": ("!!python/name:os.system", "tags are not read"),
    "repeated key": ("a: 1\nb: {c: 1,\n c: 2}", "x:3: 'c' is on line 2 already"),
    "list as a key": ("? [a]\n: b", "x:1: expected a word as a key"),
    "map as a key": ("{? {a: b} : c}", "x:1: expected a word as a key"),
    "huge": ("a: " + "9" * 5000, r"x:1: the number 99999999999999999999\.\.\. is too long"),
    "65 bits": ("a: 9223372036854775808", "the number 9223372036854775808 does not fit into 64 bits"),
    "exponent": ("a: 1e999", "the number 1e999 is too large"),
    "digits": ("a: 0." + "3" * 5000, "is too long"),
    "nesting": ("[" * 100_000, "x:1: nested too deeply"),
    "nesting by indents": ("- " * 100_000, "x:1: nested too deeply"),
    "values": ("[" + "a," * 500_000 + "]", "x:1: too many values; at most 40000 are read"),
    "half a letter": ('a: "\\ud800"', "x:1: an escape is no character"),
    "zero byte": ('"\\0": 1', "x:1: an escape is no character"),
    "size": ("#" * (2**20 + 1), "x: too large"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_slow_or_odd_is_refused(case: str) -> None:
    text, words = HOSTILE[case]
    before = time.process_time()
    with pytest.raises(DataError, match=words) as caught:
        from_yaml(text, "x", DataError)
    assert time.process_time() - before < 5
    assert len(str(caught.value)) < 200


def test_merge_keys_are_words_and_merge_nothing() -> None:
    assert from_yaml("a: {<<: {b: 1}, =: 2, c: 0o99}", "x") == {"a": {"<<": {"b": 1}, "=": 2, "c": "0o99"}}


def test_a_file_is_refused_by_its_size(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_bytes(b" " * (2**20 + 1))
    with pytest.raises(ConfigError, match=r"my\.yaml: too large \(1\.0 MiB, .* it should hold a recipe"):
        read_yaml(tmp_path / "my.yaml", "a recipe")
