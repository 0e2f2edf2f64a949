"""A sample of the attack on readers; `make fuzz` has all of it, and the corpus every input that ever failed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from fuzz import campaign
from fuzz.readers import READERS
from fuzz.samples import journals, timelines
from fuzz.worker import CORPUS, content_of, corpus, message_problem
from keyseg.formats import FORMATS

CORPUS_FOLDER = Path(__file__).parent / "corpus"
QUICK = [name for name, reader in READERS.items() if not reader.binary]
BINARY = [name for name, reader in READERS.items() if reader.binary]


def test_every_format_of_the_table_has_a_reader() -> None:
    assert [name for name in FORMATS.ours if name not in READERS] == []


def test_an_input_depends_on_seed_and_number_alone() -> None:
    reader = READERS["csv"]
    assert content_of(reader, 1, 7) == content_of(reader, 1, 7)
    assert len({content_of(reader, seed, number) for seed in range(3) for number in range(20)}) > 50


def test_samples_are_made_anew_the_same() -> None:
    assert [name for name in FORMATS.ours if timelines(name) != timelines.__wrapped__(name)] == []
    assert journals() == journals.__wrapped__()
    today = datetime.now(UTC).date().isoformat().encode()
    assert [name for name in FORMATS.ours if any(today in content for content in timelines(name))] == []


@pytest.mark.parametrize("letter", ["\x1b", "\x7f", "\x85", "\r", "\u202e", "\u2066", "\ud800"])
def test_a_message_that_commands_a_terminal_is_a_finding(letter: str) -> None:
    assert "a message with" in message_problem(f"tea.csv: {letter}")


def test_long_messages_are_findings_and_others_are_not() -> None:
    assert message_problem("x" * 2001) == "a message of 2001 characters"
    assert message_problem("tea.csv:3: the label 'Tür öffnen'\n  日本語") == ""


@pytest.mark.slow
def test_text_is_read_or_refused() -> None:
    _assert_sound(campaign.run([(name, 0, 0, campaign.share(name, 300, 0)) for name in QUICK]))


@pytest.mark.slow
def test_binary_files_are_read_or_refused() -> None:
    _assert_sound(campaign.run([(name, 0, 0, campaign.share(name, 0, 50)) for name in BINARY]))


@pytest.mark.slow
def test_no_input_fails_that_once_did() -> None:
    jobs = [(name, CORPUS, 0, count) for name, reader in READERS.items() if (count := len(corpus(reader)))]
    assert {folder.name for folder in CORPUS_FOLDER.iterdir()} <= set(READERS)
    assert jobs
    _assert_sound(campaign.run(jobs))


def _assert_sound(figures: dict[str, campaign.Figures]) -> None:
    assert [str(finding) for one in figures.values() for finding in one.findings] == []
