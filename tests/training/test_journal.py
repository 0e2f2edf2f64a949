"""The journal of a tuning: what a kill or another process leaves in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fuzz import samples
from keyseg.timeline import DataError
from keyseg.training.journal import Journal
from keyseg.training.trials import tuned_so_far
from keyseg.training.tuning import read_tuning

CHANGES: list[dict[str, Any]] = [{"op_code": number, "text": "é" * number} for number in range(4)]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    journal = Journal(tmp_path / "trials.journal")
    journal.append_logs(CHANGES[:2])
    return journal


@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_changes_are_read_from_a_number_on_by_those_who_wrote_them_and_by_others(
    journal: Journal, first: int, tmp_path: Path
) -> None:
    journal.append_logs(CHANGES[2:])
    for reader in (journal, Journal(tmp_path / "trials.journal")):
        assert list(reader.read_logs(first)) == CHANGES[first:]
        assert list(reader.read_logs(first)) == CHANGES[first:]


def test_there_are_none_without_a_file(tmp_path: Path) -> None:
    assert list(Journal(tmp_path / "trials.journal").read_logs(0)) == []


@pytest.mark.parametrize("known", [False, True])
def test_a_line_that_a_kill_has_cut_is_not_read_and_gives_way_to_the_next(
    journal: Journal, known: bool, tmp_path: Path
) -> None:
    path = tmp_path / "trials.journal"
    whole = path.read_bytes()
    for cut in (b"{", '{"text":"é'.encode()[:-1], b'{"op_code":9}'):
        path.write_bytes(whole + cut)
        reader = Journal(path)
        if known:
            assert list(reader.read_logs(0)) == CHANGES[:2]
        reader.append_logs(CHANGES[2:3])
        assert list(Journal(path).read_logs(0)) == CHANGES[:3]
        path.write_bytes(whole)


def test_changes_of_another_process_are_read_and_kept(journal: Journal, tmp_path: Path) -> None:
    assert list(journal.read_logs(0)) == CHANGES[:2]
    Journal(tmp_path / "trials.journal").append_logs(CHANGES[2:3])
    journal.append_logs(CHANGES[3:])
    assert list(journal.read_logs(2)) == CHANGES[2:]


@pytest.mark.parametrize("line", ["{", "[1]", '{"op_code": 1e999}', "\xff"])
def test_a_damaged_line_is_named(journal: Journal, line: str, tmp_path: Path) -> None:
    path = tmp_path / "trials.journal"
    path.write_bytes(path.read_bytes() + line.encode("latin-1") + b"\n")
    with pytest.raises(DataError, match=r"trials\.journal: line 3"):
        list(journal.read_logs(0))


@pytest.mark.parametrize(
    ("written", "instead", "words"),
    [
        ('{"index":1}', '{"index":"1"}', "the index of a trial is a number, got '1'"),
        ('{"index":1}', '{"index":null}', "the index of a trial is a number, got None"),
        ('{"index":1}', '{"index":-1}', "the index of a trial is a number, got -1"),
        ('{"index":1}', '{"number":1}', "KeyError: 'index'"),
        ('{"seconds":1.5}', '{"seconds":"long"}', "seconds"),
        ('{"state":"stopped"}', '{"state":"asleep"}', "'finished', 'stopped' or 'failed'"),
        ('{"f1@50":70.0', '{"f1@50":[70.0]', "scores"),
    ],
)
def test_what_a_trial_says_of_itself_is_checked(written: str, instead: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "tuning.json").write_bytes(samples.tunings()[0])
    text = samples.journals()[0].decode()
    assert written in text
    (tmp_path / "trials.journal").write_text(text)
    assert [trial.number for trial in tuned_so_far(read_tuning(tmp_path)).trials] == [0, 1]
    (tmp_path / "trials.journal").write_text(text.replace(written, instead))
    with pytest.raises(DataError, match="not a journal of keyseg tune") as caught:
        tuned_so_far(read_tuning(tmp_path))
    assert words in str(caught.value)
