"""A sample of the attack on readers; `make fuzz` has all of it, and the corpus every input that ever failed."""

from __future__ import annotations

from pathlib import Path

from fuzz import campaign
from fuzz.readers import READERS
from fuzz.worker import content_of
from keyseg.formats import FORMATS

CORPUS = Path(__file__).parent / "corpus"
QUICK = [name for name, reader in READERS.items() if not reader.binary]
BINARY = [name for name, reader in READERS.items() if reader.binary]


def test_every_format_of_the_table_has_a_reader() -> None:
    assert [name for name in FORMATS.ours if name not in READERS] == []


def test_an_input_depends_on_seed_and_number_alone() -> None:
    reader = READERS["csv"]
    assert content_of(reader, 1, 7) == content_of(reader, 1, 7)
    assert len({content_of(reader, seed, number) for seed in range(3) for number in range(20)}) > 50


def test_text_is_read_or_refused() -> None:
    _assert_sound(campaign.run([(name, 0, 0, campaign.share(name, 300, 0)) for name in QUICK]))


def test_binary_files_are_read_or_refused() -> None:
    _assert_sound(campaign.run([(name, 0, 0, campaign.share(name, 0, 50)) for name in BINARY]))


def _assert_sound(figures: dict[str, campaign.Figures]) -> None:
    assert [str(finding) for one in figures.values() for finding in one.findings] == []
