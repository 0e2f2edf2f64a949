"""Text of strangers as it is printed: escapes, and no more than 2,000 characters."""

from __future__ import annotations

import pickle
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyseg.timeline import ConfigError, DataError, KeysegError, OutputExistsError
from keyseg.timeline.printable import MOST_CHARACTERS, printable


@given(st.text(st.characters(), max_size=200), st.integers(20, 60))
def test_what_is_printed_commands_nothing_and_is_short(text: str, most: int) -> None:
    shown = printable(text, most)
    assert len(shown) <= most
    assert all(letter == "\n" or unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co", "Cn") for letter in shown)
    assert printable(shown, most) == shown


@pytest.mark.parametrize(
    "text", ["", "Tür, 日本語, сыр", "two\nlines", "no\u00a0break, wide\u3000space", "back\\slash"]
)
def test_ordinary_text_stays(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\rb\x07\t", "a\\rb\\x07\\t"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("film\udcff.mp4", "film\\udcff.mp4"),
        ("\u2028", "\\u2028"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
    ],
)
def test_other_text_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert str(DataError(text)) == shown


def test_of_a_long_text_the_middle_is_left_out() -> None:
    text = "start " + "x" * 93_000 + "; what to do"
    for shown in (printable(text), str(DataError(text))):
        assert len(shown) == MOST_CHARACTERS
        assert shown.startswith("start xxx")
        assert shown.endswith("x; what to do")
        assert " ... " in shown


def test_every_error_of_ours_prints_so_and_keeps_its_words() -> None:
    for kind in (KeysegError, DataError, ConfigError, OutputExistsError):
        error = pickle.loads(pickle.dumps(kind("a\x1b")))
        assert (str(error), error.args) == ("a\\x1b", ("a\x1b",))
