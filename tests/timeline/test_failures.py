"""Inputs that fail without stopping the others, and what the user reads about it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from keyseg.timeline import ConfigError, DataError
from keyseg.timeline.failures import INPUT_ERRORS, Failures, noting, reason_of, reason_with


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileNotFoundError(errno.ENOENT, "x", "a"), "a: no such file or folder; check the path"),
        (OSError(errno.ENOTEMPTY, "Directory not empty", "a"), "a: the folder is not empty; choose another name"),
        (OSError(errno.ENOSPC, "x"), "no space left on the disk; free some, and run the same command again"),
        (OSError(errno.EXDEV, "x", "a", None, "b"), "b: it is on another disk; name a place on the same one"),
        (OSError(errno.EPIPE, "Broken pipe"), "broken pipe"),
        (OSError(errno.EACCES, "x", b"a\xff"), "a\\udcff: permission denied; choose another place, or change its"),
        (OSError("words of ours"), "words of ours"),
        (MemoryError(), "not enough memory; an input may be damaged, or too large"),
        (RecursionError("maximum recursion depth exceeded"), "something in it is nested too deeply"),
        (UnicodeEncodeError("utf-8", "film\udcff", 4, 5, "surrogates not allowed"), "'film\\udcff' is not UTF-8; ren"),
        (DataError("bad \x1b"), "bad \\x1b"),
    ],
)
def test_every_failure_says_what_and_what_to_do(error: Exception, reason: str) -> None:
    assert isinstance(error, INPUT_ERRORS)
    assert reason_of(error).startswith(reason)
    assert "[Errno" not in reason_of(error)
    assert reason_with(Path("in\x1b"), error).startswith("in\\x1b: ")
    assert reason_with(Path("a"), DataError("a:3: no")) == "a:3: no"


def test_the_others_go_on_and_mistakes_of_ours_do_not_pass() -> None:
    lines: list[str] = []
    failures = Failures(lines.append)
    done = []
    for name in ("a", "b", "c"):
        with noting(failures, Path(name)):
            if name != "c":
                raise DataError(f"{name}: bad") if name == "a" else MemoryError
            done.append(name)
    assert done == ["c"]
    assert list(failures.reasons) == [Path("a"), Path("b")]
    assert (len(failures.tried), lines[0], len(lines)) == (3, "error: a: bad", 2)
    with pytest.raises(ZeroDivisionError), failures.of(Path("d")):
        raise ZeroDivisionError
    with pytest.raises(DataError), noting(None, Path("a")):
        raise DataError("bad")


def test_without_any_input_left_all_reasons_are_raised() -> None:
    failures = Failures()
    failures.raise_unless([])
    failures.add(Path("a"), ConfigError("a: no rate"))
    failures.raise_unless(["b"])
    with pytest.raises(ConfigError, match=r"^a: no rate$"):
        failures.raise_unless([])
    failures.add(Path("b"), DataError("b: damaged"))
    with pytest.raises(DataError, match=r"^2 inputs failed\na: no rate\nb: damaged$"):
        failures.raise_unless([])


def test_every_reason_of_an_input_is_kept_once() -> None:
    failures = Failures()
    for reason in ("of one video", "of another", "of one video"):
        failures.note(Path("table.csv"), f"table.csv: {reason}")
    assert failures.reasons == {Path("table.csv"): "table.csv: of one video\ntable.csv: of another"}
