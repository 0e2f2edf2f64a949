"""A format that an installed package adds is read, written and recognised; a broken one breaks no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from keyseg.cli.main import run
from keyseg.formats import FORMATS, find_sources, format_named, format_to_write, read_annotations
from keyseg.formats.conversion import convert
from keyseg.formats.format import AnnotationOptions
from keyseg.formats.table_of_formats import format_of, unused_options
from keyseg.timeline import ConfigError
from plug_in import install

# One line per interval: start>end label, in seconds.
ARROWS = """
from fractions import Fraction
from keyseg.formats.format import Format
from keyseg.timeline import Annotation, Interval

def read(path, settings):
    intervals = []
    for line in path.read_text(encoding="utf-8").splitlines():
        times, label = line.split(" ", 1)
        intervals.append(Interval(*map(Fraction, times.split(">")), label))
    return [Annotation(path.stem, tuple(intervals), None, settings.fps)]

def write(annotations, settings):
    (annotation,) = annotations
    intervals = annotation.intervals
    return "".join(f"{float(i.start_seconds)}>{float(i.end_seconds)} {i.label}\\n" for i in intervals)

ARROWS = Format("Arrows", ".arrows", read, write, lambda text: ">" in text.split("\\n")[0], also=(".txt",))
"""


@pytest.fixture
def arrows(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the package of the format and one whose format cannot be imported."""
    site = tmp_path_factory.mktemp("site")
    install(site, "arrow-format", {"keyseg.formats": {"arrows": "fmt_arrows:ARROWS"}}, fmt_arrows=ARROWS)
    install(site, "broken-format", {"keyseg.formats": {"bows": "fmt_bows:BOWS"}}, fmt_bows="import no_such_module\n")
    monkeypatch.syspath_prepend(site)
    return site


def test_it_is_read_written_and_recognised(arrows: Path, tmp_path: Path) -> None:
    file = tmp_path / "tea.arrows"
    file.write_text("1.0>2.5 take cup\n3.0>4.0 pour\n")
    (annotation,) = read_annotations(file)
    assert [(float(i.start_seconds), i.label) for i in annotation.intervals] == [(1.0, "take cup"), (3.0, "pour")]
    convert(file, tmp_path / "tea.vtt")
    convert(tmp_path / "tea.vtt", tmp_path / "back.arrows")
    assert (tmp_path / "back.arrows").read_text() == file.read_text()
    assert format_to_write(Path("tea.ARROWS")) == "arrows"
    text = tmp_path / "other.txt"
    text.write_text("1.0>2.5 take\n")
    assert find_sources(tmp_path).formats[file] == "arrows"
    assert read_annotations(text, "arrows")[0].intervals[0].label == "take"


def test_the_content_decides_between_it_and_a_format_of_keyseg(arrows: Path, tmp_path: Path) -> None:
    (tmp_path / "tea.txt").write_text("take\ntake\n")
    assert format_of(tmp_path / "tea.txt") == "txt"
    assert format_of(write_arrows(tmp_path / "untold.dat")) == "arrows"


def write_arrows(path: Path) -> Path:
    path.write_text("1.0>2.5 take\n")
    return path


def test_options_of_reading_may_be_its_own(arrows: Path) -> None:
    options = AnnotationOptions(tier=("rat",), lenient=True)
    assert unused_options(["arrows"], options) == []
    assert unused_options(["arrows", "vtt"], options) == []
    assert unused_options(["vtt"], options) == ["--tier", "--lenient"]


def test_a_broken_format_is_named_when_it_is_asked_for(
    arrows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_arrows(tmp_path / "tea.arrows")
    assert run(["convert", str(file), str(tmp_path / "tea.srt")]) == 0
    assert run(["convert", str(file), str(tmp_path / "out"), "--to", "bows"]) == 2
    assert "'bows' of broken-format 1.0 (entry point fmt_bows:BOWS of keyseg.formats)" in capsys.readouterr().err
    with pytest.raises(ConfigError, match=r"unknown format 'arows' \(did you mean 'arrows'\?\)"):
        format_named("arows")
    assert "bows" not in dict(FORMATS.usable())
    assert FORMATS["arrows"].frames is False


def test_mistakes_of_a_format_name_its_package(
    arrows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tea.arrows"
    file.write_text("now\n")
    assert run(["convert", str(file), str(tmp_path / "tea.srt")]) == 2
    said = capsys.readouterr().err
    assert "'arrows' of arrow-format 1.0 (entry point fmt_arrows:ARROWS of keyseg.formats) cannot be used: " in said
    assert "ValueError: not enough values to unpack" in said
