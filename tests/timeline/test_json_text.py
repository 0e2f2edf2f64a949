"""JSON of strangers: bounded numbers, no repeated keys, and every other end is a DataError with the place."""

from __future__ import annotations

import json
import math
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyseg.timeline import DataError
from keyseg.timeline.json_text import from_json

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("ab\\\"u"), inner),
    max_leaves=8,
)  # fmt: skip


@given(values, st.booleans())
def test_what_is_written_is_read(value: Any, escaped: bool) -> None:
    assert from_json(json.dumps(value, ensure_ascii=escaped), "x", "a value") == value


@pytest.mark.parametrize(
    ("text", "words"),
    {
        "huge": ("9" * 5000, r"x: the number 99999999999999999999\.\.\. does not fit into 64 bits"),
        "65 bits": (str(2**63), "does not fit into 64 bits"),
        "exponent": ("1e999", r"x: the number 1e999\.\.\. is too long, too large or too small"),
        "far exponent": ("1e99999999", "too large"),
        "absurd exponent": ("1e" + "9" * 50, "too "),
        "small": ("1e-6000", "too small"),
        "digits": ("0." + "3" * 5000, "too long"),
        "NaN": ("[NaN]", "x: NaN is not a number"),
        "infinite": ("[-Infinity]", "-Infinity is not a number"),
        "nesting": ("[" * 100_000, "x: nested too deeply"),
        "nesting of objects": ('{"a":' * 100_000, "x: nested too deeply"),
        "repeated key": ('{"a": 1, "b": 2, "a": 3}', "x: duplicate key 'a'"),
        "half a letter": ('["a",\n"\\ud800"]', r"x: line 2: \\ud800 is no character"),
        "other half": ('"\\udc00"', r"\\udc00 is no character"),
        "half in a key": ('{"\\uD83D": 1}', r"\\uD83D is no character"),
        "halves apart": ('"\\ud83d\\\\\\ude00"', "is no character"),
        "zero byte": ('"a\\u0000"', r"\\u0000 is no character"),
        "cut off": ('{"a":\n', "x:2: not JSON"),
        "empty": ("", "x:1: not JSON"),
    }.values(),
)
@pytest.mark.parametrize("exact", [False, True])
def test_what_is_refused(text: str, words: str, exact: bool) -> None:
    with pytest.raises(DataError, match=f"{words}.*; it should hold a value$") as caught:
        from_json(text, "x", "a value", exact=exact)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", [r'"\\ud800"', r'"\ud83d\ude00"', r'"\\\ud83d\ude00"', r'"\\u0000"'])
def test_whole_letters_and_backslashes_are_read(text: str) -> None:
    assert from_json(text, "x", "a value") == json.loads(text)


def test_numbers_are_exact_where_that_is_asked() -> None:
    assert from_json("[0.1, 1e300, 7]", "x", "numbers", exact=True) == [Decimal("0.1"), Decimal("1e300"), 7]
    assert from_json("[0.1, 7]", "x", "numbers") == [0.1, 7]
    assert math.isnan(from_json("NaN", "x", "a number", nan=True))


def test_repeated_keys_are_found_in_linear_time() -> None:
    pairs = ", ".join(f'"{key}": 0' for key in [*range(50_000), 0])
    before = time.process_time()
    with pytest.raises(DataError, match="duplicate key '0'"):
        from_json(f"{{{pairs}}}", "x", "a value")
    assert time.process_time() - before < 2
