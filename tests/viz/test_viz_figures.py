"""Saving figures: three formats, whole or not at all, the same bytes each time; nothing is overwritten unasked."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from xml.etree import ElementTree

import pytest

from keyseg.timeline import ConfigError, LabelMap, OutputExistsError, Segmentation, TimeBase
from keyseg.viz import plot_curves, plot_timelines, save_figure

_MAGIC = {"png": b"\x89PNG\r\n\x1a\n", "svg": b"<?xml", "pdf": b"%PDF-"}


def _figure():
    video = Segmentation.from_frames([0, 0, 1, 1, 1, 0])
    return plot_timelines([("truth", video)], LabelMap(("rest", "pour")), TimeBase(Fraction(3)), boxes=[(1, 4)])


@pytest.mark.parametrize("kind", _MAGIC)
def test_saves_by_suffix_with_the_same_bytes_each_time(tmp_path, kind):
    first = save_figure(_figure(), tmp_path / "new" / "folder" / f"a.{kind}")
    second = save_figure(_figure(), str(tmp_path / f"B.{kind.upper()}"))
    assert first == tmp_path / "new" / "folder" / f"a.{kind}"
    assert first.read_bytes().startswith(_MAGIC[kind])
    assert first.read_bytes() == second.read_bytes()
    for trace in (b"CreationDate", b"dc:date", b"Software"):
        assert trace not in first.read_bytes()


def test_svg_is_well_formed(tmp_path):
    path = save_figure(plot_curves({"a<b>&": ([0, 1], [1, 0])}), tmp_path / "a.svg")
    assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_nothing_is_overwritten_unless_forced(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"precious")
    with pytest.raises(OutputExistsError, match=r"a\.png exists already; give another path, or force"):
        save_figure(_figure(), path)
    assert path.read_bytes() == b"precious"
    save_figure(_figure(), path, force=True)
    assert path.read_bytes().startswith(_MAGIC["png"])


@pytest.mark.parametrize("name", ["a.jpeg", "a", "a.pngg"])
def test_another_suffix_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match=r"saved as \.png, \.svg, \.pdf, got suffix"):
        save_figure(_figure(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.svg"
    path.write_bytes(b"precious")

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match=r"No space left on device: .*a\.svg"):
        save_figure(_figure(), path, force=True)
    assert [p.name for p in tmp_path.iterdir()] == ["a.svg"]
    assert path.read_bytes() == b"precious"


def test_a_file_where_a_folder_is_needed_is_refused(tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(OutputExistsError, match="runs is a file; name a folder"):
        save_figure(_figure(), tmp_path / "runs" / "a.png")


def test_threads_draw_and_save_the_same_figure(tmp_path):
    alone = save_figure(_figure(), tmp_path / "alone.svg").read_bytes()
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda i: save_figure(_figure(), tmp_path / f"{i}.svg"), range(8)))
    assert all(path.read_bytes() == alone for path in paths)
