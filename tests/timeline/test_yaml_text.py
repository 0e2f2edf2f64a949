"""YAML by the core schema of YAML 1.2: which plain text is text, errors with their line, and the way back."""

from __future__ import annotations

import math
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


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8"))
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


@pytest.mark.parametrize("text", ["a: [", "a:\n\t- b", "!!int x", "!!python/name:os.system", "[" * 5000])
def test_what_is_not_yaml_is_refused_with_its_place(text: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^here(:\d)?: not YAML \(.+\)$"):
        from_yaml(text, "here", DataError)
    (tmp_path / "my.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"my\.yaml(:\d)?: not YAML"):
        read_yaml(tmp_path / "my.yaml", "a recipe")
